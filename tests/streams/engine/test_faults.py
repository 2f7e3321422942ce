"""A broker that stalls, loses answers, drops connections, goes away and comes back.

These need a broker that fails on purpose, so they always use the embedded one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from app.sandbox.kafka import BrokerFault, EmbeddedBroker
from streams.engine import Engine, Outgoing, Record, Rows, TopicPartition
from tables.store import PartitionStore
from tests.streams.engine.lab import Lab, numbered, running, until
from tests.streams.engine.processes import make_topics
from tests.streams.engine.stages import Calls, Count


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    """A broker of this test's own."""
    async with EmbeddedBroker() as embedded:
        yield embedded


@pytest.fixture
def weak_lab(broker: EmbeddedBroker, unique_prefix: str, tmp_path: Path) -> Lab:
    """A lab on that broker."""
    return Lab(broker.bootstrap, unique_prefix, tmp_path)


def counting(lab: Lab, worker: str = "one", **changes: object) -> Engine:
    """An engine that counts on one partition."""
    engine = lab.engine("in", "out", partitions=1, worker=worker, **changes)
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
    )
    return engine


class StallFirst(Count):
    """Has the broker stall Produce before the batch that holds a value."""

    def __init__(self, output: str, broker: EmbeddedBroker, value: bytes) -> None:
        super().__init__(output)
        self.broker = broker
        self.value = value

    def handle(self, batch: Sequence[Record], rows: Rows) -> Sequence[Outgoing]:
        """Count, with the broker stalled."""
        if any(record.value == self.value for record in batch):
            self.broker.faults.stall_produce()
        return super().handle(batch, rows)


def stalling(lab: Lab, broker: EmbeddedBroker) -> Engine:
    """An engine whose broker stalls when it handles the value 5."""
    engine = lab.engine("in", "out", partitions=1)
    stage = StallFirst(lab.topic("out"), broker, b"5")
    engine.batch_stage(name="count", topics=[lab.topic("in")], tables=["counts"], stage=stage)
    return engine


async def test_a_stalled_producer_commits_nothing_says_so_and_goes_on(
    broker: EmbeddedBroker, weak_lab: Lab
) -> None:
    engine = stalling(weak_lab, broker)
    async with running(engine):
        await weak_lab.produce("in", numbered("a", 5))
        await until(lambda: weak_lab.all_committed("in"))
        await weak_lab.produce("in", [("a", "5")])
        await until(lambda: engine.status().producer_stall_seconds > 0.6)
        assert "confirm records" in engine.status().waiting_for
        assert await weak_lab.committed("in") == {0: 5}
        broker.faults.resume()
        await until(lambda: weak_lab.all_committed("in"))
        await until(lambda: engine.status().producer_stall_seconds == 0)
        await until(lambda: engine.status().waiting_for == "")
    assert await weak_lab.table("counts") == {"a": "6"}


async def test_a_stall_over_the_stop_commits_nothing_and_the_batch_comes_again(
    broker: EmbeddedBroker, weak_lab: Lab
) -> None:
    async with running(engine := stalling(weak_lab, broker)):
        await weak_lab.produce("in", numbered("a", 5))
        await until(lambda: weak_lab.all_committed("in"))
        await weak_lab.produce("in", [("a", "5")])
        await until(lambda: engine.status().producer_stall_seconds > 0.2)
    assert await weak_lab.committed("in") == {0: 5}
    broker.faults.resume()
    async with running(counting(weak_lab)):
        await until(lambda: weak_lab.all_committed("in"))
    assert await weak_lab.table("counts") == {"a": "6"}
    assert set(await weak_lab.outputs("out")) == {("a", str(count)) for count in range(1, 7)}


class LoseAnswers(Count):
    """Has the broker lose its answer to what each batch is about to produce."""

    def __init__(self, output: str, broker: EmbeddedBroker) -> None:
        super().__init__(output)
        self.broker = broker

    def handle(self, batch: Sequence[Record], rows: Rows) -> Sequence[Outgoing]:
        """Count; the answer will be lost."""
        self.broker.faults.lose_produce_answers(1)
        return super().handle(batch, rows)


async def test_lost_answers_double_nothing(broker: EmbeddedBroker, weak_lab: Lab) -> None:
    engine = weak_lab.engine("in", "out", partitions=1)
    stage = LoseAnswers(weak_lab.topic("out"), broker)
    engine.batch_stage(name="count", topics=[weak_lab.topic("in")], tables=["counts"], stage=stage)
    async with running(engine):
        for _ in range(4):
            await weak_lab.produce("in", numbered("ab", 20))
            await until(lambda: weak_lab.all_committed("in"))
        assert broker.faults.struck["lose_answer"] >= 4
    assert await weak_lab.table("counts") == {"a": "40", "b": "40"}
    outputs = await weak_lab.outputs("out")
    assert len(outputs) == len(set(outputs)) == 80


@pytest.mark.parametrize("kind", ["hang_up", "lose_answer", "stall"])
async def test_a_commit_that_is_not_answered_is_repeated_and_changes_no_row_before(
    broker: EmbeddedBroker, weak_lab: Lab, kind: str
) -> None:
    engine = counting(weak_lab)
    async with running(engine):
        await weak_lab.produce("in", numbered("a", 5))
        await until(lambda: weak_lab.all_committed("in"))
        broker.faults.add(BrokerFault(kind, times=None, api="offset_commit"))
        await weak_lab.produce("in", numbered("a", 5))
        await until(lambda: outputs_are(weak_lab, 10))
        await until(lambda: broker.faults.struck[kind] > (0 if kind == "stall" else 1))
        await asyncio.sleep(0.5)  # for what must not happen
        assert engine.read("counts", "a") == b"5"
        assert await weak_lab.committed("in") == {0: 10 if kind == "lose_answer" else 5}
        broker.faults.clear()
        await until(lambda: weak_lab.all_committed("in"))
        await until(lambda: engine.read("counts", "a") == b"10")
        await weak_lab.produce("in", numbered("a", 5))
        await until(lambda: weak_lab.all_committed("in"))
        assert engine.status().halted is None
    assert await weak_lab.outputs("out") == [("a", str(count)) for count in range(1, 16)]


async def outputs_are(lab: Lab, number: int) -> bool:
    """Whether so many outputs are there."""
    return len(await lab.outputs("out")) == number


async def test_dropped_connections_stop_nothing(broker: EmbeddedBroker, weak_lab: Lab) -> None:
    engine = counting(weak_lab)
    async with running(engine):
        for _ in range(5):
            await weak_lab.produce("in", numbered("ab", 20))
            broker.faults.drop_connections()
        await until(lambda: weak_lab.all_committed("in"))
        assert engine.status().halted is None
    assert await weak_lab.table("counts") == {"a": "50", "b": "50"}


async def test_a_producer_that_looks_for_a_new_topic_does_not_forget_the_others(
    broker: EmbeddedBroker, weak_lab: Lab
) -> None:
    async with running(engine := counting(weak_lab)):
        producer = engine.app.producer._producer
        assert producer is not None
        client = producer.client
        await client.force_metadata_update()  # as when its connection broke: it asks for all topics
        await weak_lab.produce("in", numbered("a", 5))
        await until(lambda: weak_lab.all_committed("in"))
        await make_topics(weak_lab, 1, "late")
        await client.add_topic(weak_lab.topic("late"))
        await client.force_metadata_update()
        for name in (weak_lab.topic("out"), weak_lab.changelog("counts")):
            # a record that waits for its second attempt would wait for its leader, and time out
            assert client.cluster.leader_for_partition(TopicPartition(name, 0)) is not None


async def test_a_broker_that_is_down_at_the_start_is_waited_for(
    broker: EmbeddedBroker, weak_lab: Lab
) -> None:
    await broker.stop()
    engine = counting(weak_lab)
    starting = asyncio.create_task(engine.app.start())
    try:
        await until(lambda: broker.bootstrap in engine.status().waiting_for)
        assert not engine.status().ready
        await broker.start()
        await asyncio.wait_for(starting, 60)
        await until(lambda: engine.status().waiting_for == "")
        await weak_lab.produce("in", numbered("a", 5))
        await until(lambda: weak_lab.all_committed("in"))
    finally:
        await engine.app.stop()


async def test_a_worker_can_be_stopped_while_it_waits_for_a_broker(
    broker: EmbeddedBroker, weak_lab: Lab
) -> None:
    await broker.stop()
    engine = counting(weak_lab)
    run = asyncio.create_task(engine.run())
    await until(lambda: engine.status().waiting_for)
    engine.stop()
    await asyncio.wait_for(run, 60)


async def test_a_call_whose_row_is_not_delivered_leaves_none_in_the_store(
    broker: EmbeddedBroker, weak_lab: Lab
) -> None:
    stage = Calls(weak_lab.topic("done"))
    engine = weak_lab.engine("commands", "done", partitions=1)
    engine.lane_stage(
        name="write", topics=[weak_lab.topic("commands")], tables=["ledger"], stage=stage
    )
    async with running(engine):
        await weak_lab.produce("commands", [("a", "1")])
        await until(lambda: weak_lab.all_committed("commands"))
        let_go = stage.hold("2")
        await weak_lab.produce("commands", [("a", "2")])
        await until(lambda: stage.running == 1)
        broker.faults.stall_produce()
        let_go.set()
        await until(lambda: engine.status().producer_stall_seconds > 0.2)
    store = PartitionStore.open(weak_lab.directory / "one" / weak_lab.app_id / "0")
    try:
        assert store.scan("ledger") == [("1", b"done")]
    finally:
        store.close()
    assert await weak_lab.committed("commands") == {0: 1}


async def test_a_broker_restart_in_the_middle_is_waited_out(
    broker: EmbeddedBroker, weak_lab: Lab
) -> None:
    engine = counting(weak_lab)
    async with running(engine):
        await weak_lab.produce("in", numbered("ab", 2000))
        await until(lambda: some_committed(weak_lab))
        await broker.stop()
        await asyncio.sleep(0.5)
        await broker.start()
        await until(lambda: weak_lab.all_committed("in"))
        await weak_lab.produce("in", numbered("ab", 200))
        await until(lambda: weak_lab.all_committed("in"))
        assert engine.status().halted is None
    assert await weak_lab.table("counts") == {"a": "1100", "b": "1100"}


async def some_committed(lab: Lab) -> bool:
    """Whether anything is."""
    return (await lab.committed("in")).get(0, 0) > 0


async def test_a_worker_that_the_group_threw_out_comes_back_and_counts_once(
    broker: EmbeddedBroker, weak_lab: Lab
) -> None:
    engine = counting(weak_lab)
    async with running(engine):
        await weak_lab.produce("in", numbered("ab", 100))
        await until(lambda: weak_lab.all_committed("in"))
        generation = engine.app.consumer_generation_id
        member = member_id(engine)
        broker.groups.expire_member(weak_lab.app_id, member)
        await weak_lab.produce("in", numbered("ab", 100))
        await until(lambda: engine.app.consumer_generation_id > generation)
        await until(lambda: weak_lab.all_committed("in"))
        assert engine.status().halted is None
    assert await weak_lab.table("counts") == {"a": "100", "b": "100"}


def member_id(engine: Engine) -> str:
    """The engine's member id in its group."""
    consumer = engine.app.consumer._thread._consumer
    assert consumer is not None
    return str(consumer._coordinator.member_id)


async def test_two_engines_share_a_flood_and_neither_loses_nor_splits_a_count(
    weak_lab: Lab,
) -> None:
    engines = [counting_two(weak_lab, name) for name in ("one", "two")]
    async with running(engines[0]):
        await weak_lab.produce("in", numbered("abcdefgh", 4000))
        async with running(engines[1]):
            await weak_lab.produce("in", numbered("abcdefgh", 4000))
            await until(lambda: weak_lab.all_committed("in"))
            await until(lambda: both_have_their_own(engines))
        await weak_lab.produce("in", numbered("abcdefgh", 800))
        await until(lambda: weak_lab.all_committed("in"))
    assert await weak_lab.table("counts") == dict.fromkeys("abcdefgh", "1100")
    outputs = await weak_lab.outputs("out")
    assert set(outputs) == {(key, str(count)) for key in "abcdefgh" for count in range(1, 1101)}


def both_have_their_own(engines: Sequence[Engine]) -> bool:
    """Whether both engines have partitions, and none of them both."""
    one, two = (engine.status().assigned for engine in engines)
    return bool(one and two and not one & two)


def counting_two(lab: Lab, worker: str) -> Engine:
    """An engine that counts on four partitions, in small batches."""
    engine = lab.engine("in", "out", partitions=4, worker=worker, batch_max_records=20)
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
    )
    return engine


async def test_lanes_survive_a_broker_restart(broker: EmbeddedBroker, weak_lab: Lab) -> None:
    stage = Calls(weak_lab.topic("done"))
    let_go = stage.hold("3")
    engine = weak_lab.engine("commands", "done", partitions=1)
    engine.lane_stage(
        name="write", topics=[weak_lab.topic("commands")], tables=["ledger"], stage=stage
    )
    async with running(engine):
        await weak_lab.produce("commands", [(str(number), str(number)) for number in range(8)])
        await until(lambda: len(stage.finished) == 7)
        await broker.stop()
        let_go.set()
        await asyncio.sleep(0.3)
        await broker.start()
        await until(lambda: weak_lab.all_committed("commands"))
    assert sorted(set(await weak_lab.outputs("done"))) == [
        (str(number), str(number)) for number in range(8)
    ]
