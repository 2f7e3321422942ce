"""What the parts that run inside Faust see of the engine and of its app, without importing them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

import faust
from aiokafka import OffsetAndMetadata

from streams.engine.addresses import EngineAssignor
from streams.engine.checkpoint import Committer, Publisher
from streams.engine.records import TopicPartition
from streams.engine.recovery import ChangelogConsumer
from streams.engine.settings import EngineSettings
from streams.engine.stages import StageEntry
from streams.engine.status import Observer, StatusBoard
from streams.engine.units import Inbox

Fetched = Mapping[TopicPartition, list[Any]]


class Assignment(Protocol):
    """The partitions of this worker: ``partitions.Partitions``. ``epoch`` changes when they do."""

    epoch: int
    room: asyncio.Event

    def with_room(self) -> frozenset[TopicPartition]:
        """Return the places to fetch from."""
        ...

    def some_without_room(self) -> bool:
        """True when a place is assigned and cannot take records at the moment."""
        ...

    def deliver(self, fetched: Fetched) -> None:
        """Hand fetched records to their units."""
        ...

    def begin(self, assigned: frozenset[TopicPartition], generation: int) -> None:
        """Start on the partitions of a new generation, in the background."""
        ...

    def stop_reading(self) -> None:
        """Fetch nothing more, and deliver nothing of what is being fetched now."""
        ...

    async def wind_down(self) -> None:
        """Finish or abandon all work within the budget."""
        ...

    async def close(self) -> None:
        """Wind down and close the stores."""
        ...


class Member(Committer, Protocol):
    """The group's member: ``consumer.EngineConsumer``."""

    @property
    def should_stop(self) -> bool:
        """True when the app stops, or crashed."""
        ...

    async def fetch(
        self, places: frozenset[TopicPartition], wait_seconds: float, max_records: int
    ) -> Fetched:
        """Return what has arrived for ``places``, waiting for the first record."""
        ...

    async def touch(self) -> None:
        """Tell aiokafka that we are alive although there is nothing to ask for."""
        ...

    async def interrupt(self) -> None:
        """End a fetch that is waiting for records."""
        ...

    async def committed(
        self, places: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """Return what the group committed for these places, with its metadata."""
        ...

    async def positions(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where reading goes on."""
        ...


class Host(Protocol):
    """The engine: ``engine.Engine``."""

    settings: EngineSettings
    board: StatusBoard
    observer: Observer
    ready: asyncio.Event
    reader: ChangelogConsumer

    @property
    def app(self) -> HostedApp:
        """The Faust app of this engine."""
        ...

    @property
    def partitions(self) -> Assignment:
        """The partitions of this worker."""
        ...

    @property
    def stages(self) -> Sequence[StageEntry]:
        """All stages, in order of registration."""
        ...

    def inbox(self, stage: str) -> Inbox:
        """Return the queue that a stage's agent reads."""
        ...

    def slots(self, stage: str) -> asyncio.Semaphore:
        """Return what bounds a lane stage's calls."""
        ...

    def changelog(self, table: str) -> str:
        """Name a table's changelog topic."""
        ...

    async def prepare(self) -> None:
        """Create what is missing and check partition counts, before the group is joined."""
        ...

    def waiting_for(self, what: str) -> None:
        """Note what the engine waits for; empty when it goes on."""
        ...

    def became_ready(self) -> None:
        """Note that all partitions work."""
        ...

    async def keep_status(self) -> None:
        """Note now and then that the event loop turns, and the lag; never returns."""
        ...

    def halt(self, reason: str, error: BaseException | None = None) -> None:
        """Stop this worker loudly: nothing unfinished is committed."""
        ...


class HostedApp(faust.App):
    """The Faust app of an engine, as its services know it: ``app.EngineApp``."""

    engine: Host
    assignor: EngineAssignor

    @property
    def member(self) -> Member:
        """Faust's consumer."""
        return cast(Member, self.consumer)

    @property
    def publisher(self) -> Publisher:
        """Faust's producer."""
        return cast(Publisher, self.producer)
