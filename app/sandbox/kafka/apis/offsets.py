"""OffsetCommit, OffsetFetch and OffsetDelete."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from kio.schema.errors import ErrorCode
from kio.schema.offset_commit.v9.request import OffsetCommitRequest
from kio.schema.offset_delete.v0.request import OffsetDeleteRequest
from kio.schema.offset_fetch.v9.request import OffsetFetchRequest

from app.sandbox.kafka.context import Broker, Client
from app.sandbox.kafka.offsets import Committed
from app.sandbox.kafka.wire import Answers

logger = logging.getLogger(__name__)

_FIRST_OF_SEVERAL_GROUPS = 8
_FIRST_WITH_UNKNOWN_GROUPS = 9
_NEVER = Committed(offset=-1)

Partition = tuple[str, int]


async def offset_commit(
    broker: Broker, client: Client, request: OffsetCommitRequest, answers: Answers
) -> Any:
    """Commit offsets, if the group lets this member."""
    # Version 9 renamed the field.
    before_9: int = getattr(request, "generation_id", -1)
    generation: int = getattr(request, "generation_id_or_member_epoch", before_9)
    instance_id = getattr(request, "group_instance_id", None)
    fenced = broker.groups.commit_error(
        request.group_id, request.member_id, generation, instance_id
    )
    if fenced is ErrorCode.group_id_not_found and answers.version < _FIRST_WITH_UNKNOWN_GROUPS:
        fenced = ErrorCode.illegal_generation
    errors: dict[Partition, ErrorCode] = {}
    commits: dict[Partition, Committed] = {}
    for topic in request.topics:
        for asked in topic.partitions:
            where = (topic.name, asked.partition_index)
            metadata = asked.committed_metadata or ""
            errors[where] = fenced or commit_error(broker, where, metadata)
            if errors[where] is ErrorCode.none:
                epoch = getattr(asked, "committed_leader_epoch", -1)
                commits[where] = Committed(asked.committed_offset, epoch, metadata)
    try:
        broker.groups.offsets.commit(request.group_id, commits)
    except OSError as failure:
        logger.error("cannot keep the offsets of group %s: %s", request.group_id, failure)
        errors.update(dict.fromkeys(commits, ErrorCode.unknown_server_error))
    topics = tuple(
        answers(
            "OffsetCommitResponseTopic",
            name=topic.name,
            partitions=tuple(
                answers(
                    "OffsetCommitResponsePartition",
                    partition_index=asked.partition_index,
                    error_code=errors[(topic.name, asked.partition_index)],
                )
                for asked in topic.partitions
            ),
        )
        for topic in request.topics
    )
    return answers("OffsetCommitResponse", topics=topics)


def commit_error(broker: Broker, where: Partition, metadata: str) -> ErrorCode:
    """Why this one offset cannot be committed, `none` when it can."""
    if broker.state.partition(*where) is None:
        return ErrorCode.unknown_topic_or_partition
    if len(metadata.encode()) > broker.settings.offset_metadata_max_bytes:
        return ErrorCode.offset_metadata_too_large
    return ErrorCode.none


async def offset_fetch(
    broker: Broker, client: Client, request: OffsetFetchRequest, answers: Answers
) -> Any:
    """Committed offsets of the named partitions (null: all there are); -1 where there is none."""
    if answers.version >= _FIRST_OF_SEVERAL_GROUPS:
        groups = tuple(
            answers(
                "OffsetFetchResponseGroup",
                group_id=group.group_id,
                topics=_topics(broker, group, answers, "s", stable=request.require_stable),
                error_code=ErrorCode.none,
            )
            for group in request.groups
        )
        return answers("OffsetFetchResponse", groups=groups)
    return answers(
        "OffsetFetchResponse",
        topics=_topics(
            broker, request, answers, "", stable=getattr(request, "require_stable", False)
        ),
        error_code=ErrorCode.none,
    )


def _topics(
    broker: Broker, asked: Any, answers: Answers, plural: str, *, stable: bool
) -> tuple[Any, ...]:
    """`plural` ends the names of the types, which version 8 renamed; `stable` asks for offsets that
    no open transaction is about to change."""

    def is_unstable(where: Partition) -> bool:
        return stable and broker.transactions.is_pending(asked.group_id, where)

    kept = broker.groups.offsets.of_group(asked.group_id)
    wanted: dict[str, list[int]] = {}
    if asked.topics is None:
        for topic, partition in kept:
            wanted.setdefault(topic, []).append(partition)
    else:
        wanted = {topic.name: list(topic.partition_indexes) for topic in asked.topics}
    return tuple(
        answers(
            f"OffsetFetchResponseTopic{plural}",
            name=topic,
            partitions=tuple(_partitions(kept, topic, partitions, answers, plural, is_unstable)),
        )
        for topic, partitions in wanted.items()
    )


def _partitions(
    kept: dict[Partition, Committed],
    topic: str,
    partitions: list[int],
    answers: Answers,
    plural: str,
    is_unstable: Callable[[Partition], bool],
) -> Iterable[Any]:
    for partition in partitions:
        unstable = is_unstable((topic, partition))
        found = _NEVER if unstable else kept.get((topic, partition), _NEVER)
        yield answers(
            f"OffsetFetchResponsePartition{plural}",
            partition_index=partition,
            committed_offset=found.offset,
            committed_leader_epoch=found.leader_epoch,
            metadata=found.metadata,
            error_code=ErrorCode.unstable_offset_commit if unstable else ErrorCode.none,
        )


async def offset_delete(
    broker: Broker, client: Client, request: OffsetDeleteRequest, answers: Answers
) -> Any:
    """Delete committed offsets of topics that no member of the group subscribes to."""
    error = broker.groups.delete_offset_error(request.group_id)
    if error is not ErrorCode.none:
        return answers("OffsetDeleteResponse", error_code=error, topics=())
    subscribed = broker.groups.subscribed_topics(request.group_id)
    topics = tuple(
        answers(
            "OffsetDeleteResponseTopic",
            name=topic.name,
            partitions=tuple(
                answers(
                    "OffsetDeleteResponsePartition",
                    partition_index=asked.partition_index,
                    error_code=_delete(
                        broker, request.group_id, topic.name, asked.partition_index, subscribed
                    ),
                )
                for asked in topic.partitions
            ),
        )
        for topic in request.topics
    )
    return answers("OffsetDeleteResponse", error_code=ErrorCode.none, topics=topics)


def _delete(
    broker: Broker, group_id: str, topic: str, partition: int, subscribed: set[str]
) -> ErrorCode:
    if broker.state.partition(topic, partition) is None:
        return ErrorCode.unknown_topic_or_partition
    if topic in subscribed:
        return ErrorCode.group_subscribed_to_topic
    broker.groups.offsets.forget(group_id, topic, partition)
    return ErrorCode.none
