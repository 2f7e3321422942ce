"""Lane stages against a broker: a slow key holds nobody up, and nothing above it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from streams.engine import Engine, Outgoing, Record, Rows
from streams.engine.lanes import LaneUnit
from streams.engine.offsets import ContiguousEnd
from tests.streams.engine.lab import Lab, halted, numbered, running, until
from tests.streams.engine.stages import Calls

pytestmark = pytest.mark.broker


def calling(lab: Lab, stage: Calls, max_in_flight: int = 8, **changes: object) -> Engine:
    """An engine with one lane stage on a topic of one partition."""
    engine = lab.engine("commands", "done", partitions=1, **changes)  # type: ignore[arg-type]
    engine.lane_stage(
        name="write",
        topics=[lab.topic("commands")],
        tables=["ledger"],
        stage=stage,
        max_in_flight=max_in_flight,
    )
    return engine


async def test_a_stuck_key_lets_others_flow_and_holds_the_commit(lab: Lab) -> None:
    stage = Calls(lab.topic("done"))
    let_go = stage.hold("1")
    engine = calling(lab, stage)
    async with running(engine):
        await lab.produce("commands", [("a", "0"), ("b", "1"), ("c", "2"), ("b", "3"), ("a", "4")])
        await until(lambda: len(stage.finished) == 3)
        assert stage.finished == ["0", "2", "4"]
        await until(lambda: committed_is(lab, 1))
        await until(lambda: done(lab, "024"))
        assert sorted(await lab.outputs("done")) == [("a", "0"), ("a", "4"), ("c", "2")]
        let_go.set()
        await until(lambda: committed_is(lab, 5))
    assert stage.finished == ["0", "2", "4", "1", "3"]


async def committed_is(lab: Lab, offset: int) -> bool:
    """Whether the broker has this offset for the only partition."""
    return await lab.committed("commands") == {0: offset}


async def done(lab: Lab, values: str) -> bool:
    """Whether these records left their outputs and rows: a moment after they are finished."""
    outputs = sorted(value for _, value in await lab.outputs("done"))
    return outputs == sorted(await lab.table("ledger")) == list(values)


async def test_records_of_one_key_are_handled_one_after_the_other(lab: Lab) -> None:
    stage = Calls(lab.topic("done"))
    engine = calling(lab, stage, max_in_flight=4)
    async with running(engine):
        await lab.produce("commands", numbered("abcdefgh", 200))
        await until(lambda: lab.all_committed("commands"))
    for key in range(8):
        of_key = [value for value in stage.calls if int(value) % 8 == key]
        assert of_key == sorted(of_key, key=int)
    assert 1 < stage.most <= 4


async def test_a_record_that_comes_again_meets_its_own_row(lab: Lab) -> None:
    stage = Calls(lab.topic("done"))
    stage.hold("0")
    engine = calling(lab, stage)
    async with running(engine):
        await lab.produce("commands", [("a", "0"), ("b", "1"), ("c", "2")])
        await until(lambda: len(stage.finished) == 2)
        await until(lambda: done(lab, "12"))
    assert stage.cancelled == ["0"]
    assert await lab.committed("commands") in ({}, {0: 0})

    again = Calls(lab.topic("done"))
    engine = calling(lab, again, worker="two")
    async with running(engine):
        await until(lambda: lab.all_committed("commands"))
    assert again.calls == ["0"]
    assert sorted(again.finished) == ["0", "1", "2"]
    outputs = await lab.outputs("done")
    assert sorted(set(outputs)) == [("a", "0"), ("b", "1"), ("c", "2")]


async def test_a_cancelled_record_leaves_neither_row_nor_output(lab: Lab) -> None:
    class PutThenWait(Calls):
        async def handle(self, record: Record, rows: Rows) -> Sequence[Outgoing]:
            rows.put("ledger", "early", b"put before the call")
            return await super().handle(record, rows)

    stage = PutThenWait(lab.topic("done"))
    stage.hold("0")
    engine = calling(lab, stage)
    async with running(engine):
        await lab.produce("commands", [("a", "0")])
        await until(lambda: stage.running == 1)
        assert engine.read("ledger", "early") is None
    assert await lab.table("ledger") == {}
    assert await lab.outputs("done") == []


async def test_what_is_being_called_at_a_stop_is_finished_within_the_budget(lab: Lab) -> None:
    stage = Calls(lab.topic("done"))
    let_go = stage.hold("0")
    engine = calling(lab, stage, revoke_budget_seconds=10.0)
    async with running(engine):
        await lab.produce("commands", [("a", "0"), ("a", "1")])
        await until(lambda: stage.running == 1)
        asyncio.get_running_loop().call_later(0.3, let_go.set)
    assert stage.finished == ["0"]
    assert stage.cancelled == []
    assert await lab.committed("commands") == {0: 1}


async def test_reading_pauses_while_too_many_records_are_unfinished(lab: Lab) -> None:
    stage = Calls(lab.topic("done"))
    held = [stage.hold(str(number)) for number in range(400)]
    engine = calling(lab, stage, lane_window_records=20, fetch_max_records=10)
    async with running(engine):
        await lab.produce("commands", [(str(number), str(number)) for number in range(400)])
        await until(lambda: stage.running == 8)
        (unit,) = engine.partitions.units
        await until(lambda: not unit.has_room())
        await asyncio.sleep(0.3)
        assert isinstance(unit, LaneUnit)
        assert unit.unfinished <= 30
        for event in held:
            event.set()
        await until(lambda: lab.all_committed("commands"))
    assert len(stage.finished) == 400


async def test_reading_pauses_when_too_much_would_come_again(lab: Lab) -> None:
    stage = Calls(lab.topic("done"))
    let_go = stage.hold("0")
    engine = calling(lab, stage, lane_span_records=50, fetch_max_records=10)
    async with running(engine):
        await lab.produce("commands", [(str(number), str(number)) for number in range(300)])
        await until(lambda: len(stage.finished) >= 49)
        await asyncio.sleep(0.3)
        assert len(stage.finished) <= 60
        let_go.set()
        await until(lambda: lab.all_committed("commands"))


async def test_an_exception_halts_and_the_record_comes_again(lab: Lab) -> None:
    class Broken(Calls):
        async def _call(self, value: str) -> None:
            if value == "3":
                raise RuntimeError("cannot")
            await super()._call(value)

    engine = calling(lab, Broken(lab.topic("done")))
    async with running(engine):
        await lab.produce("commands", numbered("a", 6))
        reason = await halted(engine)
        assert "The stage write raised" in reason and "offset 3" in reason
    assert (await lab.committed("commands")).get(0, 0) <= 3

    stage = Calls(lab.topic("done"))
    engine = calling(lab, stage)
    async with running(engine):
        await until(lambda: lab.all_committed("commands"))
    assert stage.calls == ["3", "4", "5"]


async def test_a_stage_that_cancels_itself_halts_instead_of_sticking(lab: Lab) -> None:
    class SelfCancelling(Calls):
        async def _call(self, value: str) -> None:
            raise asyncio.CancelledError

    engine = calling(lab, SelfCancelling(lab.topic("done")))
    async with running(engine):
        await lab.produce("commands", [("a", "0")])
        assert "offset 0" in await halted(engine)
    assert await lab.committed("commands") in ({}, {0: 0})


def test_a_changelog_is_known_whole_only_while_nothing_is_on_its_way() -> None:
    unit = object.__new__(LaneUnit)
    unit._ends = {"ledger": ContiguousEnd(0)}
    unit._whole, unit._publishing = True, 1
    unit._ends["ledger"].add(5, 1)  # 0 to 4 may be ours, and still come
    assert unit._positions() == {"ledger": 0}
    unit._publishing = 0
    assert unit._positions() == {"ledger": 6}
    unit._whole = False  # a delivery was given up: where it is, and whether, nobody knows
    unit._ends["ledger"].add(8, 1)
    assert unit._positions() == {"ledger": 6}
