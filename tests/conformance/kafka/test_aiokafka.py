"""aiokafka finds what it expects of a broker: transactions and administration.

Its producers, consumers and groups otherwise: tests/sandbox/kafka/test_clients.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import MessageSizeTooLargeError, ProducerFenced
from aiokafka.structs import OffsetAndMetadata

from tests.sandbox.kafka.raw import eventually, raw_client, until_served

pytestmark = pytest.mark.broker

SECONDS = 60
Name = Callable[[str], str]


@pytest.fixture
async def admin(kafka_address: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka_address)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
async def topic(kafka_address: str, admin: AIOKafkaAdminClient, unique_name: Name) -> str:
    """A topic of two partitions."""
    name = unique_name("topic")
    await admin.create_topics([NewTopic(name, 2, 1)])
    async with raw_client(kafka_address) as raw:
        await until_served(raw, name, 2)
    return name


def consuming(address: str, group: str, topic: str, **options: Any) -> Any:
    return AIOKafkaConsumer(
        topic,
        bootstrap_servers=address,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **options,
    )


async def read(consumer: Any, count: int) -> list[str]:
    """The next values."""
    async with asyncio.timeout(SECONDS):
        return [(await consumer.getone()).value.decode() for _ in range(count)]


async def test_readers_of_committed_records_see_whole_transactions_only(
    kafka_address: str, topic: str, unique_name: Name
) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_address, transactional_id=unique_name("txn")
    ) as producer:
        for values, commit in ((["a", "b"], True), (["no", "not"], False), (["c"], True)):
            await producer.begin_transaction()
            for value in values:
                await producer.send_and_wait(topic, value.encode(), partition=0)
            if commit:
                await producer.commit_transaction()
            else:
                await producer.abort_transaction()
    committed = {"isolation_level": "read_committed"}
    async with consuming(kafka_address, unique_name("one"), topic, **committed) as consumer:
        assert await read(consumer, 3) == ["a", "b", "c"]
    async with consuming(kafka_address, unique_name("two"), topic) as consumer:
        assert await read(consumer, 5) == ["a", "b", "no", "not", "c"]


async def test_offsets_are_committed_with_their_transaction(
    kafka_address: str, topic: str, unique_name: Name
) -> None:
    group, part = unique_name("group"), TopicPartition(topic, 0)
    async with (
        AIOKafkaProducer(
            bootstrap_servers=kafka_address, transactional_id=unique_name("txn")
        ) as producer,
        consuming(kafka_address, group, topic) as consumer,
    ):
        for offset, commit in ((1, False), (2, True)):
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"out", partition=1)
            await producer.send_offsets_to_transaction({part: offset}, group)
            if commit:
                await producer.commit_transaction()
            else:
                await producer.abort_transaction()
                assert await consumer.committed(part) is None

        async def committed() -> bool:
            return bool(await consumer.committed(part) == 2)

        await eventually(committed)


async def test_a_second_producer_of_a_transactional_id_fences_the_first(
    kafka_address: str, topic: str, unique_name: Name
) -> None:
    options: dict[str, Any] = {
        "bootstrap_servers": kafka_address,
        "transactional_id": unique_name("txn"),
    }
    first = AIOKafkaProducer(**options)
    await first.start()
    await first.begin_transaction()
    await first.send_and_wait(topic, b"first", partition=0)
    async with AIOKafkaProducer(**options) as second:
        with pytest.raises(ProducerFenced):
            await first.commit_transaction()
        async with second.transaction():
            await second.send_and_wait(topic, b"second", partition=0)
    await first.stop()
    committed = {"isolation_level": "read_committed"}
    async with consuming(kafka_address, unique_name("group"), topic, **committed) as consumer:
        assert await read(consumer, 1) == ["second"]


async def test_administration(
    kafka_address: str, admin: AIOKafkaAdminClient, topic: str, unique_name: Name
) -> None:
    group, part = unique_name("group"), TopicPartition(topic, 0)
    async with AIOKafkaProducer(bootstrap_servers=kafka_address) as producer:
        for value in (b"a", b"b", b"c"):
            await producer.send_and_wait(topic, value, partition=0)
    async with consuming(kafka_address, group, topic) as consumer:
        await read(consumer, 2)
        await consumer.commit({part: OffsetAndMetadata(2, "two")})
    assert (await admin.list_consumer_group_offsets(group))[part].offset == 2
    assert group in [name for name, *_ in await admin.list_consumer_groups()]
    assert (await admin.delete_records({part: RecordsToDelete(before_offset=2)}))[part] == 2
    await admin.create_partitions({topic: NewPartitions(4)})
    await admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "1000"})]
    )

    async def changed() -> bool:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        return "1000" in str(await admin.describe_configs([resource]))

    await eventually(changed)
    assert (await admin.describe_cluster())["cluster_id"]
    await admin.delete_topics([topic])


async def test_large_messages_come_and_those_above_the_topics_limit_are_refused(
    kafka_address: str, admin: AIOKafkaAdminClient, unique_name: Name
) -> None:
    topic = unique_name("large")
    limit = {"max.message.bytes": "3000000"}
    await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=limit)])
    async with raw_client(kafka_address) as raw:
        await until_served(raw, topic, 1)
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_address, max_request_size=9_000_000
    ) as producer:
        await producer.send_and_wait(topic, b"x" * 2_500_000)
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait(topic, b"x" * 3_500_000)
        sent = await producer.send_and_wait(topic, b"x")
        assert sent.offset == 1
    small = {"max_partition_fetch_bytes": 1000, "fetch_max_bytes": 1000}
    async with consuming(kafka_address, unique_name("group"), topic, **small) as consumer:
        assert [len(value) for value in await read(consumer, 2)] == [2_500_000, 1]
