"""The story of every write: who did what, to which row, and how the row was before and after.

    def committed(commit: Commit) -> None:
        if "CustomAsync" not in commit.author.bypass:
            push(commit.message, commit.table, commit.id, commit.changed, commit.after)

    stop = dataverse.on_commit(committed)

Callbacks run in the event loop right after the transaction, one commit after the other in the order
of the writes. They must not block; what one raises fails the request although the write is done.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.sandbox.dataverse.tables.values import Value


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
    """Who writes, and with what marks.

    ``user_id`` is the user that the write is done as, ``on_behalf_by`` the real caller where that
    is somebody else (impersonation). ``bypass`` are the kinds of logic that the caller asked to
    pass over (``CustomSync``, ``CustomAsync``), ``bypass_steps`` single steps by id.
    """

    user_id: str
    on_behalf_by: str | None = None
    app_id: str | None = None
    tag: str | None = None
    correlation_id: str = ""
    bypass: frozenset[str] = field(default_factory=frozenset)
    bypass_steps: frozenset[str] = field(default_factory=frozenset)
    user_agent: str = ""

    @property
    def initiating_user_id(self) -> str:
        """The real caller: ``InitiatingUserId`` of an event."""
        return self.on_behalf_by or self.user_id

    @property
    def users(self) -> tuple[str, ...]:
        """All who need a privilege for what is done: who acts for another as well as the other."""
        return tuple(dict.fromkeys((self.user_id, self.initiating_user_id)))


@dataclass(frozen=True, slots=True)
class Commit:
    """One write that has happened.

    ``operation`` is the message: Create, Update, Delete; Associate and Disassociate, whose
    ``parameters`` hold ``Relationship`` (schema name) and ``RelatedEntities`` (references); or an
    action such as Win, whose ``parameters`` are its own and whose Update and Create are commits of
    their own, before it. ``submitted`` are the columns that the writer sent (what an Update event
    carries as its Target). ``before`` and ``after`` are the row around the write, None where there
    was or is none; the same row twice where the message changed no column. ``transaction`` is the
    same for all that was committed at once, ``depth`` 1 for a direct write and more for one that
    another write caused (a cascade).
    """

    operation: str
    version: int
    at: dt.datetime
    author: Author
    submitted: Mapping[str, Value]
    before: Row | None
    after: Row | None
    transaction: str = field(default_factory=lambda: str(uuid.uuid4()))
    depth: int = 1
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def message(self) -> str:
        return self.operation

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

    @property
    def changed(self) -> dict[str, Value]:
        """Columns whose value is another than before, with the new one; all of a new row."""
        after = {} if self.after is None else self.after.values
        before = {} if self.before is None else self.before.values
        return {name: after.get(name) for name in after if after[name] != before.get(name)}

    @property
    def modifiedon(self) -> str:
        """As the row carries it: UTC, whole seconds; of a deleted row its last."""
        return str(self.row.values.get("modifiedon", ""))

    @property
    def versionnumber(self) -> int:
        return self.version


Callback = Callable[[Commit], None]
