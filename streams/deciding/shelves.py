"""The rows of one key in one table: its own, and its parts (``tables.parts``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol


class Rows(Protocol):
    """The tables of one partition (``streams.engine``), as far as we need them."""

    def get(self, table: str, key: str) -> bytes | None: ...

    def put(self, table: str, key: str, value: bytes) -> None: ...

    def delete(self, table: str, key: str) -> None: ...

    def under(self, table: str, prefix: str) -> Iterable[tuple[str, bytes]]: ...


class TableShelf:
    """A shelf for one decision, in which nothing else writes to these rows."""

    def __init__(self, rows: Rows, table: str, key: str) -> None:
        self._rows, self._table, self._key = rows, table, key
        self._scanned: dict[str, list[tuple[str, bytes]]] = {}

    def get(self, name: str) -> bytes | None:
        return self._rows.get(self._table, self._place(name))

    def scan(self, prefix: str) -> Iterable[tuple[str, bytes]]:
        """Read once: a decision looks at its record's parts several times."""
        if prefix not in self._scanned:
            cut = len(self._key) + 1
            found = self._rows.under(self._table, f"{self._key}/{prefix}")
            self._scanned[prefix] = [(key[cut:], value) for key, value in found]
        return self._scanned[prefix]

    def save(self, pending: Mapping[str, bytes | None]) -> None:
        """Write what is pending of a row in parts; None takes a row away."""
        for name, value in pending.items():
            if value is None:
                self._rows.delete(self._table, self._place(name))
            else:
                self._rows.put(self._table, self._place(name), value)

    def _place(self, name: str) -> str:
        return f"{self._key}/{name}" if name else self._key
