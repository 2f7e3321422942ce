"""Produce: records in."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from kio.schema.errors import ErrorCode
from kio.schema.produce.v9.request import PartitionProduceData, ProduceRequest

from app.sandbox.kafka.batches import (
    APPEND_TIME_FLAG,
    BatchHeader,
    BatchRefused,
    Buffer,
    check_produced,
    stamped,
)
from app.sandbox.kafka.context import Broker, Client, HangUp
from app.sandbox.kafka.records import check_records, has_keyless_record
from app.sandbox.kafka.state import Topic
from app.sandbox.kafka.topic_configs import LOG_APPEND_TIME
from app.sandbox.kafka.wire import Answers

logger = logging.getLogger(__name__)

_NO_ANSWER = 0
_EPOCH = datetime.fromtimestamp(0, UTC)


async def produce(broker: Broker, client: Client, request: ProduceRequest, answers: Answers) -> Any:
    """Append a batch to each named partition; each succeeds or fails on its own. With acks=0 there
    is no answer, so an error is told by hanging up."""
    responses = tuple(
        answers(
            "TopicProduceResponse",
            name=topic.name,
            partition_responses=tuple(
                _append(broker, topic.name, data, request, answers) for data in topic.partition_data
            ),
        )
        for topic in request.topic_data
    )
    if request.acks == _NO_ANSWER:
        failed = [p for r in responses for p in r.partition_responses if p.error_code]
        if failed:
            raise HangUp(f"with acks=0 a partition failed: {failed[0].error_message}")
        return None
    return answers("ProduceResponse", responses=responses)


def _append(
    broker: Broker, name: str, data: PartitionProduceData, request: ProduceRequest, answers: Answers
) -> Any:
    error, base_offset, start, message, appended = ErrorCode.none, -1, -1, None, None
    topic = broker.state.topics.get(name)
    log = None if topic is None else topic.partition(data.index)
    try:
        if topic is None or log is None:
            raise BatchRefused(
                ErrorCode.unknown_topic_or_partition, f"no partition {data.index} of topic {name}"
            )
        if broker.faults.is_not_leader(name, data.index):
            raise BatchRefused(ErrorCode.not_leader_or_follower, "the leader is elsewhere")
        if request.acks not in (-1, 0, 1):
            raise BatchRefused(
                ErrorCode.invalid_required_acks, f"acks is {request.acks}, not -1, 0 or 1"
            )
        records: Any = data.records
        header = check_produced(records, broker.state.max_message_bytes(topic))
        check_records(records, header)
        now = round(time.time() * 1000)
        if topic.config("message.timestamp.type") == LOG_APPEND_TIME:
            header, records = stamped(records, header, now)
            appended = _EPOCH + timedelta(milliseconds=now)
        _check_for_topic(topic, header, records, now)
        if header.is_transactional:
            _check_transaction(broker, (name, data.index), header, request.transactional_id)
        base_offset, start = log.append(header, records), log.start_offset
    except BatchRefused as refused:
        error, message = refused.code, str(refused)
    except OSError as failure:
        logger.error("%s-%d: cannot append: %s", name, data.index, failure)
        error, message = ErrorCode.kafka_storage_error, str(failure)
    return answers(
        "PartitionProduceResponse",
        index=data.index,
        error_code=error,
        base_offset=base_offset,
        log_append_time=appended if error is ErrorCode.none else None,
        log_start_offset=start,
        record_errors=(),
        error_message=message,
    )


def _check_transaction(
    broker: Broker,
    partition: tuple[str, int],
    header: BatchHeader,
    transactional_id: str | None,
) -> None:
    if not transactional_id:
        raise BatchRefused(
            ErrorCode.transactional_id_authorization_failed,
            "a transactional batch in a request without a transactional id",
        )
    error = broker.transactions.may_append(header.producer_id, header.producer_epoch, partition)
    if error is not ErrorCode.none:
        raise BatchRefused(
            error,
            f"producer {header.producer_id} in epoch {header.producer_epoch} has no transaction "
            f"that {partition[0]}-{partition[1]} was added to",
        )


def _check_for_topic(topic: Topic, header: BatchHeader, records: Buffer, now: int) -> None:
    if not header.attributes & APPEND_TIME_FLAG:
        _check_timestamps(topic, header, now)
    if "compact" in topic.config("cleanup.policy") and has_keyless_record(records):
        raise BatchRefused(
            ErrorCode.invalid_record, "Compacted topic cannot accept message without key"
        )


def _check_timestamps(topic: Topic, header: BatchHeader, now: int) -> None:
    too_late = header.max_timestamp - now > int(topic.config("message.timestamp.after.max.ms"))
    too_early = now - header.first_timestamp > int(topic.config("message.timestamp.before.max.ms"))
    if too_late or too_early:
        raise BatchRefused(
            ErrorCode.invalid_timestamp,
            f"timestamps {header.first_timestamp} to {header.max_timestamp} are too far from now "
            "(message.timestamp.before.max.ms, message.timestamp.after.max.ms)",
        )
