"""ListOffsets and OffsetForLeaderEpoch: which offset is first, last, or of a moment."""

from __future__ import annotations

from typing import Any

from kio.schema.errors import ErrorCode
from kio.schema.list_offsets.v7.request import ListOffsetsPartition, ListOffsetsRequest
from kio.schema.offset_for_leader_epoch.v4.request import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
)

from app.sandbox.kafka.batches import BatchRefused, RecordStamp
from app.sandbox.kafka.context import Broker, Client
from app.sandbox.kafka.log import PartitionLog
from app.sandbox.kafka.settings import LEADER_EPOCH
from app.sandbox.kafka.wire import Answers

_LATEST = -1
_EARLIEST = -2
_MAX_TIMESTAMP = -3
_NONE = RecordStamp(offset=-1, timestamp=-1)


async def list_offsets(
    broker: Broker, client: Client, request: ListOffsetsRequest, answers: Answers
) -> Any:
    """The start of each log (-2), its end (-1), its newest record (-3), or the first record
    stamped at or after a moment (ms since 1970); offset -1 when there is no such record."""
    topics = tuple(
        answers(
            "ListOffsetsTopicResponse",
            name=topic.name,
            partitions=tuple(
                _partition(broker, topic.name, asked, answers) for asked in topic.partitions
            ),
        )
        for topic in request.topics
    )
    return answers("ListOffsetsResponse", topics=topics)


def _partition(broker: Broker, topic: str, asked: ListOffsetsPartition, answers: Answers) -> Any:
    error, stamp = ErrorCode.none, _NONE
    log = broker.state.partition(topic, asked.partition_index)
    if log is None:
        error = ErrorCode.unknown_topic_or_partition
    elif getattr(asked, "current_leader_epoch", -1) > LEADER_EPOCH:
        error = ErrorCode.unknown_leader_epoch
    elif asked.timestamp < _MAX_TIMESTAMP:
        error = ErrorCode.unsupported_version
    else:
        try:
            stamp = _stamp(log, asked.timestamp)
        except BatchRefused as unreadable:
            error = unreadable.code
    return answers(
        "ListOffsetsPartitionResponse",
        partition_index=asked.partition_index,
        error_code=error,
        timestamp=stamp.timestamp,
        offset=stamp.offset,
        leader_epoch=LEADER_EPOCH if stamp.offset >= 0 else -1,
    )


def _stamp(log: PartitionLog, timestamp: int) -> RecordStamp:
    if timestamp == _LATEST:
        return RecordStamp(offset=log.end_offset, timestamp=-1)
    if timestamp == _EARLIEST:
        return RecordStamp(offset=log.start_offset, timestamp=-1)
    found = log.newest() if timestamp == _MAX_TIMESTAMP else log.at_timestamp(timestamp)
    return found or _NONE


async def offset_for_leader_epoch(
    broker: Broker, client: Client, request: OffsetForLeaderEpochRequest, answers: Answers
) -> Any:
    """Where an epoch ended: at the log's end for the one epoch there is."""
    topics = tuple(
        answers(
            "OffsetForLeaderTopicResult",
            topic=topic.topic,
            partitions=tuple(
                _epoch_end(broker, topic.topic, asked, answers) for asked in topic.partitions
            ),
        )
        for topic in request.topics
    )
    return answers("OffsetForLeaderEpochResponse", topics=topics)


def _epoch_end(
    broker: Broker, topic: str, asked: OffsetForLeaderPartition, answers: Answers
) -> Any:
    error, epoch, end = ErrorCode.none, -1, -1
    log = broker.state.partition(topic, asked.partition)
    if log is None:
        error = ErrorCode.unknown_topic_or_partition
    elif asked.current_leader_epoch > LEADER_EPOCH:
        error = ErrorCode.unknown_leader_epoch
    elif asked.leader_epoch == LEADER_EPOCH:
        epoch, end = LEADER_EPOCH, log.end_offset
    return answers(
        "EpochEndOffset",
        error_code=error,
        partition=asked.partition,
        leader_epoch=epoch,
        end_offset=end,
    )
