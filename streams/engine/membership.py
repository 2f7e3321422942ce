"""The thread that owns the group membership, so that heartbeats go on while a stage computes.

Faust's and mode's own waits for ever in several places: for a thread that ended, for brokers that
are away while it begins or ends, for a rebalance that others hold up. This one ends when it is
told to, in whatever state it is, and whoever asks it for something is told when it has ended.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
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
from mode import Service
from mode.threads import QueueServiceThread, WorkerThread
from mode.utils.futures import maybe_async

from streams.engine.clients import connection_options, group_refusal, passes
from streams.engine.errors import ConsumerGone, Fenced
from streams.engine.host import Fetched, HostedApp
from streams.engine.records import TopicPartition
from streams.engine.waiting import let_go, take_exception

log = logging.getLogger(__name__)
T = TypeVar("T")

#: How soon a topic that was made after the start is noticed.
_METADATA_SECONDS = 30
#: How long a partition may be nobody's before we ask for the group to be divided anew.
_LEFT_OVER_SECONDS = 5.0
#: How soon a wait notices that the thread ended.
_LOOK_SECONDS = 1.0
#: How long its end may take, after everybody was let go, before it is left to itself.
_END_SECONDS = 10.0
_MOVED_ON = (UnknownMemberIdError, IllegalGenerationError, RebalanceInProgressError)


class _Thread(WorkerThread):
    """A thread that the end of the process does not wait for."""

    def __init__(self, service: Any, **options: Any) -> None:
        super().__init__(service, **options)
        self.daemon = True


class EngineConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns the group membership."""

    Worker = _Thread
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
        """Connect, however long that takes, unless the worker stops meanwhile."""
        self.time_started = time.monotonic()
        await self.wait(self._connect())

    async def _connect(self) -> None:
        settings = self.app.engine.settings
        pause = settings.retry_backoff_seconds
        while True:
            consumer = self._create_consumer(loop=self.thread_loop)
            try:
                await consumer.start()
            except BaseException as error:
                await let_go(consumer.stop(), consumer._client)
                if not isinstance(error, (KafkaError, OSError)):
                    raise
                if isinstance(error, KafkaError) and not passes(error):
                    raise
                log.warning("Waiting for the brokers: %r; next try in %.1f s", error, pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, settings.retry_backoff_max_seconds)
            else:
                self._consumer = consumer
                return

    async def stop(self) -> None:
        """End the thread and wait for that, without holding the event loop that it may need.

        mode's own does nothing when the thread has not come round to say that it began, and raises
        when it has ended by itself.
        """
        if self._thread is None:
            self.thread_loop.close()
            return
        self._stopped_set()
        deadline = time.monotonic() + _END_SECONDS
        while self._thread.is_alive():
            if time.monotonic() > deadline:
                log.error("Kafka's consumer thread does not end; it is left to itself")
                return
            await asyncio.sleep(0.01)

    def _stopped_set(self) -> None:
        try:
            self.thread_loop.call_soon_threadsafe(self._stopped.set)
        except RuntimeError:  # it ended by itself, and its loop is closed
            self._stopped.set()

    async def on_thread_stop(self) -> None:
        """Leave the group and hang up, within seconds, also when no broker answers."""
        await QueueServiceThread.on_thread_stop(self)
        if self._consumer is not None:
            await let_go(self._consumer.stop(), self._consumer._client)

    def close(self) -> None:
        """Do nothing. Faust closes aiokafka's consumer here, in the event loop of another thread,
        when the group rebalances while the worker stops."""

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call in the thread; mode's own queues it, and waits for ever when the thread ended."""

        async def call() -> Any:
            return await maybe_async(fun(*args, **kwargs))

        return await self.ask(call())

    async def ask(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in this thread and wait for it in the caller's.

        Raises ConsumerGone when the thread ends first: its loop would keep the work for ever.
        """
        if not self.thread_loop.is_running():
            work.close()
            raise ConsumerGone("Kafka's consumer thread is not running")
        answer = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.thread_loop))
        try:
            while not (await asyncio.wait({answer}, timeout=_LOOK_SECONDS))[0]:
                if not self.thread_loop.is_running():
                    raise ConsumerGone("Kafka's consumer thread ended")
            if answer.cancelled():  # by the thread, as it ended: a wait of ours ends above
                raise ConsumerGone("Kafka's consumer thread gave up what it was asked for")
            return answer.result()
        finally:
            if self.thread_loop.is_running():
                answer.cancel()
            elif inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
                work.close()  # the loop ended before it came to it

    async def fetch(
        self, places: frozenset[TopicPartition], wait_seconds: float, max_records: int
    ) -> Fetched:
        """Return what has arrived for ``places``, waiting for the first record.

        Raises what the coordinator has against this member, which aiokafka keeps until it is asked:
        it sends no heartbeat meanwhile.
        """
        consumer = self._ensure_consumer()
        consumer._coordinator.check_errors()
        fetcher = consumer._fetcher
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

    @Service.task
    async def _claim_what_nobody_has(self) -> None:
        """Have the group divided anew when a topic has partitions that nobody was given.

        aiokafka looks for those in the member that leads the group alone, and one with an instance
        id that comes back is given what it had, without being told that it leads (KIP-814).
        """
        left_over: frozenset[str] = frozenset()
        while not self.should_stop:
            await self.sleep(_LEFT_OVER_SECONDS)
            before, left_over = left_over, self._left_over()
            if left_over & before:
                names = ", ".join(sorted(left_over & before))
                log.warning("Nobody has some partitions of %s: dividing the group anew", names)
                self._ensure_consumer()._coordinator.request_rejoin()
                await self.sleep(_METADATA_SECONDS)

    @Service.task
    async def _tell_refusals(self) -> None:
        """Halt when the group refuses this member: aiokafka keeps that until somebody asks, and
        before the first partitions nobody does."""
        while not self.should_stop:
            await self.sleep(_LOOK_SECONDS)
            try:
                if self._consumer is not None:
                    self._consumer._coordinator.check_errors()
            except KafkaError as error:
                if passes(error):
                    log.warning("The group's coordinator answers: %r", error)
                else:
                    reason = group_refusal(error, self.app.engine.settings)
                    self.parent_loop.call_soon_threadsafe(self.app.engine.halt, reason)

    def _left_over(self) -> frozenset[str]:
        consumer = self._consumer
        if consumer is None:
            return frozenset()
        subscription = consumer._subscription.subscription
        if subscription is None or consumer._coordinator.need_rejoin(subscription):
            return frozenset()
        return self.app.assignor.left_over(consumer._client.cluster, subscription.topics)

    async def interrupt(self) -> None:
        """End a fetch that is waiting. It would outlive a rebalance and take the first records
        of the new assignment, which nobody would see."""
        if self._fetching is not None and not self._fetching.done():
            self._fetching.cancel()
            await asyncio.wait({self._fetching})

    async def touch(self) -> None:
        """Tell aiokafka that we are alive although there is nothing to ask for."""
        consumer = self._ensure_consumer()
        consumer._coordinator.check_errors()
        with consumer._fetcher._subscriptions.fetch_context():
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
                    sending = asyncio.ensure_future(coordinator._do_commit_offsets(None, offsets))
                    sending.add_done_callback(take_exception)
                    await asyncio.shield(sending)  # cancelled in between, nobody knew what holds
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
