"""What aiokafka's producer leaves to do: to stay informed of topics, and to end."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerClosed

from streams.engine.waiting import let_go, whole

_STOP_SECONDS = 2.0


async def heed(producer: AIOKafkaProducer, topic: str) -> None:
    """Have a producer keep itself informed of a topic.

    When its connection breaks before it sent anything it learns of all topics, and later asks only
    for those that it had to look for. Records of any other that wait for a second attempt then have
    no leader, for as long as a request may take, while it asks and asks again.
    """
    if topic not in producer.client._topics:
        await producer.client.add_topic(topic)


async def discard(producer: AIOKafkaProducer) -> None:
    """Close a producer, without waiting for records that the broker does not take."""
    await whole(_discard(producer))


async def _discard(producer: AIOKafkaProducer) -> None:
    await let_go(producer.stop(), producer.client)
    producer._message_accumulator.fail_all(ProducerClosed())
    sender = producer._sender.sender_task
    if sender is not None and not sender.done():
        sender.cancel()
        await asyncio.wait({sender}, timeout=_STOP_SECONDS)
