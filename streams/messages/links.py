"""Links: the public, compacted view of which record has which workspaces."""

from __future__ import annotations

from collections.abc import Mapping

from streams.messages.base import Message
from tables.keys import RecordRef


class WorkspaceLinked(Message):
    """One workspace of a record; ``url`` opens it for a person."""

    workspace_id: int
    name: str
    url: str
    linked_ms: int


class RecordLinks(Message):
    """All workspaces of a record by rule; the newest message of a key replaces the ones before."""

    record: RecordRef
    workspaces: Mapping[str, WorkspaceLinked]
