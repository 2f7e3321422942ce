"""Audit lines: one per step of a record's story, written for people and for ``dovetail trace``."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from streams.messages.base import Message


class AuditEvent(StrEnum):
    """What happened in this step of the story."""

    CHANGED = "changed"  # a change was taken up; detail: the columns that changed
    SKIPPED = "skipped"  # a change was left aside; detail: why
    TOLD = "told"  # another record, or Extended ECM, told this one something
    COMMANDED = "commanded"  # a command was sent; detail: step
    DONE = "done"  # an outcome closed a step
    REFUSED = "refused"  # the other system said no; detail: code and message
    VIOLATED = "violated"  # a record was finalised although its gate was not open
    OVERDUE = "overdue"  # nobody decided a request in time
    HELD = "held"  # an event waits for its workspace's owner
    RELEASED = "released"  # events that waited were sent on


class AuditLine(Message):
    """One step: when (Unix ms, the time of what caused it), about whom, what, and details.

    ``source``: where that came from, of what Dynamics or Extended ECM told; None of what came of it
    and of what records told each other. ``at_ms``: 0 of what an earlier release told without time.
    """

    at_ms: int
    subject: str
    event: AuditEvent
    summary: str
    rule: str | None = None
    step: str | None = None
    command_id: str | None = None
    detail: Mapping[str, str] = {}
    source: str | None = None
