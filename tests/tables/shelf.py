"""A shelf over a dictionary, for rows in parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tables.parts import PartedRow

R = TypeVar("R", bound=PartedRow[Any])


@dataclass
class DictShelf:
    """The rows of one key; counts how many parts were read, and remembers what was written."""

    rows: dict[str, bytes] = field(default_factory=dict)
    read: int = 0
    written: list[str] = field(default_factory=list)

    def get(self, name: str) -> bytes | None:
        self.read += bool(name)
        return self.rows.get(name)

    def scan(self, prefix: str) -> Iterable[tuple[str, bytes]]:
        found = sorted(row for row in self.rows.items() if row[0] and row[0].startswith(prefix))
        self.read += len(found)
        return found

    def save(self, pending: Mapping[str, bytes | None]) -> None:
        for name, value in pending.items():
            self.written.append(name)
            if value is None:
                self.rows.pop(name, None)
            else:
                self.rows[name] = value


def stored_again(row: R) -> R:
    """The row after it was stored and read back; all of it has to be pending or on a DictShelf."""
    shelf = row.shelf if isinstance(row.shelf, DictShelf) else DictShelf()
    shelf.save(row.pending())
    return type(row).load(shelf)
