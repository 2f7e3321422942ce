"""Facts: what decide reads from the changes topic, each about one record or one workspace.

Records speak to each other only by facts (DESIGN, section 1): a fact's ``key`` names the record
that is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from streams.catalogue import ColumnValue
from streams.messages.base import Message
from tables.approvals import Workflow
from tables.evidence import Item
from tables.keys import RecordRef, workspace_key
from tables.neighbours import Interest


class Operation(StrEnum):
    """What happened to the row. ``upsert``: the source does not tell a create from an update."""

    CREATE = "create"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"


class Origin(Message):
    """Where a message came from, for people and for tracing: format and Kafka coordinates."""

    format: str
    topic: str
    partition: int
    offset: int


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


class BusinessObject(Message):
    """The triple that ties a workspace to a record (reference/extended-ecm.md 2.1)."""

    external_system: str
    type: str
    id: str


class Document(Message):
    """One version of a document in Extended ECM; ``url`` opens it for a person."""

    id: int
    version: int
    name: str = ""
    url: str = ""


class EcmEvent(Message):
    """Something happened in a workspace, e.g. ``contract.signed`` (reference/extended-ecm.md 8.5).

    Keyed by the workspace when its id is known, else by the record that the business object names.
    """

    kind: Literal["ecm_event"] = "ecm_event"
    event_id: str
    event: str
    at_ms: int
    workspace_id: int | None = None
    business_object: BusinessObject | None = None
    record: RecordRef | None = None
    document: Document | None = None
    actor: str | None = None
    attributes: Mapping[str, str | int | bool | None] = Field(default_factory=dict)
    origin: Origin

    @property
    def key(self) -> str:
        """The workspace's key, or the record's; raises ValueError when the event names neither."""
        if self.workspace_id is not None:
            return workspace_key(self.workspace_id)
        if self.record is not None:
            return self.record.key
        raise ValueError("an ECM event names a workspace or a record")


class WorkspaceEvent(Message):
    """An ECM event, sent on to the record that its workspace belongs to."""

    kind: Literal["workspace_event"] = "workspace_event"
    record: RecordRef
    rule: str
    event: EcmEvent

    @property
    def key(self) -> str:
        return self.record.key


class WorkspaceOwned(Message):
    """Told to a workspace's key: this record's rule owns it, send its events there."""

    kind: Literal["workspace_owned"] = "workspace_owned"
    workspace_id: int
    record: RecordRef
    rule: str

    @property
    def key(self) -> str:
        return workspace_key(self.workspace_id)


class WorkspaceWanted(Message):
    """``wanted_by`` asks ``record`` for its workspace: of this rule, or the one it is known by."""

    kind: Literal["workspace_wanted"] = "workspace_wanted"
    record: RecordRef
    wanted_by: RecordRef
    rule: str | None = None

    @property
    def key(self) -> str:
        return self.record.key


class WorkspaceKnown(Message):
    """The answer: ``about`` has this workspace. ``rule`` repeats the question's.

    ``workspace_id``: None when the record is gone and left none.
    """

    kind: Literal["workspace_known"] = "workspace_known"
    record: RecordRef
    about: RecordRef
    workspace_id: int | None
    rule: str | None = None

    @property
    def key(self) -> str:
        return self.record.key


class FolderOwned(Message):
    """``owner`` has a folder in the workspace that ``record`` keeps under this rule.

    What happens in the folder concerns the owner too, and it is told.
    """

    kind: Literal["folder_owned"] = "folder_owned"
    record: RecordRef
    rule: str
    folder_id: int
    owner: RecordRef

    @property
    def key(self) -> str:
        return self.record.key


class DocumentTold(Message):
    """A document in another record's workspace concerns ``record`` too: all that is known of it."""

    kind: Literal["document_told"] = "document_told"
    record: RecordRef
    rule: str
    document_id: int
    item: Item

    @property
    def key(self) -> str:
        return self.record.key


class EventsWanted(Message):
    """``wanted_by`` asks ``record`` what happened, and happens from now on, in its workspace.

    ``rule``: the rule of the one that asks.
    """

    kind: Literal["events_wanted"] = "events_wanted"
    record: RecordRef
    wanted_by: RecordRef
    rule: str
    interest: Interest

    @property
    def key(self) -> str:
        return self.record.key


class EventsKnown(Message):
    """The answer, or news: documents and workflows in the workspace of ``about``, by id.

    ``rule`` repeats the question's; ``interest`` does in an answer and is None in news, of which
    ``at_ms`` says when they happened (Unix ms).
    """

    kind: Literal["events_known"] = "events_known"
    record: RecordRef
    about: RecordRef
    rule: str
    interest: Interest | None = None
    at_ms: int = 0
    documents: Mapping[int, Item] = Field(default_factory=dict)
    workflows: Mapping[int, Workflow] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.record.key


class ColumnsWanted(Message):
    """``wanted_by`` asks ``record`` for columns, now and at each change of them."""

    kind: Literal["columns_wanted"] = "columns_wanted"
    record: RecordRef
    wanted_by: RecordRef
    columns: tuple[str, ...]

    @property
    def key(self) -> str:
        return self.record.key


class ColumnsKnown(Message):
    """The answer: these columns of ``about`` as of ``at_ms``."""

    kind: Literal["columns_known"] = "columns_known"
    record: RecordRef
    about: RecordRef
    columns: Mapping[str, ColumnValue]
    at_ms: int

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
