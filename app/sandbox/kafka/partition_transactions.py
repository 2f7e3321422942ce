"""Transactions as one partition sees them: which are open, and which were aborted."""

from __future__ import annotations

from dataclasses import dataclass

from app.sandbox.kafka.batches import BatchHeader


@dataclass(frozen=True, slots=True)
class Aborted:
    """A transaction that readers of committed records skip: this producer's transactional records
    from `first_offset` to the control record at `last_offset`."""

    producer_id: int
    first_offset: int
    last_offset: int


class PartitionTransactions:
    """The open and the aborted transactions of one log."""

    def __init__(self) -> None:
        self._open: dict[int, int] = {}
        self._aborted: list[Aborted] = []

    def appended(self, header: BatchHeader, base_offset: int) -> None:
        """Know a data batch; the first one of a producer opens its transaction."""
        if header.is_transactional:
            self._open.setdefault(header.producer_id, base_offset)

    def ended(self, producer_id: int, marker_offset: int, *, commit: bool) -> None:
        """Know the control record that ends a producer's transaction."""
        first = self._open.pop(producer_id, None)
        if first is not None and not commit:
            self._aborted.append(Aborted(producer_id, first, marker_offset))

    def opened_at(self, producer_id: int) -> int:
        """First offset of the producer's open transaction, -1 when it has none."""
        return self._open.get(producer_id, -1)

    def first_unstable(self) -> int | None:
        """The first offset whose fate is not decided, None when all is."""
        return min(self._open.values(), default=None)

    def aborted(self, first: int, end: int) -> list[Aborted]:
        """The aborted transactions that have records from offset `first` to before `end`."""
        return [a for a in self._aborted if a.last_offset >= first and a.first_offset < end]

    def is_aborted(self, header: BatchHeader) -> bool:
        """Whether this data batch belongs to an aborted transaction."""
        return header.is_transactional and any(
            a.producer_id == header.producer_id
            and a.first_offset <= header.base_offset <= a.last_offset
            for a in self._aborted
        )

    def forget_before(self, offset: int) -> None:
        """Drop what concerns only records below this offset."""
        self._aborted = [a for a in self._aborted if a.last_offset >= offset]
