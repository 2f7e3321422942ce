"""What commands need of Kafka: connect or say why not, and read a topic up to where it ends now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from app.cli.failures import Failed, KafkaUnreachable
from app.settings import Settings
from streams.errors import Misconfigured

#: A person waits for the answer; brokers that need longer are in trouble.
ANSWER_SECONDS = 10.0
_CLIENT_ID = "dovetail-cli"


@asynccontextmanager
async def admin_client(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A connected admin client; raises KafkaUnreachable when there is none to be had."""
    async with _connected(AIOKafkaAdminClient(**_options(settings)), settings) as admin:
        yield admin


async def partition_counts(settings: Settings) -> dict[str, int]:
    """How many partitions every topic has."""
    async with admin_client(settings) as admin:
        described = await admin.describe_topics()
    return {topic["topic"]: len(topic["partitions"]) for topic in described}


async def read_to_end(
    settings: Settings,
    topic: str,
    *,
    partitions: Collection[int],
    from_ms: int | None = None,
) -> AsyncIterator[ConsumerRecord]:
    """The records that the partitions hold at this moment, in order within each partition.

    ``from_ms`` leaves out what is older; times need not rise with offsets, so each record's counts.
    Joins no group and commits nothing.
    """
    consumer = AIOKafkaConsumer(
        **_options(settings), enable_auto_commit=False, auto_offset_reset="earliest"
    )
    async with _connected(consumer, settings) as connected:
        places = [TopicPartition(topic, number) for number in partitions]
        connected.assign(places)
        ends = await connected.end_offsets(places)
        await _seek(connected, places, from_ms)
        open_places = {p for p in places if await connected.position(p) < ends[p]}
        while open_places:
            async with asyncio.timeout(ANSWER_SECONDS):
                batches = await connected.getmany(*open_places, timeout_ms=1000)
            for place, records in batches.items():
                for record in records:
                    young = from_ms is None or record.timestamp >= from_ms
                    if young and record.offset < ends[place]:
                        yield record
            open_places = {p for p in open_places if await connected.position(p) < ends[p]}


async def _seek(
    consumer: AIOKafkaConsumer, places: list[TopicPartition], from_ms: int | None
) -> None:
    if from_ms is None:
        await consumer.seek_to_beginning(*places)
        return
    found = await consumer.offsets_for_times(dict.fromkeys(places, from_ms))
    for place in places:
        later = found.get(place)
        if later is None:  # nothing is as new as that
            await consumer.seek_to_end(place)
        else:
            consumer.seek(place, later.offset)


@asynccontextmanager
async def _connected(client: Any, settings: Settings) -> AsyncIterator[Any]:
    brokers = ", ".join(settings.kafka_bootstrap)
    try:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await client.start()
        except (KafkaError, OSError, TimeoutError) as error:
            if refused := await _refusal(settings):
                raise refused from error
            why = str(error) or f"no answer within {ANSWER_SECONDS:g} seconds"
            raise KafkaUnreachable(
                f"Kafka cannot be reached at {brokers}: {why}",
                advice="check DOVETAIL_KAFKA_BOOTSTRAP, the login and that the brokers run",
            ) from error
        try:
            yield client
        except (KafkaError, TimeoutError) as error:
            raise _refused(error, brokers) from error
    finally:
        await (client.close() if hasattr(client, "close") else client.stop())


def _refused(error: KafkaError | TimeoutError, brokers: str) -> KafkaUnreachable | Failed:
    if isinstance(error, TimeoutError) or error.retriable:
        return KafkaUnreachable(
            f"Kafka at {brokers} stopped answering: {str(error) or 'too slow'}",
            advice="check the brokers, then run the command again",
        )
    return Failed(
        f"Kafka at {brokers} refuses: {error}", advice="check what our login is allowed to do"
    )


async def _refusal(settings: Settings) -> Misconfigured | None:
    from app.settings.kafka import engine_settings
    from streams.engine.signing_in import refusal

    return await refusal(engine_settings(settings))


def _options(settings: Settings) -> dict[str, Any]:
    from app.settings.kafka import engine_settings
    from streams.engine.clients import connection_options

    return {
        **connection_options(engine_settings(settings)),
        "client_id": _CLIENT_ID,
        "request_timeout_ms": int(ANSWER_SECONDS * 1000),
    }
