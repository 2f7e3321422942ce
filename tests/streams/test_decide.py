"""Stage 2: what it takes and sends, what it does with what it cannot take, and how it tells it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from streams.decide import NAME, DecideStage
from streams.deciding.absorb import Absorber
from streams.engine.records import Outgoing, Record
from streams.errors import Misconfigured
from streams.flows import record_workspace
from streams.flows.shape import Decision, View
from streams.guard import DeadLetterLimit, Guard
from streams.messages.audit import AuditEvent, AuditLine
from streams.messages.base import Message, Told
from streams.messages.dead_letters import Failure
from streams.messages.facts import (
    ColumnsKnown,
    ColumnsWanted,
    Document,
    DocumentTold,
    EventsKnown,
    FolderOwned,
    StageChanged,
    WorkspaceEvent,
    WorkspaceKnown,
    WorkspaceOwned,
    WorkspaceWanted,
)
from streams.messages.links import RecordLinks
from streams.messages.outcomes import StepDone, WorkspaceEnsured, WriteRefused
from streams.metrics import Metrics
from streams.topics import AUDIT, CHANGES, DEAD_LETTERS, DYNAMICS_COMMANDS, ECM_COMMANDS, LINKS
from streams.topics import OUTCOMES as OUTCOMES_TOPIC
from tables.evidence import Item
from tables.neighbours import Interest
from tests.streams.rulebook import ACCOUNT_RULE, BOOK
from tests.streams.samples import START_MS, change, deleted, event, ref
from tests.streams.world import DictRows

ACCOUNT, DEAL = ref("account", 1), ref("opportunity", 3)
CREATED = change(ACCOUNT, 0, name="Contoso", accountnumber="A-1", statecode=0)
COMMANDS = (ECM_COMMANDS.name, DYNAMICS_COMMANDS.name)


class Lab:
    """The stage over dictionaries."""

    def __init__(self, own_user: str = "me", consecutive: int = 100) -> None:
        self.metrics = Metrics(CollectorRegistry())
        self.guard = Guard(NAME, self.metrics, DeadLetterLimit(consecutive))
        self.rows = DictRows()
        self.stage = DecideStage(
            BOOK, Absorber(BOOK, frozenset({own_user})), self.metrics, self.guard, lambda: START_MS
        )

    def send(self, *causes: Any) -> list[Outgoing]:
        return list(self.stage.handle([record(cause) for cause in causes], self.rows))

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


def record(cause: Any, key: bytes | None = None) -> Record:
    topic = OUTCOMES_TOPIC if hasattr(cause, "command_id") else CHANGES
    return Record(topic.name, 0, 7, 0, key or cause.key.encode(), cause.to_json(), (("h", b"1"),))


def of(topic: str, sent: Sequence[Outgoing]) -> list[dict[str, Any]]:
    return [json.loads(m.value or b"") for m in sent if m.topic == topic]


def audit(sent: Sequence[Outgoing]) -> list[tuple[str, str]]:
    return [(line["event"], line["summary"]) for line in of(AUDIT.name, sent)]


def answered(command: dict[str, Any], kind: type[Message], **fields: object) -> Any:
    """The outcome of a command."""
    back = {k: command[k] for k in ("rule", "record", "step", "desired", "caused_at_ms")}
    return kind.model_validate(
        {
            **back,
            "command_id": command["id"],
            "command": command["kind"],
            "at_ms": START_MS + 9000,
            **fields,
        }
    )


def made(lab: Lab) -> Any:
    (ensure,) = of(ECM_COMMANDS.name, lab.send(CREATED))
    return answered(
        ensure, WorkspaceEnsured, workspace_id=70, name="Contoso (A-1)", url="u", created=True
    )


@pytest.fixture
def lab() -> Lab:
    return Lab()


class TestDeadLetters:
    @pytest.mark.parametrize(
        ("told", "code"),
        [
            (replace(record(CREATED), value=b"{}"), "not_our_message"),
            (replace(record(CREATED), value=None), "not_our_message"),
            (replace(record(CREATED), value=CREATED.to_json()[:-9]), "not_our_message"),
            (replace(record(CREATED), value=b'{"kind":"other"}'), "not_our_message"),
            (replace(record(CREATED), value=b"\xff\xfe"), "not_our_message"),
            (replace(record(CREATED), topic=OUTCOMES_TOPIC.name), "not_our_message"),
            (replace(record(CREATED), key=DEAL.key.encode()), "wrong_key"),
            (replace(record(CREATED), key=None), "wrong_key"),
            (replace(record(CREATED), key=b"\xff"), "wrong_key"),
        ],
    )
    def test_what_is_not_ours_is_kept_and_changes_nothing(
        self, lab: Lab, told: Record, code: str
    ) -> None:
        (letter,) = lab.stage.handle([told], lab.rows)
        assert letter.topic == DEAD_LETTERS.name
        assert (letter.key, letter.value, letter.headers[0]) == (told.key, told.value, ("h", b"1"))
        failure = Failure.of(letter.headers)
        assert failure is not None
        assert (failure.code, failure.stage) == (code, NAME)
        assert lab.rows.tables == {}

    def test_an_event_about_nobody_is_kept(self, lab: Lab) -> None:
        about = event("contract.signed", 1, workspace_id=7)
        nobody = about.model_copy(update={"workspace_id": None})
        told = Record(CHANGES.name, 0, 7, 0, b"workspace:7", nobody.to_json())
        (letter,) = lab.stage.handle([told], lab.rows)
        assert letter.topic == DEAD_LETTERS.name

    def test_a_fault_in_a_flow_is_kept_and_leaves_the_rows_as_they_were(
        self, lab: Lab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lab.send(CREATED)
        before = dict(lab.rows.tables)
        broken = replace(record_workspace.FLOW, decide=_fails)
        lab.stage._flows["account"][0] = (broken, ACCOUNT_RULE)
        (letter,) = lab.send(change(ACCOUNT, 5, name="Other"))
        failure = Failure.of(letter.headers)
        assert failure is not None
        assert failure.code == "unexpected_error"
        assert lab.rows.tables == before

    def test_a_row_that_cannot_be_written_leaves_all_rows_as_they_were(self, lab: Lab) -> None:
        """Neither half of the rows nor commands without the rows that asked for them."""
        spoilt = replace(record_workspace.FLOW, decide=_spoils)
        lab.stage._flows["account"][0] = (spoilt, ACCOUNT_RULE)
        assert [m.topic for m in lab.send(CREATED)] == [DEAD_LETTERS.name]
        assert lab.rows.tables == {}

    def test_one_bad_message_holds_up_nothing(self, lab: Lab) -> None:
        bad = replace(record(CREATED), value=b"{")
        sent = lab.stage.handle([bad, record(CREATED), bad], lab.rows)
        topics = Counter(message.topic for message in sent)
        assert topics == {DEAD_LETTERS.name: 2, ECM_COMMANDS.name: 1, AUDIT.name: 2}

    def test_too_many_of_them_stop_the_stage(self) -> None:
        lab = Lab(consecutive=3)
        with pytest.raises(Misconfigured, match="3 messages in a row"):
            lab.stage.handle([replace(record(CREATED), value=b"{")] * 3, lab.rows)


def _fails(cause: Any, view: View, rule: Any) -> Decision:
    raise ZeroDivisionError


def _spoils(cause: Any, view: View, rule: Any) -> Decision:
    decision = record_workspace.decide(cause, view, rule)
    (command,) = decision.commands
    return replace(decision, commands=(command.model_copy(update={"step": "\ud800"}),))


class TestCommands:
    def test_they_go_to_the_writer_of_their_system_under_the_records_key(self, lab: Lab) -> None:
        sent = [*lab.send(change(ACCOUNT, 0, statecode=0)), *lab.send(CREATED)]
        found = [(m.topic, m.key) for m in sent if m.topic in COMMANDS]
        key = ACCOUNT.key.encode()
        assert found == [(DYNAMICS_COMMANDS.name, key), (ECM_COMMANDS.name, key)]

    def test_they_say_which_rules_decided(self, lab: Lab) -> None:
        (command,) = [m for m in lab.send(CREATED) if m.topic == ECM_COMMANDS.name]
        assert command.headers == (("dovetail-rules", b"test-rules"),)

    def test_deciding_again_sends_them_again_until_an_outcome(self, lab: Lab) -> None:
        first = of(ECM_COMMANDS.name, lab.send(CREATED))
        assert of(ECM_COMMANDS.name, lab.send(CREATED)) == first
        lab.send(made(lab))
        assert "ensure_workspace" not in [
            c["kind"] for c in of(ECM_COMMANDS.name, lab.send(CREATED))
        ]

    def test_they_carry_the_time_of_the_change_that_led_to_them(self, lab: Lab) -> None:
        sent = lab.send(made(lab))
        assert {c["caused_at_ms"] for t in COMMANDS for c in of(t, sent)} == {START_MS}

    def test_a_stale_change_is_counted_and_nothing_is_decided(self, lab: Lab) -> None:
        lab.send(change(ACCOUNT, 5, name="Contoso", accountnumber="A-1", statecode=0))
        sent = lab.send(change(ACCOUNT, 4, name="Old"))
        assert [m.topic for m in sent] == [AUDIT.name]
        skipped = {"stage": NAME, "reason": "stale"}
        assert lab.count("dovetail_messages_skipped_total", **skipped) == 1


class TestLinks:
    def test_a_workspace_is_published_once_it_is_linked(self, lab: Lab) -> None:
        outcome = made(lab)
        sent = lab.send(outcome)
        (message,) = [m for m in sent if m.topic == LINKS.name]
        assert message.key == ACCOUNT.key.encode()
        links = RecordLinks.model_validate_json(message.value or b"")
        linked = links.workspaces[ACCOUNT_RULE.name]
        assert (linked.workspace_id, linked.name, linked.url) == (70, "Contoso (A-1)", "u")
        assert [m for m in lab.send(change(ACCOUNT, 5, name="B")) if m.topic == LINKS.name] == []


class TestStory:
    def test_a_change_a_command_and_an_outcome_are_told(self, lab: Lab) -> None:
        assert audit(lab.send(CREATED)) == [
            ("changed", "updated: accountnumber, name, statecode"),
            ("commanded", "ensure_workspace for step workspace"),
        ]
        told = audit(lab.send(made(lab)))
        assert told[0] == ("done", "workspace 70 created: Contoso (A-1)")

    def test_a_command_that_was_sent_before_is_not_told_again(self, lab: Lab) -> None:
        lab.send(CREATED)
        assert audit(lab.send(CREATED)) == [("changed", "updated: nothing new")]

    @pytest.mark.parametrize(
        ("cause", "event_", "words"),
        [
            (deleted(ACCOUNT, 5), AuditEvent.CHANGED, "deleted: nothing new"),
            (change(ACCOUNT, 5, thin=True), AuditEvent.CHANGED, "cut off: read again"),
            (event("contract.signed", 5, record=DEAL), AuditEvent.TOLD, "contract.signed"),
            (
                StageChanged(record=DEAL, process=ref("p", 1), stage=None, at_ms=1),
                AuditEvent.TOLD,
                "process is gone",
            ),
            (
                StageChanged(record=DEAL, process=ref("p", 1), stage=ref("s", 2), at_ms=1),
                AuditEvent.TOLD,
                "process moved to stage s:",
            ),
            (
                WorkspaceKnown(record=DEAL, about=ACCOUNT, workspace_id=70),
                AuditEvent.TOLD,
                f"{ACCOUNT} has workspace 70",
            ),
            (
                ColumnsKnown(record=DEAL, about=ACCOUNT, columns={}, at_ms=1),
                AuditEvent.TOLD,
                f"columns of {ACCOUNT} are known",
            ),
            (event("contract.signed", 5, workspace_id=7), AuditEvent.HELD, "has no owner yet"),
        ],
    )
    def test_each_kind_of_cause_is_told_in_words(
        self, lab: Lab, cause: Any, event_: AuditEvent, words: str
    ) -> None:
        lines = [AuditLine.model_validate(line) for line in of(AUDIT.name, lab.send(cause))]
        assert lines[0].event is event_
        assert words in lines[0].summary
        assert lines[0].subject == cause.key

    def test_a_question_between_records_is_no_story(self, lab: Lab) -> None:
        asked = WorkspaceWanted(record=ACCOUNT, wanted_by=DEAL)
        assert [line["event"] for line in of(AUDIT.name, lab.send(asked))] == ["commanded"]

    @pytest.mark.parametrize(
        "cause",
        [
            WorkspaceKnown(record=DEAL, about=ACCOUNT, workspace_id=70),
            ColumnsKnown(record=DEAL, about=ACCOUNT, columns={}, at_ms=START_MS - 9_000_000),
            FolderOwned(record=DEAL, rule="r", folder_id=8, owner=ACCOUNT),
            DocumentTold(record=DEAL, rule="r", document_id=9, item=Item()),
            WorkspaceWanted(record=DEAL, wanted_by=ACCOUNT),
            ColumnsWanted(record=DEAL, wanted_by=ACCOUNT, columns=("name",)),
            EventsKnown(
                record=DEAL, about=ACCOUNT, rule="r", interest=Interest(), documents={9: Item()}
            ),
        ],
    )
    def test_what_records_tell_each_other_has_the_time_of_what_made_them_tell(
        self, lab: Lab, cause: Told
    ) -> None:
        sent = lab.send(cause.at(START_MS + 700, START_MS + 200))
        lines = of(AUDIT.name, sent)
        assert lines
        assert {line["at_ms"] for line in lines} == {START_MS + 700}
        reads = [command for topic in COMMANDS for command in of(topic, sent)]
        assert {command["caused_at_ms"] for command in reads} <= {START_MS + 200}

    def test_times_go_on_from_a_change_over_outcomes_to_other_records(self, lab: Lab) -> None:
        lab.send(change(ACCOUNT, -1, ownerid=ref("systemuser", 11).key))
        done = made(lab)
        sent = lab.send(done)
        told = {fact["kind"]: fact for fact in of(CHANGES.name, sent)}
        assert told.keys() == {"workspace_owned", "columns_wanted"}
        times = {(fact["told_ms"], fact["caused_at_ms"]) for fact in told.values()}
        assert times == {(done.at_ms, CREATED.at_ms)}
        assert {line["at_ms"] for line in of(AUDIT.name, sent)} == {done.at_ms}

    def test_a_refusal_is_told_with_its_words(self, lab: Lab) -> None:
        (ensure,) = of(ECM_COMMANDS.name, lab.send(CREATED))
        no = answered(ensure, WriteRefused, code="no_template", message="there is none")
        assert audit(lab.send(no)) == [
            ("refused", "ensure_workspace refused: no_template: there is none")
        ]

    def test_released_events_are_told(self, lab: Lab) -> None:
        lab.send(event("contract.signed", 5, workspace_id=7))
        assert lab.count("dovetail_events_held_total") == 1
        owned = WorkspaceOwned(workspace_id=7, record=DEAL, rule="opportunity-contract")
        sent = lab.send(owned.at(START_MS + 7000, START_MS))
        assert [line["at_ms"] for line in of(AUDIT.name, sent)] == [START_MS + 7000]
        assert audit(sent) == [("released", f"1 event(s) sent on to {DEAL}")]
        assert [fact["kind"] for fact in of(CHANGES.name, sent)] == ["workspace_event"]
        assert lab.send(owned) == []

    def test_a_step_that_is_done_is_told(self, lab: Lab) -> None:
        lab.send(made(lab))
        (update,) = of(ECM_COMMANDS.name, lab.send(change(ACCOUNT, 5, name="B")))
        assert audit(lab.send(answered(update, StepDone)))[0] == ("done", "update_workspace done")


class TestMetrics:
    def test_what_came_in_went_out_and_was_decided_is_counted(self, lab: Lab) -> None:
        lab.send(CREATED)
        stage = {"stage": NAME}
        assert lab.count("dovetail_messages_received_total", **stage, topic=CHANGES.name) == 1
        assert lab.count("dovetail_messages_emitted_total", **stage, topic=AUDIT.name) == 2
        decided = {"flow": "record_workspace", "reason": "waiting_for_workspace"}
        assert lab.count("dovetail_decisions_total", **decided) == 1
        command = {"flow": "record_workspace", "command": "ensure_workspace"}
        assert lab.count("dovetail_commands_total", **command) == 1
        assert lab.count("dovetail_stage_duration_seconds_count", **stage) == 1

    def test_a_near_miss_is_counted(self, lab: Lab) -> None:
        lab.send(CREATED)
        lab.send(change(ACCOUNT, 5, actor="me", name="Other"))
        assert lab.count("dovetail_echo_near_misses_total") == 1


STEPS = st.lists(
    st.one_of(
        st.builds(
            lambda second, name: change(ACCOUNT, second, name=name, accountnumber="1"),
            st.integers(0, 4),
            st.sampled_from("AB"),
        ),
        st.builds(lambda second: deleted(ACCOUNT, second), st.integers(0, 4)),
        st.builds(
            lambda second: change(
                DEAL, second, name="D", parentaccountid=ACCOUNT.key, salesstage=2
            ),
            st.integers(0, 4),
        ),
        st.builds(lambda s: event("contract.signed", s, record=DEAL), st.integers(0, 4)),
        st.builds(lambda s: event("contract.draft", s, workspace_id=7), st.integers(0, 4)),
        st.just(WorkspaceOwned(workspace_id=7, record=DEAL, rule="opportunity-contract")),
        st.just(WorkspaceWanted(record=ACCOUNT, wanted_by=DEAL)),
        st.just(None),  # what is not ours
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(causes=STEPS)
def test_a_batch_is_the_same_as_its_messages_one_by_one(causes: list[Any]) -> None:
    batch = [
        replace(record(CREATED), value=b"{") if cause is None else record(cause) for cause in causes
    ]
    together, alone = Lab(), Lab()
    at_once = list(together.stage.handle(batch, together.rows))
    one_by_one = [m for told in batch for m in alone.stage.handle([told], alone.rows)]
    assert at_once == without_repetitions(one_by_one)
    assert together.rows.tables == alone.rows.tables


def without_repetitions(sent: Sequence[Outgoing]) -> list[Outgoing]:
    """Of a command that is sent several times only the last."""
    ids = [json.loads(m.value or b"")["id"] if m.topic in COMMANDS else None for m in sent]
    return [
        m
        for place, m in enumerate(sent)
        if ids[place] is None or ids[place] not in ids[place + 1 :]
    ]


class TestWhatIsAskedForSeveralTimes:
    """One moment asks for a thing once, however many want it."""

    def test_three_rules_read_a_record_once(self) -> None:
        vendor = change(ref("account", 1), 0, name="Contoso")
        commands = of(DYNAMICS_COMMANDS.name, Lab().send(vendor))
        reads = [command for command in commands if command["kind"] == "read_record"]
        assert [(read["rule"], read["step"]) for read in reads] == [("upkeep", "read")]

    def test_a_record_that_events_tell_of_first_is_read_once(self) -> None:
        lab = Lab()
        sent = [
            message
            for n in range(4)
            for message in lab.send(event("contract.draft", n, record=DEAL))
        ]
        assert [c["kind"] for c in of(DYNAMICS_COMMANDS.name, sent)] == ["read_record"]

    def test_a_change_that_comes_again_asks_again_for_the_reading_that_has_no_outcome(self) -> None:
        lab = Lab()
        partial = change(ACCOUNT, 0, statecode=0)
        (first,) = of(DYNAMICS_COMMANDS.name, lab.send(partial))
        (again,) = of(DYNAMICS_COMMANDS.name, lab.send(partial))
        assert (first["kind"], again["id"]) == ("read_record", first["id"])

    def test_of_a_command_that_a_batch_repeats_the_last_is_sent(self) -> None:
        renamed = change(ACCOUNT, 5, name="Contoso Ltd")
        (command,) = of(ECM_COMMANDS.name, Lab().send(CREATED, renamed, CREATED))
        assert (command["kind"], command["name"]) == ("ensure_workspace", "Contoso Ltd (A-1)")

    def test_what_goes_and_comes_back_within_a_batch_ends_as_it_is(self) -> None:
        lab = Lab()
        created = of(ECM_COMMANDS.name, lab.send(CREATED))[0]
        linked = answered(
            created, WorkspaceEnsured, workspace_id=7, name="n", created=False, url="u"
        )
        lab.send(linked)
        names = [change(ACCOUNT, second, name=name) for second, name in enumerate("ABA", 1)]
        commands = of(ECM_COMMANDS.name, lab.send(*names))
        assert [c["name"] for c in commands if c["kind"] == "update_workspace"] == [
            "B (A-1)",
            "A (A-1)",
        ]


class TestWhatGrows:
    """However long a list is, a row is small, and nothing is read that is not asked for."""

    def largest(self, lab: Lab) -> int:
        return max(len(value) for value in lab.rows.tables.values())

    def test_documents_are_rows_of_their_own(self) -> None:
        lab = Lab()
        lab.send(CREATED)
        for number in range(300):
            document = Document(id=number, version=1, name=f"Document {number}")
            told = event("document.added", number, record=ACCOUNT, document=document)
            lab.send(WorkspaceEvent(record=ACCOUNT, rule=ACCOUNT_RULE.name, event=told))
        assert self.largest(lab) < 5_000
        assert len([key for table, key in lab.rows.tables if table == "evidence"]) == 300

    def test_those_who_ask_are_rows_of_their_own_and_all_of_them_hear(self) -> None:
        lab, owner = Lab(), ref("systemuser", 11)
        asking = [ref("account", number) for number in range(100, 400)]
        lab.send(change(owner, 0, internalemailaddress="ann@example.com"))
        for by in asking:
            lab.send(ColumnsWanted(record=owner, wanted_by=by, columns=("internalemailaddress",)))
        assert self.largest(lab) < 5_000
        sent = of(CHANGES.name, lab.send(change(owner, 9, internalemailaddress="ann@contoso.com")))
        told = {fact["record"]["id"] for fact in sent if fact["kind"] == "columns_known"}
        assert told == {by.id for by in asking}
        assert of(CHANGES.name, lab.send(change(owner, 10, fullname="Ann"))) == []

    def test_events_that_wait_for_their_workspaces_owner_are_rows_of_their_own(self) -> None:
        lab = Lab()
        for number in range(300):
            lab.send(event("document.added", number, workspace_id=7))
        assert self.largest(lab) < 5_000
        owned = WorkspaceOwned(workspace_id=7, record=ACCOUNT, rule=ACCOUNT_RULE.name)
        assert len(of(CHANGES.name, lab.send(owned))) == 300
        assert [key for table, key in lab.rows.tables if table == "workspace_owners"] == [
            "workspace:7"
        ]

    def test_rows_of_the_first_release_are_read_and_move_into_parts(self) -> None:
        lab, asking = Lab(), ref("opportunity", 3)
        old = {
            "evidence": {"items": {f"{ACCOUNT_RULE.name}/5": {"events": {"added": {"at_ms": 1}}}}},
            "neighbours": {"workspace_wanted_by": [asking.key]},
        }
        for table, row in old.items():
            lab.rows.put(table, ACCOUNT.key, json.dumps(row).encode())
        created = of(ECM_COMMANDS.name, lab.send(CREATED))[0]
        linked = answered(
            created, WorkspaceEnsured, workspace_id=7, name="n", created=True, url="u"
        )
        told = of(CHANGES.name, lab.send(linked))
        assert [fact["record"]["id"] for fact in told if fact["kind"] == "workspace_known"] == [
            asking.id
        ]
        kept = {(table, key) for table, key in lab.rows.tables if table in ("evidence", "askers")}
        assert kept == {
            ("evidence", f"{ACCOUNT.key}/{ACCOUNT_RULE.name}/5"),
            ("askers", f"{ACCOUNT.key}/{asking.key}"),
        }
        assert b"wanted_by" not in (lab.rows.get("neighbours", ACCOUNT.key) or b"")
