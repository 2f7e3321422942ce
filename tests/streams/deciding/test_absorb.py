"""What a cause does to a record's rows, and whom it tells: echoes, stale news, questions, moves."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.catalogue import ColumnValue
from streams.deciding.absorb import Absorbed, Absorber
from streams.deciding.memory import Memory
from streams.deciding.skips import Skip
from streams.flows.shape import Cause
from streams.flows.upkeep import UPKEEP
from streams.messages.commands import ReadRecord
from streams.messages.facts import (
    BusinessObject,
    ColumnsKnown,
    ColumnsWanted,
    FolderOwned,
    Operation,
    RecordChange,
    StageChanged,
    WorkspaceEvent,
    WorkspaceKnown,
    WorkspaceOwned,
    WorkspaceWanted,
)
from streams.messages.outcomes import (
    FolderEnsured,
    Outcome,
    RecordColumnsSet,
    RecordRead,
    StepDone,
    WorkspaceEnsured,
    WriteRefused,
)
from tables.echoes import EchoesRow
from tables.keys import RecordRef
from tables.neighbours import NeighboursRow
from tables.records import Stamp
from tables.stages import StagesRow
from tables.workspace_links import Link, LinksRow
from tests.streams.rulebook import ACCOUNT_RULE, BOOK, CONTRACT_RULE
from tests.streams.samples import START_MS, change, deleted, event, ref

ACCOUNT, DEAL, OTHER_DEAL = ref("account", 1), ref("opportunity", 3), ref("opportunity", 4)
PROCESS, STAGE, LATER = (
    ref("opportunitysalesprocess", 22),
    ref("processstage", 20),
    ref("processstage", 21),
)
ME = "11111111-1111-1111-1111-111111111111"
ABSORBER = Absorber(BOOK, frozenset({ME}), "dovetail")
EMPTY = Memory()
LINKED = LinksRow(links={ACCOUNT_RULE.name: Link(workspace_id=70)})


def absorbed(*causes: Cause, memory: Memory = EMPTY) -> Absorbed:
    """What the last of these causes does, after the ones before it."""
    result = Absorbed(memory)
    for cause in causes:
        result = ABSORBER.absorb(cause, result.memory)
    return result


def known(**columns: Any) -> Memory:
    return absorbed(change(ACCOUNT, 0, version=5, **columns)).memory


def wrote(memory: Memory, **columns: ColumnValue) -> Memory:
    return replace(memory, echoes=EchoesRow().wrote(columns))


def outcome(kind: type[Outcome], record: RecordRef = ACCOUNT, **fields: object) -> Any:
    common = {
        "command_id": "id",
        "command": "c",
        "rule": ACCOUNT_RULE.name,
        "record": record,
        "step": "s",
        "desired": "D",
        "at_ms": START_MS + 50_000,
        "caused_at_ms": START_MS,
    }
    return kind.model_validate({**common, **fields})


def facts(result: Absorbed) -> list[str]:
    return [f"{fact.kind} {fact.key}" for fact in result.facts]


def reads(result: Absorbed) -> int:
    assert all(isinstance(command, ReadRecord) for command in result.commands)
    assert all(command.rule == UPKEEP for command in result.commands)
    return len(result.commands)


class TestChanges:
    def test_a_change_fills_the_row_and_is_decided(self) -> None:
        cause = change(ACCOUNT, 5, name="Contoso")
        result = absorbed(cause)
        assert result.memory.row.values() == {"name": "Contoso"}
        assert (result.changed, result.skip) == (frozenset({"name"}), None)
        assert result.cause == cause

    def test_an_older_change_that_adds_nothing_is_stale(self) -> None:
        first = change(ACCOUNT, 5, name="Contoso")
        assert absorbed(first, change(ACCOUNT, 4, name="Old")).skip is Skip.STALE

    def test_an_older_change_that_adds_a_column_is_decided(self) -> None:
        result = absorbed(change(ACCOUNT, 5, name="Contoso"), change(ACCOUNT, 4, statecode=1))
        assert (result.skip, result.changed) == (None, frozenset({"statecode"}))

    def test_a_version_seen_before_is_decided_again(self) -> None:
        again = change(ACCOUNT, 5, version=3, name="Contoso")
        assert absorbed(again, again).skip is None

    def test_a_delete_leaves_the_columns_and_an_older_one_is_stale(self) -> None:
        result = absorbed(change(ACCOUNT, 5, name="Contoso"), deleted(ACCOUNT, 9))
        assert (result.skip, result.memory.row.alive) == (None, False)
        assert result.memory.row.value("name") == "Contoso"
        late = absorbed(deleted(ACCOUNT, 3), memory=absorbed(change(ACCOUNT, 5)).memory)
        assert (late.skip, late.memory.row.alive) == (Skip.STALE, True)

    def test_two_changes_of_one_second_that_cannot_be_compared_have_the_row_read(self) -> None:
        result = absorbed(change(ACCOUNT, 5, name="A"), change(ACCOUNT, 5, version=9, name="B"))
        assert reads(result) == 1
        assert result.memory.row.value("name") == "B"

    def test_a_message_that_was_cut_off_has_the_row_read(self) -> None:
        result = absorbed(change(ACCOUNT, 5, thin=True, name="half"))
        assert reads(result) == 1
        assert result.memory == EMPTY

    def test_a_delete_that_was_cut_off_is_a_delete(self) -> None:
        gone = change(ACCOUNT, 9, operation=Operation.DELETE, thin=True)
        result = absorbed(change(ACCOUNT, 5, name="A"), gone)
        assert (reads(result), result.memory.row.alive) == (0, False)

    def test_those_who_asked_for_a_column_hear_of_its_change(self) -> None:
        asked = ColumnsWanted(record=ACCOUNT, wanted_by=DEAL, columns=("name",))
        memory = absorbed(asked, memory=known(name="A", statecode=0)).memory
        assert facts(absorbed(change(ACCOUNT, 5, name="B"), memory=memory)) == [
            f"columns_known {DEAL.key}"
        ]
        assert facts(absorbed(change(ACCOUNT, 5, statecode=1), memory=memory)) == []
        assert facts(absorbed(change(ACCOUNT, 5, name="A"), memory=memory)) == []


class TestEchoes:
    def test_what_we_wrote_is_an_echo_whoever_says_it(self) -> None:
        memory = wrote(known(name="A"), new_xecmworkspaceid="7")
        result = absorbed(change(ACCOUNT, 5, new_xecmworkspaceid="7"), memory=memory)
        assert (result.skip, result.near_miss) == (Skip.OWN_ECHO, False)
        assert result.memory.row.value("new_xecmworkspaceid") == "7", "it is known all the same"

    def test_a_whole_row_whose_only_news_we_wrote_is_an_echo(self) -> None:
        memory = wrote(known(name="A"), new_xecmworkspaceid="7")
        whole = change(ACCOUNT, 5, name="A", new_xecmworkspaceid="7")
        assert absorbed(whole, memory=memory).skip is Skip.OWN_ECHO

    def test_news_beside_what_we_wrote_is_decided(self) -> None:
        memory = wrote(known(name="A"), new_xecmworkspaceid="7")
        both = change(ACCOUNT, 5, name="B", new_xecmworkspaceid="7")
        result = absorbed(both, memory=memory)
        assert (result.skip, result.near_miss) == (None, False)

    def test_another_value_in_a_column_of_ours_is_decided(self) -> None:
        memory = wrote(known(name="A"), new_xecmworkspaceid="7")
        assert absorbed(change(ACCOUNT, 5, new_xecmworkspaceid=None), memory=memory).skip is None

    @pytest.mark.parametrize("mark", [{"actor": ME}, {"tag": "dovetail"}])
    def test_our_user_saying_what_we_did_not_write_is_a_near_miss(
        self, mark: dict[str, str]
    ) -> None:
        memory = wrote(known(name="A"), new_xecmworkspaceid="7")
        cause = change(ACCOUNT, 5, name="B").model_copy(update=mark)
        result = absorbed(cause, memory=memory)
        assert (result.skip, result.near_miss) == (None, True)

    def test_a_whole_row_by_our_user_without_news_is_an_echo(self) -> None:
        memory = wrote(known(name="A", new_xecmworkspaceid="7"), new_xecmworkspaceid="7")
        whole = change(ACCOUNT, 5, actor=ME, name="A", new_xecmworkspaceid="7")
        assert absorbed(whole, memory=memory).skip is Skip.OWN_ECHO

    def test_another_user_without_news_is_decided_again(self) -> None:
        memory = wrote(known(name="A", new_xecmworkspaceid="7"), new_xecmworkspaceid="7")
        whole = change(ACCOUNT, 5, actor="x", name="A", new_xecmworkspaceid="7")
        assert absorbed(whole, memory=memory).skip is None

    def test_a_delete_by_our_user_is_a_delete(self) -> None:
        gone = deleted(ACCOUNT, 9).model_copy(update={"actor": ME})
        result = absorbed(gone, memory=wrote(known(name="A"), new_xecmworkspaceid="7"))
        assert (result.skip, result.near_miss) == (None, False)


class TestQuestions:
    def test_who_asks_for_a_workspace_is_answered_now(self) -> None:
        asked = WorkspaceWanted(record=ACCOUNT, wanted_by=DEAL)
        result = absorbed(asked, memory=replace(known(name="A"), links=LINKED))
        (answer,) = result.facts
        assert isinstance(answer, WorkspaceKnown)
        assert (answer.record, answer.about, answer.workspace_id) == (DEAL, ACCOUNT, 70)

    def test_or_when_it_comes_to_be(self) -> None:
        asked = absorbed(WorkspaceWanted(record=ACCOUNT, wanted_by=DEAL), memory=known(name="A"))
        assert (asked.facts, reads(asked)) == ((), 0)
        made = outcome(WorkspaceEnsured, workspace_id=70, name="A", url="u", created=True)
        result = absorbed(made, memory=asked.memory)
        assert facts(result) == ["workspace_owned workspace:70", f"workspace_known {DEAL.key}"]
        assert result.linked

    def test_a_record_that_went_without_a_workspace_says_so_now_and_when_it_goes(self) -> None:
        asked = WorkspaceWanted(record=ACCOUNT, wanted_by=DEAL)
        gone = absorbed(deleted(ACCOUNT, 5), memory=known(name="A")).memory
        waiting = absorbed(asked, memory=known(name="A")).memory
        for told in (
            absorbed(asked, memory=gone),
            absorbed(deleted(ACCOUNT, 5), memory=waiting),
            absorbed(
                outcome(RecordRead, step="read", rule=UPKEEP, columns=None, modified_ms=0),
                memory=absorbed(asked).memory,
            ),
        ):
            (answer,) = told.facts
            assert isinstance(answer, WorkspaceKnown)
            assert (answer.record, answer.about, answer.workspace_id) == (DEAL, ACCOUNT, None)

    def test_a_deleted_record_that_left_a_workspace_is_still_known_by_it(self) -> None:
        left = replace(known(name="A"), links=LINKED)
        gone = absorbed(deleted(ACCOUNT, 5), memory=left).memory
        (answer,) = absorbed(WorkspaceWanted(record=ACCOUNT, wanted_by=DEAL), memory=gone).facts
        assert isinstance(answer, WorkspaceKnown)
        assert answer.workspace_id == 70

    def test_a_contracts_workspace_is_not_what_others_ask_for(self) -> None:
        links = LinksRow(links={CONTRACT_RULE.name: Link(workspace_id=71)})
        asked = WorkspaceWanted(record=DEAL, wanted_by=ACCOUNT)
        assert absorbed(asked, memory=replace(known(name="A"), links=links)).facts == ()

    def test_a_record_nobody_told_of_is_read_when_somebody_asks(self) -> None:
        assert reads(absorbed(WorkspaceWanted(record=ACCOUNT, wanted_by=DEAL))) == 1
        asked = ColumnsWanted(record=ACCOUNT, wanted_by=DEAL, columns=("name",))
        assert reads(absorbed(asked)) == 1

    def test_a_record_that_many_ask_for_at_once_is_read_once(self) -> None:
        first = absorbed(ColumnsWanted(record=ACCOUNT, wanted_by=DEAL, columns=("name",)))
        (reading,) = first.commands
        steps = first.memory.steps.asked(UPKEEP, "read", reading.desired, 0)
        sent = first.memory.with_(steps=steps)

        again = ColumnsWanted(record=ACCOUNT, wanted_by=OTHER_DEAL, columns=("statecode",))
        second = absorbed(again, memory=sent)

        assert reads(second) == 0
        row = outcome(RecordRead, columns={"name": "A", "statecode": 0}, modified_ms=START_MS)
        told = absorbed(row, memory=second.memory).facts
        assert {fact.key for fact in told} == {DEAL.key, OTHER_DEAL.key}

    def test_columns_are_told_when_all_of_them_are_known(self) -> None:
        asked = ColumnsWanted(record=ACCOUNT, wanted_by=DEAL, columns=("name", "statecode"))
        part = absorbed(asked, memory=known(name="A"))
        assert (part.facts, reads(part)) == ((), 1)
        whole = absorbed(change(ACCOUNT, 5, statecode=0), memory=part.memory)
        (answer,) = whole.facts
        assert isinstance(answer, ColumnsKnown)
        assert answer.columns == {"name": "A", "statecode": 0}

    def test_a_question_is_no_reason_to_decide(self) -> None:
        for asked in (
            WorkspaceWanted(record=ACCOUNT, wanted_by=DEAL),
            ColumnsWanted(record=ACCOUNT, wanted_by=DEAL, columns=("name",)),
        ):
            assert absorbed(asked).cause is None

    def test_of_a_record_that_does_not_exist_the_columns_are_empty(self) -> None:
        asked = absorbed(ColumnsWanted(record=ACCOUNT, wanted_by=DEAL, columns=("name",)))
        nothing = outcome(RecordRead, columns=None, modified_ms=START_MS)
        (answer,) = absorbed(nothing, memory=asked.memory).facts
        assert isinstance(answer, ColumnsKnown)
        assert answer.columns == {"name": None}

    def test_an_answer_is_kept_for_the_decision(self) -> None:
        workspace = WorkspaceKnown(record=DEAL, about=ACCOUNT, workspace_id=70)
        columns = ColumnsKnown(record=DEAL, about=ACCOUNT, columns={"name": "A"}, at_ms=5)
        result = absorbed(workspace, columns)
        assert result.memory.neighbours.workspaces == {ACCOUNT.key: 70}
        assert result.memory.neighbours.columns[ACCOUNT.key].columns == {"name": "A"}
        assert result.cause == columns

    def test_a_folders_owner_is_news_once(self) -> None:
        owned = FolderOwned(record=ACCOUNT, rule="r", folder_id=8, owner=DEAL)
        first = absorbed(owned)
        again = absorbed(owned, memory=first.memory)
        assert first.memory.neighbours.folder_owner("r", 8) == DEAL.key
        assert (first.cause, again.cause) == (owned, None)
        assert again.memory == first.memory


class TestOutcomes:
    def test_a_folder_is_known_by_the_workspace_that_it_is_in(self) -> None:
        made = outcome(FolderEnsured, workspace_id=70, folder_id=8, name="Design", url="u")
        result = absorbed(made)
        folders = result.memory.links.folders_of(ACCOUNT_RULE.name)
        assert {number: (f.folder_id, f.url) for number, f in folders.items()} == {70: (8, "u")}
        assert result.memory.steps.get(ACCOUNT_RULE.name, "s").confirmed == "D"
        assert (result.cause, result.linked) == (made, False)

    def test_a_step_that_is_done_is_confirmed(self) -> None:
        steps = absorbed(outcome(StepDone)).memory.steps
        assert steps.get(ACCOUNT_RULE.name, "s").confirmed == "D"

    def test_a_refusal_is_remembered_with_its_words(self) -> None:
        no = outcome(WriteRefused, code="no", message="not allowed")
        step = absorbed(no).memory.steps.get(ACCOUNT_RULE.name, "s")
        assert step.confirmed is None
        assert step.refusal is not None
        assert (step.refusal.desired, step.refusal.code) == ("D", "no")

    @pytest.mark.parametrize("properties", [None, "P"])
    def test_a_made_workspaces_properties_are_true_a_found_ones_are_not(
        self, properties: str | None
    ) -> None:
        made = outcome(
            WorkspaceEnsured,
            workspace_id=70,
            name="A",
            url="u",
            created=properties is not None,
            properties=properties,
        )
        result = absorbed(made)
        assert result.memory.steps.get(ACCOUNT_RULE.name, "properties").confirmed == properties
        link = result.memory.links.get(ACCOUNT_RULE.name)
        assert link is not None and link.workspace_id == 70
        (owned,) = result.facts
        assert owned == WorkspaceOwned(workspace_id=70, record=ACCOUNT, rule=ACCOUNT_RULE.name)

    @pytest.mark.parametrize("kind", [RecordRead, RecordColumnsSet])
    def test_a_row_that_was_read_or_written_is_as_good_as_an_event(
        self, kind: type[Outcome]
    ) -> None:
        row = outcome(kind, columns={"name": "B"}, version=9, modified_ms=START_MS + 5000)
        result = absorbed(row, memory=known(name="A"))
        assert result.memory.row.cells["name"].value == "B"
        assert result.memory.row.cells["name"].stamp[:2] == (START_MS + 5000, 9)
        late = change(ACCOUNT, 4, name="older")
        assert absorbed(late, memory=result.memory).skip is Skip.STALE

    def test_what_is_no_cause_is_refused(self) -> None:
        with pytest.raises(TypeError, match="neither a fact nor an outcome"):
            ABSORBER.absorb("x", EMPTY)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="told to the workspace"):
            ABSORBER.absorb(WorkspaceOwned(workspace_id=7, record=ACCOUNT, rule="r"), EMPTY)


class TestEvents:
    def test_an_event_by_business_object_is_told_under_the_rule_that_keeps_it(self) -> None:
        result = absorbed(event("contract.signed", 5, record=DEAL))
        assert isinstance(result.cause, WorkspaceEvent)
        assert (result.cause.rule, reads(result)) == (CONTRACT_RULE.name, 1)

    @pytest.mark.parametrize(
        "named", [None, BusinessObject(external_system="SAP", type="contract", id=DEAL.id)]
    )
    def test_an_event_of_a_business_object_that_no_rule_keeps_is_told_under_none(
        self, named: BusinessObject | None
    ) -> None:
        strange = event("contract.signed", 5, record=DEAL).model_copy(
            update={"business_object": named}
        )
        result = absorbed(strange)
        assert isinstance(result.cause, WorkspaceEvent)
        assert result.cause.rule == ""

    def test_a_known_record_is_not_read_for_an_event(self) -> None:
        memory = absorbed(change(DEAL, 1, name="Deal")).memory
        assert reads(absorbed(event("contract.signed", 5, record=DEAL), memory=memory)) == 0


class TestProcesses:
    def test_a_move_is_told_to_the_record_that_the_process_guides(self) -> None:
        moved = change(PROCESS, 5, opportunityid=DEAL.key, activestageid=STAGE.key)
        (told,) = absorbed(moved).facts
        assert isinstance(told, StageChanged)
        assert (told.record, told.process, told.stage) == (DEAL, PROCESS, STAGE)
        assert told.at_ms == START_MS + 5000

    @pytest.mark.parametrize("column", ["opportunityid", "activestageid"])
    def test_half_a_process_row_is_read_and_tells_nothing(self, column: str) -> None:
        value = DEAL.key if column == "opportunityid" else STAGE.key
        half: dict[str, Any] = {column: value}
        result = absorbed(change(PROCESS, 5, **half))
        assert (result.facts, reads(result)) == ((), 1)

    def test_a_delete_finds_the_record_in_the_row_that_it_left(self) -> None:
        moved = change(PROCESS, 5, opportunityid=DEAL.key, activestageid=STAGE.key)
        (told,) = absorbed(moved, deleted(PROCESS, 9)).facts
        assert isinstance(told, StageChanged)
        assert (told.record, told.stage) == (DEAL, None)

    def test_a_process_that_goes_to_another_record_leaves_the_first(self) -> None:
        moved = change(PROCESS, 5, opportunityid=DEAL.key, activestageid=STAGE.key)
        told = absorbed(moved, change(PROCESS, 6, opportunityid=OTHER_DEAL.key)).facts
        stages = {fact.key: fact.stage for fact in told if isinstance(fact, StageChanged)}
        assert stages == {OTHER_DEAL.key: STAGE, DEAL.key: None}

    def test_a_table_that_guides_nobody_tells_nothing(self) -> None:
        assert absorbed(change(ACCOUNT, 5, name="A")).facts == ()

    def test_a_record_that_hears_of_its_stage_first_is_read(self) -> None:
        told = StageChanged(record=DEAL, process=PROCESS, stage=STAGE, at_ms=START_MS)
        result = absorbed(told)
        assert (reads(result), result.memory.stages.current) == (1, STAGE.key)


@dataclass
class Guided:
    """A process row and the deals that it tells, with a Dataverse that answers reads."""

    final: dict[str, ColumnValue]
    gone: bool
    process: Memory = EMPTY
    stages: dict[str, StagesRow] = field(default_factory=dict)

    def hear(self, cause: Cause) -> None:
        result = ABSORBER.absorb(cause, self.process)
        self.process = result.memory
        for fact in result.facts:
            assert isinstance(fact, StageChanged)
            row = replace(EMPTY, stages=self.stages.get(fact.key, StagesRow()))
            self.stages[fact.key] = ABSORBER.absorb(fact, row).memory.stages
        for _ in result.commands:
            columns = None if self.gone else self.final
            read = outcome(
                RecordRead, PROCESS, columns=columns, version=99, modified_ms=START_MS + 99_000
            )
            self.hear(read)

    def current(self) -> dict[str, str]:
        found = {deal: row.current for deal, row in self.stages.items()}
        return {deal: stage for deal, stage in found.items() if stage is not None}


@settings(max_examples=150, deadline=None)
@given(
    told=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "opportunityid": st.sampled_from([DEAL.key, OTHER_DEAL.key]),
                "activestageid": st.sampled_from([STAGE.key, LATER.key]),
            },
        ),
        min_size=1,
        max_size=6,
    ),
    gone=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_moves_in_any_order_end_with_the_one_record_in_the_one_stage(
    told: list[dict[str, Any]], gone: bool, seed: int
) -> None:
    """Whatever part of the process row each event carries, and whichever deal it went through."""
    final: dict[str, Any] = {"opportunityid": DEAL.key, "activestageid": STAGE.key}
    changes: list[RecordChange] = [change(PROCESS, 0, **final)]
    for second, columns in enumerate(told, start=1):
        final |= columns
        changes.append(change(PROCESS, second, **columns))
    if gone:
        changes.append(deleted(PROCESS, 90))
    chance = random.Random(seed)
    shuffled = [*changes, *chance.choices(changes, k=2)]
    chance.shuffle(shuffled)
    guided = Guided(final, gone)
    for cause in shuffled:
        guided.hear(cause)
    expected = {} if gone else {str(final["opportunityid"]): str(final["activestageid"])}
    assert guided.current() == expected


def test_stamps_of_moves_are_those_of_the_process_row() -> None:
    moved = change(PROCESS, 5, version=8, opportunityid=DEAL.key, activestageid=STAGE.key)
    (told,) = absorbed(moved).facts
    stages = absorbed(told).memory.stages
    assert stages.moves[PROCESS.key].stamp == Stamp(START_MS + 5000, 8, 0)


def test_absorbing_does_not_change_the_memory_that_it_was_given() -> None:
    memory = known(name="A")
    before = memory.row.model_dump()
    absorbed(change(ACCOUNT, 5, name="B"), deleted(ACCOUNT, 9), memory=memory)
    assert memory.row.model_dump() == before
    assert memory.neighbours == NeighboursRow()


def test_our_value_written_again_by_somebody_else_is_no_echo() -> None:
    """They wrote something else over it in between: only then can they write it again."""
    written = Memory(echoes=EchoesRow(written={"name": "Ours"}))
    ours = ABSORBER.absorb(change(ACCOUNT, 1, name="Ours"), written)
    assert ours.skip is Skip.OWN_ECHO
    theirs = ABSORBER.absorb(change(ACCOUNT, 2, name="Theirs"), ours.memory)
    assert theirs.skip is None
    again = ABSORBER.absorb(change(ACCOUNT, 3, name="Ours"), theirs.memory)
    assert (again.skip, again.changed) == (None, frozenset({"name"}))
