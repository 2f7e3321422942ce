"""The audit trail: event ids, their names, and its lines (reference/extended-ecm.md 8.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class AuditEvent(IntEnum):
    """Audit event ids seen on live servers (reference/extended-ecm.md 8.2)."""

    CREATE = 1
    # The ids of these three are not in any source: read the names (reference 8.2).
    DELETE = 2
    MOVE = 3
    RESTORE = 17
    COPY = 4
    RENAME = 5
    RESERVE = 6
    UNRESERVE = 7
    SHORTCUT_CREATED = 8
    PERMISSION_CHANGED = 9
    ATTRIBUTE_CHANGED = 10
    VERSION_ADDED = 11
    VERSION_OPENED = 14
    CREATE_FROM_COPY = 92


AUDIT_NAMES: Mapping[int, str] = {
    AuditEvent.CREATE: "Create",
    AuditEvent.DELETE: "Delete",
    AuditEvent.MOVE: "Move",
    AuditEvent.RESTORE: "Restore",
    AuditEvent.COPY: "Copy",
    AuditEvent.RENAME: "Rename",
    AuditEvent.RESERVE: "Reserve",
    AuditEvent.UNRESERVE: "Unreserve",
    AuditEvent.SHORTCUT_CREATED: "Shortcut Created",
    AuditEvent.PERMISSION_CHANGED: "Permission Changed",
    AuditEvent.ATTRIBUTE_CHANGED: "Attribute Value Changed",
    AuditEvent.VERSION_ADDED: "Version Added",
    AuditEvent.VERSION_OPENED: "Version Opened",
    AuditEvent.CREATE_FROM_COPY: "Create from Copy",
}


@dataclass(frozen=True)
class AuditRow:
    """One line of the audit trail; ``sequence`` grows over the whole server."""

    sequence: int
    node_id: int
    node_type: int
    event: AuditEvent
    at: datetime
    user_id: int
    value_key: int | None = None
    value: str = ""
