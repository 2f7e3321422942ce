"""``askers`` and ``listeners``: which records want to learn what of this one.

The one that asks is remembered by the one that is asked, so that it hears of each change. A user
owns a hundred thousand records and a customer has as many invoices, each of which asks: each is a
part of its own (``tables.parts``), and only news that somebody waits for makes them all be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Self

from tables.neighbours import Interest, NeighboursRow, with_rule
from tables.parts import PartedRow
from tables.rows import Row


class Asker(Row):
    """What one record asked for: columns; workspaces, by rule ("": the one it is known by)."""

    workspaces: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


class AskersHead(Row):
    """The columns that anybody asked for."""

    columns: tuple[str, ...] = ()


class AskersRow(PartedRow[Asker]):
    """Who asked for workspaces and columns of this record, by the asking record's key."""

    part: ClassVar[type[Row]] = Asker
    head_row: ClassVar[type[Row]] = AskersHead

    def workspace_asked(self, by: str, rule: str | None = None) -> Self:
        """Return the row with one more who asks; the same question again changes nothing."""
        asker = self.get(by) or Asker()
        workspaces = _with(asker.workspaces, (rule or "",))
        return self._asked(by, asker.model_copy(update={"workspaces": workspaces}))

    def columns_asked(self, by: str, columns: Iterable[str]) -> Self:
        """Return the row with one more who asks; the same question again changes nothing."""
        asker = self.get(by) or Asker()
        wanted = _with(self.head.columns, columns)
        row = self if wanted == self.head.columns else self.with_head(AskersHead(columns=wanted))
        return row._asked(by, asker.model_copy(update={"columns": _with(asker.columns, columns)}))

    def for_workspace(self) -> Iterator[tuple[str, str | None]]:
        """Who asks for a workspace of this record: key, and rule if it has to be that one."""
        for key, asker in self.under():
            for rule in asker.workspaces:
                yield key, rule or None

    def for_columns(self, changed: Iterable[str] | None = None) -> dict[str, tuple[str, ...]]:
        """Who asks for columns, and for which; of some that changed, only who asked for one."""
        if changed is not None and set(self.head.columns).isdisjoint(changed):
            return {}
        return {
            key: asker.columns
            for key, asker in self.under()
            if asker.columns and (changed is None or not set(asker.columns).isdisjoint(changed))
        }

    def moved_in(self, before: NeighboursRow) -> Self:
        """Return the row with those who lay in the neighbours' row in the first release."""
        row = self
        for asking in before.workspace_wanted_by:
            key, _, rule = asking.partition("#")
            row = row.workspace_asked(key, rule or None)
        for key, columns in before.columns_wanted_by.items():
            row = row.columns_asked(key, columns)
        return row

    def _asked(self, by: str, asker: Asker) -> Self:
        return self if asker == self.get(by) else self.with_parts({by: asker})


class ListenersRow(PartedRow[Interest]):
    """Who hears of what happens in this record's workspaces, by ``key#rule``."""

    part: ClassVar[type[Row]] = Interest

    def listened(self, by: str, rule: str, interest: Interest) -> Self:
        """Return the row with a listener; the newest interest of each counts."""
        name = with_rule(by, rule)
        return self if self.get(name) == interest else self.with_parts({name: interest})

    def all(self) -> Iterator[tuple[str, str, Interest]]:
        """Who listens: key, rule and interest."""
        for name, interest in self.under():
            key, _, rule = name.partition("#")
            yield key, rule, interest

    def moved_in(self, before: Mapping[str, Interest]) -> Self:
        """Return the row with those who lay in the neighbours' row in the first release."""
        return self.with_parts(before) if before else self


def _with(before: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*before, *more}))
