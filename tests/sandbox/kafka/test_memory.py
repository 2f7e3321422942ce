"""Records in memory keep to their limit: what is above it goes to temporary files, and is read."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from app.sandbox.kafka import BrokerSettings, EmbeddedBroker
from app.sandbox.kafka.batches import check_produced
from app.sandbox.kafka.bodies import Memory
from app.sandbox.kafka.log import PartitionLog
from tests.sandbox.kafka.raw import (
    fetch_request,
    fetched,
    produce_request,
    produced,
    raw_client,
    record_batch,
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 400)), max_size=30),
    st.integers(0, 2000),
    st.data(),
)
def test_logs_read_the_same_whatever_memory_they_share(
    appended: list[tuple[int, int]], limit: int, data: st.DataObject
) -> None:
    memory = Memory(limit)
    small = [PartitionLog.in_memory(memory) for _ in range(3)]
    large = [PartitionLog.in_memory() for _ in range(3)]
    for number, size in appended:
        batch = record_batch([b"x" * size])
        for logs in (small, large):
            logs[number].append(check_produced(batch, 2**20), batch)
        assert memory.used <= max(limit, 0)
    for ours, whole in zip(small, large, strict=True):
        offset = data.draw(st.integers(0, whole.end_offset))
        limit_read = data.draw(st.integers(0, 2000))
        found = ours.read(offset, limit_read, at_least_one=True)
        expected = whole.read(offset, limit_read, at_least_one=True)
        assert b"".join(found.buffers) == b"".join(expected.buffers)
        assert found.size == expected.size
        ours.close()
    assert memory.used == 0


async def test_a_broker_holds_no_more_in_memory_than_it_may() -> None:
    settings_ = BrokerSettings(memory_max_bytes=100_000)
    async with EmbeddedBroker(settings=settings_) as broker, raw_client(broker.bootstrap) as raw:
        broker.state.create_topic("big", 1, {})
        sent = []
        for number in range(30):
            batch = record_batch([b"%02d" % number * 5_000])
            answer = produced(await raw.ask(produce_request("big", batch)))
            assert answer.base_offset == number
            sent.append(batch)
            assert broker.state.memory.used <= 100_000
        assert broker.state.memory.spilled > 0
        part = fetched(await raw.ask(fetch_request("big", 0, partition_max_bytes=2**20)))
        assert len(part.records) == sum(map(len, sent))
        broker.state.delete_topic(broker.state.topics["big"])
        assert broker.state.memory.used == 0
