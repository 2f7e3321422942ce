"""Where a segment's bytes lie: in memory with a limit, or in an append-only file.

Both keep whole batches one after another and give back ranges of them by position. What does not
fit in memory goes to a temporary file without a name, which ends with the process.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from app.sandbox.kafka.batches import Buffer


class Body(Protocol):
    """The batches of one segment, by their position in bytes."""

    def append(self, batch: Buffer) -> None:
        """Store a batch after all others. Raises OSError when the disk does not take it whole, and
        then nothing of it stays."""

    def read(self, begin: int, end: int) -> Sequence[Buffer]:
        """The bytes from `begin` to `end`, both between batches, as buffers in order."""

    def close(self, *, delete: bool) -> None:
        """Release it; with `delete` nothing of it stays. Calling it again is harmless."""


class OpenFiles:
    """Descriptors of files by path, of which at most `limit` are open: the one that was used
    longest ago is closed for the next, and opened again when it is asked for."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._open: OrderedDict[Path, int] = OrderedDict()

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def descriptor(self, path: Path) -> int:
        """The file, open for appending; made when there is none. Raises OSError."""
        found = self._open.get(path)
        if found is None:
            while len(self._open) >= self.limit:
                os.close(self._open.popitem(last=False)[1])
            found = self._open[path] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._open.move_to_end(path)
        return found

    def close(self, path: Path) -> None:
        """Close the file, where it is open."""
        descriptor = self._open.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)


class FileBody:
    """Batches in one file. Written bytes survive the death of the process; they are not forced to
    the disk, so a power cut can cost the tail."""

    def __init__(self, path: Path, files: OpenFiles) -> None:
        self.path = path
        self._files = files
        self._size = 0
        files.descriptor(path)

    def append(self, batch: Buffer) -> None:
        written, descriptor = 0, self.descriptor
        try:
            written = os.write(descriptor, batch)
            if written != len(batch):
                raise OSError(f"{self.path}: {written} of {len(batch)} bytes written, disk full?")
        except OSError:
            os.ftruncate(descriptor, self._size)
            raise
        self._size += written

    def read(self, begin: int, end: int) -> Sequence[Buffer]:
        return (os.pread(self.descriptor, end - begin, begin),) if end > begin else ()

    def adopt(self, size: int) -> None:
        """Take the file's first `size` bytes as what is stored, and cut off the rest."""
        os.ftruncate(self.descriptor, size)
        self._size = size

    @property
    def descriptor(self) -> int:
        """The open file, until another is asked for. Raises OSError."""
        return self._files.descriptor(self.path)

    def close(self, *, delete: bool) -> None:
        self._files.close(self.path)
        if delete:
            self.path.unlink(missing_ok=True)


class Memory:
    """How many bytes of batches may lie in memory, over all logs that share this; the oldest go to
    temporary files when there are more. `folder` is where these lie, None for the system's.

    `spill_bytes` go to a file at once: seldom enough to be cheap, little enough to be quick, as
    nobody is answered meanwhile."""

    def __init__(
        self, limit: int, folder: Path | None = None, spill_bytes: int = 4 * 2**20
    ) -> None:
        self.limit = limit
        self.used = 0
        self.spilled = 0
        self._spill_bytes = spill_bytes
        self._folder = folder
        self._bodies: dict[MemoryBody, None] = {}

    def hold(self, body: MemoryBody, size: int) -> None:
        """Count `size` more bytes of this body, and make room when that is too much.
        Raises OSError when the disk takes no more."""
        self._bodies.setdefault(body)
        self.used += size
        while self.used > self.limit and self._bodies:
            oldest = next(iter(self._bodies))
            wanted = max(self.used - self.limit, self._spill_bytes)
            self.spilled += oldest.spill(wanted, self._folder)

    def release(self, body: MemoryBody, size: int, *, is_empty: bool) -> None:
        """So many bytes of this body, or its last ones, lie in memory no more."""
        if is_empty:
            self._bodies.pop(body, None)
        self.used -= size


class MemoryBody:
    """Batches in a list, of which the oldest may have gone to a temporary file."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._batches: list[Buffer] = []
        self._ends = array("q")
        self._size = 0
        self._in_file = 0
        self._descriptor = -1

    def append(self, batch: Buffer) -> None:
        self._size += len(batch)
        self._batches.append(batch)
        self._ends.append(self._size)
        try:
            self._memory.hold(self, len(batch))
        except OSError:
            self._drop_last(len(batch))
            raise

    def read(self, begin: int, end: int) -> Sequence[Buffer]:
        found: list[Buffer] = []
        if begin < self._in_file:
            stop = min(end, self._in_file)
            found.append(os.pread(self._descriptor, stop - begin, begin))
        first = bisect_right(self._ends, max(begin, self._in_file))
        found += self._batches[first : bisect_right(self._ends, end)]
        return found

    def spill(self, size: int, folder: Path | None) -> int:
        """Move the oldest batches to the file, `size` bytes or a little more, as far as there are;
        returns how many bytes were moved. Raises OSError, and then all stays as it was."""
        if self._descriptor < 0:
            with tempfile.TemporaryFile(dir=folder) as file:
                self._descriptor = os.dup(file.fileno())
        written, count = self._in_file, 0
        while count < len(self._batches) and written - self._in_file < size:
            written = _write_at(self._descriptor, written, self._batches[count])
            count += 1
        moved, self._in_file = written - self._in_file, written
        del self._batches[:count], self._ends[:count]
        self._memory.release(self, moved, is_empty=not self._batches)
        return moved

    def _drop_last(self, size: int) -> None:
        self._size -= size
        if not self._batches:
            self._in_file -= size
            return
        self._batches.pop()
        self._ends.pop()
        self._memory.release(self, size, is_empty=not self._batches)

    def close(self, *, delete: bool) -> None:
        self._memory.release(self, self._size - self._in_file, is_empty=True)
        self._in_file = self._size
        self._batches.clear()
        del self._ends[:]
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _write_at(descriptor: int, position: int, batch: Buffer) -> int:
    """Write the whole batch; returns where it ends. Raises OSError."""
    view = memoryview(batch)
    while view:
        count = os.pwrite(descriptor, view, position)
        position += count
        view = view[count:]
    return position
