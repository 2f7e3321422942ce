"""Compaction keeps what its rules keep: the last record of each key, tombstones for their time."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sandbox.kafka import cleaning
from app.sandbox.kafka.batches import (
    TRANSACTIONAL_FLAG,
    check_produced,
    checksum_holds,
    read_header,
)
from app.sandbox.kafka.bodies import Memory
from app.sandbox.kafka.cleaning import CompactionRules, compact
from app.sandbox.kafka.log import PartitionLog

ALWAYS = CompactionRules(min_dirty_ratio=0.0)
LATER = 10**13
"""A moment (ms) after every record's."""
CODECS = [0, 1, 2, 3, 4]


@dataclass(frozen=True)
class Written:
    key: bytes
    value: bytes | None


def batch(
    records: Sequence[Written],
    *,
    codec: int = 0,
    producer: int = -1,
    sequence: int = -1,
    timestamp: int = 1000,
    transactional: bool = False,
) -> bytes:
    builder = DefaultRecordBatchBuilder(
        2, codec, int(transactional), producer, 0 if producer >= 0 else -1, sequence, 2**20
    )
    for number, record in enumerate(records):
        builder.append(number, timestamp + number, record.key, record.value, [("h", record.value)])
    return bytes(builder.build())


def append(log: PartitionLog, data: bytes) -> int:
    return log.append(check_produced(data, 2**20), data)


def kept(log: PartitionLog) -> dict[int, tuple[bytes, bytes | None]]:
    """Key and value by offset, of all that a reader gets, each batch sound."""
    data = b"".join(log.read(log.start_offset, 2**30, at_least_one=True).buffers)
    found, position = {}, 0
    while position < len(data):
        header = read_header(data, position)
        assert checksum_holds(data, header, position)
        content = data[position : position + header.size]
        if header.record_count and not header.is_control:
            for record in DefaultRecordBatch(content):
                assert record.headers == [("h", record.value)]
                found[record.offset] = (record.key, record.value)
        position += header.size
    return found


def each_in_its_segment(log: PartitionLog) -> PartitionLog:
    log.roll_at(1)
    return log


HISTORIES = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.sampled_from([b"1", b"2", None])),
            min_size=1,
            max_size=4,
        ),
        st.sampled_from(CODECS),
    ),
    max_size=10,
)


@settings(max_examples=80, deadline=None)
@given(HISTORIES, st.integers(0, 3), st.booleans())
def test_the_last_record_of_each_key_stays_under_its_offset(
    history: list[tuple[list[tuple[bytes, bytes | None]], int]], rounds: int, on_disk: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = PartitionLog.in_folder(folder, 1) if on_disk else PartitionLog.in_memory()
        each_in_its_segment(log)
        last: dict[bytes, tuple[int, bytes | None]] = {}
        untouched: dict[int, tuple[bytes, bytes | None]] = {}
        for number, (records, codec) in enumerate(history):
            base = append(log, batch([Written(*record) for record in records], codec=codec))
            for place, (key, value) in enumerate(records):
                # The newest segment is never compacted, and hides nothing from the older ones.
                if number < len(history) - 1:
                    last[key] = (base + place, value)
                else:
                    untouched[base + place] = (key, value)
            if number < rounds:
                asyncio.run(compact(log, ALWAYS, LATER))
        end = log.end_offset
        asyncio.run(compact(log, ALWAYS, LATER))

        expected = {offset: (key, value) for key, (offset, value) in last.items()} | untouched
        assert kept(log) == dict(sorted(expected.items()))
        assert (log.start_offset, log.end_offset) == (0, end)
        if on_disk:
            log.close()
            log = PartitionLog.in_folder(folder, 1)
            assert kept(log) == dict(sorted(expected.items()))
            # Segments with nothing left in them are gone; the newest one always says the end.
            assert log.end_offset == end
        log.close()


async def test_a_tombstone_stays_for_its_time_after_it_was_first_seen() -> None:
    log = each_in_its_segment(PartitionLog.in_memory())
    rules = CompactionRules(min_dirty_ratio=0.0, delete_retention_ms=1000)
    append(log, batch([Written(b"a", b"1")]))
    append(log, batch([Written(b"a", None)]))
    append(log, batch([Written(b"z", b"1")]))
    append(log, batch([Written(b"y", b"1")]))

    await compact(log, rules, LATER)
    assert kept(log)[1] == (b"a", None)
    append(log, batch([Written(b"z", b"2")]))
    await compact(log, rules, LATER + 999)
    assert 1 in kept(log)
    append(log, batch([Written(b"z", b"3")]))
    await compact(log, rules, LATER + 1000)
    assert 1 not in kept(log)


async def test_a_batch_that_loses_nothing_stays_byte_for_byte() -> None:
    log = each_in_its_segment(PartitionLog.in_memory())
    for key in (b"a", b"b", b"c"):
        append(log, batch([Written(key, b"1")], codec=1))
    before = b"".join(log.read(0, 2**20, at_least_one=True).buffers)
    assert await compact(log, ALWAYS, LATER) == 0
    assert b"".join(log.read(0, 2**20, at_least_one=True).buffers) == before


async def test_nothing_is_compacted_before_its_time() -> None:
    log = each_in_its_segment(PartitionLog.in_memory())
    for value in (b"1", b"2", b"3"):
        append(log, batch([Written(b"a", value)], timestamp=5000))
    young = CompactionRules(min_dirty_ratio=0.0, min_lag_ms=1000)
    assert await compact(log, young, 5999) == 0
    assert len(kept(log)) == 3
    assert await compact(log, young, 6000) > 0
    assert len(kept(log)) == 2


async def test_a_log_is_compacted_when_enough_of_it_is_dirty_or_too_old() -> None:
    log = each_in_its_segment(PartitionLog.in_memory())
    for number in range(9):
        append(log, batch([Written(b"k%d" % number, b"1")], timestamp=5000))
    half = CompactionRules(min_dirty_ratio=0.5, max_lag_ms=1000)
    await compact(log, half, 5000)
    append(log, batch([Written(b"k0", b"2")], timestamp=5000))
    append(log, batch([Written(b"end", b"1")], timestamp=5000))
    await compact(log, half, 6000)
    assert 0 in kept(log), "two of ten segments are dirty, and not yet too old"
    await compact(log, half, 6001)
    assert 0 not in kept(log)


async def test_an_open_transaction_and_what_follows_are_left_alone_and_aborted_records_go() -> None:
    log = each_in_its_segment(PartitionLog.in_memory())
    append(log, batch([Written(b"a", b"old")]))
    inside = batch([Written(b"a", b"new")], producer=7, sequence=0, transactional=True)
    assert read_header(inside).attributes & TRANSACTIONAL_FLAG
    append(log, inside)
    append(log, batch([Written(b"b", b"1")]))
    await compact(log, ALWAYS, LATER)
    assert sorted(kept(log)) == [0, 1, 2]

    log.end_transaction(7, 0, commit=False, timestamp=1000)
    append(log, batch([Written(b"c", b"1")]))
    append(log, batch([Written(b"d", b"1")]))
    await compact(log, ALWAYS, LATER)
    assert sorted(kept(log)) == [0, 2, 4, 5], "an aborted record is no newer value"
    assert log.last_stable_offset == log.end_offset


async def test_the_mark_of_a_transaction_stays_while_it_has_records(tmp_path: Path) -> None:
    log = PartitionLog.in_folder(tmp_path, 1)
    rules = CompactionRules(min_dirty_ratio=0.0, delete_retention_ms=10)
    append(log, batch([Written(b"a", b"1")], producer=7, sequence=0, transactional=True))
    log.end_transaction(7, 0, commit=True, timestamp=1000)
    for moment in range(3):
        append(log, batch([Written(b"z", b"%d" % moment)]))
        await compact(log, rules, LATER + 100 * moment)
    log.close()
    again = PartitionLog.in_folder(tmp_path, 1)
    assert 0 in kept(again)
    assert again.last_stable_offset == again.end_offset, "it would be open without its mark"
    again.close()


async def test_a_producer_is_still_known_when_its_last_batch_is_compacted_away(
    tmp_path: Path,
) -> None:
    log = PartitionLog.in_folder(tmp_path, 1)
    first = batch([Written(b"a", b"1")], producer=7, sequence=0)
    append(log, first)
    for value in (b"2", b"3"):
        append(log, batch([Written(b"a", value)]))
    await compact(log, ALWAYS, LATER)
    assert 0 not in kept(log)
    log.close()
    again = PartitionLog.in_folder(tmp_path, 1)
    assert append(again, first) == 0, "a repetition is recognised after a restart"
    again.close()


@pytest.mark.parametrize("on_disk", [True, False])
async def test_old_segments_go_by_age_and_by_size(tmp_path: Path, on_disk: bool) -> None:
    log = PartitionLog.in_folder(tmp_path, 1) if on_disk else PartitionLog.in_memory()
    each_in_its_segment(log)
    for timestamp in (1000, 2000, 3000, 4000):
        append(log, batch([Written(b"a", b"1")], timestamp=timestamp))
    size = log.size // 4
    log.delete_old(3001, 2000, -1)
    assert log.start_offset == 1
    log.delete_old(0, -1, 2 * size)
    assert (log.start_offset, log.size) == (2, 2 * size)
    log.delete_old(10_000, 1000, -1)
    assert (log.start_offset, log.end_offset, log.size) == (4, 4, 0)
    log.close()
    if on_disk:
        again = PartitionLog.in_folder(tmp_path, 1)
        assert (again.start_offset, again.end_offset) == (4, 4)
        assert append(again, batch([Written(b"a", b"1")])) == 4
        again.close()


@pytest.mark.parametrize("on_disk", [False, True], ids=["in memory", "on disk"])
async def test_others_have_their_turn_while_a_large_segment_is_compacted(
    tmp_path: Path, on_disk: bool
) -> None:
    log = PartitionLog.in_folder(tmp_path, 2**30) if on_disk else PartitionLog.in_memory()
    for number in range(2000):
        records = [Written(b"k%d" % key, b"v" * 50) for key in range(200)]
        append(log, batch(records, timestamp=1000 + number))
    log.roll_at(1)
    append(log, batch([Written(b"end", b"1")]))
    gc.disable()  # a collection of all that the tests have left falls into some turn
    longest, before = 0.0, (began := time.thread_time())
    compacting = asyncio.create_task(compact(log, ALWAYS, LATER))
    while not compacting.done():
        await asyncio.sleep(0)
        now = time.thread_time()
        longest, before = max(longest, now - before), now
    gc.enable()
    assert await compacting > 0
    assert len(kept(log)) == 200 + 1
    whole = before - began
    told = f"held the loop for {longest:.3f} of {whole:.3f} s of processor time"
    # A turn is 10 ms and the batch that it ends with; the whole takes much longer.
    assert longest < whole / 4, told
    log.close()


@pytest.mark.parametrize("on_disk", [False, True], ids=["in memory", "on disk"])
async def test_a_log_that_goes_while_it_is_compacted_leaves_nothing(
    tmp_path: Path, on_disk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "_SHARE_SECONDS", 0.0)
    memory = Memory(2**20)
    folder = tmp_path / "0"
    log = PartitionLog.in_folder(folder, 2**30) if on_disk else PartitionLog.in_memory(memory)
    for _ in range(20):
        append(log, batch([Written(b"a", b"1"), Written(b"b", b"2")]))
    log.roll_at(1)
    append(log, batch([Written(b"end", b"1")]))
    compacting = asyncio.create_task(compact(log, ALWAYS, LATER))
    for _ in range(30):
        await asyncio.sleep(0)
    assert not compacting.done()
    log.close(delete=True)
    assert await compacting == 0
    assert memory.used == 0
    assert list(folder.glob("*.log")) == list(folder.glob("*.cleaned")) == []
