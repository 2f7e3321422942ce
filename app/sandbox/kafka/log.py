"""The log of one partition: offsets over segments, and those who wait for more."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.sandbox.kafka.batches import BatchHeader, Buffer, placed_at
from app.sandbox.kafka.bodies import Memory, OpenFiles
from app.sandbox.kafka.files import read_json, write_json
from app.sandbox.kafka.leader_epochs import LeaderEpochs
from app.sandbox.kafka.partition_transactions import PartitionTransactions
from app.sandbox.kafka.records import RecordStamp, commits, stamps, transaction_marker
from app.sandbox.kafka.segments import FolderShelf, MemoryShelf, Segment, Shelf
from app.sandbox.kafka.sequences import Sequences

_NO_LIMIT = 2**63 - 1


class OffsetOutOfRange(Exception):
    """An offset below the log's start or above its end."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Whole batches, `size` bytes together."""

    buffers: Sequence[Buffer]
    size: int


class PartitionLog:
    """Batches in offset order. `start_offset` is the first offset served, `end_offset` the next to
    be written, which is also the high watermark since there are no replicas; `size` is bytes."""

    def __init__(self, shelf: Shelf, start_file: Path | None = None) -> None:
        self._shelf = shelf
        self._start_file = start_file
        self._segments: list[Segment] = []
        self._segment_bytes = self._segment_ms = _NO_LIMIT
        self._watchers: set[Callable[[], None]] = set()
        self.sequences = Sequences()
        self.transactions = PartitionTransactions()
        self.epochs = LeaderEpochs()
        self.start_offset = 0
        self.end_offset = 0
        self.cleaned_to = 0
        """Compaction has seen everything below this offset."""
        self._recover()

    @classmethod
    def in_memory(cls, memory: Memory | None = None) -> PartitionLog:
        """An empty log that ends with the process."""
        return cls(MemoryShelf(memory or Memory(_NO_LIMIT)))

    @classmethod
    def in_folder(
        cls, folder: Path, segment_bytes: int, files: OpenFiles | None = None
    ) -> PartitionLog:
        """The log kept in `folder`: whatever whole batches are there, or an empty one."""
        shelf = FolderShelf(folder, OpenFiles(_NO_LIMIT) if files is None else files)
        log = cls(shelf, folder / "start-offset.json")
        log.roll_at(segment_bytes)
        return log

    @property
    def size(self) -> int:
        """Bytes of all batches."""
        return sum(segment.size for segment in self._segments)

    @property
    def segments(self) -> Sequence[Segment]:
        """The segments in order; the last is the one that grows."""
        return self._segments

    @property
    def last_stable_offset(self) -> int:
        """The end of what readers of committed records get: where the first open transaction
        began, or the end."""
        unstable = self.transactions.first_unstable()
        return self.end_offset if unstable is None else unstable

    def roll_at(self, segment_bytes: int, segment_ms: int = _NO_LIMIT) -> None:
        """Begin a new segment when the current one would outgrow `segment_bytes`, or would span
        more than `segment_ms` of record time."""
        self._segment_bytes, self._segment_ms = segment_bytes, segment_ms

    def append(self, header: BatchHeader, records: Buffer) -> int:
        """Write a checked batch and wake the waiting; returns its base offset. A duplicate of an
        idempotent producer is not written again, its first offset is returned.

        Raises BatchRefused (sequence rules) and OSError (disk)."""
        duplicate = self.sequences.duplicate_of(header)
        if duplicate is not None:
            return duplicate
        base_offset = self.end_offset
        self._place(header, records)
        self.sequences.appended(header, base_offset)
        self.transactions.appended(header, base_offset)
        self.wake()
        return base_offset

    def end_transaction(
        self, producer_id: int, epoch: int, *, commit: bool, timestamp: int
    ) -> None:
        """Write the control record that ends a producer's transaction. Raises OSError (disk)."""
        header, marker = transaction_marker(producer_id, epoch, commit=commit, timestamp=timestamp)
        offset = self.end_offset
        self._place(header, marker)
        self.sequences.marked(producer_id, epoch, timestamp)
        self.transactions.ended(producer_id, offset, commit=commit)
        self.wake()

    def bytes_from(self, offset: int, until: int | None = None) -> int:
        """How many bytes a reader at `offset` has before it, up to offset `until`.
        Raises OffsetOutOfRange."""
        self._check(offset)
        before = self.end_offset if until is None else until
        total = 0
        for segment in self._segments[self._segment_of(offset) :]:
            begin = segment.position_of(offset)
            end = segment.end_within(begin, _NO_LIMIT, before, at_least_one=False)
            total += end - begin
        return total

    def read(
        self, offset: int, max_bytes: int, *, at_least_one: bool, until: int | None = None
    ) -> Slice:
        """Whole batches from the one that contains `offset`, up to `max_bytes` together; with
        `at_least_one` the first even if it alone is larger. Nothing from offset `until` on.
        Raises OffsetOutOfRange."""
        self._check(offset)
        before = self.end_offset if until is None else until
        buffers: list[Buffer] = []
        size = 0
        for segment in self._segments[self._segment_of(offset) :]:
            begin = segment.position_of(offset)
            wanted = at_least_one and not size
            end = segment.end_within(begin, max_bytes - size, before, at_least_one=wanted)
            if end > begin:
                buffers += segment.body.read(begin, end)
                size += end - begin
            if end < segment.size:
                break
        return Slice(buffers, size)

    def at_timestamp(self, timestamp: int) -> RecordStamp | None:
        """The first record stamped `timestamp` (ms) or later, None when there is none."""
        for segment in self._segments:
            if segment.newest_timestamp < timestamp:
                continue
            for batch in segment.newer_batches(timestamp):
                for stamp in stamps(batch):
                    if stamp.timestamp >= timestamp and stamp.offset >= self.start_offset:
                        return stamp
        return None

    def newest(self) -> RecordStamp | None:
        """The first record that has the highest timestamp, None when the log is empty."""
        best: RecordStamp | None = None
        for segment in self._segments:
            least = -1 if best is None else best.timestamp + 1
            for batch in segment.newer_batches(least):
                for stamp in stamps(batch):
                    newer = best is None or stamp.timestamp > best.timestamp
                    if newer and stamp.offset >= self.start_offset:
                        best = stamp
        return best

    def delete_before(self, offset: int) -> int:
        """Stop serving records below `offset` (-1: all); returns the new start offset.
        Raises OffsetOutOfRange above the end."""
        target = self.end_offset if offset == -1 else offset
        if not 0 <= target <= self.end_offset:
            raise OffsetOutOfRange(f"offset {target} is not in 0..{self.end_offset}")
        self._move_start(target)
        while len(self._segments) > 1 and self._segments[1].base_offset <= self.start_offset:
            self.drop(self._segments[0])
        return self.start_offset

    def delete_old(self, now: int, retention_ms: int, retention_bytes: int) -> None:
        """Throw away the oldest segments: those whose newest record is more than `retention_ms`
        before `now` (ms), and as many as leave `retention_bytes`; -1 is no limit."""
        while self._segments and self._segments[0].size:
            oldest = self._segments[0]
            expired = 0 <= retention_ms < now - oldest.newest_timestamp
            too_many = 0 <= retention_bytes <= self.size - oldest.size
            if not expired and not too_many:
                return
            if len(self._segments) == 1:
                self._segments.append(self._shelf.new(self.end_offset))
            self._move_start(self._segments[1].base_offset)
            self.drop(oldest)

    def drop(self, segment: Segment) -> None:
        """Remove a segment with its bytes."""
        self._segments.remove(segment)
        segment.body.close(delete=True)

    def beside(self, segment: Segment) -> Segment:
        """An empty segment that may replace this one. Raises OSError."""
        return self._shelf.beside(segment)

    def replace(self, old: Segment, fresh: Segment) -> None:
        """Put a segment that was begun `beside` another in its place; without batches neither
        stays. Raises OSError."""
        if not len(fresh):
            fresh.body.close(delete=True)
            self.drop(old)
            return
        self._shelf.swap(old, fresh)
        self._segments[self._segments.index(old)] = fresh

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

    def close(self, *, delete: bool = False) -> None:
        """Release the files, with `delete` for good, and send the waiting home."""
        for segment in self._segments:
            segment.body.close(delete=delete)
        self._segments.clear()
        self.wake()

    def _place(self, header: BatchHeader, records: Buffer) -> None:
        base_offset = self.end_offset
        placed = placed_at(records, base_offset, self.epochs.current)
        last_offset = base_offset + header.last_offset_delta
        self._segment_for(header).append(last_offset, header.max_timestamp, placed)
        self.end_offset = last_offset + 1

    def _segment_for(self, header: BatchHeader) -> Segment:
        active = self._segments[-1] if self._segments else None
        if active is None or (
            active.size
            and (
                active.size + header.size > self._segment_bytes
                or header.max_timestamp - active.first_timestamp > self._segment_ms
            )
        ):
            active = self._shelf.new(self.end_offset)
            self._segments.append(active)
        return active

    def _recover(self) -> None:
        for segment, header in self._shelf.recover():
            if not self._segments or self._segments[-1] is not segment:
                self._segments.append(segment)
            if header is None:
                self.end_offset = max(self.end_offset, segment.base_offset)
                continue
            self.epochs.begin(header.leader_epoch, header.base_offset)
            self._know(header, segment)
            self.end_offset = header.last_offset + 1
        if self._segments:
            self.start_offset = self._segments[0].base_offset
        if self._start_file is not None:
            kept = read_json(self._start_file, 0)
            self.start_offset = min(max(self.start_offset, kept), self.end_offset)

    def _know(self, header: BatchHeader, segment: Segment) -> None:
        if header.is_control:
            commit = commits(segment.batch(len(segment) - 1))
            self.sequences.marked(header.producer_id, header.producer_epoch, header.max_timestamp)
            self.transactions.ended(header.producer_id, header.base_offset, commit=commit)
        else:
            self.sequences.appended(header, header.base_offset)
            self.transactions.appended(header, header.base_offset)

    def _move_start(self, offset: int) -> None:
        self.start_offset = max(self.start_offset, offset)
        self.transactions.forget_before(self.start_offset)
        if self._start_file is not None:
            write_json(self._start_file, self.start_offset)

    def _check(self, offset: int) -> None:
        if not self.start_offset <= offset <= self.end_offset:
            raise OffsetOutOfRange(
                f"offset {offset} is not in {self.start_offset}..{self.end_offset}"
            )

    def _segment_of(self, offset: int) -> int:
        found = bisect_right(self._segments, offset, key=lambda segment: segment.base_offset)
        return max(0, found - 1)
