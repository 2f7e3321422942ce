"""The writers: each command once, outages waited out, refusals reported, faults of ours kept."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from streams.engine.records import Outgoing, Record
from streams.errors import (
    Conflict,
    Misconfigured,
    Refused,
    Retryable,
    Throttled,
    TokenExpired,
    Unavailable,
)
from streams.guard import DeadLetterLimit, Guard
from streams.messages.commands import AnyCommand, ReadRecord, SetRecordColumns, UpdateWorkspace
from streams.messages.dead_letters import Failure
from streams.messages.outcomes import (
    OUTCOMES,
    AnyOutcome,
    RecordColumnsSet,
    RecordRead,
    StepDone,
    WriteRefused,
)
from streams.metrics import Metrics
from streams.topics import DEAD_LETTERS, DYNAMICS_COMMANDS, ECM_COMMANDS
from streams.topics import OUTCOMES as OUTCOMES_TOPIC
from streams.write_dynamics import DynamicsWriter
from streams.write_ecm import EcmWriter
from streams.writers.patience import Backoff, Breaker, Limiter
from streams.writers.writing import Patience
from tables.keys import RecordRef, command_id, digest
from tests.fakes.gateways import FakeDynamics, FakeEcm, FakeWorkspace
from tests.streams.samples import ref
from tests.streams.virtual_clock import VirtualClock
from tests.streams.world import DictRows

ACCOUNT, OTHER = ref("account", 1), ref("account", 2)
RULE = "account-workspace"
CAUSED_MS = 1_700_009_940_000  # a minute before the clock's start

#: What a call does before it is carried out: it may raise.
Trouble = Callable[[str], Awaitable[None]]


@dataclass
class Flaky(FakeEcm):
    """Extended ECM with trouble, and a note of when it was called (seconds since the start)."""

    trouble: Trouble | None = None
    clock: VirtualClock | None = None
    called: list[float] = field(default_factory=list)

    async def update_workspace(self, workspace_id: int, *, name: str, attributes: Any) -> None:
        assert self.clock is not None
        self.called.append(self.clock.passed)
        if self.trouble is not None:
            await self.trouble(name)
        await super().update_workspace(workspace_id, name=name, attributes=attributes)


class Lab:
    """Both writers over fakes, in virtual time."""

    def __init__(self, *, slots: int = 8, per_second: float = 1e6) -> None:
        self.clock = VirtualClock()
        self.metrics = Metrics(CollectorRegistry())
        self.rows = DictRows()
        self.ecm = Flaky(clock=self.clock)
        for number in (7, 8):
            self.ecm.workspaces[number] = FakeWorkspace(number, None, "Account", "", {})  # type: ignore[arg-type]
        self.dynamics = FakeDynamics(rows={ACCOUNT.key: {"name": "Contoso"}})
        guard = Guard("write-ecm", self.metrics, DeadLetterLimit(consecutive=3))
        self.limiter = Limiter(slots, per_second, self.clock)
        self.breaker = Breaker(self.clock, random.Random(2))
        patience = Patience(
            self.limiter, self.breaker, self.clock, Backoff(0.5, 60.0), random.Random(1)
        )
        self.write_ecm = EcmWriter(self.metrics, guard, patience, self.ecm)
        self.write_dynamics = DynamicsWriter(self.metrics, guard, patience, self.dynamics)

    async def send(self, *commands: AnyCommand) -> list[list[Outgoing]]:
        """Carry out commands of different records side by side; what each sent."""
        return [list(s) for s in await self.clock.run(*map(self.handle, commands))]

    async def outcome(self, command: AnyCommand) -> AnyOutcome:
        ((first, *letters),) = await self.send(command)
        assert letters == []
        assert (first.topic, first.key) == (OUTCOMES_TOPIC.name, command.key.encode())
        return OUTCOMES.validate_json(first.value or b"")

    async def handle(self, command: AnyCommand) -> Iterable[Outgoing]:
        dynamics = isinstance(command, SetRecordColumns | ReadRecord)
        topic = (DYNAMICS_COMMANDS if dynamics else ECM_COMMANDS).name
        writer = self.write_dynamics if dynamics else self.write_ecm
        return await writer.handle(record(command, topic), self.rows)

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def troubled(self, *errors: Exception) -> None:
        """The first calls fail with these errors, then all succeed."""
        waiting = list(errors)

        async def trouble(_: str) -> None:
            if waiting:
                raise waiting.pop(0)

        self.ecm.trouble = trouble

    def down_for(self, seconds: float, error: type[Exception] = Unavailable) -> None:
        async def trouble(_: str) -> None:
            if self.clock.passed < seconds:
                raise error("no answer")

        self.ecm.trouble = trouble


@pytest.fixture
def lab() -> Lab:
    return Lab()


def record(command: AnyCommand, topic: str = ECM_COMMANDS.name, offset: int = 5) -> Record:
    return Record(topic, 3, offset, 0, command.key.encode(), command.to_json())


def _common(of: RecordRef, step: str, wanted: object) -> dict[str, Any]:
    desired = digest(wanted)
    return {
        "id": command_id(RULE, of, step, desired),
        "rule": RULE,
        "record": of,
        "step": step,
        "desired": desired,
        "caused_at_ms": CAUSED_MS,
    }


def named(name: str, of: RecordRef = ACCOUNT, workspace_id: int = 7) -> UpdateWorkspace:
    common = _common(of, "properties", [name, {}])
    return UpdateWorkspace(workspace_id=workspace_id, name=name, **common)


def columns(**values: str) -> SetRecordColumns:
    return SetRecordColumns(columns=values, **_common(ACCOUNT, "links", values))


READ = ReadRecord(**_common(ACCOUNT, "read", "why"))


class TestLedger:
    async def test_an_outcome_brings_back_what_the_command_was(self, lab: Lab) -> None:
        command = named("A")
        outcome = await lab.outcome(command)
        assert isinstance(outcome, StepDone)
        assert outcome.model_dump() == {
            "kind": "step_done",
            "command_id": command.id,
            "command": "update_workspace",
            "rule": RULE,
            "record": {"table": "account", "id": ACCOUNT.id},
            "step": "properties",
            "desired": command.desired,
            "at_ms": lab.clock.now_ms(),
            "caused_at_ms": CAUSED_MS,
        }

    async def test_a_known_command_is_answered_alike_without_a_call(self, lab: Lab) -> None:
        first = await lab.outcome(named("A"))
        await lab.clock.run(lab.clock.sleep(60))
        assert await lab.outcome(named("A")) == first
        assert len(lab.ecm.called) == 1
        counted = {"system": "ecm", "command": "update_workspace"}
        assert lab.count("dovetail_writes_total", **counted, result="done") == 1
        assert lab.count("dovetail_writes_total", **counted, result="already_true") == 1

    async def test_a_name_that_goes_there_and_back_is_written_three_times(self, lab: Lab) -> None:
        for name in ("A", "B", "A"):
            await lab.outcome(named(name))
        assert len(lab.ecm.called) == 3
        assert lab.ecm.workspaces[7].name == "A"

    async def test_another_records_command_is_not_answered_from_this_ones(self, lab: Lab) -> None:
        await lab.outcome(named("A"))
        await lab.outcome(named("A", OTHER, 8))
        assert len(lab.ecm.called) == 2

    async def test_a_record_is_read_each_time(self, lab: Lab) -> None:
        first = await lab.outcome(READ)
        lab.dynamics.rows[ACCOUNT.key]["name"] = "Fabrikam"
        second = await lab.outcome(READ)
        assert isinstance(first, RecordRead) and isinstance(second, RecordRead)
        assert (first.columns, second.columns) == ({"name": "Contoso"}, {"name": "Fabrikam"})

    async def test_a_record_that_is_gone_is_read_as_nothing(self, lab: Lab) -> None:
        lab.dynamics.rows.clear()
        outcome = await lab.outcome(READ)
        assert isinstance(outcome, RecordRead)
        assert (outcome.columns, outcome.version) == (None, None)
        assert outcome.modified_ms == outcome.at_ms

    async def test_columns_that_were_set_come_with_the_rows_stamp(self, lab: Lab) -> None:
        outcome = await lab.outcome(columns(new_xecmworkspaceid="7"))
        assert isinstance(outcome, RecordColumnsSet)
        assert outcome.columns == {"new_xecmworkspaceid": "7"}
        assert outcome.version == lab.dynamics.version
        assert outcome.modified_ms == lab.dynamics.modified_ms

    async def test_the_two_systems_keep_ledgers_of_their_own(self, lab: Lab) -> None:
        await lab.outcome(named("A"))
        await lab.outcome(columns(new_xecmworkspaceid="7"))
        assert {table for table, _ in lab.rows.tables} == {
            EcmWriter.ledger,
            DynamicsWriter.ledger,
        }


class TestFinancialColumns:
    """The second lock: rules that would write them are refused before."""

    async def test_whatever_a_command_says_they_are_never_written(self, lab: Lab) -> None:
        lab.write_dynamics.financial = {"account": frozenset({"creditlimit"})}
        before = dict(lab.dynamics.rows[ACCOUNT.key])
        outcome = await lab.outcome(columns(new_xecmworkspaceid="7", creditlimit="1"))
        assert isinstance(outcome, WriteRefused)
        assert outcome.code == "column_financial"
        assert "creditlimit of account" in outcome.message
        assert lab.dynamics.rows[ACCOUNT.key] == before

    async def test_other_columns_and_other_tables_are_written(self, lab: Lab) -> None:
        lab.write_dynamics.financial = {"invoice": frozenset({"new_xecmworkspaceid"})}
        outcome = await lab.outcome(columns(new_xecmworkspaceid="7"))
        assert isinstance(outcome, RecordColumnsSet)


class TestOutages:
    @pytest.mark.parametrize("error", [Throttled, Unavailable, TokenExpired, Conflict])
    async def test_an_hour_long_outage_is_waited_out(
        self, lab: Lab, error: type[Exception]
    ) -> None:
        lab.down_for(3600, error)
        outcome = await lab.outcome(named("A"))
        assert isinstance(outcome, StepDone)
        assert 3600 <= lab.clock.passed <= 3600 + 90, "and it is noticed when it ends"
        assert len(lab.ecm.called) < 250, "without drumming on the door"
        assert not lab.breaker.is_open

    async def test_an_outage_fills_no_dead_letters_and_refuses_nothing_in_any_lane(
        self, lab: Lab
    ) -> None:
        lab.down_for(3600)
        commands = [named("A", ref("account", number)) for number in range(50)]
        sent = await lab.send(*commands)
        assert [len(messages) for messages in sent] == [1] * 50
        kinds = {OUTCOMES.validate_json(m.value or b"").kind for (m,) in sent}
        assert kinds == {"step_done"}

    async def test_its_begin_and_end_are_logged_once_each_however_many_lanes_wait(
        self, lab: Lab, caplog: pytest.LogCaptureFixture
    ) -> None:
        lab.down_for(3600)
        with caplog.at_level("INFO"):
            await lab.send(*(named("A", ref("account", number)) for number in range(20)))
        told = [(r.levelname, r.getMessage()) for r in caplog.records if "ecm" in r.getMessage()]
        assert told == [
            ("WARNING", "ecm does not answer: its commands wait until it does"),
            ("INFO", "ecm answers again"),
        ]

    async def test_while_the_system_is_down_one_call_at_a_time_tries(self) -> None:
        """The lanes that waited for a slot when the circuit opened are held as well."""
        lab = Lab(slots=5)

        async def times_out(_: str) -> None:
            if lab.clock.passed < 600:
                await lab.clock.sleep(10.0)
                raise Unavailable("no answer")

        lab.ecm.trouble = times_out
        await lab.send(*(named("A", ref("account", number)) for number in range(40)))
        during = [moment for moment in lab.ecm.called if moment < 600]
        assert during[:5] == [0.0] * 5
        assert len(during) > 10, "it is tried again and again"
        assert all(b - a >= 10.0 for a, b in pairwise(during[5:])), "one probe after the other"

    async def test_waiting_as_long_as_the_system_asks(self, lab: Lab) -> None:
        lab.troubled(Throttled("slow down", retry_after=120.0))
        await lab.outcome(named("A"))
        assert lab.ecm.called == [0.0, 120.0]
        waited = lab.count("dovetail_http_throttle_wait_seconds_total", system="ecm")
        assert waited == pytest.approx(120.0)

    async def test_a_throttle_holds_the_other_lanes_too_and_opens_no_circuit(self) -> None:
        lab = Lab(slots=1)
        lab.troubled(*(Throttled("slow down", retry_after=30.0) for _ in range(7)))
        await lab.send(named("A"), named("B", OTHER, 8))
        between = [b - a for a, b in pairwise(lab.ecm.called)]
        assert min(between[:7]) >= 30.0
        assert not lab.breaker.is_open

    async def test_a_failure_that_is_neither_is_repeated_ten_times_and_then_refused(
        self, lab: Lab
    ) -> None:
        lab.troubled(*(Retryable("hm", code="bad_gateway_body") for _ in range(99)))
        outcome = await lab.outcome(named("A"))
        assert isinstance(outcome, WriteRefused)
        assert outcome.code == "retries_exhausted"
        assert "failed 10 times: hm" in outcome.message
        assert len(lab.ecm.called) == 10
        retries = lab.count("dovetail_write_retries_total", system="ecm", error="bad_gateway_body")
        assert retries == 9

    async def test_nine_failures_are_forgiven(self, lab: Lab) -> None:
        lab.troubled(*(Retryable("hm") for _ in range(9)))
        assert isinstance(await lab.outcome(named("A")), StepDone)

    async def test_a_kind_with_a_code_of_its_own_is_still_waited_out(self, lab: Lab) -> None:
        lab.troubled(*(Unavailable("hm", code="connection_refused") for _ in range(30)))
        assert isinstance(await lab.outcome(named("A")), StepDone)

    async def test_pauses_grow_to_a_minute(self, lab: Lab) -> None:
        lab.troubled(*(Conflict("somebody else wrote") for _ in range(20)))
        await lab.outcome(named("A"))
        pauses = [b - a for a, b in pairwise(lab.ecm.called)]
        assert 0.25 <= pauses[0] <= 0.5
        assert all(30.0 <= pause <= 60.0 for pause in pauses[8:])

    async def test_an_answer_of_any_kind_ends_a_row_of_failures(self, lab: Lab) -> None:
        down = [Unavailable("no answer")] * 4
        answers = [Conflict("lost a race"), Throttled("slow down")]
        lab.troubled(*down, answers[0], *down, answers[1], *down)
        opened: list[int] = []
        lab.breaker.backoff = _Noting(opened)
        await lab.outcome(named("A"))
        assert opened == []


class _Noting(Backoff):
    """A backoff that notes that the breaker asked it."""

    def __init__(self, asked: list[int]) -> None:
        super().__init__()
        object.__setattr__(self, "asked", asked)

    def pause(self, attempt: int, chance: random.Random) -> float:
        self.asked.append(attempt)  # type: ignore[attr-defined]
        return super().pause(attempt, chance)

    __slots__ = ("asked",)


class TestRefusals:
    async def test_a_refusal_is_an_outcome_for_people(self, lab: Lab) -> None:
        lab.troubled(Refused("no such workspace", code="not_found", advice="restore it"))
        command = named("A")
        outcome = await lab.outcome(command)
        assert isinstance(outcome, WriteRefused)
        assert (outcome.code, outcome.message) == ("not_found", "no such workspace (restore it)")
        assert (outcome.command_id, outcome.desired) == (command.id, command.desired)
        assert lab.count("dovetail_refusals_total", system="ecm", code="not_found") == 1

    async def test_a_refusal_is_not_remembered(self, lab: Lab) -> None:
        lab.troubled(Refused("no"))
        await lab.outcome(named("A"))
        assert lab.rows.tables == {}
        assert isinstance(await lab.outcome(named("A")), StepDone)

    async def test_a_fault_of_ours_is_kept_whole_and_shown(self, lab: Lab) -> None:
        lab.troubled(KeyError("bug"))
        command = named("A")
        ((outcome, letter),) = await lab.send(command)
        refused = OUTCOMES.validate_json(outcome.value or b"")
        assert isinstance(refused, WriteRefused)
        assert (refused.code, refused.message) == ("unexpected_error", "KeyError")
        assert letter.topic == DEAD_LETTERS.name
        assert (letter.key, letter.value) == (command.key.encode(), command.to_json())
        failure = Failure.of(letter.headers)
        assert failure is not None
        assert (failure.code, failure.offset) == ("unexpected_error", 5)
        assert lab.rows.tables == {}
        assert isinstance(await lab.outcome(command), StepDone)

    async def test_a_wrong_setting_leaves_the_stage(self, lab: Lab) -> None:
        lab.troubled(Misconfigured("the secret has expired"))
        with pytest.raises(Misconfigured, match="the secret has expired"):
            await lab.send(named("A"))
        assert lab.limiter.in_flight == 0

    async def test_too_many_faults_in_a_row_stop_the_stage(self, lab: Lab) -> None:
        lab.troubled(*(KeyError("bug") for _ in range(9)))
        for _ in range(2):
            await lab.send(named("A"))
        with pytest.raises(Misconfigured, match="dlq list"):
            await lab.send(named("A"))

    @pytest.mark.parametrize(
        ("value", "key", "code"),
        [
            (b"{}", ACCOUNT.key, "not_our_message"),
            (b"", ACCOUNT.key, "not_our_message"),
            (b"\xff\x00", ACCOUNT.key, "not_our_message"),
            (READ.to_json(), ACCOUNT.key, "not_our_message"),
            (named("A").to_json(), OTHER.key, "wrong_key"),
            (named("A").to_json()[:-1] + b',"more":1}', ACCOUNT.key, "not_our_message"),
        ],
    )
    async def test_what_is_no_command_of_ours_is_a_dead_letter(
        self, lab: Lab, value: bytes, key: str, code: str
    ) -> None:
        told = Record(ECM_COMMANDS.name, 0, 9, 0, key.encode(), value, (("a", b"\xff"),))
        (letter,) = await lab.write_ecm.handle(told, lab.rows)
        assert (letter.topic, letter.key, letter.value) == (DEAD_LETTERS.name, key.encode(), value)
        assert letter.headers[0] == ("a", b"\xff")
        failure = Failure.of(letter.headers)
        assert failure is not None
        assert failure.code == code
        assert lab.ecm.called == []


class TestMetrics:
    async def test_freshness_is_from_the_cause_to_the_outcome(self, lab: Lab) -> None:
        await lab.outcome(named("A"))
        assert lab.count("dovetail_freshness_seconds_sum", system="ecm") == pytest.approx(60.0)

    async def test_a_cause_without_a_time_has_no_freshness(self, lab: Lab) -> None:
        await lab.outcome(named("A").model_copy(update={"caused_at_ms": 0}))
        assert lab.count("dovetail_freshness_seconds_count", system="ecm") == 0

    async def test_what_comes_in_and_goes_out_is_counted(self, lab: Lab) -> None:
        await lab.outcome(named("A"))
        labels = {"stage": "write-ecm"}
        received, emitted = "dovetail_messages_received_total", "dovetail_messages_emitted_total"
        assert lab.count(received, **labels, topic=ECM_COMMANDS.name) == 1
        assert lab.count(emitted, **labels, topic=OUTCOMES_TOPIC.name) == 1

    async def test_the_open_circuit_shows_while_it_is_open(self, lab: Lab) -> None:
        seen: list[float] = []

        async def trouble(_: str) -> None:
            seen.append(lab.count("dovetail_circuit_open", system="ecm"))
            if len(seen) < 8:
                raise Unavailable("no answer")

        lab.ecm.trouble = trouble
        await lab.outcome(named("A"))
        assert seen == [0.0] * 5 + [1.0] * 3
        assert lab.count("dovetail_circuit_open", system="ecm") == 0

    async def test_slots_show_what_is_used_and_allowed(self, lab: Lab) -> None:
        seen: list[float] = []

        async def trouble(_: str) -> None:
            seen.append(lab.count("dovetail_writer_slots_used", system="ecm"))

        lab.ecm.trouble = trouble
        await lab.outcome(named("A"))
        assert seen == [1.0]
        assert lab.count("dovetail_writer_slots_used", system="ecm") == 0
        assert lab.count("dovetail_writer_slots", system="ecm") == 8

    async def test_waiting_for_the_limiter_counts_as_throttle_time(self) -> None:
        lab = Lab(per_second=1.0)
        await lab.send(*(named("A", ref("account", number)) for number in range(4)))
        waited = lab.count("dovetail_http_throttle_wait_seconds_total", system="ecm")
        assert waited == pytest.approx(1.0 + 2.0)


async def test_the_lane_of_a_command_is_its_record(lab: Lab) -> None:
    assert lab.write_ecm.key(record(named("A"))) == ACCOUNT.key
    assert lab.write_ecm.key(Record("t", 0, 0, 0, None, None)) == ""
