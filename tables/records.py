"""``records``: what is known of a Dynamics record, column by column.

Events of a record arrive in any order and most carry a few columns only. So each column remembers
the stamp of the event that set it, and the newest stamp wins: merging is commutative, associative
and idempotent, and any order of the same events ends in the same row (DESIGN, promise 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tables.rows import Row

Value = str | int | bool | None


class Stamp(NamedTuple):
    """When a value was true: ``modifiedon`` (ms), ``versionnumber`` (-1 unknown), operation (ms).

    Dataverse keeps ``modifiedon`` in whole seconds, so two events often share it. Then a known
    version decides; between events without one, the time of the operation does. An event with a
    version and one without cannot be compared: the versioned one wins, and the row is read again
    (``Merge.tie``).
    """

    at_ms: int
    version: int = -1
    sequence: int = 0

    def undecided_against(self, other: Stamp) -> bool:
        """True when only one of two stamps of the same moment knows its version."""
        return self.at_ms == other.at_ms and (self.version < 0) != (other.version < 0)


class Cell(NamedTuple):
    """One column's value and the stamp of the event that set it."""

    value: Value
    stamp: Stamp


class Merge(NamedTuple):
    """What merging an event did: the new row, the columns that changed, and whether to re-read."""

    row: RecordRow
    changed: frozenset[str]
    tie: bool


class RecordRow(Row):
    """A record: its cells, the newest event that showed it alive, and its newest delete."""

    cells: Mapping[str, Cell] = {}
    seen: Stamp | None = None
    deleted: Stamp | None = None
    #: The sources' own guids for a row of finance and operations that have been told of it.
    aliases: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """True once anything was heard of the record."""
        return self.seen is not None or self.deleted is not None

    @property
    def alive(self) -> bool:
        """True while the newest event that we know shows the record; a restored row is alive."""
        if self.seen is None:
            return False
        return self.deleted is None or self.seen > self.deleted

    @property
    def newest(self) -> Stamp | None:
        stamps = [stamp for stamp in (self.seen, self.deleted) if stamp is not None]
        return max(stamps, default=None)

    def value(self, column: str) -> Value:
        cell = self.cells.get(column)
        return cell.value if cell else None

    def values(self) -> dict[str, Value]:
        return {column: cell.value for column, cell in self.cells.items()}

    def merged(self, columns: Mapping[str, Value], stamp: Stamp) -> Merge:
        """Return the row after an event that set these columns at this stamp."""
        cells = dict(self.cells)
        changed: set[str] = set()
        tie = False
        for column, value in columns.items():
            before = cells.get(column)
            if before is not None:
                tie |= before.value != value and stamp.undecided_against(before.stamp)
                if before.stamp >= stamp:
                    continue
            if before is None or before.value != value:
                changed.add(column)
            cells[column] = Cell(value, stamp)
        seen = stamp if self.seen is None else max(self.seen, stamp)
        row = self.model_copy(update={"cells": cells, "seen": seen})
        return Merge(row, frozenset(changed), tie)

    def removed(self, stamp: Stamp) -> RecordRow:
        """Return the row after the record was deleted at this stamp; its columns stay readable.

        Its aliases are told anew if it ever comes back.
        """
        deleted = stamp if self.deleted is None else max(self.deleted, stamp)
        return self.model_copy(update={"deleted": deleted, "aliases": ()})

    def known_as(self, alias: str) -> RecordRow:
        """Return the row after a source's own guid for it was told of it."""
        return self.model_copy(update={"aliases": tuple(sorted({*self.aliases, alias}))})

    def is_stale(self, stamp: Stamp) -> bool:
        """True when something newer is known already."""
        return self.newest is not None and stamp < self.newest
