"""Every topic of ours: name, key, what travels, how long it is kept. Nowhere else is one named.

Source topics belong to their producers and are settings. Ours share one partition count, so that
what is about one record meets in one partition (DESIGN, section 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its name, what its key and value are, and its Kafka configuration."""

    name: str
    key: str
    carries: str
    configs: Mapping[str, str] = field(default_factory=dict)


#: Above any broker's default: a dead letter is its original plus our headers.
MAX_MESSAGE_BYTES = 10 * 1024 * 1024
_LARGE = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}


def _kept(days: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(days * _DAY_MS), **_LARGE}


CHANGES = Topic(
    "dovetail.changes.v1",
    "<table>:<guid> or workspace:<id>",
    "facts (streams.messages.facts)",
    _kept(14),
)
ECM_COMMANDS = Topic(
    "dovetail.ecm.commands.v1",
    "<table>:<guid>",
    "commands to Extended ECM (streams.messages.commands)",
    _kept(14),
)
DYNAMICS_COMMANDS = Topic(
    "dovetail.dynamics.commands.v1",
    "<table>:<guid>",
    "commands to Dynamics (streams.messages.commands)",
    _kept(14),
)
OUTCOMES = Topic(
    "dovetail.outcomes.v1",
    "<table>:<guid>",
    "outcomes of commands (streams.messages.outcomes)",
    _kept(14),
)
LINKS = Topic(
    "dovetail.links.v1",
    "<table>:<guid>",
    "public: the record's workspaces by rule (streams.messages.links)",
    {"cleanup.policy": "compact"},
)
AUDIT = Topic(
    "dovetail.audit.v1",
    "<table>:<guid> or workspace:<id>",
    "one line per step of a record's story (streams.messages.audit)",
    _kept(90),
)
DEAD_LETTERS = Topic(
    "dovetail.dead-letters.v1",
    "as it came",
    "the message as it came: bytes, key and headers, plus dovetail-dlq-* headers",
    _kept(30),
)
REPLAYS = Topic(
    "dovetail.replays.v1",
    "run id",
    "who replayed what, when and how far",
    _kept(90),
)

ALL: tuple[Topic, ...] = (
    CHANGES,
    ECM_COMMANDS,
    DYNAMICS_COMMANDS,
    OUTCOMES,
    LINKS,
    AUDIT,
    DEAD_LETTERS,
    REPLAYS,
)
