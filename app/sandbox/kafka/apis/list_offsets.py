"""ListOffsets and OffsetForLeaderEpoch: which offset is first, last, or of a moment."""

from __future__ import annotations

from typing import Any

from kio.schema.errors import ErrorCode
from kio.schema.list_offsets.v7.request import ListOffsetsPartition, ListOffsetsRequest
from kio.schema.offset_for_leader_epoch.v4.request import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
)

from app.sandbox.kafka.apis.leadership import leader_of
from app.sandbox.kafka.batches import BatchRefused
from app.sandbox.kafka.context import Broker, Client
from app.sandbox.kafka.log import PartitionLog
from app.sandbox.kafka.records import RecordStamp
from app.sandbox.kafka.wire import Answers

READ_COMMITTED = 1
"""The isolation level of readers who see nothing of open and aborted transactions."""
_LATEST = -1
_EARLIEST = -2
_MAX_TIMESTAMP = -3
_NONE = RecordStamp(offset=-1, timestamp=-1)


async def list_offsets(
    broker: Broker, client: Client, request: ListOffsetsRequest, answers: Answers
) -> Any:
    """The start of each log (-2), its end (-1), its newest record (-3), or the first record
    stamped at or after a moment (ms since 1970); offset -1 when there is no such record."""
    committed = getattr(request, "isolation_level", 0) == READ_COMMITTED
    topics = tuple(
        answers(
            "ListOffsetsTopicResponse",
            name=topic.name,
            partitions=tuple(
                _partition(broker, topic.name, asked, committed, answers)
                for asked in topic.partitions
            ),
        )
        for topic in request.topics
    )
    return answers("ListOffsetsResponse", topics=topics)


def _partition(
    broker: Broker, topic: str, asked: ListOffsetsPartition, committed: bool, answers: Answers
) -> Any:
    error, log = leader_of(
        broker, topic, asked.partition_index, getattr(asked, "current_leader_epoch", -1)
    )
    stamp = _NONE
    if log is None:
        pass
    elif asked.timestamp < _MAX_TIMESTAMP:
        error = ErrorCode.unsupported_version
    else:
        try:
            stamp = _stamp(log, asked.timestamp, committed)
        except BatchRefused as unreadable:
            error = unreadable.code
    return answers(
        "ListOffsetsPartitionResponse",
        partition_index=asked.partition_index,
        error_code=error,
        timestamp=stamp.timestamp,
        offset=stamp.offset,
        leader_epoch=-1 if log is None or stamp.offset < 0 else log.epochs.of(stamp.offset),
    )


def _stamp(log: PartitionLog, timestamp: int, committed: bool) -> RecordStamp:
    if timestamp == _LATEST:
        end = log.last_stable_offset if committed else log.end_offset
        return RecordStamp(offset=end, timestamp=-1)
    if timestamp == _EARLIEST:
        return RecordStamp(offset=log.start_offset, timestamp=-1)
    found = log.newest() if timestamp == _MAX_TIMESTAMP else log.at_timestamp(timestamp)
    if found is None or (committed and found.offset >= log.last_stable_offset):
        return _NONE
    return found


async def offset_for_leader_epoch(
    broker: Broker, client: Client, request: OffsetForLeaderEpochRequest, answers: Answers
) -> Any:
    """Where an epoch ended: at the log's end for the current one."""
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
    error, log = leader_of(broker, topic, asked.partition, asked.current_leader_epoch)
    epoch, end = -1, -1
    if log is not None:
        epoch, end = log.epochs.end_of(asked.leader_epoch, log.end_offset)
    return answers(
        "EpochEndOffset",
        error_code=error,
        partition=asked.partition,
        leader_epoch=epoch,
        end_offset=end,
    )
