"""Faust's consumer, with our drain, commit and revoke in it.

The aiokafka consumer lives in Faust's consumer thread, so heartbeats go on while a stage computes.
The event loop asks the thread for records when it has room for them, which is all the flow control
there is: a partition without room is not asked for.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, OffsetAndMetadata
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import (
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from faust.transport.drivers import aiokafka as driver

from streams.engine.clients import connection_options, passes
from streams.engine.errors import ConsumerGone, Fenced
from streams.engine.fetching import EngineFetcher
from streams.engine.host import Fetched, HostedApp
from streams.engine.publisher import EngineProducer
from streams.engine.records import TopicPartition

log = logging.getLogger(__name__)
T = TypeVar("T")

#: How soon a topic that was made after the start is noticed.
_METADATA_SECONDS = 30
#: How soon a wait notices that the consumer thread ended.
_THREAD_LOOK_SECONDS = 1.0
_MOVED_ON = (UnknownMemberIdError, IllegalGenerationError, RebalanceInProgressError)


class EngineConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns the group membership."""

    app: HostedApp
    _fetching: asyncio.Future[Any] | None = None

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        settings = self.app.engine.settings
        self._assignor = self.app.assignor
        return AIOKafkaConsumer(
            **connection_options(settings),
            group_id=settings.app_id,
            group_instance_id=settings.instance_id,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_interval_ms=int(settings.max_poll_interval_seconds * 1000),
            max_partition_fetch_bytes=settings.fetch_max_partition_bytes,
            fetch_max_wait_ms=settings.fetch_wait_ms,
            request_timeout_ms=int(settings.request_timeout_seconds * 1000),
            session_timeout_ms=int(settings.session_timeout_seconds * 1000),
            rebalance_timeout_ms=int(settings.rebalance_timeout_seconds * 1000),
            heartbeat_interval_ms=int(settings.heartbeat_interval_seconds * 1000),
            isolation_level="read_committed",
            metadata_max_age_ms=_METADATA_SECONDS * 1000,
        )

    async def on_start(self) -> None:
        """Connect, however long that takes (the producer connected before, so rarely long)."""
        settings = self.app.engine.settings
        pause = settings.retry_backoff_seconds
        self.time_started = time.monotonic()
        while True:
            consumer = self._create_consumer(loop=self.thread_loop)
            try:
                await consumer.start()
            except (KafkaError, OSError) as error:
                await consumer.stop()
                if isinstance(error, KafkaError) and not passes(error):
                    raise
                log.warning("Waiting for the brokers: %r; next try in %.1f s", error, pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, settings.retry_backoff_max_seconds)
            else:
                self._consumer = consumer
                return

    async def fetch(
        self, places: frozenset[TopicPartition], wait_seconds: float, max_records: int
    ) -> Fetched:
        """Return what has arrived for ``places``, waiting for the first record."""
        fetcher = self._ensure_consumer()._fetcher
        with fetcher._subscriptions.fetch_context():
            self._fetching = asyncio.ensure_future(
                fetcher.fetched_records(places, timeout=wait_seconds, max_records=max_records)
            )
            try:
                await asyncio.wait({self._fetching})
            finally:
                self._fetching.cancel()
        if self._fetching.cancelled():
            return {}
        records: Fetched = self._fetching.result()
        return records

    async def interrupt(self) -> None:
        """End a fetch that is waiting. It would outlive a rebalance and take the first records
        of the new assignment, which nobody would see."""
        if self._fetching is not None and not self._fetching.done():
            self._fetching.cancel()
            await asyncio.wait({self._fetching})

    async def touch(self) -> None:
        """Tell aiokafka that we are alive although there is nothing to ask for."""
        with self._ensure_consumer()._fetcher._subscriptions.fetch_context():
            await asyncio.sleep(0)

    async def commit_fenced(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata], generation: int
    ) -> None:
        """Commit for one generation; raises Fenced when it is over, also before asking.

        ``AIOKafkaConsumer.commit`` would use the generation of the moment: after this worker was
        thrown out and came back, that of a group in which somebody else did the work.
        """
        coordinator = self._ensure_consumer()._coordinator
        while True:
            await coordinator.ensure_coordinator_known()
            try:
                async with coordinator._commit_lock:
                    if coordinator.generation != generation:
                        raise Fenced(f"generation {generation} is over ({coordinator.generation})")
                    await asyncio.shield(coordinator._do_commit_offsets(None, offsets))
                return
            except _MOVED_ON as error:
                raise Fenced(f"generation {generation} is over: {error!r}") from error
            except KafkaError as error:
                if not passes(error):
                    raise
                log.warning("Commit not answered, trying again: %r", error)
                await asyncio.sleep(0.1)

    async def committed(
        self, places: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """Return what the group committed; places that it never committed are missing."""
        coordinator = self._ensure_consumer()._coordinator
        found: Mapping[TopicPartition, OffsetAndMetadata]
        found = await coordinator.fetch_committed_offsets(list(places))
        return found

    async def positions(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where reading goes on: at the committed offset, else at the first record."""
        consumer = self._ensure_consumer()
        return {place: await consumer.position(KafkaPartition(*place)) for place in places}


class EngineConsumer(driver.Consumer):
    """Faust's consumer service; the conductor, acks and the commit handler of Faust stay unused.

    Implements ``checkpoint.Committer``. Commits of several partitions that come together share a
    request.
    """

    app: HostedApp
    _thread: EngineConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._queued: dict[int, _Commit] = {}
        self._sending: asyncio.Task[None] | None = None

    def _new_consumer_thread(self) -> EngineConsumerThread:
        return EngineConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Do nothing: Faust's livelock detector knows Faust's acks only (reference 1.10)."""

    async def commit(self, *args: Any, **kwargs: Any) -> bool:
        """Do nothing: Faust's own commit knows of no offsets here."""
        return False

    async def wait_empty(self) -> None:
        """Finish or abandon what is being worked on; Faust calls this on revoke and on stop."""
        await self.app.engine.partitions.wind_down()

    async def commit_offsets(
        self, offsets: Mapping[TopicPartition, int], metadata: str, generation: int
    ) -> None:
        """Commit for one generation; raises Fenced when the group has moved on."""
        commit = self._queued.setdefault(generation, _Commit())
        commit.offsets.update(
            {place: OffsetAndMetadata(offset, metadata) for place, offset in offsets.items()}
        )
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_commits())
        await asyncio.shield(commit.done)

    async def _send_commits(self) -> None:
        try:
            while self._queued:
                generation, commit = self._queued.popitem()
                try:
                    await self.in_thread(self._thread.commit_fenced(commit.offsets, generation))
                except Exception as error:
                    commit.fail(error)
                else:
                    commit.done.set_result(None)
        finally:
            self._sending = None

    async def fetch(
        self, places: frozenset[TopicPartition], wait_seconds: float, max_records: int
    ) -> Fetched:
        """Return what has arrived for ``places``, waiting for the first record."""
        return await self.in_thread(self._thread.fetch(places, wait_seconds, max_records))

    async def touch(self) -> None:
        """Tell aiokafka that we are alive although there is nothing to ask for."""
        await self.in_thread(self._thread.touch())

    async def interrupt(self) -> None:
        """End a fetch that is waiting for records; there is none once the thread ended."""
        if self._thread.thread_loop.is_running():
            await self.in_thread(self._thread.interrupt())

    async def committed(
        self, places: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """Return what the group committed for these places, with its metadata."""
        return await self.in_thread(self._thread.committed(places))

    async def positions(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where reading goes on."""
        return await self.in_thread(self._thread.positions(places))

    def highwater_or_none(self, place: TopicPartition) -> int | None:
        """Return the end of a topic partition as last fetched, None when it is not ours."""
        consumer = self._thread._consumer
        if consumer is None or place not in consumer.assignment():
            return None
        end: int | None = consumer.highwater(KafkaPartition(*place))
        return end

    async def in_thread(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the consumer thread and wait for it here.

        Raises ConsumerGone when the thread ends first: its loop would keep the work for ever.
        """
        if not self._thread.thread_loop.is_running():
            work.close()
            raise ConsumerGone("Kafka's consumer thread is not running")
        asked = asyncio.run_coroutine_threadsafe(work, self._thread.thread_loop)
        answer = asyncio.wrap_future(asked)
        try:
            while not (await asyncio.wait({answer}, timeout=_THREAD_LOOK_SECONDS))[0]:
                if not self._thread.thread_loop.is_running():
                    raise ConsumerGone("Kafka's consumer thread ended")
            if answer.cancelled():  # by the thread, as it ended: a wait of ours ends above
                raise ConsumerGone("Kafka's consumer thread gave up what it was asked for")
            return answer.result()
        finally:
            if self._thread.thread_loop.is_running():
                answer.cancel()


class _Commit:
    """Offsets that wait for the next request of their generation."""

    def __init__(self) -> None:
        self.offsets: dict[TopicPartition, OffsetAndMetadata] = {}
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.done.add_done_callback(lambda done: done.cancelled() or done.exception())

    def fail(self, error: Exception) -> None:
        self.done.set_exception(error)


class EngineTransport(driver.Transport):
    """Faust's Kafka transport with the engine's consumer and producer."""

    Consumer = EngineConsumer
    Producer = EngineProducer
    Fetcher = EngineFetcher
