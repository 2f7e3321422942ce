"""The producer: Faust's, made idempotent, patient, and honest about every delivery."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedForMessageFormatError,
)
from faust.transport.base import Producer as BaseProducer
from faust.transport.drivers import aiokafka as driver

from streams.engine.checkpoint import Deliveries
from streams.engine.clients import connection_options, patiently
from streams.engine.errors import Fenced, Undeliverable
from streams.engine.host import HostedApp
from streams.engine.partitioning import check_size, partition_of
from streams.engine.producers import discard, heed
from streams.engine.records import Outgoing, TopicPartition
from streams.engine.waiting import take_exception

log = logging.getLogger(__name__)

#: Up to so many records of a topic partition are sent one by one, so that they share a batch with
#: other partitions' records; more are packed here, which costs a third per record.
_FEW = 8

_FOR_GOOD = (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnsupportedForMessageFormatError,
)


class EngineProducer(driver.Producer):
    """Implements ``checkpoint.Publisher`` as Faust's producer service of the app.

    aiokafka's idempotent producer never gives a batch up: it repeats until the broker answers.
    Where it does fail for a reason that can pass (it lost its sequence, its leader stayed away),
    a new one takes its place and what was not confirmed is sent again, in order per partition.
    """

    app: HostedApp

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: dict[object, float] = {}
        self._turn = 0
        self._keyless = 0
        self._replacing = asyncio.Lock()
        self._closed = False

    def _new_producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        settings = self.app.engine.settings
        return AIOKafkaProducer(
            **connection_options(settings),
            enable_idempotence=True,
            acks="all",
            linger_ms=settings.linger_ms,
            max_batch_size=settings.max_batch_bytes,
            max_request_size=settings.max_record_bytes,
            compression_type=settings.compression,
            request_timeout_ms=int(settings.request_timeout_seconds * 1000),
        )

    async def on_start(self) -> None:
        """Connect, however long that takes."""
        await BaseProducer.on_start(self)
        self._producer = await self._connected()

    async def on_stop(self) -> None:
        """Close; what is not delivered by now was never committed."""
        self._closed = True
        producer, self._producer = self._producer, None
        if producer is not None:
            await discard(producer)

    async def flush(self) -> None:
        """Do nothing: whoever publishes waits for the delivery itself."""

    def stall_seconds(self) -> float:
        """Return how long the oldest unconfirmed record has been waiting; 0 when none is."""
        started = min(self._waiting.values(), default=None)
        return 0.0 if started is None else time.monotonic() - started

    async def publish(self, records: Sequence[Outgoing]) -> Deliveries:
        """Produce ``records``, in order per partition, and wait for every delivery.

        Raises Undeliverable when a record is too large or not allowed. A broker that does not
        answer is waited for without limit.
        """
        token = object()
        self._waiting[token] = time.monotonic()
        try:
            groups = await self._by_partition(records)
            places = list(groups)
            runs = await asyncio.gather(
                *(self._publish_run(place, groups[place]) for place in places)
            )
            return dict(zip(places, runs, strict=True))
        finally:
            del self._waiting[token]

    async def partitions(self, topic: str) -> int:
        """Return a topic's partition count; waits while there is no such topic."""

        async def ask() -> set[int]:
            producer = await self._current()
            known: set[int] = await producer.partitions_for(topic)
            return known

        cluster = (await self._current()).client.cluster
        known = cluster.partitions_for_topic(topic)
        if known is None:
            known = await patiently(
                ask,
                self.app.engine.settings,
                what=f"the topic {topic}",
                say=self.app.engine.waiting_for,
            )
        return len(known)

    async def _by_partition(
        self, records: Sequence[Outgoing]
    ) -> dict[TopicPartition, list[Outgoing]]:
        groups: dict[tuple[str, int], list[Outgoing]] = defaultdict(list)
        counts: dict[str, int] = {}
        limit = self.app.engine.settings.max_record_bytes
        for record in records:
            if len(record.value or b"") * 2 > limit or record.headers:
                check_size(record, limit)
            partition = record.partition
            if partition is None:
                if record.topic not in counts:
                    counts[record.topic] = await self.partitions(record.topic)
                partition = self._choose(record.key, counts[record.topic])
            groups[(record.topic, partition)].append(record)
        return {TopicPartition(*place): found for place, found in groups.items()}

    def _choose(self, key: bytes | None, partitions: int) -> int:
        if key is not None:
            return partition_of(key, partitions)
        self._keyless += 1
        return self._keyless % partitions

    async def _publish_run(
        self, place: TopicPartition, records: Sequence[Outgoing]
    ) -> list[tuple[int, int]]:
        pause = self.app.engine.settings.retry_backoff_seconds
        confirmed: list[tuple[int, int]] = []
        while True:
            turn = self._turn
            done = sum(count for _, count in confirmed)
            try:
                await self._send(place, records[done:], confirmed)
            except _FOR_GOOD as error:
                raise Undeliverable(f"{place} refuses our records for good: {error!r}") from error
            except (KafkaError, OSError) as error:
                log.warning("Not delivered to %s, trying again: %r", place, error)
                if not isinstance(error, (KafkaTimeoutError, UnknownTopicOrPartitionError)):
                    await self._replace(turn)
                await asyncio.sleep(pause)
                pause = min(pause * 2, self.app.engine.settings.retry_backoff_max_seconds)
            else:
                return confirmed

    async def _send(
        self,
        place: TopicPartition,
        records: Sequence[Outgoing],
        confirmed: list[tuple[int, int]],
    ) -> None:
        producer = await self._current()
        await heed(producer, place.topic)
        send = self._send_few if len(records) <= _FEW else self._send_packed
        futures: list[tuple[asyncio.Future[Any], int]] = []
        try:
            await send(producer, place, records, futures)
            for future, count in futures:
                # shielded: aiokafka's own is a shield too, which once cancelled hides a failure
                metadata = await asyncio.shield(future)
                confirmed.append((metadata.offset, count))
        finally:
            for future, _ in futures:
                future.add_done_callback(take_exception)

    async def _send_few(
        self,
        producer: AIOKafkaProducer,
        place: TopicPartition,
        records: Sequence[Outgoing],
        futures: list[tuple[asyncio.Future[Any], int]],
    ) -> None:
        for record in records:
            future = await producer.send(
                place.topic,
                record.value,
                key=record.key,
                partition=place.partition,
                headers=list(record.headers),
            )
            futures.append((future, 1))

    async def _send_packed(
        self,
        producer: AIOKafkaProducer,
        place: TopicPartition,
        records: Sequence[Outgoing],
        futures: list[tuple[asyncio.Future[Any], int]],
    ) -> None:
        batch = producer.create_batch()
        for record in records:
            fields = {"key": record.key, "value": record.value, "headers": list(record.headers)}
            if batch.append(timestamp=None, **fields) is None:
                futures.append(await self._send_batch(producer, batch, place))
                batch = producer.create_batch()
                batch.append(timestamp=None, **fields)
        futures.append(await self._send_batch(producer, batch, place))

    async def _send_batch(
        self, producer: AIOKafkaProducer, batch: Any, place: TopicPartition
    ) -> tuple[asyncio.Future[Any], int]:
        count = batch.record_count()
        batch.close()
        return await producer.send_batch(batch, place.topic, partition=place.partition), count

    async def _current(self) -> AIOKafkaProducer:
        """Return the producer in use, waiting while it is being replaced."""
        async with self._replacing:
            if self._producer is None:
                raise Fenced("the producer is closed")
            return self._producer

    async def _replace(self, turn: int) -> None:
        """Put a new producer in place of the one of ``turn``, unless somebody did already."""
        async with self._replacing:
            if self._turn != turn or self._closed:
                return
            old, self._producer = self._producer, None
            if old is not None:
                await discard(old)
            fresh = await self._connected()
            if self._closed:  # meanwhile
                await discard(fresh)
                return
            self._producer = fresh
            self._turn += 1

    async def _connected(self) -> AIOKafkaProducer:
        async def attempt() -> AIOKafkaProducer:
            producer = self._new_producer()
            try:
                await producer.start()
            except BaseException:
                await discard(producer)
                raise
            return producer

        engine = self.app.engine
        return await patiently(attempt, engine.settings, what="the brokers", say=engine.waiting_for)
