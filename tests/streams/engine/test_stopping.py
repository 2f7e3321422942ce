"""A stop ends, whatever the moment: in time, with nothing left behind and nothing lost.

These need a broker that fails on purpose, so they always use an embedded one.
"""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, ProducerClosed

from streams.engine import Engine, Halted
from streams.engine.checkpoint import Checkpointer
from streams.engine.producers import discard
from streams.engine.stores import Stores
from streams.engine.waiting import let_go, whole
from tables.store import PartitionStore
from tests.streams.engine.apart import BrokerApart
from tests.streams.engine.lab import Lab, running, until
from tests.streams.engine.processes import make_topics
from tests.streams.engine.stages import Calls, Count

#: The lab's revoke budget, a few seconds of letting clients go, and a machine that stands still.
#: What a stop must not wait for takes twice as long: aiokafka's requests, a group's rebalance.
IN_TIME_SECONDS = 30.0

STRIKES: dict[str, Callable[[BrokerApart], None]] = {
    "nothing": lambda broker: None,
    "down": lambda broker: broker.down(),
    "restart": lambda broker: (broker.down(), broker.up())[0],
    "refuse": lambda broker: broker.fail("refuse"),
    "hang up": lambda broker: broker.fail("hang_up"),
    "lose answers": lambda broker: broker.fail("lose_answer"),
    "stall": lambda broker: broker.fail("stall"),
    "stall joins": lambda broker: broker.fail("stall", "join_group"),
    "stall commits": lambda broker: broker.fail("stall", "offset_commit"),
    "stall records": lambda broker: broker.fail("stall", "produce"),
    "stall offsets": lambda broker: broker.fail("stall", "list_offsets"),
    "stall the leaving": lambda broker: broker.fail("stall", "leave_group"),
}
MOMENTS = ("at once", "a while", "joining", "recovering", "publishing", "committing", "a revoke")
WAYS = ("stop", "cancel", "cancel twice", "app", "halt")


@pytest.fixture(scope="module")
def apart() -> Iterator[BrokerApart]:
    """One broker for all of these."""
    with BrokerApart() as broker:
        yield broker


@pytest.fixture
def apart_lab(apart: BrokerApart, unique_prefix: str, tmp_path: Path) -> Iterator[Lab]:
    """A lab on that broker, which is well again afterwards."""
    yield Lab(apart.bootstrap, unique_prefix, tmp_path)
    apart.up()


class Work:
    """Engines with a stage of either kind, and what they were given to do."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.sent = 0

    def engine(self, worker: str = "one", **changes: Any) -> Engine:
        """One that counts and calls."""
        lab = self.lab
        changes = {"session_timeout_seconds": 2.0} | changes
        engine = lab.engine("in", "out", "commands", "done", worker=worker, **changes)
        count, calls = Count(lab.topic("out")), Calls(lab.topic("done"))
        engine.batch_stage(name="count", topics=[lab.topic("in")], tables=["counts"], stage=count)
        engine.lane_stage(
            name="calls", topics=[lab.topic("commands")], tables=["ledger"], stage=calls
        )
        return engine

    async def give(self, number: int) -> None:
        """So many records for either stage."""
        values = [str(self.sent + place) for place in range(number)]
        self.sent += number
        for topic in ("in", "commands"):
            while True:
                try:
                    await self.lab.produce(topic, [(value[-1], value) for value in values])
                except KafkaConnectionError:  # before anything was sent
                    await asyncio.sleep(0.1)
                else:
                    break

    async def finish(self) -> None:
        """Let a worker do what is left, and see that everything counted once."""
        run = asyncio.create_task((engine := self.engine()).run())
        await engine.until_ready()
        await self.give(10)
        for topic in ("in", "commands"):
            await until(lambda topic=topic: self.lab.all_committed(topic))
        engine.stop()
        await run
        counts = await self.lab.table("counts")
        assert sum(int(count) for count in counts.values()) == self.sent
        assert len(await self.lab.table("ledger")) == self.sent


class Moment:
    """Waits until an engine is where it shall be stopped."""

    def __init__(self, name: str, work: Work, engine: Engine, patch: pytest.MonkeyPatch) -> None:
        self._name, self._work, self._engine = name, work, engine
        self._there = asyncio.Event()
        self.other: Engine | None = None
        self.others: list[asyncio.Task[None]] = []
        if name == "publishing":
            self._tell(patch, Checkpointer, "publish")
        if name == "committing":
            self._tell(patch, Checkpointer, "commit")
        if name == "a revoke":
            self._tell(patch, engine.partitions, "wind_down")
            self.other = work.engine("two")

    def _tell(self, patch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        inner = getattr(owner, name)

        async def told(*arguments: Any) -> Any:
            self._there.set()
            return await inner(*arguments)

        patch.setattr(owner, name, told)

    async def come(self, some_seconds: float) -> None:
        """Return when it is there."""
        if self._name in ("at once", "a while"):
            await asyncio.sleep(some_seconds if self._name == "a while" else some_seconds / 40)
        elif self._name in ("joining", "recovering"):
            await until(lambda: self._engine.status().phase in (self._name, "running"))
        else:
            await self._engine.until_ready()
            self._there.clear()
            self.others.append(asyncio.create_task(self._work.give(100)))
            if self.other is not None:
                self.others.append(asyncio.create_task(self.other.run()))
            await asyncio.wait_for(self._there.wait(), 60)

    async def go(self) -> None:
        """End what was begun for it."""
        if self.other is not None:
            self.other.stop()
        await asyncio.wait_for(asyncio.gather(*self.others), 90)


async def stop(engine: Engine, run: asyncio.Task[None], way: str) -> None:
    """Stop an engine in one of the ways, and look at how its run ended."""
    expected: type[BaseException] | None = None
    if way == "stop":
        engine.stop()
    elif way == "halt":
        engine.halt("on purpose")
        expected = Halted
    elif way == "app":
        await engine.app.stop()
    else:
        expected = asyncio.CancelledError
        run.cancel()
        if way == "cancel twice":
            await asyncio.sleep(0.1)
            run.cancel()
    _, late = await asyncio.wait({run}, timeout=60)
    assert not late, "the stop hangs"
    if expected is None:
        run.result()
    else:
        with pytest.raises(expected):
            run.result()


def own_threads() -> set[threading.Thread]:
    """The threads of consumers."""
    return {thread for thread in threading.enumerate() if hasattr(thread, "service")}


async def tasks_but(known: set[asyncio.Task[Any]]) -> list[str]:
    """Tasks that were not there before. A reader of a connection that was cancelled while it was
    made ends with it, at the next collection."""
    for _ in range(5):
        await asyncio.sleep(0)
    found = asyncio.all_tasks() - known - {asyncio.current_task()}
    return [repr(task) for task in found if "AIOKafkaConnection._read" not in repr(task)]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What a stop must not say."""
    ugly = ("was destroyed", "never awaited", "is closed", "never retrieved", "rashed", "stopping")
    lines = [entry.getMessage() for entry in caplog.records if entry.levelname == "ERROR"]
    return [
        line
        for line in lines
        if "AIOKafkaConnection" not in line and any(word in line for word in ugly)
    ]


@pytest.mark.parametrize("seed", range(7))
async def test_a_stop_at_any_moment_ends_in_time_and_leaves_nothing_behind(
    apart: BrokerApart,
    apart_lab: Lab,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    seed: int,
) -> None:
    chance = random.Random(seed)
    strike, way = chance.choice(list(STRIKES)), chance.choice(WAYS)
    moment_name = MOMENTS[seed % len(MOMENTS)]
    print(f"{moment_name}: {strike}, then {way}")
    work = Work(apart_lab)
    engine = work.engine(instance_id=chance.choice([None, "one"]))
    with monkeypatch.context() as patch:
        moment = Moment(moment_name, work, engine, patch)
        threads, tasks = own_threads(), asyncio.all_tasks()
        run = asyncio.create_task(engine.run())
        await moment.come(chance.random() * 2)
        STRIKES[strike](apart)
        await asyncio.sleep(chance.random() * chance.choice([0.01, 0.5]))
        began = time.monotonic()
        await stop(engine, run, way)
        assert time.monotonic() - began < IN_TIME_SECONDS
    for store in (apart_lab.directory / "one" / apart_lab.app_id).glob("*"):
        PartitionStore.open(store).close()
    if moment.other is None:
        assert not own_threads() - threads
    apart.up()
    await moment.go()
    assert not own_threads() - threads
    assert not await tasks_but(tasks)
    gc.collect()
    await asyncio.sleep(0)
    assert not said(caplog)
    await work.finish()


async def test_a_stop_ends_in_time_while_the_brokers_are_down(
    apart: BrokerApart, apart_lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work(apart_lab)
    run = asyncio.create_task((engine := work.engine()).run())
    await engine.until_ready()
    apart.down()
    await asyncio.sleep(1)  # its consumer pauses between attempts
    began = time.monotonic()
    engine.stop()
    await run
    assert time.monotonic() - began < IN_TIME_SECONDS
    assert not own_threads()
    assert not said(caplog)


async def test_a_stop_ends_in_time_while_the_consumer_waits_for_a_broker(
    apart_lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(self: AIOKafkaConsumer) -> None:
        raise KafkaConnectionError("nobody there")

    monkeypatch.setattr(AIOKafkaConsumer, "start", fail)
    run = asyncio.create_task((engine := Work(apart_lab).engine()).run())
    await until(lambda: "nobody there" in caplog.text)
    began = time.monotonic()
    engine.stop()
    await run
    assert time.monotonic() - began < IN_TIME_SECONDS
    assert not own_threads()


async def test_a_stop_ends_in_time_while_the_group_has_no_coordinator(
    apart: BrokerApart, apart_lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work(apart_lab)
    run = asyncio.create_task((engine := work.engine()).run())
    await engine.until_ready()
    thread = engine.app.consumer._thread

    async def lose_it() -> None:
        """What the answer NOT_COORDINATOR, to a heartbeat or a commit, makes of the member."""
        assert thread._consumer is not None
        thread._consumer._coordinator.coordinator_dead()

    apart.fail("stall", "find_coordinator")
    await thread.ask(lose_it())
    giving = asyncio.create_task(work.give(10))
    await asyncio.sleep(1)  # a heartbeat and commits look for it
    began = time.monotonic()
    engine.stop()
    await run
    assert time.monotonic() - began < IN_TIME_SECONDS
    assert not own_threads()
    apart.up()
    await giving
    assert not said(caplog)
    await work.finish()


async def test_a_stop_that_is_cancelled_again_ends_whole(
    apart: BrokerApart, apart_lab: Lab
) -> None:
    work = Work(apart_lab)
    run = asyncio.create_task((engine := work.engine()).run())
    await engine.until_ready()
    apart.fail("stall", "produce")
    run.cancel()
    for _ in range(5):
        await asyncio.sleep(0.05)
        run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert not own_threads()
    PartitionStore.open(apart_lab.directory / "one" / apart_lab.app_id / "0").close()


async def test_a_thread_that_ended_by_itself_is_stopped_in_peace(
    apart_lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Work(apart_lab).engine()
    async with running(engine):
        await engine.until_ready()
        engine.app.consumer._thread._stopped_set()
        await until(lambda: engine.status().halted)
        await until(lambda: not own_threads())
        with pytest.raises(Exception, match="consumer thread"):
            await asyncio.wait_for(engine.app.consumer.subscribe([apart_lab.topic("in")]), 60)
    assert not said(caplog)


async def test_what_the_coordinator_holds_against_a_member_halts_it_also_when_nothing_is_read(
    apart_lab: Lab,
) -> None:
    engine = Work(apart_lab).engine()
    async with running(engine):
        await engine.until_ready()
        consumer = engine.app.consumer._thread._consumer
        assert consumer is not None
        engine.partitions.stop_reading()  # as a worker that has got no partition
        await asyncio.sleep(1.2)
        consumer._coordinator._pending_exception = KafkaError("you are fenced")
        await until(lambda: "you are fenced" in (engine.status().halted or ""))


class CannotForget(Count):
    """A stage whose hook fails."""

    def forget(self, partition: int) -> None:
        """Fail."""
        raise RuntimeError("cannot forget")


async def test_a_hook_that_fails_at_the_stop_halts_and_leaves_no_thread(apart_lab: Lab) -> None:
    engine = apart_lab.engine("in", "out")
    stage = CannotForget(apart_lab.topic("out"))
    engine.batch_stage(name="count", topics=[apart_lab.topic("in")], tables=["counts"], stage=stage)
    run = asyncio.create_task(engine.run())
    await engine.until_ready()
    engine.stop()
    with pytest.raises(Halted, match="cannot forget"):
        await run
    assert not own_threads()
    PartitionStore.open(apart_lab.directory / "one" / apart_lab.app_id / "0").close()


async def test_nothing_begins_after_the_end(apart_lab: Lab) -> None:
    engine = Work(apart_lab).engine()
    await engine.partitions.close()
    tasks = asyncio.all_tasks()
    engine.partitions.begin(frozenset(), 1)
    assert asyncio.all_tasks() == tasks


async def test_a_stop_in_the_middle_of_a_revoke_waits_for_what_that_does(apart_lab: Lab) -> None:
    partitions = Work(apart_lab).engine().partitions
    ended = asyncio.Event()

    async def bring_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.3)  # a client that is let go
            ended.set()

    partitions._bringing_up = asyncio.create_task(bring_up())
    await asyncio.sleep(0)
    revoke = asyncio.create_task(partitions.wind_down())
    await asyncio.sleep(0.05)
    await partitions.close()  # and with it the stores that are being opened
    assert ended.is_set()
    await revoke


async def test_a_checkpoint_that_is_cancelled_from_inside_halts(
    apart_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cancelled(self: Checkpointer, work: object) -> None:
        raise asyncio.CancelledError  # as aiokafka's consumer does when it is stopped in a pause

    work = Work(apart_lab)
    async with running(engine := work.engine()):
        monkeypatch.setattr(Checkpointer, "run", cancelled)
        await work.give(5)
        await until(lambda: "cannot be checkpointed" in (engine.status().halted or ""))
    assert await apart_lab.committed("in") == {0: 0, 1: 0}


async def test_records_of_a_producer_that_is_replaced_do_not_wait_for_ever(
    apart: BrokerApart, apart_lab: Lab
) -> None:
    await make_topics(apart_lab, 1)
    apart.fail("stall", "produce")
    producer = AIOKafkaProducer(bootstrap_servers=apart.bootstrap, enable_idempotence=True)
    await producer.start()
    waiting = await producer.send(apart_lab.topic("in"), b"value")
    await asyncio.sleep(0.2)  # it is on its way
    began = time.monotonic()
    await discard(producer)
    assert time.monotonic() - began < IN_TIME_SECONDS
    with pytest.raises(ProducerClosed):
        await asyncio.wait_for(waiting, 60)


def _stores(lab: Lab) -> Stores:
    return Stores(lab.settings())


async def test_a_store_that_is_opened_while_its_opener_is_cancelled_is_closed_with_the_others(
    apart_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = _stores(apart_lab)
    open_fresh = Stores._open_fresh
    begun, go_on = threading.Event(), threading.Event()

    def held(self: Stores, path: Path) -> PartitionStore:
        begun.set()
        go_on.wait()
        return open_fresh(self, path)

    monkeypatch.setattr(Stores, "_open_fresh", held)
    opening = asyncio.create_task(stores.open(0))
    await asyncio.to_thread(begun.wait)
    opening.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert stores.get(0) is not None  # else nobody would close it
    await stores.keep(frozenset())
    PartitionStore.open(apart_lab.directory / "one" / apart_lab.app_id / "0").close()


async def test_all_stores_are_closed_when_one_cannot_be(apart_lab: Lab) -> None:
    stores = _stores(apart_lab)
    kept: Sequence[PartitionStore] = [await stores.open(number) for number in range(3)]
    close = kept[0].close

    def fail() -> None:
        close()
        raise OSError("the disk is full")

    kept[0].close = fail  # type: ignore[method-assign]
    with pytest.raises(OSError, match="disk is full"):
        await stores.keep(frozenset())
    for number in range(3):
        PartitionStore.open(apart_lab.directory / "one" / apart_lab.app_id / str(number)).close()


async def test_what_is_to_be_whole_is_so_however_often_its_caller_is_cancelled() -> None:
    done = False
    go_on = asyncio.Event()

    async def work() -> None:
        nonlocal done
        await go_on.wait()
        done = True

    caller = asyncio.create_task(whole(work()))
    for _ in range(4):
        await asyncio.sleep(0.02)
        caller.cancel()
    await asyncio.sleep(0.02)
    assert not caller.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert done


@pytest.mark.parametrize("ending", ["hangs", "is cancelled", "fails"])
async def test_a_client_is_let_go_whether_its_end_hangs_or_fails(
    apart: BrokerApart, ending: str
) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=apart.bootstrap)
    await consumer.start()

    async def end() -> None:
        if ending == "hangs":
            await asyncio.Event().wait()
        raise asyncio.CancelledError if ending == "is cancelled" else KafkaError("no")

    began = time.monotonic()
    await let_go(end(), consumer._client)
    assert time.monotonic() - began < IN_TIME_SECONDS
    assert not any(connection.connected() for connection in consumer._client._conns.values())
    await consumer.stop()
