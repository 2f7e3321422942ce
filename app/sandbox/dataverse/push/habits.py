"""How steps and service endpoint are set up, and how untidy the asynchronous service is."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.sandbox.events.rec_context import Transport

LIMITS: Mapping[str, int] = {"event_hub": 192 * 1024, "webhook": 256 * 1024}
"""Bytes of a body from which on a transport drops parameters and images."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How messages are made and delivered; the defaults are a tidy day.

    What is registered: ``tables`` with steps, None for all; ``filtering`` has the columns of which
    an update must set one, by table; ``images`` registers pre- and post-images of all columns.
    ``transport`` chooses the headers and the size guard, which ``largest_bytes`` replaces.

    The platform's ways: ``split_state`` sends an update of state and other columns as two messages,
    ``split_owner`` does the same for the owner. ``nested`` brings the outer pipeline along as
    ``ParentContext``, and the request's ``tag`` in that alone.

    The asynchronous service: these shares of messages are delivered twice or late, by up to
    ``late_seconds``, so that later ones overtake them.
    """

    tables: frozenset[str] | None = None
    filtering: Mapping[str, frozenset[str]] = field(default_factory=dict)
    images: bool = False
    transport: Transport = "event_hub"
    largest_bytes: int | None = None
    split_state: bool = True
    split_owner: bool = False
    nested: bool = False
    duplicate_share: float = 0.0
    late_share: float = 0.0
    late_seconds: float = 2.0

    def __post_init__(self) -> None:
        for name in ("duplicate_share", "late_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share of all messages, from 0 to 1.")
        if self.late_seconds < 0:
            raise ValueError("late_seconds cannot be negative.")

    @property
    def limit_bytes(self) -> int:
        """The size from which on a body is trimmed."""
        return LIMITS[self.transport] if self.largest_bytes is None else self.largest_bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of a command that serves an organisation; `chosen_habits` reads them."""
    group = parser.add_argument_group("push side", "tell Kafka of each commit")
    group.add_argument("--push-bootstrap", help="the broker, as host:port; without it no push")
    group.add_argument("--push-topic", default="d365.changes.v1", help="default: %(default)s")
    group.add_argument("--push-partitions", type=int, default=6, help="of a topic that is new")
    group.add_argument("--push-tables", help="tables with steps, comma-separated (default: all)")
    group.add_argument("--push-images", action="store_true", help="pre- and post-images")
    group.add_argument("--push-whole", action="store_true", help="never split an update")
    group.add_argument("--push-nested", action="store_true", help="with the outer pipeline")
    group.add_argument("--push-largest-bytes", type=int, help="trim larger bodies")
    group.add_argument("--push-duplicates", type=float, default=0.0, help="share sent twice")
    group.add_argument("--push-late", type=float, default=0.0, help="share that is overtaken")


def chosen_habits(chosen: argparse.Namespace) -> Habits:
    """Raises ValueError for a share that is none."""
    tables = chosen.push_tables
    return Habits(
        tables=frozenset(name.strip() for name in tables.split(",")) if tables else None,
        images=chosen.push_images,
        largest_bytes=chosen.push_largest_bytes,
        split_state=not chosen.push_whole,
        nested=chosen.push_nested,
        duplicate_share=chosen.push_duplicates,
        late_share=chosen.push_late,
    )
