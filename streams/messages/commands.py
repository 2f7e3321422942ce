"""Commands: what a writer shall make true. Imperative, idempotent, with a deterministic id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from streams.catalogue import ColumnValue
from streams.messages.base import Message
from streams.messages.facts import BusinessObject
from tables.keys import RecordRef

#: A value; or those of a multi-value attribute, or of an attribute of a set row by row.
AttributeValue = ColumnValue | tuple[ColumnValue, ...]
#: Category attributes by label: ``{"Business Record": {"Record State": "Active"}}``.
Attributes = Mapping[str, Mapping[str, AttributeValue]]


class Command(Message):
    """What every command carries.

    ``id`` is ``tables.keys.command_id(rule, record, step, desired)`` and ``desired`` the digest of
    what should become true: the outcome brings both back, and the flow compares.
    ``caused_at_ms`` is the time of the change that led here (for freshness).
    """

    id: str
    rule: str
    record: RecordRef
    step: str
    desired: str
    caused_at_ms: int

    @property
    def key(self) -> str:
        return self.record.key


class EnsureWorkspace(Command):
    """The business object has exactly one workspace of this type; create it when it has none.

    ``name`` and ``attributes`` are used at creation only.
    """

    kind: Literal["ensure_workspace"] = "ensure_workspace"
    business_object: BusinessObject
    workspace_type: str
    template: str | None = None
    name: str
    attributes: Attributes = Field(default_factory=dict)
    properties: str


class UpdateWorkspace(Command):
    """The workspace has this name and these category attributes (others stay as they are)."""

    kind: Literal["update_workspace"] = "update_workspace"
    workspace_id: int
    name: str
    attributes: Attributes = Field(default_factory=dict)


class SetRoleMembers(Command):
    """The role has exactly these members, given by login or business e-mail."""

    kind: Literal["set_role_members"] = "set_role_members"
    workspace_id: int
    role: str
    members: tuple[str, ...]


class RelateWorkspaces(Command):
    """``related_id`` is a parent or child of the workspace (reference/extended-ecm.md 3)."""

    kind: Literal["relate_workspaces"] = "relate_workspaces"
    workspace_id: int
    related_id: int
    relation: Literal["parent", "child"]


class UnrelateWorkspaces(Command):
    """``related_id`` is no longer a parent or child of the workspace."""

    kind: Literal["unrelate_workspaces"] = "unrelate_workspaces"
    workspace_id: int
    related_id: int
    relation: Literal["parent", "child"]


class RestrictAccess(Command):
    """Only these roles of the workspace, and whoever administers it, may open it."""

    kind: Literal["restrict_access"] = "restrict_access"
    workspace_id: int
    roles: tuple[str, ...]


class SetRetention(Command):
    """The workspace carries this records management classification (reference/extended-ecm.md 7).

    ``starts_on``: the date from which it is kept, ISO; None while that is not known yet.
    """

    kind: Literal["set_retention"] = "set_retention"
    workspace_id: int
    classification: str
    starts_on: str | None = None


class EnsureFolder(Command):
    """The workspace has a folder for ``key`` under ``path`` (folder names), with this name.

    ``key`` names it for good, e.g. ``msdyn_projecttask:<guid>``: a new name renames it. The folder
    has these category attributes (others stay as they are).
    """

    kind: Literal["ensure_folder"] = "ensure_folder"
    workspace_id: int
    path: tuple[str, ...] = ()
    folder_key: str
    name: str
    attributes: Attributes = Field(default_factory=dict)


class StartWorkflow(Command):
    """A workflow of this map runs for the workspace, started once (reference/extended-ecm.md 6).

    ``round`` tells one version of the request from the next. ``comment``: the notes that approvers
    read; ``documents``: node ids of the attachments.
    """

    kind: Literal["start_workflow"] = "start_workflow"
    workspace_id: int
    workflow_map: str
    round: str
    title: str
    comment: str = ""
    attributes: Mapping[str, str | int | bool | None] = Field(default_factory=dict)
    documents: tuple[int, ...] = ()


class StopWorkflow(Command):
    """The workflow does not run any more."""

    kind: Literal["stop_workflow"] = "stop_workflow"
    workflow_id: int


class SetRecordColumns(Command):
    """The record has these values in these columns (canonical, see ``streams.catalogue``)."""

    kind: Literal["set_record_columns"] = "set_record_columns"
    columns: Mapping[str, ColumnValue]


class ReadRecord(Command):
    """Read the record again: its event was cut off, or two events of one second disagree."""

    kind: Literal["read_record"] = "read_record"


EcmCommand = (
    EnsureWorkspace
    | UpdateWorkspace
    | SetRoleMembers
    | RelateWorkspaces
    | UnrelateWorkspaces
    | RestrictAccess
    | SetRetention
    | EnsureFolder
    | StartWorkflow
    | StopWorkflow
)
DynamicsCommand = SetRecordColumns | ReadRecord
AnyCommand = EcmCommand | DynamicsCommand

ECM_COMMANDS: TypeAdapter[EcmCommand] = TypeAdapter(
    Annotated[EcmCommand, Field(discriminator="kind")]
)
DYNAMICS_COMMANDS: TypeAdapter[DynamicsCommand] = TypeAdapter(
    Annotated[DynamicsCommand, Field(discriminator="kind")]
)
