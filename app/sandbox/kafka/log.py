"""The log of one partition: offsets over a batch store, and those who wait for more."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.sandbox.kafka.batches import BatchHeader, Buffer, RecordStamp, placed_at, stamps
from app.sandbox.kafka.files import read_json, write_json
from app.sandbox.kafka.sequences import Sequences
from app.sandbox.kafka.settings import LEADER_EPOCH
from app.sandbox.kafka.storage import BatchStore, FileStore, MemoryStore

_NO_TIMESTAMP = -1


class OffsetOutOfRange(Exception):
    """An offset below the log's start or above its end."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Whole batches, `size` bytes together."""

    buffers: Sequence[Buffer]
    size: int


_EMPTY = Slice((), 0)


class PartitionLog:
    """Batches in offset order. `start_offset` is the first offset served, `end_offset` the next to
    be written, which is also the high watermark since there are no replicas."""

    def __init__(self, store: BatchStore, start_file: Path | None = None) -> None:
        self._store = store
        self._start_file = start_file
        self._last_offsets = array("q")
        self._ends = array("q", [0])
        self._newest_timestamps = array("q")
        self._watchers: set[Callable[[], None]] = set()
        self.sequences = Sequences()
        self.start_offset = 0
        self.end_offset = 0

    @classmethod
    def in_memory(cls) -> PartitionLog:
        """An empty log that ends with the process."""
        return cls(MemoryStore())

    @classmethod
    def in_folder(cls, folder: Path, segment_bytes: int) -> PartitionLog:
        """The log kept in `folder`: whatever whole batches are there, or an empty one."""
        store = FileStore(folder, segment_bytes)
        log = cls(store, folder / "start-offset.json")
        for header in store.recover():
            log._index(header, header.base_offset)
        log.start_offset = min(read_json(folder / "start-offset.json", 0), log.end_offset)
        return log

    def roll_at(self, segment_bytes: int) -> None:
        """Begin a new segment file when the current one would outgrow `segment_bytes`."""
        self._store.roll_at(segment_bytes)

    def append(self, header: BatchHeader, records: Buffer) -> int:
        """Write a checked batch and wake the waiting; returns its base offset. A duplicate of an
        idempotent producer is not written again, its first offset is returned.

        Raises BatchRefused (sequence rules) and OSError (disk)."""
        duplicate = self.sequences.duplicate_of(header)
        if duplicate is not None:
            return duplicate
        base_offset = self.end_offset
        placed = placed_at(records, base_offset, LEADER_EPOCH)
        self._store.append(base_offset, placed)
        self._index(header, base_offset)
        self.wake()
        return base_offset

    def _index(self, header: BatchHeader, base_offset: int) -> None:
        newest = self._newest_timestamps[-1] if self._newest_timestamps else _NO_TIMESTAMP
        self.end_offset = base_offset + header.last_offset_delta + 1
        self._last_offsets.append(self.end_offset - 1)
        self._ends.append(self._ends[-1] + header.size)
        self._newest_timestamps.append(max(newest, header.max_timestamp))
        self.sequences.appended(header, base_offset)

    def bytes_from(self, offset: int) -> int:
        """How many bytes a reader at `offset` has before it. Raises OffsetOutOfRange."""
        return self._ends[-1] - self._ends[self._batch_of(offset)]

    def read(self, offset: int, max_bytes: int, *, at_least_one: bool) -> Slice:
        """Whole batches from the one that contains `offset`, up to `max_bytes` together; with
        `at_least_one` the first even if it alone is larger. Raises OffsetOutOfRange."""
        first = self._batch_of(offset)
        begin = self._ends[first]
        end = bisect_right(self._ends, begin + max_bytes) - 1
        if at_least_one:
            end = max(end, min(first + 1, len(self._last_offsets)))
        if end <= first:
            return _EMPTY
        return Slice(self._store.read(first, end), self._ends[end] - begin)

    def at_timestamp(self, timestamp: int) -> RecordStamp | None:
        """The first record stamped `timestamp` (ms) or later, None when there is none."""
        batch = bisect_left(self._newest_timestamps, timestamp)
        for number in range(batch, len(self._last_offsets)):
            for stamp in self._stamps(number):
                if stamp.timestamp >= timestamp and stamp.offset >= self.start_offset:
                    return stamp
        return None

    def newest(self) -> RecordStamp | None:
        """The first record that has the highest timestamp, None when the log is empty."""
        if self.start_offset == self.end_offset:
            return None
        if self.start_offset == 0:
            return self.at_timestamp(self._newest_timestamps[-1])
        # The index knows the newest of all batches; that one may be deleted, so look at the rest.
        first = self._batch_of(self.start_offset)
        kept = (
            stamp
            for number in range(first, len(self._last_offsets))
            for stamp in self._stamps(number)
            if stamp.offset >= self.start_offset
        )
        return max(kept, key=lambda stamp: stamp.timestamp)

    def delete_before(self, offset: int) -> int:
        """Stop serving records below `offset` (-1: all); returns the new start offset.
        Raises OffsetOutOfRange above the end."""
        target = self.end_offset if offset == -1 else offset
        if not 0 <= target <= self.end_offset:
            raise OffsetOutOfRange(f"offset {target} is not in 0..{self.end_offset}")
        self.start_offset = max(self.start_offset, target)
        if self._start_file is not None:
            write_json(self._start_file, self.start_offset)
        return self.start_offset

    def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake` at each append from now on, and when the log is closed."""
        self._watchers.add(wake)

    def unwatch(self, wake: Callable[[], None]) -> None:
        """End a `watch`."""
        self._watchers.discard(wake)

    def wake(self) -> None:
        """Tell all watchers to look again."""
        for wake in self._watchers:
            wake()

    def close(self) -> None:
        """Release the files and send the waiting home."""
        self._store.close()
        self.wake()

    def _batch_of(self, offset: int) -> int:
        """Ordinal of the batch that contains `offset`, or comes next; the count when at the end."""
        if not self.start_offset <= offset <= self.end_offset:
            raise OffsetOutOfRange(
                f"offset {offset} is not in {self.start_offset}..{self.end_offset}"
            )
        return bisect_left(self._last_offsets, offset)

    def _stamps(self, number: int) -> Iterator[RecordStamp]:
        for buffer in self._store.read(number, number + 1):
            yield from stamps(buffer)
