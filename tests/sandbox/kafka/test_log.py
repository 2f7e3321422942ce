"""A partition's log: what is read is what was appended, and a crash costs the tail alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kio.schema.errors import ErrorCode

from app.sandbox.kafka.batches import (
    HEADER_BYTES,
    BatchRefused,
    check_produced,
    checksum_holds,
    read_header,
)
from app.sandbox.kafka.bodies import OpenFiles
from app.sandbox.kafka.log import OffsetOutOfRange, PartitionLog
from tests.sandbox.kafka.raw import record_batch

SIZES = st.lists(st.integers(1, 5), max_size=12)
"""How many records each batch has."""
QUICK = settings(max_examples=60, deadline=None)


def batch_of(count: int, start: int = 0) -> bytes:
    return record_batch([b"value %d" % (start + n) for n in range(count)])


def append(log: PartitionLog, batch: bytes) -> int:
    return log.append(check_produced(batch, 2**20), batch)


def fill(log: PartitionLog, sizes: list[int]) -> list[bytes]:
    """Append batches of these sizes; the batches as they lie in the log."""
    for size in sizes:
        append(log, batch_of(size, log.end_offset))
    return list(whole(log))


def whole(log: PartitionLog) -> Iterator[bytes]:
    """Every batch from the start of the log on."""
    data = b"".join(log.read(log.start_offset, 2**30, at_least_one=True).buffers)
    position = 0
    while position < len(data):
        header = read_header(data, position)
        assert checksum_holds(data, header, position)
        yield data[position : position + header.size]
        position += header.size


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@contextmanager
def on_disk(path: Path, segment_bytes: int = 2**20) -> Iterator[PartitionLog]:
    log = PartitionLog.in_folder(path, segment_bytes)
    try:
        yield log
    finally:
        log.close()


@QUICK
@given(SIZES, st.integers(0, 400))
def test_a_log_on_disk_reads_like_one_in_memory_and_like_itself_reopened(
    sizes: list[int], segment_bytes: int
) -> None:
    memory = PartitionLog.in_memory()
    expected = fill(memory, sizes)
    with folder() as path:
        with on_disk(path, segment_bytes) as log:
            assert fill(log, sizes) == expected
        with on_disk(path, segment_bytes) as log:
            assert list(whole(log)) == expected
            assert log.end_offset == memory.end_offset == sum(sizes)


@QUICK
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), max_size=25), st.integers(1, 3))
def test_logs_on_disk_read_the_same_however_few_files_may_be_open(
    appended: list[tuple[int, int]], limit: int
) -> None:
    expected = [PartitionLog.in_memory() for _ in range(5)]
    files = OpenFiles(limit)
    with folder() as path:
        logs = [PartitionLog.in_folder(path / str(n), 200, files) for n in range(5)]
        for number, count in appended:
            for log in (logs[number], expected[number]):
                append(log, batch_of(count, log.end_offset))
            assert list(whole(logs[number])) == list(whole(expected[number]))
            assert len(files) <= limit
        again = [PartitionLog.in_folder(path / str(n), 200, files) for n in range(5)]
        assert [list(whole(log)) for log in again] == [list(whole(log)) for log in expected]
        assert len(files) <= limit
        for log in logs + again:
            log.close()
        assert len(files) == 0


@QUICK
@given(SIZES, st.data())
def test_a_read_begins_with_the_batch_of_its_offset_and_keeps_to_its_limit(
    sizes: list[int], data: st.DataObject
) -> None:
    log = PartitionLog.in_memory()
    batches = fill(log, sizes)
    offset = data.draw(st.integers(0, log.end_offset))
    limit = data.draw(st.integers(0, 1000))
    rest = [batch for batch in batches if read_header(batch).last_offset >= offset]

    found = log.read(offset, limit, at_least_one=False)
    at_least = log.read(offset, limit, at_least_one=True)

    assert log.bytes_from(offset) == sum(map(len, rest))
    assert found.size == sum(map(len, found.buffers)) <= limit
    assert list(found.buffers) == rest[: len(found.buffers)]
    more = rest[len(found.buffers) :]
    assert not more or found.size + len(more[0]) > limit
    assert list(at_least.buffers) == (list(found.buffers) or rest[:1])


@QUICK
@given(SIZES, st.integers(0, 300), st.data())
def test_a_crash_costs_the_torn_tail_and_nothing_before_it(
    sizes: list[int], segment_bytes: int, data: st.DataObject
) -> None:
    with folder() as path:
        with on_disk(path, segment_bytes) as log:
            batches = fill(log, sizes)
        lost = data.draw(st.integers(0, sum(map(len, batches))))
        cut_end(path, lost)
        kept = [b for n, b in enumerate(batches, 1) if sum(map(len, batches[n:])) >= lost]

        with on_disk(path, segment_bytes) as log:
            assert list(whole(log)) == kept
            assert log.end_offset == sum(sizes[: len(kept)])
            assert append(log, batch_of(2)) == log.end_offset - 2
            after = list(whole(log))
        with on_disk(path, segment_bytes) as log:
            assert list(whole(log)) == after


def cut_end(path: Path, lost: int) -> None:
    """Take the last bytes of the log away, over as many segments as that needs."""
    for segment in sorted(path.glob("*.log"), reverse=True):
        content = segment.read_bytes()
        keep = max(0, len(content) - lost)
        lost -= len(content) - keep
        segment.write_bytes(content[:keep])


@QUICK
@given(st.integers(2, 6), st.data())
def test_a_flipped_bit_cuts_the_log_there(count: int, data: st.DataObject) -> None:
    with folder() as path:
        with on_disk(path) as log:
            batches = fill(log, [1] * count)
        (segment,) = path.glob("*.log")
        content = bytearray(segment.read_bytes())
        hit = data.draw(st.integers(0, count - 1))
        # From the checksum on; what lies before it is the broker's own and not covered.
        inside = data.draw(st.integers(17, len(batches[hit]) - 1))
        content[sum(map(len, batches[:hit])) + inside] ^= 1 << data.draw(st.integers(0, 7))
        segment.write_bytes(content)

        with on_disk(path) as log:
            assert list(whole(log)) == batches[:hit]


def test_segments_behind_a_broken_one_are_removed(tmp_path: Path) -> None:
    with on_disk(tmp_path, 1) as log:
        batches = fill(log, [1, 1, 1])
    first, second, third = sorted(tmp_path.glob("*.log"))
    second.write_bytes(second.read_bytes()[:-1])

    with on_disk(tmp_path, 1) as log:
        assert list(whole(log)) == batches[:1]
    assert first.exists()
    assert not third.exists()


def test_offsets_outside_the_log_are_out_of_range() -> None:
    log = PartitionLog.in_memory()
    fill(log, [2, 2])
    log.delete_before(1)
    for offset in (-1, 0, 5):
        with pytest.raises(OffsetOutOfRange):
            log.read(offset, 100, at_least_one=True)
    assert log.read(4, 100, at_least_one=True).size == 0
    with pytest.raises(OffsetOutOfRange, match=r"offset 9 is not in 0\.\.4"):
        log.delete_before(9)


def test_the_start_does_not_move_back() -> None:
    log = PartitionLog.in_memory()
    fill(log, [5])
    assert log.delete_before(3) == 3
    assert log.delete_before(1) == 3


@QUICK
@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.integers(0, 60))
def test_the_first_record_at_or_after_a_moment_is_found(stamps: list[int], moment: int) -> None:
    log = PartitionLog.in_memory()
    for stamp in stamps:
        append(log, record_batch([b"x"], timestamp=stamp))
    expected = next((n for n, stamp in enumerate(stamps) if stamp >= moment), None)

    found = log.at_timestamp(moment)

    assert (found and found.offset) == expected
    newest = log.newest()
    assert newest is not None
    assert newest.offset == stamps.index(max(stamps))


def test_records_that_were_deleted_are_not_found_by_time() -> None:
    log = PartitionLog.in_memory()
    for stamp in (900, 100, 200):
        append(log, record_batch([b"x"], timestamp=stamp))
    log.delete_before(1)

    newest, found = log.newest(), log.at_timestamp(150)

    assert newest is not None
    assert found is not None
    assert (newest.offset, found.offset) == (2, 2)
    assert log.at_timestamp(300) is None
    log.delete_before(-1)
    assert log.newest() is None


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (None, ErrorCode.invalid_record),
        (b"", ErrorCode.invalid_record),
        (b"x" * (HEADER_BYTES - 1), ErrorCode.invalid_record),
        (batch_of(1)[:-1], ErrorCode.invalid_record),
        (batch_of(1)[:16] + b"\x01" + batch_of(1)[17:], ErrorCode.invalid_record),
        (batch_of(1)[:16] + b"\x03" + batch_of(1)[17:], ErrorCode.corrupt_message),
        (batch_of(1)[:8] + b"\x00\x00\x00\x01" + batch_of(1)[12:], ErrorCode.corrupt_message),
        (batch_of(1) + batch_of(1), ErrorCode.invalid_record),
        (record_batch([b"x" * 2000]), ErrorCode.message_too_large),
        (record_batch([]), ErrorCode.invalid_record),
    ],
    # Names of their own: batches hold the time, which each process of a parallel run reads anew.
    ids=(
        *("nothing", "empty", "half a header", "cut off", "magic 1", "magic 3", "wrong length"),
        *("two batches", "too large", "without records"),
    ),
)
def test_a_batch_that_is_none_is_refused(broken: bytes | None, error: ErrorCode) -> None:
    with pytest.raises(BatchRefused) as refused:
        check_produced(broken, 1000)
    assert refused.value.code is error


def test_a_disk_that_is_full_leaves_the_log_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with on_disk(tmp_path) as log:
        before = fill(log, [1])
        real = os.write
        monkeypatch.setattr("os.write", lambda descriptor, data: real(descriptor, data[:20]))
        with pytest.raises(OSError, match=r"20 of .* bytes written, disk full"):
            append(log, batch_of(1))
        monkeypatch.undo()
        assert list(whole(log)) == before
        assert append(log, batch_of(1)) == 1
    with on_disk(tmp_path) as log:
        assert log.end_offset == 2
