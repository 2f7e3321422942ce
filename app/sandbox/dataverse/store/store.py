"""The rows and their versions, written in transactions.

One counter numbers all writes of all tables; a row's version is the number of its last write, and
so its ETag and ``versionnumber`` (reference/dataverse.md 6).
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.store.commits import Author, Callback, Commit, Row
from app.sandbox.dataverse.store.messages import Messages
from app.sandbox.dataverse.store.state import State
from app.sandbox.dataverse.tables.schema import Table
from app.sandbox.dataverse.tables.values import Reference, Value, Values, comparable

MAX_DEPTH = 8
"""How deep writes may cause writes, as the platform's limit on nested calls."""


class Store:
    """All rows in memory. Single-threaded: every method runs to its end without awaiting."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._messages = Messages(state)
        self._keys: dict[tuple[str, str], dict[tuple[object, ...], str]] = {}
        self._callbacks: list[Callback] = []
        self._undo: list[Callable[[], None]] | None = None
        self._transaction = ""
        self._depth = 0
        for table in state.tables.values():
            self.index(table)

    @property
    def version(self) -> int:
        """The number of the last write."""
        return self.state.version

    @property
    def commits(self) -> list[Commit]:
        return self.state.commits

    def on_commit(self, callback: Callback) -> Callable[[], None]:
        """Call ``callback`` after each commit, in order; the function given back ends that."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def get(self, table: str, row_id: str) -> Row | None:
        return self._rows(table).get(row_id)

    def rows(self, table: str) -> list[Row]:
        return list(self._rows(table).values())

    def deletions(self, table: str) -> Mapping[str, int]:
        """The version at which each row of a table that is gone went, by id."""
        return self.state.deletions.get(table, {})

    def find(self, table: Table, key: str, values: Mapping[str, Value]) -> Row | None:
        """The row with these values of an alternate key."""
        entry = tuple(comparable(values.get(name)) for name in table.keys[key])
        row_id = self._keys.get((table.name, key), {}).get(entry)
        return None if row_id is None else self.get(table.name, row_id)

    def next_number(self, sequence: str) -> int:
        sequences = self.state.sequences
        sequences[sequence] = sequences.get(sequence, 0) + 1
        return sequences[sequence]

    def next_version(self) -> int:
        self.state.version += 1
        return self.state.version

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes within it happen, or none; callbacks hear of them at its end."""
        if self._undo is not None:
            yield
            return
        self._undo, first = [], len(self.commits)
        self._transaction = str(uuid.uuid4())
        try:
            yield
        except BaseException:
            for step in reversed(self._undo):
                step()
            del self.commits[first:]
            raise
        finally:
            self._undo, self._depth = None, 0
        for commit in self.commits[first:]:
            for callback in list(self._callbacks):
                callback(commit)

    @contextmanager
    def caused(self) -> Iterator[None]:
        """Writes within it are caused by another write, one level deeper. Raises `Refusal`."""
        if self._depth >= MAX_DEPTH:
            raise Refusal(400, "0x80044182", "This workflow job was canceled: infinite loop.")
        self._depth += 1
        try:
            yield
        finally:
            self._depth = max(self._depth - 1, 0)

    def undoable(self, step: Callable[[], None]) -> None:
        """Within a transaction: what to do when it fails."""
        if self._undo is not None:
            self._undo.append(step)

    def put(
        self,
        table: Table,
        row_id: str,
        values: Values,
        *,
        submitted: Mapping[str, Value],
        author: Author,
        at: dt.datetime,
        silent: bool = False,
    ) -> Row:
        """Write a whole row; ``silent`` makes a new version of which no event tells.

        Raises `Refusal` 412 when another row has the same key values, 400 where none can be.
        """
        with self.transaction():
            self._check_kept(table)
            before = self.get(table.name, row_id)
            self._check_keys(table, row_id, values)
            row = Row(table.name, row_id, self.next_version(), dict(values))
            self._replace(table, before, row)
            operation = "Create" if before is None else "Update"
            if not silent:
                self._commit(operation, row.version, at, author, submitted, before, row)
        return row

    def delete(self, table: Table, row: Row, *, author: Author, at: dt.datetime) -> None:
        with self.transaction():
            self._check_kept(table)
            version = self.next_version()
            self._replace(table, row, None)
            self.state.deletions.setdefault(table.name, {})[row.id] = version
            self._commit("Delete", version, at, author, {}, row, None)

    def announce(
        self,
        message: str,
        row: Row,
        parameters: Mapping[str, Any],
        *,
        author: Author,
        at: dt.datetime,
    ) -> None:
        """A message about a row that changes none of its columns, such as Associate or Win."""
        with self.transaction():
            self._commit(message, row.version, at, author, {}, row, row, parameters)

    def link(self, relationship: str, pair: tuple[str, str], *, linked: bool) -> bool:
        """Add or remove a pair of a many-to-many relationship; whether that changed anything."""
        with self.transaction():
            links = self.state.links.setdefault(relationship, {})
            before = links.get(pair)
            if (before is not None) is linked:
                return False
            if linked:
                links[pair] = self.next_version()
                self.undoable(lambda: links.__delitem__(pair))
            else:
                assert before is not None
                version = links.pop(pair)
                self.undoable(lambda: links.__setitem__(pair, version))
        return True

    def linked(self, relationship: str, side: int, row_id: str) -> list[str]:
        """The ids on the other side of a many-to-many relationship; ``side`` is 0 or 1."""
        links = self.state.links.get(relationship, {})
        return [pair[1 - side] for pair in links if pair[side] == row_id]

    def index(self, table: Table) -> None:
        """Make the indexes of a table's keys anew. Raises `Refusal` 412 for rows that clash."""
        for key, columns in table.keys.items():
            entries: dict[tuple[object, ...], str] = {}
            for row in self.rows(table.name):
                if any(row.values.get(name) is None for name in columns):
                    continue
                if entries.setdefault(_entry(row, columns), row.id) != row.id:
                    raise Refusal.duplicate(table.name, columns)
            self._keys[table.name, key] = entries

    def _rows(self, table: str) -> Mapping[str, Row]:
        derived = self._messages.rows(table)
        return self.state.rows.get(table, {}) if derived is None else derived

    def _check_kept(self, table: Table) -> None:
        """Raises `Refusal` 400 for a table whose rows only the platform makes."""
        if self._messages.rows(table.name) is not None:
            text = f"The method does not support entities of type '{table.name}'."
            raise Refusal(400, "0x80040800", text)

    def _commit(
        self,
        operation: str,
        version: int,
        at: dt.datetime,
        author: Author,
        submitted: Mapping[str, Value],
        before: Row | None,
        after: Row | None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        commit = Commit(
            operation,
            version,
            at,
            author,
            dict(submitted),
            before,
            after,
            transaction=self._transaction,
            depth=self._depth + 1,
            parameters=dict(parameters or {}),
        )
        self.commits.append(commit)

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
        gone = self.deletions(table.name).get(row.id)
        self._set(table, row.id, before, after, None)
        self.undoable(lambda: self._set(table, row.id, after, before, gone))

    def _set(
        self, table: Table, row_id: str, before: Row | None, after: Row | None, gone: int | None
    ) -> None:
        """Put ``after`` in the place of ``before``; ``gone`` is when the row was deleted."""
        self._reindex(table, before, after)
        rows = self.state.rows.setdefault(table.name, {})
        deletions = self.state.deletions.setdefault(table.name, {})
        if after is None:
            rows.pop(row_id, None)
        else:
            rows[row_id] = after
        if gone is None:
            deletions.pop(row_id, None)
        else:
            deletions[row_id] = gone

    def _reindex(self, table: Table, before: Row | None, after: Row | None) -> None:
        for key, columns in table.keys.items():
            entries = self._keys.setdefault((table.name, key), {})
            if before is not None:
                entries.pop(_entry(before, columns), None)
            if after is not None and all(after.values.get(c) is not None for c in columns):
                entries[_entry(after, columns)] = after.id


def _entry(row: Row, columns: tuple[str, ...]) -> tuple[object, ...]:
    return tuple(comparable(row.values.get(name)) for name in columns)


def references_to(store: Store, table: str, column: str, target: Reference) -> list[Row]:
    """The rows of a table whose lookup points to ``target``."""
    return [row for row in store.rows(table) if row.values.get(column) == target]
