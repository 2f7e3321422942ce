"""``workspace_owners``: which record and rule a workspace belongs to, and what waits for that.

An ECM event may arrive before its workspace is linked: it is held here, visibly, until the owner is
told (DESIGN, promise 5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from tables.parts import PartedRow
from tables.rows import Row


class Held(Row):
    """One event that waits, as JSON."""

    event: str = ""


class OwnerHead(Row):
    """The owner of one workspace; in the first release also the events that wait for it."""

    record: str | None = None
    rule: str | None = None
    held: Mapping[str, str] = {}


class OwnerRow(PartedRow[Held]):
    """The owner of one workspace, and the events (by event id) that wait for it, each a part.

    A workspace that nobody links may be as busy as any other: what waits there is without bound.
    """

    part: ClassVar[type[Row]] = Held
    head_row: ClassVar[type[Row]] = OwnerHead

    @classmethod
    def moved_out(cls, head: Any) -> tuple[Row, Mapping[str, Row]]:
        owner = OwnerHead(record=head.record, rule=head.rule)
        return owner, {event_id: Held(event=text) for event_id, text in head.held.items()}

    @property
    def record(self) -> str | None:
        """The key of the record that the workspace belongs to."""
        record: str | None = self.head.record
        return record

    @property
    def rule(self) -> str | None:
        """The rule that keeps the workspace."""
        rule: str | None = self.head.rule
        return rule

    @property
    def held(self) -> Iterator[tuple[str, str]]:
        """The events that wait: id and JSON, in the order of the ids."""
        return ((event_id, held.event) for event_id, held in self.under())

    def owned(self, record: str, rule: str) -> OwnerRow:
        return self.with_head(OwnerHead(record=record, rule=rule))

    def holding(self, event_id: str, event: str) -> OwnerRow:
        return self.with_parts({event_id: Held(event=event)})

    def released(self) -> OwnerRow:
        return self.with_parts({event_id: None for event_id, _ in self.held})
