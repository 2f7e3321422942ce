"""A scene for each test: all systems simulated, the broker by ``--broker``, the worker for real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from app.demo.stage import Names, stage
from app.sandbox.kafka import EmbeddedBroker
from streams import topics
from tests.kafka_server.choice import Restartable
from tests.main_job.scene import Scene, Switch, partition_counts, places_of, scene_on

PARTITIONS = 3


@pytest.fixture
async def scene(
    request: pytest.FixtureRequest, tmp_path: Path, unique_name: Callable[[str], str]
) -> AsyncIterator[Scene]:
    """Broker and systems; the worker is started by the test.

    The embedded broker is this test's own. Another broker is shared: group, changelogs and source
    topics are this test's own, and its group begins at the end of Dovetail's topics.
    """
    embedded = request.config.getoption("--broker") == "embedded"
    address: str | None = None if embedded else request.getfixturevalue("kafka_address")
    names = Names(
        application=unique_name("app"),
        changes=unique_name("changes"),
        ecm_events=unique_name("ecm"),
        partitions=await _skip_the_past(address, unique_name("app")) if address else PARTITIONS,
    )
    broker = None if embedded else request.getfixturevalue("kafka_broker")
    async with stage(tmp_path, bootstrap=address, names=names) as here:
        switch = _switch(here.broker or broker)
        async with scene_on(here, switch) as scene:
            try:
                yield scene
            finally:
                if switch is not None and switch.is_off:  # other tests share it
                    await switch.on()


def _switch(broker: object) -> Switch | None:
    """How to take the broker away, None for one that somebody else runs."""
    if isinstance(broker, EmbeddedBroker):
        return Switch(broker.stop, broker.start)
    if isinstance(broker, Restartable):
        return Switch(
            partial(asyncio.to_thread, broker.stop), partial(asyncio.to_thread, broker.start)
        )
    return None


async def _skip_the_past(address: str, group: str) -> int:
    """Commit the ends of Dovetail's topics for the group; how many partitions they have."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        counts = await partition_counts(admin)
    finally:
        await admin.close()
    places = places_of(counts, *(topic.name for topic in topics.ALL))
    if places:
        async with AIOKafkaConsumer(
            bootstrap_servers=address, group_id=group, enable_auto_commit=False
        ) as consumer:
            consumer.assign(places)
            await consumer.commit(await consumer.end_offsets(places))
    return counts.get(topics.CHANGES.name, PARTITIONS)
