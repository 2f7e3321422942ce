"""The rows, their versions, and the story of every write.

One counter numbers all writes of all tables; a row's version is the number of its last write, and
so its ETag and ``versionnumber`` (reference/dataverse.md 6).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.schema import Registry, Table
from app.sandbox.dataverse.values import Value, Values, comparable

Operation = Literal["Create", "Update", "Delete"]
FIRST_VERSION = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row at one version; ``values`` has every column that was ever set, by logical name."""

    table: str
    id: str
    version: int
    values: Mapping[str, Value]

    @property
    def etag(self) -> str:
        return f'W/"{self.version}"'


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes: the user that the row names, who really called, and with what marks."""

    user_id: str
    on_behalf_by: str | None = None
    app_id: str | None = None
    tag: str | None = None
    correlation_id: str = ""
    bypass: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Commit:
    """One write that has happened.

    ``submitted`` are the columns that the writer sent (what an Update event carries as its Target);
    ``before`` and ``after`` the row around it, None where there was or is none.
    """

    operation: Operation
    version: int
    at: dt.datetime
    author: Author
    submitted: Mapping[str, Value]
    before: Row | None
    after: Row | None

    @property
    def row(self) -> Row:
        row = self.after or self.before
        assert row is not None, "a commit is about a row"
        return row

    @property
    def table(self) -> str:
        return self.row.table

    @property
    def id(self) -> str:
        return self.row.id


Listener = Callable[[Commit], None]


class Store:
    """All rows in memory. Single-threaded: every method runs to its end without awaiting."""

    def __init__(self, registry: Registry) -> None:
        self.version = FIRST_VERSION
        self.commits: list[Commit] = []
        self.deletions: dict[str, dict[str, int]] = {table.name: {} for table in registry}
        self._rows: dict[str, dict[str, Row]] = {table.name: {} for table in registry}
        self._keys: dict[tuple[str, str], dict[tuple[object, ...], str]] = {}
        self._listeners: list[Listener] = []
        self._undo: list[Callable[[], None]] | None = None
        self._sequences: dict[str, int] = {}

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` after each commit, in order; the function given back ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def get(self, table: str, row_id: str) -> Row | None:
        return self._rows[table].get(row_id)

    def rows(self, table: str) -> list[Row]:
        return list(self._rows[table].values())

    def find(self, table: Table, key: str, values: Mapping[str, Value]) -> Row | None:
        """The row with these values of an alternate key."""
        entry = tuple(comparable(values.get(name)) for name in table.keys[key])
        row_id = self._keys.get((table.name, key), {}).get(entry)
        return None if row_id is None else self._rows[table.name][row_id]

    def next_number(self, sequence: str) -> int:
        self._sequences[sequence] = self._sequences.get(sequence, 0) + 1
        return self._sequences[sequence]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes within it happen, or none; listeners hear of them at its end."""
        if self._undo is not None:
            yield
            return
        self._undo, first = [], len(self.commits)
        try:
            yield
        except BaseException:
            for step in reversed(self._undo):
                step()
            del self.commits[first:]
            raise
        finally:
            self._undo = None
        for commit in self.commits[first:]:
            for listener in list(self._listeners):
                listener(commit)

    def put(
        self,
        table: Table,
        row_id: str,
        values: Values,
        *,
        submitted: Mapping[str, Value],
        author: Author,
        at: dt.datetime,
    ) -> Row:
        """Write a whole row. Raises `Refusal` 412 when another row has the same key values."""
        with self.transaction():
            before = self.get(table.name, row_id)
            self._check_keys(table, row_id, values)
            row = Row(table.name, row_id, self._next_version(), MappingProxyType(dict(values)))
            self._replace(table, before, row)
            operation: Operation = "Create" if before is None else "Update"
            self.commits.append(
                Commit(operation, row.version, at, author, dict(submitted), before, row)
            )
        return row

    def delete(self, table: Table, row: Row, *, author: Author, at: dt.datetime) -> None:
        with self.transaction():
            version = self._next_version()
            self._replace(table, row, None)
            self.deletions[table.name][row.id] = version
            self.commits.append(Commit("Delete", version, at, author, {}, row, None))

    def _next_version(self) -> int:
        self.version += 1
        return self.version

    def _check_keys(self, table: Table, row_id: str, values: Values) -> None:
        for key, columns in table.keys.items():
            if any(values.get(name) is None for name in columns):
                continue  # empty parts are not held unique
            found = self.find(table, key, values)
            if found is not None and found.id != row_id:
                raise Refusal.duplicate(table.name, columns)

    def _replace(self, table: Table, before: Row | None, after: Row | None) -> None:
        row = after or before
        assert row is not None
        gone = self.deletions[table.name].get(row.id)
        self._index(table, before, after)
        if after is None:
            del self._rows[table.name][row.id]
        else:
            self._rows[table.name][row.id] = after
            self.deletions[table.name].pop(row.id, None)
        if self._undo is not None:
            self._undo.append(lambda: self._restore(table, after, before, gone))

    def _restore(self, table: Table, now: Row | None, then: Row | None, gone: int | None) -> None:
        row = now or then
        assert row is not None
        self._index(table, now, then)
        if then is None:
            del self._rows[table.name][row.id]
        else:
            self._rows[table.name][row.id] = then
        if gone is None:
            self.deletions[table.name].pop(row.id, None)
        else:
            self.deletions[table.name][row.id] = gone

    def _index(self, table: Table, before: Row | None, after: Row | None) -> None:
        for key, columns in table.keys.items():
            index = self._keys.setdefault((table.name, key), {})
            if before is not None:
                index.pop(_entry(before, columns), None)
            if after is not None and all(after.values.get(c) is not None for c in columns):
                index[_entry(after, columns)] = after.id


def _entry(row: Row, columns: tuple[str, ...]) -> tuple[object, ...]:
    return tuple(comparable(row.values.get(name)) for name in columns)
