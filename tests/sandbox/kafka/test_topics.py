"""Topics and their configs, as admin clients see them; Apache Kafka passes these too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from kio.schema.errors import ErrorCode

from tests.sandbox.kafka.conftest import NewTopicName
from tests.sandbox.kafka.raw import (
    RawClient,
    eventually,
    fetch_request,
    fetched,
    list_offsets_request,
    produce_request,
    produced,
    record_batch,
    types,
    until_served,
)

pytestmark = pytest.mark.broker


async def create(raw: RawClient, name: str, **changed: Any) -> ErrorCode:
    t = types(19, 7)
    configs = tuple(
        t.CreatableTopicConfig(name=key, value=value)
        for key, value in changed.pop("configs", {}).items()
    )
    fields: dict[str, Any] = {"num_partitions": 1, "replication_factor": 1, "assignments": ()}
    validate_only = changed.pop("validate_only", False)
    topic = t.CreatableTopic(name=name, configs=configs, **(fields | changed))
    answer = await raw.ask(
        t.CreateTopicsRequest(
            topics=(topic,), timeout=timedelta(seconds=10), validate_only=validate_only
        )
    )
    return ErrorCode(answer.topics[0].error_code)


async def described(admin: AIOKafkaAdminClient, topic: str) -> dict[str, tuple[str, bool]]:
    """Value by config name, and whether it was set on the topic."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    (answer,) = await admin.describe_configs([resource])
    error, _, _, _, configs = answer.resources[0]
    assert error == 0
    return {name: (value, source == 1) for name, value, _, source, *_ in configs}


async def test_metadata_names_the_topic_with_its_partitions(
    admin: AIOKafkaAdminClient, new_topic: NewTopicName
) -> None:
    topic = await new_topic("described", partitions=3)
    assert topic in await admin.list_topics()
    (found,) = await admin.describe_topics([topic])

    assert found["error_code"] == 0
    assert sorted(part["partition"] for part in found["partitions"]) == [0, 1, 2]
    assert {part["leader"] for part in found["partitions"]} == {1}


async def test_a_topic_that_nobody_created_is_not_made_by_asking(
    admin: AIOKafkaAdminClient, raw: RawClient, unique_name: Callable[[str], str]
) -> None:
    name = unique_name("misspelt")
    (found,) = await admin.describe_topics([name])
    assert found["error_code"] == ErrorCode.unknown_topic_or_partition
    answer = await raw.ask(list_offsets_request(name, -1))
    assert answer.topics[0].partitions[0].error_code is ErrorCode.unknown_topic_or_partition


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"num_partitions": 0}, ErrorCode.invalid_partitions),
        ({"num_partitions": -5}, ErrorCode.invalid_partitions),
        ({"replication_factor": 3}, ErrorCode.invalid_replication_factor),
        ({"replication_factor": 0}, ErrorCode.invalid_replication_factor),
        ({"configs": {"no.such.config": "1"}}, ErrorCode.invalid_config),
        ({"configs": {"retention.ms": "soon"}}, ErrorCode.invalid_config),
        ({"configs": {"retention.ms": "-2"}}, ErrorCode.invalid_config),
        ({"configs": {"cleanup.policy": "shred"}}, ErrorCode.invalid_config),
        ({"configs": {"min.cleanable.dirty.ratio": "1.5"}}, ErrorCode.invalid_config),
        ({"validate_only": True}, ErrorCode.none),
    ],
)
async def test_a_topic_that_cannot_be_is_refused_and_not_created(
    raw: RawClient,
    admin: AIOKafkaAdminClient,
    unique_name: Callable[[str], str],
    changed: dict[str, Any],
    error: ErrorCode,
) -> None:
    name = unique_name("refused")
    assert await create(raw, name, **changed) is error
    assert name not in await admin.list_topics()


@pytest.mark.parametrize("name", ["", ".", "..", "white space", "ümlaut", "x" * 250])
async def test_a_name_that_is_none_is_refused(raw: RawClient, name: str) -> None:
    assert await create(raw, name) is ErrorCode.invalid_topic_exception


async def test_a_topic_is_created_once(raw: RawClient, new_topic: NewTopicName) -> None:
    topic = await new_topic("once.only")
    assert await create(raw, topic) is ErrorCode.topic_already_exists
    twin = topic.replace("once.only", "once_only")
    assert await create(raw, twin) is ErrorCode.invalid_topic_exception


async def test_configs_are_kept_and_the_rest_has_apache_kafkas_defaults(
    admin: AIOKafkaAdminClient, new_topic: NewTopicName
) -> None:
    configs = {"cleanup.policy": "compact", "min.compaction.lag.ms": "600000"}
    topic = await new_topic("configured", configs=configs)
    found = await described(admin, topic)

    assert found["cleanup.policy"] == ("compact", True)
    assert found["min.compaction.lag.ms"] == ("600000", True)
    assert found["retention.ms"] == ("604800000", False)
    assert found["max.message.bytes"] == ("1048588", False)
    assert found["message.timestamp.after.max.ms"] == ("3600000", False)


async def test_configs_are_altered_together_and_one_by_one(
    admin: AIOKafkaAdminClient, raw: RawClient, new_topic: NewTopicName
) -> None:
    topic = await new_topic("altered", configs={"retention.ms": "1000"})

    t = types(44, 1)
    changes = (
        t.AlterableConfig(name="segment.bytes", config_operation=0, value="2097152"),
        t.AlterableConfig(name="retention.ms", config_operation=1, value=None),
        t.AlterableConfig(name="cleanup.policy", config_operation=2, value="compact"),
    )
    resource = t.AlterConfigsResource(resource_type=2, resource_name=topic, configs=changes)
    request = t.IncrementalAlterConfigsRequest(resources=(resource,), validate_only=False)
    answer = await raw.ask(request)
    assert answer.responses[0].error_code is ErrorCode.none

    async def changed() -> bool:
        found = await described(admin, topic)
        return found["segment.bytes"] == ("2097152", True)

    await eventually(changed)
    found = await described(admin, topic)
    assert found["retention.ms"] == ("604800000", False)
    assert set(found["cleanup.policy"][0].split(",")) == {"delete", "compact"}


async def test_an_alteration_that_does_not_fit_changes_nothing(
    admin: AIOKafkaAdminClient, raw: RawClient, new_topic: NewTopicName
) -> None:
    topic = await new_topic("unaltered", configs={"retention.ms": "1000"})
    t = types(44, 1)
    outcomes = []
    for name, value in ((topic, "soon"), (topic + ".none", "5000")):
        change = t.AlterableConfig(name="retention.ms", config_operation=0, value=value)
        resource = t.AlterConfigsResource(resource_type=2, resource_name=name, configs=(change,))
        request = t.IncrementalAlterConfigsRequest(resources=(resource,), validate_only=False)
        outcomes.append((await raw.ask(request)).responses[0].error_code)

    assert outcomes == [ErrorCode.invalid_config, ErrorCode.unknown_topic_or_partition]
    assert (await described(admin, topic))["retention.ms"] == ("1000", True)


async def test_partitions_are_added_and_never_taken_away(
    admin: AIOKafkaAdminClient, raw: RawClient, new_topic: NewTopicName
) -> None:
    topic = await new_topic("growing", partitions=2)
    await admin.create_partitions({topic: NewPartitions(4)})
    await until_served(raw, topic, 4)
    answer = await raw.ask(produce_request(topic, record_batch([b"x"]), partition=3))
    assert produced(answer).error_code is ErrorCode.none

    t = types(37, 3)
    asked = t.CreatePartitionsTopic(name=topic, count=3, assignments=None)
    request = t.CreatePartitionsRequest(
        topics=(asked,), timeout=timedelta(seconds=10), validate_only=False
    )
    assert (await raw.ask(request)).results[0].error_code is ErrorCode.invalid_partitions


async def test_a_deleted_topic_is_gone_and_may_come_again_empty(
    admin: AIOKafkaAdminClient, raw: RawClient, new_topic: NewTopicName
) -> None:
    topic = await new_topic("reborn")
    await raw.ask(produce_request(topic, record_batch([b"former"])))
    await admin.delete_topics([topic])

    async def gone() -> bool:
        return topic not in await admin.list_topics()

    await eventually(gone)
    t = types(20, 6)
    again = t.DeleteTopicsRequest(
        topics=(t.DeleteTopicState(name=topic, topic_id=None),), timeout=timedelta(seconds=10)
    )
    unknown = (await raw.ask(again)).responses[0].error_code
    assert unknown is ErrorCode.unknown_topic_or_partition

    assert await new_topic("reborn") == topic
    answer = await raw.ask(list_offsets_request(topic, -1))
    assert answer.topics[0].partitions[0].offset == 0


async def test_records_are_deleted_up_to_an_offset(raw: RawClient, new_topic: NewTopicName) -> None:
    topic = await new_topic("cut")
    for _ in range(3):
        await raw.ask(produce_request(topic, record_batch([b"a", b"b"])))
    t = types(21, 2)

    async def delete_before(offset: int) -> tuple[ErrorCode, int]:
        asked = t.DeleteRecordsPartition(partition_index=0, offset=offset)
        topics = (t.DeleteRecordsTopic(name=topic, partitions=(asked,)),)
        request = t.DeleteRecordsRequest(topics=topics, timeout=timedelta(seconds=10))
        part = (await raw.ask(request)).topics[0].partitions[0]
        return ErrorCode(part.error_code), part.low_watermark

    assert await delete_before(3) == (ErrorCode.none, 3)
    assert (await delete_before(7))[0] is ErrorCode.offset_out_of_range
    earliest = (await raw.ask(list_offsets_request(topic, -2))).topics[0].partitions[0]
    assert earliest.offset == 3
    below = fetched(await raw.ask(fetch_request(topic, 2)))
    assert below.error_code is ErrorCode.offset_out_of_range
    at = fetched(await raw.ask(fetch_request(topic, 3)))
    assert (at.error_code, at.log_start_offset) == (ErrorCode.none, 3)
    assert await delete_before(-1) == (ErrorCode.none, 6)
