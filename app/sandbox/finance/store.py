"""The rows of the simulated finance and operations, and who changed what.

Rows belong to native tables: two versions of an entity show the same rows. A RecId is never used
twice, every write takes the next rowversion.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from app.sandbox.events.finance_entities import COMPANY, Entity
from app.sandbox.finance.errors import Refusal
from app.sandbox.finance.state import Row, State
from app.sandbox.finance.values import comparable


@dataclass(frozen=True, slots=True)
class Change:
    """One committed write; ``row`` is what was before it for a delete."""

    entity: Entity
    operation: Literal["create", "update", "delete"]
    row: Row
    before: Row | None
    changed: frozenset[str]
    user: str
    at: dt.datetime


Callback = Callable[[Change], None]


class Store:
    """Reads and writes of rows. Writes raise `Refusal`."""

    def __init__(self, state: State, now: Callable[[], dt.datetime]) -> None:
        self.state = state
        self.changes: list[Change] = []
        self._now = now
        self._callbacks: list[Callback] = []
        self._pending: list[Change] | None = None
        #: By native table and the names of a key: where each key is.
        self._keys: dict[tuple[str, tuple[str, ...]], dict[tuple[Any, ...], int]] = {}

    def rows(self, entity: Entity, company: str | None = None) -> list[Row]:
        """The rows of one company, or of all, in the order of their RecIds."""
        wanted = comparable(company)
        table = self.state.tables.get(entity.table, {})
        return [
            row
            for row in table.values()
            if company is None or comparable(row.values[COMPANY]) == wanted
        ]

    def find(self, entity: Entity, key: Mapping[str, Any], company: str | None) -> Row | None:
        """The row with this key, if it is among those of the company (None: of all)."""
        wanted = {name: comparable(value) for name, value in key.items()}
        if wanted.keys() == set(entity.key):
            recid = self._index(entity).get(tuple(wanted[name] for name in entity.key))
            found = self.state.tables[entity.table][recid] if recid is not None else None
            seen = found and comparable(company) in (None, comparable(found.values[COMPANY]))
            return found if seen else None
        for row in self.rows(entity, company):
            if all(comparable(row.values[name]) == value for name, value in wanted.items()):
                return row
        return None

    def create(
        self, entity: Entity, values: Mapping[str, Any], user: str, at: dt.datetime | None = None
    ) -> Row:
        """Writes are as of ``at``, else of now."""
        whole = {name: values.get(name, f.empty) for name, f in entity.fields.items()}
        for name in entity.key:
            if whole[name] == entity.fields[name].empty:
                raise Refusal.write(entity.name, f"Field '{name}' must be filled in")
        if self.find(entity, {name: whole[name] for name in entity.key}, None) is not None:
            raise Refusal.write(entity.name, "The record already exists")
        row = Row(self.state.next_recid, self._next_version(), whole)
        self.state.next_recid += 1
        self._put(entity, row)
        self._tell(Change(entity, "create", row, None, frozenset(values), user, at or self._now()))
        return row

    def update(
        self,
        entity: Entity,
        row: Row,
        values: Mapping[str, Any],
        user: str,
        at: dt.datetime | None = None,
    ) -> Row:
        changed = frozenset(n for n, value in values.items() if row.values[n] != value)
        if not changed:
            return row
        after = replace(row, version=self._next_version(), values={**row.values, **values})
        self._put(entity, after)
        self._tell(Change(entity, "update", after, row, changed, user, at or self._now()))
        return after

    def delete(self, entity: Entity, row: Row, user: str, at: dt.datetime | None = None) -> None:
        self._next_version()
        del self.state.tables[entity.table][row.recid]
        for (table, names), places in self._keys.items():
            if table == entity.table:
                places.pop(_key_of(row, names), None)
        self._tell(Change(entity, "delete", row, row, frozenset(), user, at or self._now()))

    def on_change(self, callback: Callback) -> Callable[[], None]:
        """Call ``callback`` with each committed change; call the result to end that."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside happen or none does; they are told at the end."""
        tables = {name: dict(rows) for name, rows in self.state.tables.items()}
        self._pending = []
        try:
            yield
        except BaseException:
            self.state.tables = tables
            self._pending = None
            self._keys.clear()
            raise
        pending, self._pending = self._pending, None
        for change in pending:
            self._tell(change)

    def _put(self, entity: Entity, row: Row) -> None:
        rows = self.state.tables.setdefault(entity.table, {})
        before = rows.get(row.recid, row)
        rows[row.recid] = row
        for (table, names), places in self._keys.items():
            if table == entity.table:
                places.pop(_key_of(before, names), None)
                places[_key_of(row, names)] = row.recid

    def _index(self, entity: Entity) -> dict[tuple[Any, ...], int]:
        """Where each key of the entity is; made when it is first asked for, kept up by writes."""
        at = (entity.table, entity.key)
        if at not in self._keys:
            rows = self.state.tables.setdefault(entity.table, {}).values()
            self._keys[at] = {_key_of(row, entity.key): row.recid for row in rows}
        return self._keys[at]

    def _next_version(self) -> int:
        self.state.version += 1
        return self.state.version

    def _tell(self, change: Change) -> None:
        if self._pending is not None:
            self._pending.append(change)
            return
        self.changes.append(change)
        for callback in list(self._callbacks):
            callback(change)


def _key_of(row: Row, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(comparable(row.values[name]) for name in names)
