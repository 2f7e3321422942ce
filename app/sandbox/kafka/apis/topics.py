"""CreateTopics, DeleteTopics, CreatePartitions and DeleteRecords."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from kio.schema.create_partitions.v3.request import CreatePartitionsRequest, CreatePartitionsTopic
from kio.schema.create_topics.v7.request import CreatableTopic, CreateTopicsRequest
from kio.schema.delete_records.v2.request import DeleteRecordsPartition, DeleteRecordsRequest
from kio.schema.delete_topics.v6.request import DeleteTopicsRequest
from kio.schema.errors import ErrorCode

from app.sandbox.kafka.apis.configs import is_set_on_topic, topic_config_values
from app.sandbox.kafka.context import Broker, Client
from app.sandbox.kafka.log import OffsetOutOfRange
from app.sandbox.kafka.settings import NODE_ID
from app.sandbox.kafka.state import Topic, TopicRefused
from app.sandbox.kafka.wire import Answers

_DEFAULT = -1
_REPLICAS = 1
_MOST_AT_ONCE = 10_000
"""How many topics and partitions together Apache Kafka makes for one request."""
_TOO_MANY = "Excessively large number of partitions per request."


async def create_topics(
    broker: Broker, client: Client, request: CreateTopicsRequest, answers: Answers
) -> Any:
    """Create topics; each succeeds or fails on its own, unless too many are asked for at once."""
    times_named = Counter(topic.name for topic in request.topics)
    wanted = sum(1 + max(len(t.assignments), t.num_partitions, 1) for t in request.topics)
    topics = []
    for asked in {topic.name: topic for topic in request.topics}.values():
        error, message, topic = ErrorCode.none, None, None
        try:
            if wanted > _MOST_AT_ONCE:
                raise TopicRefused(ErrorCode.policy_violation, _TOO_MANY)
            if times_named[asked.name] > 1:
                raise TopicRefused(ErrorCode.invalid_request, "Duplicate topic name.")
            topic = _create(broker, asked, request.validate_only)
        except TopicRefused as refused:
            error, message = refused.code, str(refused)
        topics.append(_created(broker, asked.name, topic, error, message, answers))
    return answers("CreateTopicsResponse", topics=tuple(topics))


def _create(broker: Broker, asked: CreatableTopic, validate_only: bool) -> Topic | None:
    configs = {config.name: config.value for config in asked.configs}
    broker.state.check_new_topic(asked.name, configs)
    count = _partition_count(broker, asked)
    return None if validate_only else broker.state.create_topic(asked.name, count, configs)


def _partition_count(broker: Broker, asked: CreatableTopic) -> int:
    if asked.assignments:
        if asked.num_partitions != _DEFAULT or asked.replication_factor != _DEFAULT:
            raise TopicRefused(
                ErrorCode.invalid_request,
                "Both numPartitions or replicationFactor and replicasAssignments were set.",
            )
        indexes = sorted(part.partition_index for part in asked.assignments)
        only_here = all(tuple(part.broker_ids) == (NODE_ID,) for part in asked.assignments)
        if indexes != list(range(len(indexes))) or not only_here:
            raise TopicRefused(
                ErrorCode.invalid_replica_assignment,
                f"partitions must be numbered from 0 and lie on broker {NODE_ID} alone",
            )
        return len(indexes)
    if asked.num_partitions != _DEFAULT and asked.num_partitions < 1:
        raise TopicRefused(
            ErrorCode.invalid_partitions, "Number of partitions must be larger than 0."
        )
    if asked.replication_factor not in (_DEFAULT, _REPLICAS):
        raise TopicRefused(
            ErrorCode.invalid_replication_factor,
            f"Replication factor: {asked.replication_factor}, but there is one broker: ask for 1.",
        )
    default = broker.settings.default_partitions
    return default if asked.num_partitions == _DEFAULT else asked.num_partitions


def _created(
    broker: Broker,
    name: str,
    topic: Topic | None,
    error: ErrorCode,
    message: str | None,
    answers: Answers,
) -> Any:
    configs: tuple[Any, ...] = ()
    if topic is not None and answers.version >= 5:
        configs = tuple(
            answers(
                "CreatableTopicConfigs",
                name=key,
                value=value,
                read_only=False,
                config_source=1 if is_set_on_topic(topic, key) else 5,
                is_sensitive=False,
            )
            for key, value in topic_config_values(broker, topic).items()
        )
    return answers(
        "CreatableTopicResult",
        name=name,
        topic_id=None if topic is None else topic.topic_id,
        error_code=error,
        error_message=message,
        num_partitions=-1 if topic is None else len(topic.partitions),
        replication_factor=-1 if topic is None else _REPLICAS,
        configs=configs,
    )


async def delete_topics(
    broker: Broker, client: Client, request: DeleteTopicsRequest, answers: Answers
) -> Any:
    """Delete topics by name or id, with their records and the offsets committed on them."""
    responses = []
    wanted = Counter(_to_delete(request))
    for (name, topic_id), times in wanted.items():
        topic, error = _find(broker, name, topic_id)
        if times > 1:
            topic, error = None, ErrorCode.invalid_request
        if topic is not None:
            broker.state.delete_topic(topic)
            broker.groups.offsets.forget_topic(topic.name)
            broker.transactions.forget_topic(topic.name)
        responses.append(
            answers(
                "DeletableTopicResult",
                name=name if topic is None else topic.name,
                topic_id=topic_id if topic is None else topic.topic_id,
                error_code=error,
                error_message=None,
            )
        )
    return answers("DeleteTopicsResponse", responses=tuple(responses))


def _find(
    broker: Broker, name: str | None, topic_id: UUID | None
) -> tuple[Topic | None, ErrorCode]:
    if (name is None) == (topic_id is None):
        return None, ErrorCode.invalid_request
    if name is None:
        topic, missing = broker.state.topic_by_id(topic_id), ErrorCode.unknown_topic_id
    else:
        topic, missing = broker.state.topics.get(name), ErrorCode.unknown_topic_or_partition
    return topic, missing if topic is None else ErrorCode.none


def _to_delete(request: Any) -> list[tuple[str | None, Any]]:
    if hasattr(request, "topic_names"):
        return [(name, None) for name in request.topic_names]
    return [(topic.name, topic.topic_id) for topic in request.topics]


async def create_partitions(
    broker: Broker, client: Client, request: CreatePartitionsRequest, answers: Answers
) -> Any:
    """Add partitions to topics."""
    results = []
    wanted = sum(max(0, asked.count - _partitions(broker, asked.name)) for asked in request.topics)
    for asked in request.topics:
        error, message = ErrorCode.none, None
        try:
            if wanted > _MOST_AT_ONCE:
                raise TopicRefused(ErrorCode.policy_violation, _TOO_MANY)
            _grow(broker, asked, request.validate_only)
        except TopicRefused as refused:
            error, message = refused.code, str(refused)
        results.append(
            answers(
                "CreatePartitionsTopicResult",
                name=asked.name,
                error_code=error,
                error_message=message,
            )
        )
    return answers("CreatePartitionsResponse", results=tuple(results))


def _partitions(broker: Broker, name: str) -> int:
    topic = broker.state.topics.get(name)
    return 0 if topic is None else len(topic.partitions)


def _grow(broker: Broker, asked: CreatePartitionsTopic, validate_only: bool) -> None:
    topic = broker.state.topics.get(asked.name)
    if topic is None:
        raise TopicRefused(
            ErrorCode.unknown_topic_or_partition, f"The topic '{asked.name}' does not exist."
        )
    current = len(topic.partitions)
    if asked.count <= current:
        raise TopicRefused(
            ErrorCode.invalid_partitions,
            f"Topic currently has {current} partitions, which is not less than the requested "
            f"{asked.count}.",
        )
    if asked.assignments is not None and (
        len(asked.assignments) != asked.count - current
        or any(tuple(part.broker_ids) != (NODE_ID,) for part in asked.assignments)
    ):
        raise TopicRefused(
            ErrorCode.invalid_replica_assignment,
            f"assign each of the {asked.count - current} new partitions to broker {NODE_ID} alone",
        )
    if not validate_only:
        broker.state.add_partitions(topic, asked.count)


async def delete_records(
    broker: Broker, client: Client, request: DeleteRecordsRequest, answers: Answers
) -> Any:
    """Move the start of logs forward."""
    topics = tuple(
        answers(
            "DeleteRecordsTopicResult",
            name=topic.name,
            partitions=tuple(
                _delete_before(broker, topic.name, asked, answers) for asked in topic.partitions
            ),
        )
        for topic in request.topics
    )
    return answers("DeleteRecordsResponse", topics=topics)


def _delete_before(
    broker: Broker, topic: str, asked: DeleteRecordsPartition, answers: Answers
) -> Any:
    error, low = ErrorCode.none, -1
    found = broker.state.topics.get(topic)
    log = None if found is None else found.partition(asked.partition_index)
    if found is None or log is None:
        error = ErrorCode.unknown_topic_or_partition
    elif "delete" not in found.config("cleanup.policy"):
        error = ErrorCode.policy_violation
    else:
        try:
            low = log.delete_before(asked.offset)
        except OffsetOutOfRange:
            error = ErrorCode.offset_out_of_range
    return answers(
        "DeleteRecordsPartitionResult",
        partition_index=asked.partition_index,
        low_watermark=low,
        error_code=error,
    )
