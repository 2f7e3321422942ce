"""The requests of transactional and idempotent producers, and what administrators see of them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from kio.schema.add_offsets_to_txn.v4.request import AddOffsetsToTxnRequest
from kio.schema.add_partitions_to_txn.v3.request import AddPartitionsToTxnRequest
from kio.schema.describe_producers.v0.request import DescribeProducersRequest
from kio.schema.describe_transactions.v0.request import DescribeTransactionsRequest
from kio.schema.end_txn.v4.request import EndTxnRequest
from kio.schema.errors import ErrorCode
from kio.schema.init_producer_id.v4.request import InitProducerIdRequest
from kio.schema.list_transactions.v1.request import ListTransactionsRequest
from kio.schema.txn_offset_commit.v4.request import TxnOffsetCommitRequest

from app.sandbox.kafka.apis.offsets import commit_error
from app.sandbox.kafka.context import Broker, Client
from app.sandbox.kafka.log import PartitionLog
from app.sandbox.kafka.offsets import Committed
from app.sandbox.kafka.transaction_rows import Partition, Transaction, TransactionState
from app.sandbox.kafka.wire import Answers

_FIRST_INIT_WITH_FENCED = 4
_FIRST_WITH_FENCED = 2
_EPOCH = datetime.fromtimestamp(0, UTC)


async def init_producer_id(
    broker: Broker, client: Client, request: InitProducerIdRequest, answers: Answers
) -> Any:
    """A producer id: a new one for idempotence, the transactional id's own with a new epoch."""
    error, producer = ErrorCode.none, (-1, -1)
    if request.transactional_id is None:
        producer = (broker.state.new_producer_id(), 0)
    else:
        expected = (getattr(request, "producer_id", -1), getattr(request, "producer_epoch", -1))
        timeout = request.transaction_timeout.total_seconds()
        error, producer = broker.transactions.init_producer(
            request.transactional_id, timeout, expected
        )
    return answers(
        "InitProducerIdResponse",
        error_code=_fencing(error, answers, _FIRST_INIT_WITH_FENCED),
        producer_id=producer[0],
        producer_epoch=producer[1],
    )


def _fencing(error: ErrorCode, answers: Answers, first_version: int) -> ErrorCode:
    """Older versions have one error for all that is fenced."""
    if error is ErrorCode.producer_fenced and answers.version < first_version:
        return ErrorCode.invalid_producer_epoch
    return error


async def add_partitions_to_txn(
    broker: Broker, client: Client, request: AddPartitionsToTxnRequest, answers: Answers
) -> Any:
    """Let the transaction write to more partitions: to all of them, or to none."""
    asked = {
        (topic.name, index): _partition_error(broker, topic.name, index)
        for topic in request.v3_and_below_topics
        for index in topic.partitions
    }
    if any(asked.values()):
        errors = {
            where: error or ErrorCode.operation_not_attempted for where, error in asked.items()
        }
    else:
        producer = (request.v3_and_below_producer_id, request.v3_and_below_producer_epoch)
        error = broker.transactions.add_partitions(
            request.v3_and_below_transactional_id, producer, set(asked)
        )
        errors = dict.fromkeys(asked, _fencing(error, answers, _FIRST_WITH_FENCED))
    results = tuple(
        answers(
            "AddPartitionsToTxnTopicResult",
            name=topic.name,
            results_by_partition=tuple(
                answers(
                    "AddPartitionsToTxnPartitionResult",
                    partition_index=index,
                    partition_error_code=errors[(topic.name, index)],
                )
                for index in topic.partitions
            ),
        )
        for topic in request.v3_and_below_topics
    )
    return answers("AddPartitionsToTxnResponse", results_by_topic_v3_and_below=results)


def _partition_error(broker: Broker, topic: str, index: int) -> ErrorCode:
    known = broker.state.partition(topic, index) is not None
    return ErrorCode.none if known else ErrorCode.unknown_topic_or_partition


async def add_offsets_to_txn(
    broker: Broker, client: Client, request: AddOffsetsToTxnRequest, answers: Answers
) -> Any:
    """Let the transaction commit offsets of a group."""
    error = broker.transactions.add_group(
        request.transactional_id, (request.producer_id, request.producer_epoch), request.group_id
    )
    error = _fencing(error, answers, _FIRST_WITH_FENCED)
    return answers("AddOffsetsToTxnResponse", error_code=error)


async def txn_offset_commit(
    broker: Broker, client: Client, request: TxnOffsetCommitRequest, answers: Answers
) -> Any:
    """Commit offsets when the transaction does."""
    producer = (request.producer_id, request.producer_epoch)
    fenced = _txn_commit_error(broker, request, producer)
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
    if commits:
        broker.transactions.hold_offsets(
            request.transactional_id, producer, request.group_id, commits
        )
    topics = tuple(
        answers(
            "TxnOffsetCommitResponseTopic",
            name=topic.name,
            partitions=tuple(
                answers(
                    "TxnOffsetCommitResponsePartition",
                    partition_index=asked.partition_index,
                    error_code=errors[(topic.name, asked.partition_index)],
                )
                for asked in topic.partitions
            ),
        )
        for topic in request.topics
    )
    return answers("TxnOffsetCommitResponse", topics=topics)


def _txn_commit_error(
    broker: Broker, request: TxnOffsetCommitRequest, producer: tuple[int, int]
) -> ErrorCode:
    error = broker.transactions.offsets_error(request.transactional_id, producer, request.group_id)
    if error is ErrorCode.producer_fenced:
        # The group coordinator has one error for all producers that are fenced.
        return ErrorCode.invalid_producer_epoch
    return error or broker.groups.transactional_commit_error(
        request.group_id,
        getattr(request, "member_id", ""),
        getattr(request, "generation_id", -1),
        getattr(request, "group_instance_id", None),
    )


async def end_txn(broker: Broker, client: Client, request: EndTxnRequest, answers: Answers) -> Any:
    """Commit or abort; the records are visible, or skipped, when this is answered."""
    error = broker.transactions.end(
        request.transactional_id,
        (request.producer_id, request.producer_epoch),
        commit=request.committed,
    )
    return answers("EndTxnResponse", error_code=_fencing(error, answers, _FIRST_WITH_FENCED))


async def describe_transactions(
    broker: Broker, client: Client, request: DescribeTransactionsRequest, answers: Answers
) -> Any:
    """The state of transactional ids."""
    states = tuple(
        _described(broker.transactions.find(name), name, answers)
        for name in request.transactional_ids
    )
    return answers("DescribeTransactionsResponse", transaction_states=states)


def _described(transaction: Transaction | None, name: str, answers: Answers) -> Any:
    if transaction is None:
        error = ErrorCode.transactional_id_not_found if name else ErrorCode.invalid_request
        transaction = Transaction(name, 0, 0, 0.0, started=0)
        state = ""
    else:
        error, state = ErrorCode.none, transaction.state.value
    by_topic: dict[str, list[int]] = {}
    for topic, index in sorted(transaction.partitions):
        by_topic.setdefault(topic, []).append(index)
    return answers(
        "TransactionState",
        error_code=error,
        transactional_id=name,
        transaction_state=state,
        transaction_timeout=timedelta(seconds=transaction.timeout),
        transaction_start_time=_EPOCH + timedelta(milliseconds=transaction.started),
        producer_id=transaction.producer_id,
        producer_epoch=transaction.epoch,
        topics=tuple(
            answers("TopicData", topic=topic, partitions=tuple(indexes))
            for topic, indexes in by_topic.items()
        ),
    )


async def list_transactions(
    broker: Broker, client: Client, request: ListTransactionsRequest, answers: Answers
) -> Any:
    """All transactional ids, or those in the named states, of the named producers, or that have
    been ongoing for the given time."""
    names = {state.value for state in TransactionState}
    states = set(request.state_filters)
    producers = set(request.producer_id_filters)
    duration: int = getattr(request, "duration_filter", -1)
    found = tuple(
        answers(
            "TransactionState",
            transactional_id=transaction.transactional_id,
            producer_id=transaction.producer_id,
            transaction_state=transaction.state.value,
        )
        for transaction in broker.transactions.all()
        if (not states or transaction.state.value in states)
        and (not producers or transaction.producer_id in producers)
        and (duration < 0 or _has_lasted(transaction, duration))
    )
    return answers(
        "ListTransactionsResponse",
        error_code=ErrorCode.none,
        unknown_state_filters=tuple(sorted(states - names)),
        transaction_states=found,
    )


def _has_lasted(transaction: Transaction, milliseconds: int) -> bool:
    ongoing = transaction.state is TransactionState.ONGOING
    return ongoing and transaction.started < time.time() * 1000 - milliseconds


async def describe_producers(
    broker: Broker, client: Client, request: DescribeProducersRequest, answers: Answers
) -> Any:
    """The producers that partitions know."""
    topics = tuple(
        answers(
            "TopicResponse",
            name=topic.name,
            partitions=tuple(
                _producers(broker.state.partition(topic.name, index), index, answers)
                for index in topic.partition_indexes
            ),
        )
        for topic in request.topics
    )
    return answers("DescribeProducersResponse", topics=topics)


def _producers(log: PartitionLog | None, index: int, answers: Answers) -> Any:
    states = [] if log is None else log.sequences.states()
    return answers(
        "PartitionResponse",
        partition_index=index,
        error_code=ErrorCode.none if log is not None else ErrorCode.unknown_topic_or_partition,
        error_message=None,
        active_producers=tuple(
            answers(
                "ProducerState",
                producer_id=state.producer_id,
                producer_epoch=state.epoch,
                last_sequence=state.last_sequence,
                last_timestamp=state.timestamp,
                coordinator_epoch=0,
                current_txn_start_offset=(
                    -1 if log is None else log.transactions.opened_at(state.producer_id)
                ),
            )
            for state in states
        ),
    )
