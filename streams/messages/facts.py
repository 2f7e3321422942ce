"""Facts: what decide reads from the changes topic, each about one record or one workspace.

Records speak to each other only by facts (DESIGN, section 1): a fact's ``key`` names the record
that is told. Here are those that Dynamics and the clock tell; events of Extended ECM and the
questions between records have modules of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from streams.catalogue import ColumnValue
from streams.messages.base import Message
from streams.messages.events import (
    BusinessObject,
    Document,
    EcmEvent,
    Origin,
    WorkspaceEvent,
    WorkspaceOwned,
)
from streams.messages.questions import (
    ColumnsKnown,
    ColumnsWanted,
    DocumentTold,
    EventsKnown,
    EventsWanted,
    FolderOwned,
    Question,
    WorkspaceKnown,
    WorkspaceWanted,
)
from tables.keys import RecordRef


class Operation(StrEnum):
    """What happened to the row. ``upsert``: the source does not tell a create from an update."""

    CREATE = "create"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"


class RecordChange(Message):
    """A Dynamics row was created, changed or deleted.

    ``columns`` holds canonical values (see ``streams.catalogue``) of declared columns only; one
    that is missing is unknown, never null. ``at_ms`` is the row's ``modifiedon`` where the event
    has it, else the time of the operation (Unix milliseconds); ``sequence`` is the operation's own
    time in milliseconds and orders events within one second of ``modifiedon``; ``version`` is
    ``versionnumber`` where the event has it. ``thin``: the body was cut off by its transport
    (reference/dataverse.md 1.1), so the row must be read again. ``alias``: the guid by which the
    source calls a row of finance and operations; such a row is one day deleted under that name
    alone, and that change's ``record`` has the alias for its id (``streams.deciding.aliases``).
    """

    kind: Literal["record_change"] = "record_change"
    record: RecordRef
    alias: str | None = None
    operation: Operation
    columns: Mapping[str, ColumnValue] = Field(default_factory=dict)
    at_ms: int
    sequence: int = 0
    version: int | None = None
    actor: str | None = None
    tag: str | None = None
    thin: bool = False
    origin: Origin

    @property
    def key(self) -> str:
        return self.record.key


class StageChanged(Message):
    """A business process row moved: told to the record that it guides (reference/dataverse.md 3.3).

    ``stage`` is the ``processstage`` row, None when the process row was deleted. ``at_ms``,
    ``version`` and ``sequence`` are the process row's own stamp: the newest move wins in any
    order.
    """

    kind: Literal["stage_changed"] = "stage_changed"
    record: RecordRef
    process: RecordRef
    stage: RecordRef | None
    at_ms: int
    version: int = 0
    sequence: int = 0

    @property
    def key(self) -> str:
        return self.record.key


class AliasKnown(Message):
    """Told to a source's own guid (``record``): the row that it stands for is ``about``.

    ``at_ms``, ``version`` and ``sequence`` are the stamp of the change that showed it, ``origin``
    where that came from: the newest wins, since keys of finance and operations can be renamed.
    """

    kind: Literal["alias_known"] = "alias_known"
    record: RecordRef
    about: RecordRef
    at_ms: int
    version: int | None = None
    sequence: int = 0
    origin: Origin

    @property
    def key(self) -> str:
        return self.record.key


class TimeReached(Message):
    """The time that a decision waited for has come, or what it asked for stays without outcome.

    ``at_ms``: when this was noticed (Unix ms). Hearing it again, or too early, changes nothing.
    """

    kind: Literal["time_reached"] = "time_reached"
    record: RecordRef
    at_ms: int

    @property
    def key(self) -> str:
        return self.record.key


Fact = (
    RecordChange
    | EcmEvent
    | WorkspaceEvent
    | WorkspaceOwned
    | WorkspaceWanted
    | WorkspaceKnown
    | FolderOwned
    | DocumentTold
    | EventsWanted
    | EventsKnown
    | ColumnsWanted
    | ColumnsKnown
    | StageChanged
    | AliasKnown
    | TimeReached
)

FACTS: TypeAdapter[Fact] = TypeAdapter(Annotated[Fact, Field(discriminator="kind")])

__all__ = [
    "FACTS",
    "AliasKnown",
    "BusinessObject",
    "ColumnsKnown",
    "ColumnsWanted",
    "Document",
    "DocumentTold",
    "EcmEvent",
    "EventsKnown",
    "EventsWanted",
    "Fact",
    "FolderOwned",
    "Operation",
    "Origin",
    "Question",
    "RecordChange",
    "StageChanged",
    "TimeReached",
    "WorkspaceEvent",
    "WorkspaceKnown",
    "WorkspaceOwned",
    "WorkspaceWanted",
]
