"""Segments: the parts a log is made of, by which it is kept, thrown away and compacted.

A segment knows where each of its batches lies; its bytes are in a `Body`. On disk it is a file that
is named by the offset of its first record and holds nothing but batches, so the index is rebuilt
when the folder is opened, by walking the batch headers; a tail that a crash cut short, or whose
checksum does not hold, is cut off.
"""

from __future__ import annotations

import logging
import mmap
import os
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from app.sandbox.kafka.batches import BatchHeader, BatchRefused, Buffer, checksum_holds, read_header
from app.sandbox.kafka.bodies import Body, FileBody, Memory, MemoryBody, OpenFiles

logger = logging.getLogger(__name__)

_SUFFIX = ".log"
_CLEANED_SUFFIX = ".cleaned"
_NO_TIMESTAMP = -1


class Segment:
    """Whole batches in offset order, from `base_offset` on. `first_timestamp` and
    `newest_timestamp` are milliseconds, -1 while it is empty."""

    def __init__(self, base_offset: int, body: Body) -> None:
        self.base_offset = base_offset
        self.body = body
        self.size = 0
        self.first_timestamp = self.newest_timestamp = _NO_TIMESTAMP
        self._positions = array("q")
        self._last_offsets = array("q")
        self._timestamps = array("q")

    def __len__(self) -> int:
        """How many batches it has."""
        return len(self._positions)

    @property
    def last_offset(self) -> int:
        """The last offset that its batches cover; one below its base while it is empty."""
        return self._last_offsets[-1] if self._last_offsets else self.base_offset - 1

    def append(self, last_offset: int, timestamp: int, batch: Buffer) -> None:
        """Store a batch that has its place. Raises OSError (disk), and then nothing stays."""
        self.body.append(batch)
        self.index(last_offset, timestamp, len(batch))

    def index(self, last_offset: int, timestamp: int, size: int) -> None:
        """Know a batch that the body has already."""
        if not self._positions:
            self.first_timestamp = timestamp
        self._positions.append(self.size)
        self._last_offsets.append(last_offset)
        self._timestamps.append(timestamp)
        self.newest_timestamp = max(self.newest_timestamp, timestamp)
        self.size += size

    def position_of(self, offset: int) -> int:
        """Where the batch begins that contains `offset` or comes next; the size if none does."""
        return self._begin(bisect_left(self._last_offsets, offset))

    def end_within(self, begin: int, max_bytes: int, before: int, *, at_least_one: bool) -> int:
        """Where a read from position `begin` ends: behind whole batches of `max_bytes` together
        that lie wholly below offset `before`; with `at_least_one` behind one of any size."""
        first = bisect_left(self._positions, begin)
        last = bisect_left(self._last_offsets, before)
        if self._begin(last) <= begin + max_bytes:
            return max(begin, self._begin(last))
        end = bisect_right(self._positions, begin + max_bytes) - 1
        if at_least_one:
            end = max(end, first + 1)
        return max(begin, self._begin(min(end, last)))

    def newer_batches(self, timestamp: int) -> Iterator[Buffer]:
        """The batches that may have a record stamped `timestamp` (ms) or later, in order."""
        for number, newest in enumerate(self._timestamps):
            if newest >= timestamp:
                yield self.batch(number)

    def batch(self, number: int) -> Buffer:
        """One batch by its place in the segment."""
        begin, end = self._begin(number), self._begin(number + 1)
        return b"".join(self.body.read(begin, end))

    def covers(self, number: int) -> tuple[int, int]:
        """A batch's last offset and newest timestamp (ms)."""
        return self._last_offsets[number], self._timestamps[number]

    def _begin(self, number: int) -> int:
        return self._positions[number] if number < len(self._positions) else self.size


class Shelf(Protocol):
    """Where a log's segments come from and are put back."""

    def recover(self) -> Iterator[tuple[Segment, BatchHeader | None]]:
        """The stored batches in order, each with the segment it was found in; an empty segment
        comes with None."""

    def new(self, base_offset: int) -> Segment:
        """An empty segment."""

    def beside(self, old: Segment) -> Segment:
        """An empty segment with the base offset of another, to take its place. Raises OSError."""

    def swap(self, old: Segment, fresh: Segment) -> None:
        """Put `fresh` in the place of `old`. Raises OSError, and then the old one stays."""


class MemoryShelf:
    """Segments that end with the process."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def recover(self) -> Iterator[tuple[Segment, BatchHeader | None]]:
        return iter(())

    def new(self, base_offset: int) -> Segment:
        return Segment(base_offset, MemoryBody(self._memory))

    def beside(self, old: Segment) -> Segment:
        return self.new(old.base_offset)

    def swap(self, old: Segment, fresh: Segment) -> None:
        old.body.close(delete=True)


class FolderShelf:
    """Segments as the files of one folder."""

    def __init__(self, folder: Path, files: OpenFiles) -> None:
        self._folder = folder
        self._files = files
        folder.mkdir(parents=True, exist_ok=True)

    def new(self, base_offset: int) -> Segment:
        return Segment(base_offset, FileBody(self._path(base_offset), self._files))

    def beside(self, old: Segment) -> Segment:
        path = self._path(old.base_offset).with_suffix(_CLEANED_SUFFIX)
        path.unlink(missing_ok=True)
        return Segment(old.base_offset, FileBody(path, self._files))

    def swap(self, old: Segment, fresh: Segment) -> None:
        path = self._path(old.base_offset)
        fresh.body.close(delete=False)
        path.with_suffix(_CLEANED_SUFFIX).replace(path)
        old.body.close(delete=False)
        fresh.body = body = FileBody(path, self._files)
        body.adopt(fresh.size)

    def _path(self, base_offset: int) -> Path:
        return self._folder / f"{base_offset:020d}{_SUFFIX}"

    def recover(self) -> Iterator[tuple[Segment, BatchHeader | None]]:
        """Walk the files; what follows the first batch that is not whole is cut off, later
        segments included, and so is what a compaction left unfinished."""
        for path in self._folder.glob(f"*{_CLEANED_SUFFIX}"):
            path.unlink()
        paths = sorted(self._folder.glob(f"*{_SUFFIX}"))
        expected = 0
        for number, path in enumerate(paths):
            body = FileBody(path, self._files)
            segment = Segment(int(path.stem), body)
            for header in _whole_batches(body.descriptor, expected):
                expected = header.last_offset + 1
                segment.index(header.last_offset, header.max_timestamp, header.size)
                yield segment, header
            actual = os.fstat(body.descriptor).st_size
            body.adopt(segment.size)
            if actual != segment.size:
                logger.warning("%s: cut off %d bytes of a broken tail", path, actual - segment.size)
            if segment.size == actual > 0:
                continue
            # A log of which all was thrown away is one empty segment; a later one follows a gap.
            kept = segment.size > 0 or number == 0
            if not segment.size and kept:
                yield segment, None
            if not kept:
                body.close(delete=False)
            _remove(paths[number + kept :])
            return


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        logger.warning("%s: removed, it follows a broken segment", path)
        path.unlink()


def _whole_batches(descriptor: int, expected: int) -> Iterator[BatchHeader]:
    """The sound batches from the file's start."""
    size = os.fstat(descriptor).st_size
    if size == 0:
        return
    with mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        position = 0
        try:
            while position < size:
                try:
                    header = read_header(view, position)
                except BatchRefused:
                    return
                sound = checksum_holds(view, header, position)
                if not sound or header.base_offset < expected:
                    return
                position += header.size
                expected = header.last_offset + 1
                yield header
        finally:
            view.release()
