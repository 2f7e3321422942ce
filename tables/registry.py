"""Which tables there are, who writes each, and the changelog that keeps it.

A table has one writer: two writers of one row could not be put in order by anything, and a
changelog partition has one producer, which is how a stranger's record in it is noticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def changelog_topic(app_id: str, table: str) -> str:
    """Name of the compacted topic that holds every row of a table."""
    return f"{app_id}-{table}-changelog"


@dataclass(frozen=True, slots=True)
class TableEntry:
    """One table: its name, the stage that writes it, and what it is for."""

    name: str
    owner: str
    help: str = ""


@dataclass(slots=True)
class TableRegistry:
    """All tables of an app, by name."""

    _entries: dict[str, TableEntry] = field(default_factory=dict)

    def register(self, owner: str, tables: Iterable[str]) -> None:
        """Give tables to a stage; raises ValueError for a bad name or a second owner."""
        for name in tables:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a table name (lower case, digits, underscore)")
            other = self._entries.get(name)
            if other is not None:
                raise ValueError(
                    f"The table {name!r} already belongs to the stage {other.owner!r}: "
                    f"{owner!r} cannot write it too"
                )
            self._entries[name] = TableEntry(name, owner)

    def owner(self, table: str) -> str:
        """Return the stage that writes a table; raises KeyError when there is no such table."""
        return self._entries[table].owner

    def __iter__(self) -> Iterator[TableEntry]:
        return iter(self._entries.values())

    def __contains__(self, table: object) -> bool:
        return table in self._entries
