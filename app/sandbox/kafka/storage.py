"""Where a partition's batches lie: in memory, or in append-only segment files.

Both keep whole batches under their ordinal number (0 is the oldest) and give them back as they were
stored. A file segment is named by the offset of its first record and holds nothing but batches, so
the index is rebuilt when the folder is opened, by walking the batch headers; a tail that a crash
cut short, or whose checksum does not hold, is cut off.
"""

from __future__ import annotations

import logging
import mmap
import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from app.sandbox.kafka.batches import BatchHeader, BatchRefused, Buffer, checksum_holds, read_header

logger = logging.getLogger(__name__)

_SEGMENT_SUFFIX = ".log"


class BatchStore(Protocol):
    """Batches by ordinal number."""

    def append(self, base_offset: int, batch: bytearray) -> None:
        """Store a batch after all others. Raises OSError when the disk does not take it whole, and
        then nothing of it stays."""

    def read(self, first: int, end: int) -> Sequence[Buffer]:
        """The batches `first` to `end - 1`, as one or more buffers in order."""

    def roll_at(self, segment_bytes: int) -> None:
        """How large a segment may become, in bytes, from now on."""

    def close(self) -> None:
        """Release what the store holds open; calling it again is harmless."""


class MemoryStore:
    """Batches in a list, gone with the process."""

    def __init__(self) -> None:
        self._batches: list[bytearray] = []

    def append(self, base_offset: int, batch: bytearray) -> None:
        self._batches.append(batch)

    def read(self, first: int, end: int) -> Sequence[Buffer]:
        return self._batches[first:end]

    def roll_at(self, segment_bytes: int) -> None:
        """Memory has no segments."""

    def close(self) -> None:
        self._batches.clear()


class _Segment:
    """One file: `first` is the ordinal of its first batch, `positions` where each batch begins."""

    def __init__(self, path: Path, first: int) -> None:
        self.path = path
        self.first = first
        self.positions = array("q")
        self.size = 0
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)

    def append(self, batch: bytearray) -> None:
        written = 0
        try:
            written = os.write(self.descriptor, batch)
            if written != len(batch):
                raise OSError(f"{self.path}: {written} of {len(batch)} bytes written, disk full?")
        except OSError:
            os.ftruncate(self.descriptor, self.size)
            raise
        self.positions.append(self.size)
        self.size += written

    def read(self, first: int, end: int) -> bytes:
        """Batches by ordinal, both within this segment."""
        begin = self.positions[first - self.first]
        last = end - self.first
        stop = self.positions[last] if last < len(self.positions) else self.size
        return os.pread(self.descriptor, stop - begin, begin)


class FileStore:
    """Batches in segment files of one folder. Written bytes survive the death of the process;
    they are not forced to the disk, so a power cut can cost the tail."""

    def __init__(self, folder: Path, segment_bytes: int) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segments: list[_Segment] = []
        self._count = 0
        folder.mkdir(parents=True, exist_ok=True)

    def recover(self) -> Iterator[BatchHeader]:
        """Walk the stored batches in order, once, before the first append. What follows the first
        batch that is not whole is cut off, later segments included."""
        paths = sorted(self._folder.glob(f"*{_SEGMENT_SUFFIX}"))
        expected = 0
        for number, path in enumerate(paths):
            segment = _Segment(path, self._count)
            self._segments.append(segment)
            for header in _whole_batches(segment, expected):
                expected = header.last_offset + 1
                self._count += 1
                yield header
            if self._cut_tail(segment):
                _remove(paths[number + 1 :])
                return

    def append(self, base_offset: int, batch: bytearray) -> None:
        self._segment_for(base_offset, len(batch)).append(batch)
        self._count += 1

    def read(self, first: int, end: int) -> Sequence[Buffer]:
        found = []
        following = [segment.first for segment in self._segments[1:]] + [self._count]
        for segment, ends in zip(self._segments, following, strict=True):
            begin, stop = max(first, segment.first), min(end, ends)
            if begin < stop:
                found.append(segment.read(begin, stop))
        return found

    def roll_at(self, segment_bytes: int) -> None:
        self._segment_bytes = segment_bytes

    def close(self) -> None:
        for segment in self._segments:
            os.close(segment.descriptor)
        self._segments.clear()

    def _segment_for(self, base_offset: int, size: int) -> _Segment:
        last = self._segments[-1] if self._segments else None
        if last is None or (last.size and last.size + size > self._segment_bytes):
            name = f"{base_offset:020d}{_SEGMENT_SUFFIX}"
            last = _Segment(self._folder / name, self._count)
            self._segments.append(last)
        return last

    @staticmethod
    def _cut_tail(segment: _Segment) -> bool:
        actual = os.fstat(segment.descriptor).st_size
        if actual == segment.size:
            return False
        logger.warning("%s: cut off %d bytes of a broken tail", segment.path, actual - segment.size)
        os.ftruncate(segment.descriptor, segment.size)
        return True


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        logger.warning("%s: removed, it follows a broken segment", path)
        path.unlink()


def _whole_batches(segment: _Segment, expected: int) -> Iterator[BatchHeader]:
    """The sound batches from the segment's start; counts them into the segment."""
    size = os.fstat(segment.descriptor).st_size
    if size == 0:
        return
    with mmap.mmap(segment.descriptor, size, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        try:
            while segment.size < size:
                try:
                    header = read_header(view, segment.size)
                except BatchRefused:
                    return
                sound = checksum_holds(view, header, segment.size)
                if not sound or header.base_offset < expected:
                    return
                segment.positions.append(segment.size)
                segment.size += header.size
                expected = header.last_offset + 1
                yield header
        finally:
            view.release()
