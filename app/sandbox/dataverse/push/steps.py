"""The steps that are registered for a service endpoint, and how the platform runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.sandbox.events.rec_context import Transport

LIMITS: Mapping[str, int] = {"event_hub": 192 * 1024, "webhook": 256 * 1024}
"""Bytes of a body above which a transport drops parameters and images."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What is registered, and which ways of the platform the messages show.

    Registered: ``tables`` with steps, None for all; ``filtering`` names the columns of which an
    update has to set one, by table; ``images`` are pre- and post-images of all columns.
    ``transport`` chooses the headers and the size guard, which ``largest_bytes`` replaces.

    The platform's ways: ``split_state`` sends an update of state and other columns as two messages,
    ``split_owner`` does the same for the owner. ``nested`` brings the outer pipeline along as
    ``ParentContext``, and the request's ``tag`` in that alone.
    """

    tables: frozenset[str] | None = None
    filtering: Mapping[str, frozenset[str]] = field(default_factory=dict)
    images: bool = False
    transport: Transport = "event_hub"
    largest_bytes: int | None = None
    split_state: bool = True
    split_owner: bool = False
    nested: bool = False

    @property
    def limit_bytes(self) -> int:
        """The size above which a body is trimmed."""
        return LIMITS[self.transport] if self.largest_bytes is None else self.largest_bytes
