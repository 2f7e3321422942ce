"""Time: timers ring once and survive a restart; what stays without outcome is asked for again."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from streams.deciding.memory import FLOW_STEPS, TIMERS
from streams.engine.records import Outgoing
from streams.messages.facts import FACTS
from streams.metrics import Metrics
from streams.timekeeper import Timekeeper
from tables.flow_steps import StepsRow
from tables.keys import RecordRef
from tables.wakes import timer_key
from tests.streams.samples import change, ref
from tests.streams.world import DictRows, TestClock, World

ONE, TWO = ref("account", 1), ref("account", 2)


class ShelfOfRows:
    """Two partitions of rows, and what was published."""

    def __init__(self) -> None:
        self.partitions: dict[int, DictRows] = {0: DictRows(), 1: DictRows()}
        self.published: list[Outgoing] = []

    def held(self, table: str) -> Sequence[int]:
        return sorted(self.partitions)

    def scan(
        self, table: str, partition: int, *, after: str = "", limit: int = 1000
    ) -> list[tuple[str, bytes]]:
        rows = self.partitions[partition].tables.items()
        found = sorted((key, value) for (name, key), value in rows if name == table)
        return [(key, value) for key, value in found if not after or key > after][:limit]

    async def publish(self, records: Sequence[Outgoing]) -> None:
        self.published += records

    def told(self) -> list[str]:
        """The records that were told since the last look, in order."""
        facts = [FACTS.validate_json(message.value or b"") for message in self.published]
        self.published.clear()
        return [fact.key for fact in facts]


class Ground:
    """A timekeeper over a shelf, with a clock that tests move."""

    def __init__(self) -> None:
        self.shelf = ShelfOfRows()
        self.clock = TestClock()
        self.metrics = Metrics(CollectorRegistry())
        self.restart()

    def restart(self) -> None:
        """A worker that knows nothing but what is in its tables."""
        self.keeper = Timekeeper(self.shelf, self.clock, self.metrics, stuck_after_seconds=900)

    def timer(self, seconds: float, record: RecordRef, partition: int = 0) -> str:
        """Set a timer so many seconds from now."""
        key = timer_key(self.clock.now_ms() + int(seconds * 1000), record)
        self.shelf.partitions[partition].put(TIMERS, key, b"{}")
        return key

    def step(self, record: RecordRef, asked: str, confirmed: str | None = None) -> None:
        row = StepsRow().asked("rule", "workspace", asked, 1)
        if confirmed:
            row = row.confirmed("rule", "workspace", confirmed, 2)
        self.shelf.partitions[0].put(FLOW_STEPS, record.key, row.to_bytes())

    def counted(self, reason: str) -> float:
        return self.metrics.times_reached.labels(reason)._value.get()


class TestTimers:
    async def test_a_timer_rings_when_its_time_has_come_and_not_before(self) -> None:
        ground = Ground()
        ground.timer(10, ONE)
        ground.timer(20, TWO, partition=1)
        assert await ground.keeper.ring() == 0
        ground.clock.seconds += 10
        assert await ground.keeper.ring() == 1
        assert ground.shelf.told() == [ONE.key]
        ground.clock.seconds += 10
        await ground.keeper.ring()
        assert ground.shelf.told() == [TWO.key]
        assert ground.counted("timer") == 2

    async def test_one_that_rang_rings_again_only_when_nobody_took_it_for_a_minute(self) -> None:
        ground = Ground()
        ground.timer(0, ONE)
        await ground.keeper.ring()
        ground.clock.seconds += 59
        await ground.keeper.ring()
        assert ground.shelf.told() == [ONE.key]
        ground.clock.seconds += 2
        await ground.keeper.ring()
        assert ground.shelf.told() == [ONE.key]

    async def test_timers_that_came_due_while_nobody_worked_ring_after_a_restart(self) -> None:
        ground = Ground()
        ground.timer(10, ONE)
        await ground.keeper.ring()
        ground.clock.seconds += 30 * 86_400
        ground.restart()
        await ground.keeper.ring()
        assert ground.shelf.told() == [ONE.key]

    async def test_one_that_is_set_into_the_past_rings_too(self) -> None:
        ground = Ground()
        await ground.keeper.ring()
        ground.timer(-300, ONE)
        await ground.keeper.ring()
        assert ground.shelf.told() == [ONE.key]

    async def test_more_than_fit_into_one_tick_ring_in_the_next(self) -> None:
        ground = Ground()
        records = [ref("account", number) for number in range(1, 701)]
        keys = [ground.timer(-number / 100, record) for number, record in enumerate(records)]
        first = await ground.keeper.ring()
        assert first == 500
        rang = set(ground.shelf.told())
        for key in keys:  # decide took them
            if key.partition("/")[2] in rang:
                ground.shelf.partitions[0].delete(TIMERS, key)
        assert await ground.keeper.ring() == 200
        assert rang.isdisjoint(ground.shelf.told())

    async def test_a_partition_that_has_gone_is_left_to_whoever_has_it(self) -> None:
        ground = Ground()
        ground.timer(0, ONE, partition=1)
        del ground.shelf.partitions[1]
        assert await ground.keeper.ring() == 0


class TestStuckSteps:
    async def test_what_is_open_over_a_whole_pass_is_asked_for_again(self) -> None:
        ground = Ground()
        ground.step(ONE, "d1")
        ground.step(TWO, "d1", confirmed="d1")
        assert await ground.keeper.sweep() == 0
        ground.clock.seconds += 899
        assert await ground.keeper.sweep() == 0
        ground.clock.seconds += 1
        assert await ground.keeper.sweep() == 1
        assert ground.shelf.told() == [ONE.key]
        assert ground.counted("stuck") == 1
        assert ground.metrics.stuck_steps._value.get() == 1

    async def test_what_was_asked_anew_in_between_is_given_its_time(self) -> None:
        ground = Ground()
        ground.step(ONE, "d1")
        await ground.keeper.sweep()
        ground.step(ONE, "d2")
        ground.clock.seconds += 900
        assert await ground.keeper.sweep() == 0

    async def test_once_it_is_done_nothing_is_stuck(self) -> None:
        ground = Ground()
        ground.step(ONE, "d1")
        await ground.keeper.sweep()
        ground.clock.seconds += 900
        await ground.keeper.sweep()
        ground.step(ONE, "d1", confirmed="d1")
        ground.clock.seconds += 900
        assert await ground.keeper.sweep() == 0
        assert ground.metrics.stuck_steps._value.get() == 0

    async def test_a_pass_goes_through_all_rows_in_several_ticks(self) -> None:
        ground = Ground()
        records = [ref("account", number) for number in range(1, 1202)]
        for record in records:
            ground.step(record, "d1")
        for _ in range(3):
            await ground.keeper.sweep()
        ground.clock.seconds += 900
        assert [await ground.keeper.sweep() for _ in range(4)] == [500, 500, 201, 0]
        assert ground.shelf.told() == [record.key for record in records]


async def test_a_lost_command_is_sent_again_by_the_sweep() -> None:
    """The whole path: a command vanishes before its writer, and the record is whole in the end."""
    world = World()
    world.tell(change(ONE, 0, name="Contoso", accountnumber="A-1", statecode=0))
    (fact,) = world.queues.pop(next(iter(world.queues)))
    await world.deliver(fact)  # its commands are dropped
    assert not world.ecm.workspaces
    keeper = Timekeeper(world, world.clock, world.metrics, stuck_after_seconds=900)
    await keeper.sweep()
    world.clock.seconds += 900
    await keeper.sweep()
    await world.run()
    assert [w.name for w in world.ecm.workspaces.values()] == ["Contoso (A-1)"]
