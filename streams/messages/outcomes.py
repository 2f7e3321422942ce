"""Outcomes: what is now true in the other system, or why it cannot be. Past tense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from streams.catalogue import ColumnValue
from streams.messages.base import Message
from tables.keys import RecordRef


class Outcome(Message):
    """What every outcome brings back of its command, and when it became true (Unix ms)."""

    command_id: str
    command: str
    rule: str
    record: RecordRef
    step: str
    desired: str
    at_ms: int
    caused_at_ms: int

    @property
    def key(self) -> str:
        return self.record.key


class WorkspaceEnsured(Outcome):
    """The workspace exists. ``created`` is False when it was found (adopted).

    ``properties`` repeats the command's digest of name and attributes when they were just written.
    """

    kind: Literal["workspace_ensured"] = "workspace_ensured"
    workspace_id: int
    name: str
    url: str
    created: bool
    properties: str | None = None


class StepDone(Outcome):
    """The step is true: whatever the command wanted, and nothing else to tell."""

    kind: Literal["step_done"] = "step_done"


class FolderEnsured(Outcome):
    """The folder is in the workspace; ``url`` opens it for a person."""

    kind: Literal["folder_ensured"] = "folder_ensured"
    workspace_id: int
    folder_id: int
    name: str
    url: str


class WorkflowStarted(Outcome):
    """The workflow of this round runs; ``workflow_id`` is its process id."""

    kind: Literal["workflow_started"] = "workflow_started"
    workflow_id: int
    round: str


class RecordColumnsSet(Outcome):
    """The columns were written; ``version`` and ``modified_ms`` are the row's stamp afterwards.

    ``read_ms`` orders within that second, for rows without a version (``streams.ports.Row``).
    """

    kind: Literal["record_columns_set"] = "record_columns_set"
    columns: Mapping[str, ColumnValue]
    version: int | None = None
    modified_ms: int
    read_ms: int | None = None


class RecordRead(Outcome):
    """The row as it is now; ``columns`` is None when the record does not exist.

    ``version``, ``modified_ms`` and ``read_ms`` as in ``RecordColumnsSet``.
    """

    kind: Literal["record_read"] = "record_read"
    columns: Mapping[str, ColumnValue] | None
    version: int | None = None
    modified_ms: int
    read_ms: int | None = None


class WriteRefused(Outcome):
    """The other side said no for good. ``code`` is from a closed list, ``message`` for people."""

    kind: Literal["write_refused"] = "write_refused"
    code: str
    message: str


AnyOutcome = (
    WorkspaceEnsured
    | FolderEnsured
    | StepDone
    | WorkflowStarted
    | RecordColumnsSet
    | RecordRead
    | WriteRefused
)

OUTCOMES: TypeAdapter[AnyOutcome] = TypeAdapter(Annotated[AnyOutcome, Field(discriminator="kind")])
