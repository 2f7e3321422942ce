"""What the broker tests share: topics of their own, plain clients to look with, engines to run.

Assertions look at the broker through aiokafka, not at what the engine says of itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, OffsetAndMetadata
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.engine import Engine, EngineSettings, TopicSpec

Pair = tuple[str, str]


async def until(condition: Callable[[], Any], seconds: float = 60.0, what: str = "") -> None:
    """Wait for a condition (a function, or one that returns an awaitable)."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        await asyncio.sleep(0.02)


class Lab:
    """One test's corner of the broker."""

    def __init__(self, bootstrap: str, prefix: str, directory: Path) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.directory = directory
        self.app_id = f"{prefix}app"

    def topic(self, name: str) -> str:
        """A topic name of this test's own."""
        return self.prefix + name

    def changelog(self, table: str) -> str:
        """The changelog of a table."""
        return f"{self.app_id}-{table}-changelog"

    def settings(self, worker: str = "one", **changes: Any) -> EngineSettings:
        """Settings for a single broker, with a data directory per worker."""
        defaults: dict[str, Any] = {
            "app_id": self.app_id,
            "bootstrap": (self.bootstrap,),
            "data_directory": self.directory / worker,
            "topic_replication_factor": 1,
            "min_insync_replicas": 1,
            "session_timeout_seconds": 20.0,
            "heartbeat_interval_seconds": 0.5,
            "revoke_budget_seconds": 2.0,
            "stall_notice_seconds": 0.5,
            "retry_backoff_seconds": 0.1,
            "retry_backoff_max_seconds": 0.5,
        }
        return EngineSettings(**(defaults | changes))

    def engine(
        self, *topics: str, partitions: int = 2, worker: str = "one", **changes: Any
    ) -> Engine:
        """An engine that makes ``topics`` (short names); a halt only shows in its status."""
        engine = Engine(self.settings(worker, **changes), on_halt=lambda reason, error: None)
        for name in topics:
            engine.declare(TopicSpec(self.topic(name), partitions))
        return engine

    async def produce(
        self, topic: str, pairs: Iterable[Pair], partition: int | None = None
    ) -> list[Any]:
        """Send key and value pairs in order; returns what aiokafka tells of each."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, enable_idempotence=True
        ) as producer:
            sent = [
                await producer.send(
                    self.topic(topic), value.encode(), key=key.encode(), partition=partition
                )
                for key, value in pairs
            ]
            return list(await asyncio.gather(*sent))

    async def produce_raw(self, topic: str, **fields: Any) -> Any:
        """Send one record to a topic by its full name."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, enable_idempotence=True
        ) as producer:
            return await producer.send_and_wait(topic, **fields)

    async def read(self, topic: str) -> list[Any]:
        """All records of a topic (its full name) that are there now, by partition and offset."""
        async with AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, auto_offset_reset="earliest"
        ) as consumer:
            partitions = await self._partitions(consumer, topic)
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            found: list[Any] = []
            for place in partitions:
                await consumer.seek_to_beginning(place)
            while any([await consumer.position(place) < ends[place] for place in partitions]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found.extend(records)
            return sorted(found, key=lambda record: (record.partition, record.offset))

    async def ends(self, topic: str) -> dict[int, int]:
        """The end offset of each partition of a topic, by its full name."""
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap) as consumer:
            partitions = await self._partitions(consumer, topic)
            ends = await consumer.end_offsets(partitions)
            return {place.partition: offset for place, offset in ends.items()}

    async def outputs(self, topic: str) -> list[Pair]:
        """Keys and values of one of the test's topics."""
        records = await self.read(self.topic(topic))
        return [(record.key.decode(), record.value.decode()) for record in records]

    async def table(self, table: str) -> dict[str, str]:
        """A table as its changelog has it: the last value of each key."""
        rows: dict[str, str] = {}
        for record in await self.read(self.changelog(table)):
            if record.value is None:
                rows.pop(record.key.decode(), None)
            else:
                rows[record.key.decode()] = record.value.decode()
        return rows

    async def commits(self) -> dict[KafkaPartition, OffsetAndMetadata]:
        """What the group has committed, as the broker has it."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(self.app_id)
            return {place: value for place, value in found.items() if value.offset >= 0}
        finally:
            await admin.close()

    async def committed(self, topic: str) -> dict[int, int]:
        """The committed offset of each partition of one of the test's topics."""
        name = self.topic(topic)
        return {
            place.partition: value.offset
            for place, value in (await self.commits()).items()
            if place.topic == name
        }

    async def all_committed(self, topic: str) -> bool:
        """True when the group has committed everything there is in a topic. The rows of it can be
        read a moment later: ``all_stored``."""
        ends = await self.ends(self.topic(topic))
        committed = await self.committed(topic)
        return all(committed.get(partition, 0) == end for partition, end in ends.items())

    async def all_stored(self, engine: Engine, table: str) -> bool:
        """True when an engine has the rows of a table, up to its changelog's end, on its disk.
        Ask when there are some: nothing at all is stored too."""
        stores = engine.partitions.store
        ends = await self.ends(self.changelog(table))
        open_stores = [(stores(partition), end) for partition, end in ends.items()]
        return all(store and store.position(table) == end for store, end in open_stores)

    async def _partitions(self, consumer: AIOKafkaConsumer, topic: str) -> list[KafkaPartition]:
        deadline = time.monotonic() + 60
        while True:
            numbers = consumer.partitions_for_topic(topic)
            if numbers:
                return [KafkaPartition(topic, number) for number in sorted(numbers)]
            if time.monotonic() > deadline:
                raise AssertionError(f"there is no topic {topic}")
            await consumer.topics()
            consumer._client.add_topic(topic)
            await consumer._client.force_metadata_update()


@asynccontextmanager
async def running(*engines: Engine) -> AsyncIterator[None]:
    """Run engines until the block ends."""
    tasks = [asyncio.create_task(engine.app.start()) for engine in engines]
    try:
        await asyncio.gather(*tasks)
        yield
    finally:
        await asyncio.gather(*(engine.app.stop() for engine in engines))


async def halted(engine: Engine, seconds: float = 60.0) -> str:
    """Wait until an engine halts; returns the reason."""
    await until(lambda: engine.status().halted is not None, seconds, "the engine to halt")
    return engine.status().halted or ""


def numbered(keys: Sequence[str], count: int) -> list[Pair]:
    """``count`` pairs that go round the keys, valued by their number."""
    return [(keys[number % len(keys)], str(number)) for number in range(count)]
