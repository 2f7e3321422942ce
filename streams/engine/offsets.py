"""Which offset may be committed while records finish in any order."""

from __future__ import annotations

from collections import OrderedDict


class OffsetTracker:
    """The offsets of one topic partition that are begun and not finished.

    Only offsets that were really seen are kept, so gaps (compaction, transaction markers) need no
    care, and memory grows with the unfinished records alone, however far others run ahead.
    """

    def __init__(self, position: int) -> None:
        """Start at ``position``, the next offset to read."""
        self._unfinished: OrderedDict[int, None] = OrderedDict()
        self._next = position

    def begin(self, offset: int) -> None:
        """Note a record that was read. Raises ValueError when offsets do not ascend."""
        if offset < self._next:
            raise ValueError(f"offset {offset} was read after {self._next - 1}")
        self._unfinished[offset] = None
        self._next = offset + 1

    def finish(self, offset: int) -> None:
        """Note that a record is done; raises KeyError when it was not begun or is done already."""
        del self._unfinished[offset]

    @property
    def committable(self) -> int:
        """The offset to commit: that of the lowest unfinished record, else one after the last."""
        return next(iter(self._unfinished), self._next)

    @property
    def unfinished(self) -> int:
        """How many records are begun and not finished."""
        return len(self._unfinished)

    @property
    def span(self) -> int:
        """How many offsets would come again after a crash now."""
        return self._next - self.committable


class ContiguousEnd:
    """The end of an unbroken run of offsets whose pieces are confirmed in any order."""

    def __init__(self, start: int) -> None:
        self.end = start
        self._parked: dict[int, int] = {}

    def add(self, base: int, count: int) -> None:
        """Add the piece ``[base, base + count)``."""
        self._parked[base] = base + count
        while self.end in self._parked:
            self.end = self._parked.pop(self.end)

    def settle(self) -> None:
        """Nothing is outstanding: whatever is missing is not ours and will not come."""
        self.end = max([self.end, *self._parked.values()])
        self._parked.clear()
