"""What the writers need from the outside, as Protocols. ``app.clients`` implements them.

Every call is safe to repeat. Every failure is one of ``streams.errors``: ``Retryable`` (and its
kinds), ``Refused`` or ``Misconfigured``; nothing else may leave a gateway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from streams.catalogue import ColumnValue
from streams.messages.commands import Attributes
from streams.messages.facts import BusinessObject
from tables.keys import RecordRef


@dataclass(frozen=True, slots=True)
class Workspace:
    """A business workspace as the gateway found or made it; ``url`` opens it for a person."""

    id: int
    name: str
    url: str
    created: bool


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of a workspace; ``url`` opens it for a person."""

    id: int
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Row:
    """A Dynamics row after a read or a write: canonical values, version and ``modifiedon`` (ms).

    Finance and operations tell no time of change: the row is as of ``read_ms``, and ``modified_ms``
    is that second.
    """

    columns: Mapping[str, ColumnValue]
    version: int | None
    modified_ms: int
    read_ms: int | None = None


class EcmGateway(Protocol):
    """Extended ECM, as far as the writers need it."""

    async def ensure_workspace(
        self,
        business_object: BusinessObject,
        *,
        workspace_type: str,
        template: str | None,
        name: str,
        attributes: Attributes,
    ) -> Workspace:
        """Look up by business object, adopt what is there, else create; never a second one.

        A name that is taken in the folder is made unique with the business object's id.
        """
        ...

    async def update_workspace(
        self, workspace_id: int, *, name: str, attributes: Attributes
    ) -> None:
        """Bring name and category attributes to these values; write only what differs."""
        ...

    async def set_role_members(
        self, workspace_id: int, *, role: str, members: Sequence[str]
    ) -> None:
        """Bring the role to exactly these members (login or business e-mail).

        Raises Refused (``member_unknown``) for members that there are not, when the rest is done.
        """
        ...

    async def relate(
        self, workspace_id: int, *, related_id: int, relation: Literal["parent", "child"]
    ) -> None:
        """Make ``related_id`` a parent or child of the workspace; nothing to do when it is."""
        ...

    async def unrelate(
        self, workspace_id: int, *, related_id: int, relation: Literal["parent", "child"]
    ) -> None:
        """Take the relation away; nothing to do when there is none."""
        ...

    async def restrict_access(self, workspace_id: int, *, roles: Sequence[str]) -> None:
        """Let only these roles, and whoever administers the workspace, open it."""
        ...

    async def set_retention(
        self, workspace_id: int, *, classification: str, starts_on: str | None
    ) -> None:
        """Put the workspace under a records management classification, kept from an ISO date."""
        ...

    async def ensure_folder(
        self,
        workspace_id: int,
        *,
        path: Sequence[str],
        key: str,
        name: str,
        attributes: Attributes,
    ) -> Folder:
        """Make the folder that ``key`` names, under ``path``, or rename the one that exists.

        Brings its category attributes to these values. A name that is taken by another folder is
        made unique with the key.
        """
        ...

    async def start_workflow(
        self,
        workspace_id: int,
        *,
        workflow_map: str,
        key: str,
        title: str,
        comment: str,
        attributes: Mapping[str, str | int | bool | None],
        documents: Sequence[int],
    ) -> int:
        """Start the workflow that ``key`` names, unless it was started before; return its id."""
        ...

    async def stop_workflow(self, workflow_id: int) -> None:
        """Stop the workflow; nothing to do when it has ended or is gone."""
        ...


class DynamicsGateway(Protocol):
    """Dataverse, or finance and operations, as far as the writers need them."""

    async def read_record(self, record: RecordRef) -> Row | None:
        """Read all declared columns of the record; None when it does not exist."""
        ...

    async def write_columns(
        self, record: RecordRef, columns: Mapping[str, ColumnValue], *, tag: str
    ) -> Row:
        """Set these columns of an existing record; never creates one.

        Raises Refused with code ``record_missing`` when the record is gone.
        """
        ...
