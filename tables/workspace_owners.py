"""``workspace_owners``: which record and rule a workspace belongs to, and what waits for that.

An ECM event may arrive before its workspace is linked: it is held here, visibly, until the owner is
told (DESIGN, promise 5).
"""

from __future__ import annotations

from collections.abc import Mapping

from tables.rows import Row


class OwnerRow(Row):
    """The owner of one workspace, and the events (JSON, by event id) that wait for it."""

    record: str | None = None
    rule: str | None = None
    held: Mapping[str, str] = {}

    def owned(self, record: str, rule: str) -> OwnerRow:
        return self.model_copy(update={"record": record, "rule": rule})

    def holding(self, event_id: str, event: str) -> OwnerRow:
        return self.model_copy(update={"held": {**self.held, event_id: event}})

    def released(self) -> OwnerRow:
        return self.model_copy(update={"held": {}})
