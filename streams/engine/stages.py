"""The two kinds of stage, and what the engine knows of one."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from streams.engine.records import Outgoing, Record, Rows


class BatchStage(Protocol):
    """A function of a batch: records of one partition and its rows in, records out.

    ``handle`` runs on the event loop, so it does no I/O and does not sleep. It must give the same
    result for a batch of n as for n batches of one, but for messages that a later record of the
    batch repeats: all of them go out in one checkpoint. An exception halts the worker: what is
    wrong with one record alone has to be dealt with inside.
    """

    def handle(self, batch: Sequence[Record], rows: Rows) -> Sequence[Outgoing]:
        """Handle records of one partition number, in order per topic."""
        ...


class LaneStage(Protocol):
    """A stage that waits for somebody else: one record at a time per key, many keys at once.

    ``handle`` may take as long as it needs. It is cancelled when the partition is taken away; then
    nothing that it put or would have returned becomes visible, and the record comes again.
    """

    def key(self, record: Record) -> str:
        """Name the lane of a record; records of one lane are handled one after the other."""
        ...

    async def handle(self, record: Record, rows: Rows) -> Sequence[Outgoing]:
        """Handle one record. May be called again for a record that was handled before."""
        ...


@dataclass(frozen=True, slots=True)
class StageEntry:
    """A stage as it was registered. ``max_in_flight`` is None for a batch stage."""

    name: str
    topics: tuple[str, ...]
    tables: tuple[str, ...]
    stage: BatchStage | LaneStage
    max_in_flight: int | None
    help: str

    @property
    def waits(self) -> bool:
        """True for a lane stage."""
        return self.max_in_flight is not None


def help_of(stage: object, given: str) -> str:
    """Return what people read about a stage: the text given, else its class's docstring."""
    return given or inspect.getdoc(type(stage)) or ""


def forget(stage: object, partition: int) -> None:
    """Tell a stage that a partition is gone, if it wants to know (``forget(partition)``)."""
    hook = getattr(stage, "forget", None)
    if hook is not None:
        hook(partition)


def check_new(entry: StageEntry, others: Iterable[StageEntry]) -> None:
    """Raise ValueError for a name or topic that another stage has."""
    for other in others:
        if other.name == entry.name:
            raise ValueError(f"There is a stage {entry.name!r} already")
        shared = set(other.topics) & set(entry.topics)
        if shared:
            raise ValueError(
                f"{', '.join(sorted(shared))} is read by the stage {other.name!r} already: "
                "a group has one committed offset per partition"
            )
