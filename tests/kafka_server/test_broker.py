"""The broker that the tests are given does what every test relies on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

pytestmark = pytest.mark.broker

PARTITIONS = 3
RECORDS = 60
REBALANCE_SECONDS = 60


@pytest.fixture
async def topic(kafka_address: str, unique_name: Callable[[str], str]) -> AsyncIterator[str]:
    """A topic of the test's own with three partitions and sixty records, twenty in each."""
    name = unique_name("records")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1)])
        producer = AIOKafkaProducer(bootstrap_servers=kafka_address, enable_idempotence=True)
        await producer.start()
        try:
            for n in range(RECORDS):
                sent = str(n).encode()
                await producer.send_and_wait(name, sent, key=sent, partition=n % PARTITIONS)
        finally:
            await producer.stop()
        yield name
        await admin.delete_topics([name])
    finally:
        await admin.close()


def group_member(address: str, group: str, topic: str) -> AIOKafkaConsumer:
    """A member of ``group`` that reads from the beginning and commits only when told."""
    return AIOKafkaConsumer(
        topic,
        bootstrap_servers=address,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )


async def test_every_record_arrives_in_the_order_of_its_partition(
    kafka_address: str, topic: str
) -> None:
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=kafka_address, auto_offset_reset="earliest"
    ) as consumer:
        arrived = [await consumer.getone() for _ in range(RECORDS)]

    for partition in range(PARTITIONS):
        values = [int(r.value) for r in arrived if r.partition == partition]
        assert values == list(range(partition, RECORDS, PARTITIONS))


async def test_a_group_goes_on_where_it_committed(
    kafka_address: str, topic: str, unique_name: Callable[[str], str]
) -> None:
    group = unique_name("group")
    async with group_member(kafka_address, group, topic) as first:
        for _ in range(RECORDS):
            await first.getone()
        await first.commit({TopicPartition(topic, 1): 15})

    async with group_member(kafka_address, group, topic) as second:
        await second.getone()
        assert await second.committed(TopicPartition(topic, 1)) == 15
        assert await second.committed(TopicPartition(topic, 0)) is None


async def test_two_members_share_the_partitions(
    kafka_address: str, topic: str, unique_name: Callable[[str], str]
) -> None:
    group = unique_name("group")
    async with (
        group_member(kafka_address, group, topic) as one,
        group_member(kafka_address, group, topic) as other,
    ):
        # A member that joined earlier still holds the old assignment for a moment.
        async with asyncio.timeout(REBALANCE_SECONDS):
            while not divided(one.assignment(), other.assignment(), topic):
                await one.getmany(timeout_ms=50)
                await other.getmany(timeout_ms=50)


def divided(one: set[TopicPartition], other: set[TopicPartition], topic: str) -> bool:
    """Whether both have something, nothing is held twice and nothing is left over."""
    everything = {TopicPartition(topic, partition) for partition in range(PARTITIONS)}
    return bool(one and other) and not one & other and one | other == everything
