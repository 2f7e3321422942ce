"""What the engine tells about itself: to probes, to metrics, to people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from streams.engine.records import TopicPartition


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """A snapshot; taking one never blocks and is safe from any thread.

    ``ready`` means assigned and recovered, nothing halted. A worker that got no partition because
    there are more workers than partitions is ready too.
    """

    phase: str  # starting, joining, recovering, running, rebalancing, halted, stopped
    waiting_for: str  # what a phase waits for, for people; empty when for nothing
    ready: bool
    halted: str | None
    assigned: frozenset[TopicPartition]
    recovering: Mapping[str, int]  # table -> changelog records still to read
    lag: Mapping[TopicPartition, int]  # records behind the end of the topic
    loop_turn_age_seconds: float  # since the event loop last came round
    producer_stall_seconds: float  # how long the oldest record waits for its delivery; 0 = fine


class Observer(Protocol):
    """Where the engine reports what happens; called on the event loop, must not block or raise."""

    def batch_done(self, stage: str, partition: int, records: int, seconds: float) -> None:
        """A batch stage handled a batch."""
        ...

    def record_done(self, stage: str, partition: int, seconds: float) -> None:
        """A lane stage finished a record, its outputs delivered."""
        ...

    def checkpoint_done(self, stage: str, partition: int, records: int, seconds: float) -> None:
        """Offsets are committed and rows are on disk."""
        ...

    def in_flight(self, stage: str, partition: int, records: int) -> None:
        """So many records of a lane stage are begun and not finished."""
        ...

    def recovered(self, table: str, partition: int, records: int, seconds: float) -> None:
        """A table partition is as it was committed."""
        ...

    def corrected(self, table: str, partition: int, rows: int) -> None:
        """Uncommitted or strangers' changelog records were overruled."""
        ...

    def rebalanced(self, assigned: int) -> None:
        """The group gave this worker so many partitions."""
        ...

    def halted(self, reason: str) -> None:
        """The worker stops."""
        ...


class SilentObserver:
    """An observer that looks away; a base for those that care about some events only."""

    def batch_done(self, stage: str, partition: int, records: int, seconds: float) -> None: ...

    def record_done(self, stage: str, partition: int, seconds: float) -> None: ...

    def checkpoint_done(self, stage: str, partition: int, records: int, seconds: float) -> None: ...

    def in_flight(self, stage: str, partition: int, records: int) -> None: ...

    def recovered(self, table: str, partition: int, records: int, seconds: float) -> None: ...

    def corrected(self, table: str, partition: int, rows: int) -> None: ...

    def rebalanced(self, assigned: int) -> None: ...

    def halted(self, reason: str) -> None: ...


@dataclass(slots=True)
class StatusBoard:
    """What the parts of the engine write down as it happens; plain values, replaced whole."""

    phase: str = "starting"
    waiting_for: str = ""
    halted: str | None = None
    assigned: frozenset[TopicPartition] = frozenset()
    recovering: dict[str, int] = field(default_factory=dict)
    lag: Mapping[TopicPartition, int] = field(default_factory=dict)
    loop_turn_at: float = 0.0
