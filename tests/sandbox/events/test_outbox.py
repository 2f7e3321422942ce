"""What is put into an outbox reaches its topic in order, whatever the broker does meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from app.sandbox.events.change import Encoded
from app.sandbox.events.outbox import Outbox
from app.sandbox.kafka import BrokerFault, EmbeddedBroker
from tests.patience import PATIENCE_SECONDS

TOPIC = "changes"


def message(number: int) -> Encoded:
    return Encoded(b"key", str(number).encode(), (("kind", b"test"),))


async def on_topic(broker: EmbeddedBroker) -> list[int]:
    """The numbers on the topic, each as often as it is there."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        place = TopicPartition(TOPIC, 0)
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        found: list[int] = []
        while await consumer.position(place) < end:
            records = await consumer.getmany(timeout_ms=500)
            found += [int(record.value) for batch in records.values() for record in batch]
        return found
    finally:
        await consumer.stop()


async def make_topic(broker: EmbeddedBroker) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, 1, 1)])
    await admin.close()


async def test_messages_leave_in_order() -> None:
    async with EmbeddedBroker() as broker:
        await make_topic(broker)
        async with Outbox(broker.bootstrap, TOPIC) as outbox:
            for number in range(20):
                outbox.put(message(number))
            await asyncio.wait_for(outbox.drained(), PATIENCE_SECONDS)
            assert outbox.sent == 20
        assert await on_topic(broker) == list(range(20))


async def test_a_broker_that_is_away_is_waited_for_and_nothing_is_lost() -> None:
    async with EmbeddedBroker() as broker:
        await make_topic(broker)
        await broker.stop()
        async with Outbox(broker.bootstrap, TOPIC) as outbox:
            outbox.put(message(0))
            await asyncio.sleep(0.3)
            await broker.start()
            await asyncio.wait_for(outbox.drained(), PATIENCE_SECONDS)
            broker.faults.add(BrokerFault("lose_answer", times=1, api="produce"))
            outbox.put(message(1))
            outbox.put(message(2))
            await asyncio.wait_for(outbox.drained(), PATIENCE_SECONDS)
        found = await on_topic(broker)
        assert found[0] == 0
        assert sorted(set(found)) == [0, 1, 2]
        assert found == sorted(found)


async def test_what_is_too_large_for_the_broker_holds_up_nothing() -> None:
    async with EmbeddedBroker() as broker:
        await make_topic(broker)
        async with Outbox(broker.bootstrap, TOPIC) as outbox:
            outbox.put(Encoded(b"key", b"x" * 1_100_000))
            outbox.put(message(1))
            await asyncio.wait_for(outbox.drained(), PATIENCE_SECONDS)
            assert (outbox.sent, outbox.counts["too_large"]) == (1, 1)
        assert await on_topic(broker) == [1]


async def test_it_is_switched_wholly_or_not_at_all() -> None:
    async with EmbeddedBroker() as broker:
        async with Outbox(broker.bootstrap, TOPIC, partitions=1) as outbox:
            for wrong in ({"on": 0}, {"on": False, "speed": 1}, {"on": False, "duplicates": 2}):
                with pytest.raises((ValueError, TypeError)):
                    outbox.switch(wrong)
                assert outbox.on
            outbox.switch({"on": False, "duplicates": 1.0, "reach": 1})
            outbox.put(message(0))
            await asyncio.sleep(0.1)
            shown = outbox.status()
            assert (shown["on"], shown["duplicates"], shown["sent"], shown["waiting"]) == (
                *(False, 1.0),
                *(0, 1),
            )
            outbox.switch({"on": True})
            await asyncio.wait_for(outbox.drained(), PATIENCE_SECONDS)
        assert await on_topic(broker) == [0, 0]
