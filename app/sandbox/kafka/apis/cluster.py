"""Metadata, FindCoordinator, DescribeCluster, DescribeLogDirs: who is there, what it has."""

from __future__ import annotations

import shutil
from typing import Any
from uuid import UUID

from kio.schema.describe_cluster.v1.request import DescribeClusterRequest
from kio.schema.describe_log_dirs.v4.request import DescribeLogDirsRequest
from kio.schema.errors import ErrorCode
from kio.schema.find_coordinator.v4.request import FindCoordinatorRequest
from kio.schema.metadata.v12.request import MetadataRequest

from app.sandbox.kafka.context import Broker, Client
from app.sandbox.kafka.settings import NODE_ID
from app.sandbox.kafka.state import Topic, TopicRefused, check_name
from app.sandbox.kafka.wire import Answers

_GROUP_KEY = 0
_TRANSACTION_KEY = 1
_FIRST_WITH_IDS = 12
"""The first version of Metadata in which a topic may be asked for by its id."""


async def metadata(
    broker: Broker, client: Client, request: MetadataRequest, answers: Answers
) -> Any:
    """The one broker, and the topics asked for (all when none are named)."""
    return answers(
        "MetadataResponse",
        brokers=(
            answers(
                "MetadataResponseBroker",
                node_id=NODE_ID,
                host=broker.host,
                port=broker.port,
                rack=None,
            ),
        ),
        cluster_id=broker.state.cluster_id,
        controller_id=NODE_ID,
        topics=tuple(_topics(broker, request, answers)),
    )


def _topics(broker: Broker, request: MetadataRequest, answers: Answers) -> list[Any]:
    # Version 0 has no null: there an empty list means all topics.
    if request.topics is None or (answers.version == 0 and not request.topics):
        return [_described(topic, answers) for topic in broker.state.topics.values()]
    may_create = getattr(request, "allow_auto_topic_creation", True)
    return [
        _asked_for(broker, asked.name, getattr(asked, "topic_id", None), may_create, answers)
        for asked in request.topics
    ]


def _asked_for(
    broker: Broker, name: str | None, topic_id: UUID | None, may_create: bool, answers: Answers
) -> Any:
    if name is None:
        if answers.version < _FIRST_WITH_IDS:
            return _missing(ErrorCode.invalid_request, "", topic_id, answers)
        by_id = broker.state.topic_by_id(topic_id)
        if by_id is not None:
            return _described(by_id, answers)
        return _missing(ErrorCode.unknown_topic_id, None, topic_id, answers)
    topic = broker.state.topics.get(name)
    if topic is not None:
        return _described(topic, answers)
    try:
        check_name(name)
        if may_create and broker.settings.auto_create_topics:
            count = broker.settings.default_partitions
            return _described(broker.state.create_topic(name, count, {}), answers)
    except TopicRefused as refused:
        return _missing(refused.code, name, None, answers)
    return _missing(ErrorCode.unknown_topic_or_partition, name, None, answers)


def _missing(error: ErrorCode, name: str | None, topic_id: UUID | None, answers: Answers) -> Any:
    return answers(
        "MetadataResponseTopic",
        error_code=error,
        name=name,
        topic_id=topic_id,
        is_internal=False,
        partitions=(),
    )


def _described(topic: Topic, answers: Answers) -> Any:
    partitions = tuple(
        answers(
            "MetadataResponsePartition",
            error_code=ErrorCode.none,
            partition_index=index,
            leader_id=NODE_ID,
            leader_epoch=log.epochs.current,
            replica_nodes=(NODE_ID,),
            isr_nodes=(NODE_ID,),
            offline_replicas=(),
        )
        for index, log in enumerate(topic.partitions)
    )
    return answers(
        "MetadataResponseTopic",
        error_code=ErrorCode.none,
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=False,
        partitions=partitions,
    )


async def find_coordinator(
    broker: Broker, client: Client, request: FindCoordinatorRequest, answers: Answers
) -> Any:
    """This broker, for groups and transactional ids."""
    known = getattr(request, "key_type", _GROUP_KEY) in (_GROUP_KEY, _TRANSACTION_KEY)
    where: dict[str, Any] = {"node_id": -1, "host": "", "port": -1}
    where |= {"error_code": ErrorCode.invalid_request, "error_message": None}
    if known:
        where = {"node_id": NODE_ID, "host": broker.host, "port": broker.port}
        where |= {"error_code": ErrorCode.none, "error_message": None}
    if answers.version < 4:
        return answers("FindCoordinatorResponse", **where)
    found = tuple(answers("Coordinator", key=key, **where) for key in request.coordinator_keys)
    return answers("FindCoordinatorResponse", coordinators=found)


async def describe_cluster(
    broker: Broker, client: Client, request: DescribeClusterRequest, answers: Answers
) -> Any:
    """The cluster of one."""
    node = answers(
        "DescribeClusterBroker", broker_id=NODE_ID, host=broker.host, port=broker.port, rack=None
    )
    return answers(
        "DescribeClusterResponse",
        error_code=ErrorCode.none,
        error_message=None,
        cluster_id=broker.state.cluster_id,
        controller_id=NODE_ID,
        brokers=(node,),
    )


async def describe_log_dirs(
    broker: Broker, client: Client, request: DescribeLogDirsRequest, answers: Answers
) -> Any:
    """The one folder of logs, with the sizes of the partitions asked for (null: of all)."""
    wanted = {
        (name, index)
        for name, topic in broker.state.topics.items()
        for index in range(len(topic.partitions))
    }
    if request.topics is not None:
        wanted &= {(asked.topic, index) for asked in request.topics for index in asked.partitions}
    by_topic: dict[str, list[Any]] = {}
    for name, index in sorted(wanted):
        log = broker.state.topics[name].partitions[index]
        by_topic.setdefault(name, []).append(
            answers(
                "DescribeLogDirsPartition",
                partition_index=index,
                partition_size=log.size,
                offset_lag=0,
                is_future_key=False,
            )
        )
    usage = shutil.disk_usage(broker.state.folder)
    folder = answers(
        "DescribeLogDirsResult",
        error_code=ErrorCode.none,
        log_dir=str(broker.state.folder),
        topics=tuple(
            answers("DescribeLogDirsTopic", name=name, partitions=tuple(partitions))
            for name, partitions in by_topic.items()
        ),
        total_bytes=usage.total,
        usable_bytes=usage.free,
    )
    return answers("DescribeLogDirsResponse", error_code=ErrorCode.none, results=(folder,))
