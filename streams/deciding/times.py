"""When a cause happened, and since when what follows from it is due (pure, Unix ms)."""

from __future__ import annotations

from streams.flows.shape import Cause
from streams.messages.base import Told
from streams.messages.facts import WorkspaceEvent
from streams.messages.outcomes import Outcome


def happened_at(cause: Cause) -> int:
    """The time of the cause itself; 0 of what an earlier release told without one."""
    match cause:
        case WorkspaceEvent():
            return cause.event.at_ms
        case Told():
            return cause.told_ms
    return cause.at_ms


def caused_at(cause: Cause) -> int:
    """The source's time of what happened first, carried on by outcomes and between records."""
    return cause.caused_at_ms if isinstance(cause, Outcome | Told) else happened_at(cause)
