"""Events of Extended ECM as they travel, and whose each workspace is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from streams.messages.base import Message, Told
from tables.keys import RecordRef, workspace_key


class Origin(Message):
    """Where a message came from, for people and for tracing: format and Kafka coordinates."""

    format: str
    topic: str
    partition: int
    offset: int


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


class WorkspaceOwned(Told):
    """Told to a workspace's key: this record's rule owns it, send its events there."""

    kind: Literal["workspace_owned"] = "workspace_owned"
    workspace_id: int
    record: RecordRef
    rule: str

    @property
    def key(self) -> str:
        return workspace_key(self.workspace_id)
