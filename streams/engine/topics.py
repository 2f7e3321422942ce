"""Creating the topics that are missing, and checking what co-partitioning needs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from streams.engine.clients import connection_options, patiently
from streams.engine.settings import EngineSettings, TopicSpec
from streams.engine.stages import StageEntry
from streams.engine.waiting import let_go
from streams.errors import Misconfigured
from tables.registry import changelog_topic

log = logging.getLogger(__name__)


async def create_missing(
    specs: Iterable[TopicSpec], settings: EngineSettings, say: Callable[[str], None]
) -> dict[str, int]:
    """Create topics that do not exist; return the partition count of every topic there is.

    Raises Misconfigured when the brokers refuse.
    """
    wanted = {spec.name: spec for spec in specs}

    async def attempt() -> dict[str, int]:
        admin = AIOKafkaAdminClient(**connection_options(settings))
        try:
            await admin.start()
            existing = await _partition_counts(admin)
            missing = [spec for name, spec in wanted.items() if name not in existing]
            if missing:
                await _create(admin, missing, settings)
            return existing | {spec.name: spec.partitions for spec in missing}
        finally:
            await let_go(admin.close(), admin._client)

    return await patiently(attempt, settings, what="the brokers, to create topics", say=say)


async def absent_topics(names: Iterable[str], settings: EngineSettings) -> frozenset[str]:
    """Return which of these topics do not exist.

    Raises KafkaError or OSError when the brokers do not answer now.
    """
    admin = AIOKafkaAdminClient(**connection_options(settings))
    try:
        await admin.start()
        return frozenset(names) - (await _partition_counts(admin)).keys()
    finally:
        await let_go(admin.close(), admin._client)


def changelog_specs(
    app_id: str,
    stages: Iterable[StageEntry],
    counts: Mapping[str, int],
    settings: EngineSettings,
) -> list[TopicSpec]:
    """Describe the changelog of every table: as many partitions as the topics of its stage.

    Raises Misconfigured when topics that have to share partitions do not have equally many.
    """
    stateful = [entry for entry in stages if entry.tables]
    topics = {topic: entry.name for entry in stateful for topic in entry.topics}
    absent = [topic for topic in topics if topic not in counts]
    if absent:
        raise Misconfigured(
            f"There are no topics {', '.join(absent)}",
            advice="create them, or declare them so that they are created",
        )
    sizes = {counts[topic] for topic in topics}
    if len(sizes) > 1:
        listed = ", ".join(f"{topic} has {counts[topic]}" for topic in sorted(topics))
        raise Misconfigured(
            f"Topics of stages with tables need one partition count, but {listed}",
            advice="make the topics anew with equal counts and replay them",
        )
    return [
        TopicSpec(changelog_topic(app_id, table), sizes.copy().pop(), _changelog_config(settings))
        for entry in stateful
        for table in entry.tables
    ]


def check_changelogs(specs: Iterable[TopicSpec], counts: Mapping[str, int]) -> None:
    """Raise Misconfigured when a changelog exists with another partition count."""
    for spec in specs:
        if counts[spec.name] != spec.partitions:
            raise Misconfigured(
                f"The changelog {spec.name} has {counts[spec.name]} partitions, "
                f"its source topics have {spec.partitions}",
                advice="give the app a new id, or make the changelog and the sources anew",
            )


def _changelog_config(settings: EngineSettings) -> dict[str, str]:
    return {
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": str(settings.changelog_min_compaction_lag_ms),
        "delete.retention.ms": str(settings.changelog_tombstone_retention_ms),
        "min.insync.replicas": str(settings.min_insync_replicas),
        "max.message.bytes": str(settings.max_record_bytes + 100_000),
    }


async def _partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    described = await admin.describe_topics()
    return {topic["topic"]: len(topic["partitions"]) for topic in described}


async def _create(
    admin: AIOKafkaAdminClient, missing: Iterable[TopicSpec], settings: EngineSettings
) -> None:
    topics = [
        NewTopic(
            spec.name,
            num_partitions=spec.partitions,
            replication_factor=spec.replication_factor or settings.topic_replication_factor,
            topic_configs=dict(spec.config),
        )
        for spec in missing
    ]
    response = await admin.create_topics(topics)
    for name, code, *message in response.topic_errors:
        error: type[KafkaError] = for_code(code)
        if code == 0 or error is TopicAlreadyExistsError:
            log.info("Topic %s created", name)
        elif error.retriable:
            raise error(f"{name}: {message}")
        else:
            raise Misconfigured(
                f"The brokers refuse to create the topic {name}: {error.__name__} {message}",
                advice=settings.topics_advice,
            )
