"""Records in memory keep to their limit: what is above it goes to temporary files, and is read."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sandbox.kafka import BrokerSettings, EmbeddedBroker
from app.sandbox.kafka.batches import Buffer, check_produced
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
    st.integers(1, 800),
    st.data(),
)
def test_logs_read_the_same_whatever_memory_they_share(
    appended: list[tuple[int, int]], limit: int, spill_bytes: int, data: st.DataObject
) -> None:
    memory = Memory(limit, spill_bytes=spill_bytes)
    small = [PartitionLog.in_memory(memory) for _ in range(3)]
    large = [PartitionLog.in_memory() for _ in range(3)]
    for number, size in appended:
        batch = record_batch([b"x" * size])
        for logs in (small, large):
            logs[number].append(check_produced(batch, 2**20), batch)
        assert memory.used <= limit
    for ours, whole in zip(small, large, strict=True):
        offset = data.draw(st.integers(0, whole.end_offset))
        limit_read = data.draw(st.integers(0, 2000))
        found = ours.read(offset, limit_read, at_least_one=True)
        expected = whole.read(offset, limit_read, at_least_one=True)
        assert b"".join(found.buffers) == b"".join(expected.buffers)
        assert found.size == expected.size
        ours.close()
    assert memory.used == 0


@pytest.mark.parametrize("limit", [0, 100, 250])
def test_a_full_disk_refuses_the_record_and_leaves_all_logs_as_they_were(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = record_batch([b"x" * 20])
    memory = Memory(limit, spill_bytes=1)
    logs = [PartitionLog.in_memory(memory) for _ in range(2)]
    real, left = os.pwrite, 2 * len(batch) + 10

    def filling(descriptor: int, content: Buffer, position: int) -> int:
        nonlocal left
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real(descriptor, content[:left], position)
        left -= written
        return written

    monkeypatch.setattr("os.pwrite", filling)
    appended = [0, 0]
    for number in range(8):
        with suppress(OSError):
            logs[number % 2].append(check_produced(batch, 1000), batch)
            appended[number % 2] += 1
    assert 2 <= sum(appended) < 8
    for log, count in zip(logs, appended, strict=True):
        found = log.read(0, 2000, at_least_one=True)
        assert (log.end_offset, found.size) == (count, count * len(batch))
        assert sum(map(len, found.buffers)) == found.size
    left = 10_000
    logs[0].append(check_produced(batch, 1000), batch)
    assert logs[0].end_offset == appended[0] + 1
    assert memory.used <= limit


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
