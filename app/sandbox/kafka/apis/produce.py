"""Produce and InitProducerId: records in."""

from __future__ import annotations

import logging
import time
from typing import Any

from kio.schema.errors import ErrorCode
from kio.schema.init_producer_id.v4.request import InitProducerIdRequest
from kio.schema.produce.v9.request import PartitionProduceData, ProduceRequest

from app.sandbox.kafka.batches import (
    BatchHeader,
    BatchRefused,
    Buffer,
    check_produced,
    has_keyless_record,
)
from app.sandbox.kafka.context import Broker, Client, HangUp
from app.sandbox.kafka.state import Topic
from app.sandbox.kafka.wire import Answers

logger = logging.getLogger(__name__)

_NO_ANSWER = 0
_ALL_REPLICAS = -1


async def produce(broker: Broker, client: Client, request: ProduceRequest, answers: Answers) -> Any:
    """Append a batch to each named partition; each succeeds or fails on its own. With acks=0 there
    is no answer, so an error is told by hanging up."""
    responses = tuple(
        answers(
            "TopicProduceResponse",
            name=topic.name,
            partition_responses=tuple(
                _append(broker, topic.name, data, request.acks, answers)
                for data in topic.partition_data
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
    broker: Broker, name: str, data: PartitionProduceData, acks: int, answers: Answers
) -> Any:
    error, base_offset, start, message = ErrorCode.none, -1, -1, None
    topic = broker.state.topics.get(name)
    log = None if topic is None else topic.partition(data.index)
    try:
        if topic is None or log is None:
            raise BatchRefused(
                ErrorCode.unknown_topic_or_partition, f"no partition {data.index} of topic {name}"
            )
        _check_acks(topic, acks)
        records: Any = data.records
        header = check_produced(records, broker.state.max_message_bytes(topic))
        _check_for_topic(topic, header, records)
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
        log_append_time=None,
        log_start_offset=start,
        record_errors=(),
        error_message=message,
    )


def _check_acks(topic: Topic, acks: int) -> None:
    if acks not in (-1, 0, 1):
        raise BatchRefused(ErrorCode.invalid_required_acks, f"acks is {acks}, not -1, 0 or 1")
    if acks == _ALL_REPLICAS and int(topic.config("min.insync.replicas")) > 1:
        raise BatchRefused(
            ErrorCode.not_enough_replicas, "min.insync.replicas is above the one replica there is"
        )


def _check_for_topic(topic: Topic, header: BatchHeader, records: Buffer) -> None:
    ahead = header.max_timestamp - time.time() * 1000
    if ahead > int(topic.config("message.timestamp.after.max.ms")):
        raise BatchRefused(
            ErrorCode.invalid_timestamp,
            f"timestamp {header.max_timestamp} is too far in the future "
            "(message.timestamp.after.max.ms)",
        )
    if "compact" in topic.config("cleanup.policy") and has_keyless_record(records):
        raise BatchRefused(
            ErrorCode.invalid_record, "Compacted topic cannot accept message without key"
        )


async def init_producer_id(
    broker: Broker, client: Client, request: InitProducerIdRequest, answers: Answers
) -> Any:
    """A producer id for idempotence; one that comes with its old id goes on with the next epoch.
    Transactions are refused."""
    error, producer_id, epoch = ErrorCode.none, getattr(request, "producer_id", -1), 0
    if request.transactional_id is not None:
        error, producer_id, epoch = ErrorCode.invalid_request, -1, -1
    elif producer_id < 0 or request.producer_epoch >= 2**15 - 2:
        producer_id = broker.state.new_producer_id()
    else:
        epoch = request.producer_epoch + 1
    return answers(
        "InitProducerIdResponse", error_code=error, producer_id=producer_id, producer_epoch=epoch
    )
