"""The broker under aiokafka's producer and consumer, and groups of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

from tests.sandbox.kafka.conftest import NewTopicName
from tests.sandbox.kafka.raw import eventually

pytestmark = pytest.mark.broker

SESSION_MS = 60_000
"""Longer than any machine stands still: who is thrown out meanwhile can commit nothing."""
SHORT_SESSION_MS = 1_500
"""So that a dead member is noticed soon."""


@pytest.fixture
async def producer(kafka_address: str) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_address, enable_idempotence=True, max_request_size=3 * 2**20
    ) as client:
        yield client


NewConsumer = Callable[..., Any]


@pytest.fixture
async def consumer(kafka_address: str, unique_name: Callable[[str], str]) -> Any:
    """Makes started members of one group: ``await consumer(topic)``; all are stopped at the end."""
    async with AsyncExitStack() as stack:

        async def start(*topics: str, **options: Any) -> AIOKafkaConsumer:
            settings: dict[str, Any] = {
                "bootstrap_servers": kafka_address,
                "group_id": unique_name("group"),
                "auto_offset_reset": "earliest",
                "enable_auto_commit": False,
                "session_timeout_ms": SESSION_MS,
                "heartbeat_interval_ms": 200,
            }
            return await stack.enter_async_context(AIOKafkaConsumer(*topics, **settings | options))

        yield start


async def read(consumer: AIOKafkaConsumer, count: int) -> list[Any]:
    async with asyncio.timeout(60):
        return [await consumer.getone() for _ in range(count)]


async def share(consumers: list[AIOKafkaConsumer], partitions: int) -> None:
    """Return when the consumers have all partitions between them, each at least one."""

    async def spread() -> bool:
        held = [consumer.assignment() for consumer in consumers]
        return all(held) and sum(map(len, held)) == partitions == len(set().union(*held))

    await eventually(spread)


async def kill(consumer: AIOKafkaConsumer) -> None:
    """End a consumer without a word to its group: no more heartbeats, no LeaveGroup."""
    coordinator = consumer._coordinator
    heartbeat, consumer_task = coordinator._heartbeat_task, coordinator._coordination_task
    for task in (heartbeat, consumer_task):
        if task is not None:
            task.cancel()
    await asyncio.gather(heartbeat, consumer_task, return_exceptions=True)
    coordinator.coordinator_id = None
    await consumer._client.close()


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
async def test_records_come_back_whole_with_every_compression(
    kafka_address: str, new_topic: NewTopicName, consumer: NewConsumer, codec: str | None
) -> None:
    topic = await new_topic("codec")
    sent = [(b"k%d" % n, b"v%d" % n * 50, [("h", b"%d" % n)]) for n in range(200)]
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_address, compression_type=codec, linger_ms=20
    ) as producer:
        for key, value, headers in sent:
            await producer.send(topic, value, key=key, headers=headers)
        await producer.flush()

    records = await read(await consumer(topic), len(sent))

    assert [(r.key, r.value, list(r.headers)) for r in records] == sent
    assert [r.offset for r in records] == list(range(len(sent)))


async def test_a_message_of_900_kilobytes_passes_and_a_larger_than_the_limit_does_not(
    producer: AIOKafkaProducer, new_topic: NewTopicName, consumer: NewConsumer
) -> None:
    topic = await new_topic("large")
    large = b"x" * 900_000
    await producer.send_and_wait(topic, large)
    with pytest.raises(MessageSizeTooLargeError):
        await producer.send_and_wait(topic, b"x" * 1_100_000)

    (record,) = await read(await consumer(topic), 1)

    assert record.value == large


async def test_a_consumer_seeks_by_time(
    producer: AIOKafkaProducer, new_topic: NewTopicName, consumer: NewConsumer
) -> None:
    topic = await new_topic("times", configs={"retention.ms": "-1"})
    for n in range(10):
        await producer.send_and_wait(topic, b"%d" % n, timestamp_ms=1_000 + 100 * n)
    reader = await consumer(topic)
    part = TopicPartition(topic, 0)

    found = await reader.offsets_for_times({part: 1_450})
    none = await reader.offsets_for_times({part: 9_999})

    assert (found[part].offset, found[part].timestamp) == (5, 1_500)
    assert none[part] is None
    assert await reader.beginning_offsets([part]) == {part: 0}
    assert await reader.end_offsets([part]) == {part: 10}
    reader.seek(part, found[part].offset)
    assert (await read(reader, 1))[0].value == b"5"


async def test_a_group_shares_the_partitions_as_members_come_and_go(
    producer: AIOKafkaProducer, new_topic: NewTopicName, consumer: NewConsumer
) -> None:
    topic = await new_topic("shared", partitions=6)
    first = await consumer(topic)
    await share([first], 6)
    second = await consumer(topic)
    await share([first, second], 6)
    third = await consumer(topic)
    await share([first, second, third], 6)

    await third.stop()
    await share([first, second], 6)


async def test_the_partitions_of_a_dead_member_are_taken_over_after_its_session(
    new_topic: NewTopicName, consumer: NewConsumer
) -> None:
    topic = await new_topic("takeover", partitions=4)
    first = await consumer(topic)
    clock = asyncio.get_running_loop()

    async def taken_over_after_its_session() -> bool:
        second = await consumer(topic, session_timeout_ms=SHORT_SESSION_MS)
        await share([first, second], 4)
        died = clock.time()
        await kill(second)
        await share([first], 4)
        return (clock.time() - died) * 1000 > 0.5 * SHORT_SESSION_MS

    # Where this process stands still its session may be over before the member dies: once more.
    await eventually(taken_over_after_its_session)


async def test_the_next_member_goes_on_at_the_committed_offset(
    producer: AIOKafkaProducer, new_topic: NewTopicName, consumer: NewConsumer
) -> None:
    topic = await new_topic("committed")
    for n in range(10):
        await producer.send_and_wait(topic, b"%d" % n)
    first = await consumer(topic)
    await read(first, 4)
    await first.commit()
    await first.stop()

    second = await consumer(topic)

    assert (await read(second, 1))[0].value == b"4"
    assert await second.committed(TopicPartition(topic, 0)) == 4


async def test_a_static_member_restarts_without_disturbing_the_others(
    new_topic: NewTopicName, consumer: NewConsumer
) -> None:
    topic = await new_topic("static", partitions=4)
    first = await consumer(topic, group_instance_id="one")
    second = await consumer(topic, group_instance_id="two")
    await share([first, second], 4)
    held = second.assignment()
    generation = first._coordinator.generation

    await second.stop()
    back = await consumer(topic, group_instance_id="two")
    await share([first, back], 4)

    assert back.assignment() == held
    assert back._coordinator.generation == generation == first._coordinator.generation


async def test_nothing_is_lost_or_doubled_while_members_change(
    producer: AIOKafkaProducer, new_topic: NewTopicName, consumer: NewConsumer
) -> None:
    topic = await new_topic("changes", partitions=4)
    for n in range(400):
        await producer.send(topic, b"%d" % n, partition=n % 4)
    await producer.flush()
    first = await consumer(topic)
    values = [r.value for r in await read(first, 150)]
    await first.commit()
    await first.stop()

    second = await consumer(topic)
    values += [r.value for r in await read(second, 250)]

    assert sorted(map(int, values)) == list(range(400))
