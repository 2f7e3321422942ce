"""What the two kinds of work on a partition have in common, and the queue that agents read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from streams.engine.checkpoint import Checkpointer
from streams.engine.overlay import Readable
from streams.engine.records import Record, TopicPartition
from streams.engine.settings import EngineSettings
from streams.engine.stages import StageEntry
from streams.engine.status import Observer


@dataclass(frozen=True, slots=True)
class UnitContext:
    """What a unit needs from the outside.

    ``fail(reason, error)`` halts the worker; ``fenced()`` says that the group moved on.
    """

    entry: StageEntry
    partition: int
    checkpointer: Checkpointer
    below: Readable
    settings: EngineSettings
    observer: Observer
    inbox: Inbox
    room: asyncio.Event
    fail: Callable[[str, BaseException], None]


class Unit(Protocol):
    """One stage on one partition number, from assignment to revoke."""

    entry: StageEntry
    partition: int
    offsets: dict[TopicPartition, int]  # next to commit, per source partition

    def offer(self, place: TopicPartition, records: Iterable[Any]) -> None:
        """Take fetched records (aiokafka's) of one of its places."""
        ...

    def has_room(self) -> bool:
        """False while no more records should be fetched for it."""
        ...

    def take(self) -> Runnable | None:
        """Return the next batch for the agent, None when there is nothing to do now."""
        ...

    async def wind_down(self, deadline: float) -> None:
        """Finish what is begun, or abandon it when the loop's time reaches ``deadline``."""
        ...

    def abandon(self) -> None:
        """Drop everything at once: the group moved on or the worker halts."""
        ...


class Runnable(Protocol):
    """A batch as an agent sees it."""

    def run(self) -> None:
        """Hand the records to the stage; checkpoints follow in the background."""
        ...


class Inbox:
    """Units of one stage that have something for its agent, in order of arrival."""

    def __init__(self) -> None:
        self._units: deque[Unit] = deque()
        self._queued: set[int] = set()
        self._filled = asyncio.Event()

    def put(self, unit: Unit) -> None:
        """Queue a unit, once."""
        if id(unit) not in self._queued:
            self._queued.add(id(unit))
            self._units.append(unit)
            self._filled.set()

    async def next_batch(self) -> Runnable:
        """Wait for a batch; units take turns."""
        while True:
            await asyncio.sleep(0)
            while self._units:
                unit = self._units.popleft()
                self._queued.discard(id(unit))
                batch = unit.take()
                if batch is not None:
                    return batch
            self._filled.clear()
            await self._filled.wait()

    def clear(self) -> None:
        """Forget everybody."""
        self._units.clear()
        self._queued.clear()


def to_record(raw: Any) -> Record:
    """Make our record of aiokafka's."""
    return Record(
        raw.topic,
        raw.partition,
        raw.offset,
        raw.timestamp,
        raw.key,
        raw.value,
        tuple(raw.headers),
    )


def new_records(
    offsets: Mapping[TopicPartition, int], place: TopicPartition, raws: Iterable[Any]
) -> list[Record]:
    """Convert the records that were not seen before (``offsets``: next expected per place)."""
    expected = offsets[place]
    return [to_record(raw) for raw in raws if raw.offset >= expected]
