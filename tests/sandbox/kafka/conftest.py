"""Topics on the run's broker, and embedded brokers of a test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from app.sandbox.kafka import EmbeddedBroker
from tests.sandbox.kafka.raw import RawClient, raw_client, until_served

NewTopicName = Callable[..., Awaitable[str]]


@pytest.fixture
async def admin(kafka_address: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client of the run's broker."""
    client = AIOKafkaAdminClient(bootstrap_servers=kafka_address)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
async def new_topic(
    admin: AIOKafkaAdminClient, raw: RawClient, unique_name: Callable[[str], str]
) -> AsyncIterator[NewTopicName]:
    """Creates topics of the test's own: ``await new_topic("changes", partitions=3)``."""
    names: list[str] = []

    async def create(stem: str, partitions: int = 1, configs: dict[str, str] | None = None) -> str:
        name = unique_name(stem)
        answer = await admin.create_topics(
            [NewTopic(name, partitions, 1, topic_configs=configs or {})]
        )
        assert [error for _, error, *_ in answer.topic_errors] == [0], answer
        names.append(name)
        await until_served(raw, name, partitions)
        return name

    yield create
    if names:
        await admin.delete_topics(names)


@pytest.fixture
async def raw(kafka_address: str) -> AsyncIterator[RawClient]:
    """A raw connection to the run's broker."""
    async with raw_client(kafka_address) as client:
        yield client


@pytest.fixture
async def embedded() -> AsyncIterator[EmbeddedBroker]:
    """An embedded broker on the test's own loop, for what only we can make it do."""
    async with EmbeddedBroker() as broker:
        yield broker
