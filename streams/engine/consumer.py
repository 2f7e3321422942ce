"""Faust's consumer, with our drain, commit and revoke in it.

The event loop asks the consumer thread for records when it has room for them, which is all the flow
control there is: a partition without room is not asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver

from streams.engine.errors import ConsumerGone
from streams.engine.fetching import EngineFetcher
from streams.engine.host import Fetched, HostedApp
from streams.engine.membership import EngineConsumerThread
from streams.engine.publisher import EngineProducer
from streams.engine.records import TopicPartition


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
                    await self._thread.ask(self._thread.commit_fenced(commit.offsets, generation))
                except asyncio.CancelledError:
                    commit.done.cancel()
                    raise
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
        return await self._thread.ask(self._thread.fetch(places, wait_seconds, max_records))

    async def touch(self) -> None:
        """Tell aiokafka that we are alive although there is nothing to ask for."""
        await self._thread.ask(self._thread.touch())

    async def interrupt(self) -> None:
        """End a fetch that is waiting for records; there is none once the thread ended."""
        with contextlib.suppress(ConsumerGone):
            await self._thread.ask(self._thread.interrupt())

    async def committed(
        self, places: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """Return what the group committed for these places, with its metadata."""
        return await self._thread.ask(self._thread.committed(places))

    async def positions(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where reading goes on."""
        return await self._thread.ask(self._thread.positions(places))

    def highwater_or_none(self, place: TopicPartition) -> int | None:
        """Return the end of a topic partition as last fetched, None when it is not ours."""
        consumer = self._thread._consumer
        subscription = None if consumer is None else consumer._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        if assignment is None or place not in assignment.tps:
            return None
        end: int | None = assignment.state_value(place).highwater
        return end

    async def on_stop(self) -> None:
        """Finish or abandon what is being worked on, and send no commit any more."""
        try:
            await super().on_stop()
        except Exception as error:  # must not leave the thread behind
            self.app.engine.halt(f"Stopping failed: {error!r}", error)
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)


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
