"""The broker under a Faust worker: an agent, a table with its changelog, and recovery."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaProducer

from tests.sandbox.kafka.conftest import NewTopicName
from tests.sandbox.kafka.raw import eventually

pytestmark = pytest.mark.broker

PARTITIONS = 2


class Counting:
    """A Faust app that counts records by key in a table."""

    def __init__(self, address: str, app_id: str, topic: str) -> None:
        self.app = faust.App(
            app_id,
            broker=f"kafka://{address}",
            store="memory://",
            topic_partitions=PARTITIONS,
            topic_replication_factor=1,
            topic_disable_leader=True,
            web_enabled=False,
            broker_commit_every=1,
            broker_session_timeout=30,
            broker_heartbeat_interval=1,
        )
        source = self.app.topic(topic, key_type=bytes, value_type=bytes, partitions=PARTITIONS)
        self.counts: Any = self.app.Table(
            "counts", default=int, partitions=PARTITIONS, key_type=str, value_type=int
        )
        self.seen = 0

        @self.app.agent(source)
        async def count(stream: Any) -> None:
            async for key, _ in stream.items():
                self.counts[key.decode()] += 1
                self.seen += 1

    @property
    def table(self) -> dict[str, int]:
        """What the table holds."""
        return dict(self.counts.data)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the worker, from the end of its recovery on."""
        await self.app.start()
        try:
            await eventually(self._is_ready)
            yield
        finally:
            await self.app.stop()

    async def _is_ready(self) -> bool:
        return bool(self.app.consumer.assignment()) and not self.app.rebalancing


async def send(address: str, topic: str, count: int) -> Counter[str]:
    """Send `count` records over seven keys; how many of each."""
    sent: Counter[str] = Counter()
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for n in range(count):
            key = f"key-{n % 7}"
            sent[key] += 1
            await producer.send(topic, b"1", key=key.encode(), partition=n % 7 % PARTITIONS)
        await producer.flush()
    return sent


async def test_a_table_is_recovered_from_its_changelog_and_goes_on(
    kafka_address: str, new_topic: NewTopicName, unique_name: Callable[[str], str]
) -> None:
    topic = await new_topic("faust-source", partitions=PARTITIONS)
    app_id = unique_name("counting")
    first = Counting(kafka_address, app_id, topic)
    sent = await send(kafka_address, topic, 100)
    async with first.running():

        async def all_counted() -> bool:
            return first.table == sent

        await eventually(all_counted)
        # Committed is what a later worker does not read again.
        await first.app.consumer.commit()
        await asyncio.wait_for(first.app.producer.flush(), 60)

    second = Counting(kafka_address, app_id, topic)
    async with second.running():

        async def recovered() -> bool:
            return second.table == sent

        await eventually(recovered)
        assert second.seen == 0
        sent += await send(kafka_address, topic, 50)

        async def all_counted_again() -> bool:
            return second.table == sent

        await eventually(all_counted_again)
        assert second.seen == 50
