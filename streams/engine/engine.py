"""The engine: stages are registered here, and a Faust app comes out that runs them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import faust
from faust.types import StreamT

from streams.engine.app import Batch, EngineApp
from streams.engine.errors import Halted, NotHere
from streams.engine.partitioning import partition_of
from streams.engine.partitions import Partitions
from streams.engine.progress import Progress
from streams.engine.publisher import EngineProducer
from streams.engine.records import Outgoing, TopicPartition
from streams.engine.recovery import ChangelogConsumer
from streams.engine.settings import EngineSettings, TopicSpec
from streams.engine.stages import BatchStage, LaneStage, StageEntry, check_new, help_of
from streams.engine.status import EngineStatus, Observer, SilentObserver, StatusBoard
from streams.engine.topics import changelog_specs, check_changelogs, create_missing
from streams.engine.units import Inbox
from streams.engine.waiting import whole
from streams.errors import DovetailError
from tables.registry import TableRegistry, changelog_topic

log = logging.getLogger(__name__)

#: Called once when the worker halts, with the reason and what raised.
OnHalt = Callable[[str, BaseException | None], None]

_TICK_SECONDS = 0.25


class Engine:
    """Runs batch and lane stages inside a Faust app.

    Register topics and stages first, then run ``app``: ``async with engine.app``, ``await
    engine.run()``, or Faust's worker (``engine.worker()``).
    """

    def __init__(
        self,
        settings: EngineSettings,
        *,
        observer: Observer | None = None,
        on_halt: OnHalt | None = None,
    ) -> None:
        self.settings = settings
        self.observer: Observer = observer or SilentObserver()
        self.board = StatusBoard()
        self.tables = TableRegistry()
        self.app = EngineApp(self, settings)
        self.ready = asyncio.Event()
        self.partitions = Partitions(self)
        self.reader = ChangelogConsumer(settings, self.waiting_for)
        self._on_halt = on_halt
        self._stages: dict[str, StageEntry] = {}
        self._topics: dict[str, TopicSpec] = {}
        self._inboxes: dict[str, Inbox] = {}
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._finished = asyncio.Event()
        self._counts: dict[str, int] = {}
        self._progress = Progress(time.monotonic)

    @property
    def stages(self) -> Sequence[StageEntry]:
        """All stages, in order of registration."""
        return list(self._stages.values())

    def declare(self, topic: TopicSpec) -> None:
        """Have a topic created at the start when it is missing."""
        self._topics[topic.name] = topic

    def batch_stage(
        self,
        *,
        name: str,
        topics: Iterable[str],
        stage: BatchStage,
        tables: Iterable[str] = (),
        help: str = "",
    ) -> None:
        """Register a function of a batch; it is the only writer of ``tables``.

        Raises ValueError for a name, topic or table that another stage has.
        """
        self._add(StageEntry(name, tuple(topics), tuple(tables), stage, None, help_of(stage, help)))

    def lane_stage(
        self,
        *,
        name: str,
        topics: Iterable[str],
        stage: LaneStage,
        tables: Iterable[str] = (),
        max_in_flight: int = 64,
        help: str = "",
    ) -> None:
        """Register a stage that waits; at most ``max_in_flight`` calls at once on this worker.

        Raises ValueError for a name, topic or table that another stage has.
        """
        text = help_of(stage, help)
        self._slots[name] = asyncio.Semaphore(max_in_flight)
        self._add(StageEntry(name, tuple(topics), tuple(tables), stage, max_in_flight, text))

    def status(self) -> EngineStatus:
        """Return how things are; safe from any thread, never blocks."""
        board = self.board
        producer = self.app._producer
        stall = producer.stall_seconds() if isinstance(producer, EngineProducer) else 0.0
        waiting_for = board.waiting_for
        if stall > self.settings.stall_notice_seconds:
            waiting_for = waiting_for or f"the brokers to confirm records, for {stall:.0f} s"
        return EngineStatus(
            phase="halted" if board.halted is not None else board.phase,
            waiting_for=waiting_for,
            ready=board.phase == "running" and board.halted is None,
            halted=board.halted,
            assigned=board.assigned,
            recovering=board.recovering,
            lag=board.lag,
            loop_turn_age_seconds=time.monotonic() - board.loop_turn_at,
            producer_stall_seconds=stall,
        )

    def read(self, table: str, key: str) -> bytes | None:
        """Return a committed row; raises NotHere when another worker has it or nobody works on it
        yet, KeyError for a table that no stage declared."""
        place = self._places(table, key)[0]
        store = self.partitions.store(place.partition)
        if store is None or not self._counts:
            raise NotHere(table, key, place.partition)
        return store.get(table, key)

    def address_of(self, table: str, key: str) -> str | None:
        """Return the address of the worker that has a key of a table; None while partitions move,
        raises KeyError."""
        assignor = self.app.assignor
        return assignor.address_of(self._places(table, key)[0]) if self._counts else None

    def behind_seconds(self, table: str, key: str) -> float:
        """Return since when the stage that writes a key's row has had something left to do."""
        return self._progress.behind_seconds(self._places(table, key))

    def _places(self, table: str, key: str) -> list[TopicPartition]:
        """The partitions in which a key's records come to the stage that writes the table."""
        topics = self._stages[self.tables.owner(table)].topics
        partition = partition_of(key.encode(), self._counts.get(topics[0], 1))
        return [TopicPartition(topic, partition) for topic in topics]

    def held(self, table: str) -> Sequence[int]:
        """Return the partitions of a table that work on this worker; raises KeyError."""
        owner = self.tables.owner(table)
        return sorted(u.partition for u in self.partitions.units if u.entry.name == owner)

    def scan(
        self, table: str, partition: int, *, after: str = "", limit: int = 1000
    ) -> list[tuple[str, bytes]]:
        """Return committed rows of one partition in key order, those after the key ``after``.

        Nothing when another worker has the partition.
        """
        store = self.partitions.store(partition)
        return store.scan(table, after=after, limit=limit) if store is not None else []

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Produce records and wait for their delivery, as a stage's outputs are."""
        await self.app.producer.publish(records)

    async def run(self) -> None:
        """Run until ``stop`` is called; raises Halted, or what else brings Faust's services down.

        However often it is cancelled, it ends what it began."""
        starting = asyncio.create_task(self.app.start())
        over = asyncio.create_task(self.app.wait_for_stopped(self._finished.wait()))
        try:
            await asyncio.wait({starting, over}, return_when=asyncio.FIRST_COMPLETED)
            if not over.done():  # a stop does not wait for the start: brokers may be down
                starting.result()
                await over
        except Exception:
            if self.board.halted is None:  # what halted us is told below, with the reason
                raise
        finally:
            await whole(self._end(starting, over))
        if self.board.halted is not None:
            raise Halted(self.board.halted)
        if self.app.crash_reason is not None:
            raise self.app.crash_reason

    async def _end(self, *tasks: asyncio.Task[Any]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.app.stop()

    def stop(self) -> None:
        """Let ``run`` return: work at hand is finished or abandoned, the group is left."""
        self._finished.set()

    def worker(self, **options: Any) -> faust.Worker:
        """Return a Faust worker for ``app``; a halt crashes it, so that the process fails.

        Quiet and at level INFO: above it Faust keeps its terminal spinner, which sets the root
        logger to DEBUG and costs a tenth of the time (reference/stream-engines.md 2.3).
        """
        quiet: dict[str, Any] = {"loglevel": "INFO", "quiet": True, "redirect_stdouts": False}
        self._on_halt = self._on_halt or self._crash_app
        return faust.Worker(self.app, **(quiet | options))

    async def until_ready(self, timeout_seconds: float = 60.0) -> None:
        """Wait until partitions are assigned and recovered; raises Halted or TimeoutError."""
        await asyncio.wait_for(self.ready.wait(), timeout_seconds)
        if self.board.halted is not None:
            raise Halted(self.board.halted)

    def halt(self, reason: str, error: BaseException | None = None) -> None:
        """Stop this worker loudly: nothing unfinished is committed."""
        if self.board.halted is not None:
            return
        self.board.halted = reason
        self.board.phase = "halted"
        # What a person can put right needs no trace.
        trace = None if isinstance(error, DovetailError) else error
        log.critical("Halted. %s", reason, exc_info=trace)
        self.partitions.abandon()
        self.observer.halted(reason)
        self.ready.set()
        self._finished.set()
        if self._on_halt is not None:
            self._on_halt(reason, error)

    def _crash_app(self, reason: str, error: BaseException | None) -> None:
        self.app.loop.create_task(self.app.crash(Halted(reason)))

    def waiting_for(self, what: str) -> None:
        """Note what the engine waits for; empty when it goes on."""
        self.board.waiting_for = what

    def became_ready(self) -> None:
        """Note that all partitions work."""
        self.app.on_rebalance_end()
        self.ready.set()

    def inbox(self, stage: str) -> Inbox:
        """Return the queue that a stage's agent reads."""
        return self._inboxes.setdefault(stage, Inbox())

    def slots(self, stage: str) -> asyncio.Semaphore:
        """Return what bounds a lane stage's calls."""
        return self._slots[stage]

    def changelog(self, table: str) -> str:
        """Name a table's changelog topic."""
        return changelog_topic(self.settings.app_id, table)

    async def prepare(self) -> None:
        """Create what is missing and check partition counts, before the group is joined."""
        self.board.phase = "joining"
        try:
            counts = await create_missing(self._topics.values(), self.settings, self.waiting_for)
            specs = changelog_specs(self.settings.app_id, self.stages, counts, self.settings)
            counts |= await create_missing(specs, self.settings, self.waiting_for)
            check_changelogs(specs, counts)
            self._counts = counts
        except Exception as error:
            self.halt(f"Topics cannot be prepared: {error}", error)
            raise

    def _add(self, entry: StageEntry) -> None:
        check_new(entry, self.stages)
        self.tables.register(entry.name, entry.tables)
        self._stages[entry.name] = entry
        self._register_agent(entry)

    def _register_agent(self, entry: StageEntry) -> None:
        async def agent(batches: StreamT[Batch]) -> None:
            async for batch in batches:
                batch.run()

        agent.__name__ = agent.__qualname__ = entry.name.replace("-", "_")
        agent.__doc__ = entry.help
        topics = self.app.topic(*entry.topics, key_type=bytes, value_type=bytes)
        self.app.agent(topics, name=entry.name)(agent)

    async def keep_status(self) -> None:
        """Note every quarter of a second that the event loop turns, and the lag."""
        while True:
            self.board.loop_turn_at = time.monotonic()
            end = self.app.consumer.highwater_or_none
            self.board.lag = self._progress.look(self.partitions.units, end)
            await asyncio.sleep(_TICK_SECONDS)
