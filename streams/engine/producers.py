"""What aiokafka's producer leaves to do: to stay informed of topics, and to end."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerClosed
from aiokafka.producer.message_accumulator import MessageAccumulator

from streams.engine.waiting import let_go, take_exception, whole

_STOP_SECONDS = 1.0


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
    news = producer.client._md_update_fut
    if news is not None and not news.done():
        news.set_result(False)  # the client is closed: a second attempt would wait for ever
    sender = producer._sender.sender_task
    for _ in range(2):  # it waits for its requests, unless it is told twice
        if sender is not None and not sender.done():
            sender.cancel()
            await asyncio.wait({sender}, timeout=_STOP_SECONDS)
    _give_up(producer._message_accumulator)


def _give_up(accumulator: MessageAccumulator) -> None:
    """Tell whoever waits for a record, or for room for one, that it will not be sent."""
    waiting = [batch for batches in accumulator._batches.values() for batch in batches]
    accumulator._pending_batches.update(waiting)  # which it takes them from, told or not
    accumulator._batches.clear()
    accumulator.fail_all(ProducerClosed())
    for batch in waiting:
        batch._drain_waiter.add_done_callback(take_exception)  # mostly nobody waits for room
