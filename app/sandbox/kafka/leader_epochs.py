"""The leader epochs of a partition: at which offset each began (KIP-101, KIP-320)."""

from __future__ import annotations

from bisect import bisect_right

_UNDEFINED = (-1, -1)


class LeaderEpochs:
    """Epochs in rising order, each with its first offset. There is always one, the current."""

    def __init__(self) -> None:
        self._epochs = [0]
        self._starts = [0]

    @property
    def current(self) -> int:
        """The epoch in which records are appended now."""
        return self._epochs[-1]

    def begin(self, epoch: int, offset: int) -> None:
        """A new epoch from `offset` on; one that is not newer changes nothing."""
        if epoch <= self.current:
            return
        if self._starts[-1] == offset and offset > 0:
            self._epochs[-1] = epoch
            return
        self._epochs.append(epoch)
        self._starts.append(offset)

    def of(self, offset: int) -> int:
        """The epoch in which this offset was, or would be, written."""
        return self._epochs[max(0, bisect_right(self._starts, offset) - 1)]

    def end_of(self, epoch: int, log_end: int) -> tuple[int, int]:
        """The largest epoch not above `epoch` and the offset where it ended; -1, -1 when the epoch
        is not known here, as it is newer than all."""
        if epoch > self.current or epoch < 0:
            return _UNDEFINED
        if epoch == self.current:
            return epoch, log_end
        place = bisect_right(self._epochs, epoch) - 1
        if place < 0:
            return epoch, self._starts[0]
        return self._epochs[place], self._starts[place + 1]
