"""Rows that are written and not yet committed, on top of the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol

Change = dict[tuple[str, str], bytes | None]


class Readable(Protocol):
    """Where a row comes from that nobody changed since the last checkpoint."""

    def get(self, table: str, key: str) -> bytes | None: ...

    def under(self, table: str, prefix: str) -> Iterable[tuple[str, bytes]]: ...


class NoRows:
    """The store of a stage without tables: nothing is in it and nothing is written to it."""

    def get(self, table: str, key: str) -> bytes | None:
        """There is no row."""
        return None

    def under(self, table: str, prefix: str) -> Iterable[tuple[str, bytes]]:
        """There are no rows."""
        return ()

    def write(
        self, changes: Mapping[tuple[str, str], bytes | None], positions: Mapping[str, int]
    ) -> None:
        """Refuse rows, which cannot come."""
        assert not changes


class Overlay:
    """A layer of changed rows over a store or another layer. Implements ``Rows``.

    Nothing below changes until somebody takes ``changes`` and writes them.
    """

    __slots__ = ("_below", "_keys", "_tables", "changes")

    def __init__(self, below: Readable, tables: frozenset[str]) -> None:
        self._below = below
        self._tables = tables
        self.changes: Change = {}
        self._keys: dict[str, set[str]] = defaultdict(set)

    def get(self, table: str, key: str) -> bytes | None:
        """Return the row as last written here, else as it is below."""
        place = (table, key)
        if place in self.changes:
            return self.changes[place]
        self._check(table)
        return self._below.get(table, key)

    def under(self, table: str, prefix: str) -> Iterable[tuple[str, bytes]]:
        """Return the rows whose key begins so: as last written here, else as they are below."""
        self._check(table)
        above = {
            key: self.changes[table, key]
            for key in self._keys[table]
            if key.startswith(prefix) and (table, key) in self.changes
        }
        below = self._below.under(table, prefix)
        if not above:
            return below
        rows = {key: value for key, value in below if key not in above}
        rows |= {key: value for key, value in above.items() if value is not None}
        return sorted(rows.items())

    def put(self, table: str, key: str, value: bytes) -> None:
        """Set a row in this layer."""
        self._set(table, key, value)

    def delete(self, table: str, key: str) -> None:
        """Remove a row in this layer."""
        self._set(table, key, None)

    def merge(self, changes: Mapping[tuple[str, str], bytes | None]) -> None:
        """Take the changes of a layer above."""
        for (table, key), value in changes.items():
            self._set(table, key, value)

    def taken(self) -> None:
        """Begin with no changes: those so far are the store's now."""
        self.changes = {}
        self._keys.clear()

    def settle(self, written: Change) -> None:
        """Forget changes that the store has now, unless they changed again meanwhile."""
        for place, value in written.items():
            if place in self.changes and self.changes[place] is value:
                del self.changes[place]
                self._keys[place[0]].discard(place[1])

    def _set(self, table: str, key: str, value: bytes | None) -> None:
        self._check(table)
        self.changes[table, key] = value
        self._keys[table].add(key)

    def _check(self, table: str) -> None:
        if table not in self._tables:
            known = ", ".join(sorted(self._tables)) or "none"
            raise KeyError(f"the stage did not declare the table {table!r} (declared: {known})")
