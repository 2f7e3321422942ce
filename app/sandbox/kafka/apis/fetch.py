"""Fetch: records out, with long polling.

Fetch sessions (KIP-227) are never opened: a client that asks for one is answered session id 0,
which tells it to name all its partitions each time, and one that goes on with a session is told
that there is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from kio.schema.errors import ErrorCode
from kio.schema.fetch.v12.request import FetchPartition, FetchRequest

from app.sandbox.kafka.apis.leadership import leader_of
from app.sandbox.kafka.apis.list_offsets import READ_COMMITTED
from app.sandbox.kafka.context import Broker, Client
from app.sandbox.kafka.log import OffsetOutOfRange, PartitionLog
from app.sandbox.kafka.wire import Answers, RecordBuffers


async def fetch(broker: Broker, client: Client, request: FetchRequest, answers: Answers) -> Any:
    """Whole batches from the asked offsets on: at once when there are `min_bytes` or an error,
    else when there are, and after `max_wait` whatever there is."""
    session = (getattr(request, "session_id", 0), getattr(request, "session_epoch", -1))
    if session[1] > 0:
        return answers(
            "FetchResponse", error_code=ErrorCode.fetch_session_id_not_found, responses=()
        )
    await _wait_for_bytes(broker, request)
    budget = _Budget(request.max_bytes)
    committed = request.isolation_level == READ_COMMITTED
    responses = tuple(
        answers(
            "FetchableTopicResponse",
            topic=topic.topic,
            partitions=tuple(
                _partition(broker, topic.topic, asked, budget, committed, answers)
                for asked in topic.partitions
            ),
        )
        for topic in request.topics
    )
    return answers("FetchResponse", error_code=ErrorCode.none, session_id=0, responses=responses)


class _Budget:
    """What is left of a response's bytes. The first batch found is sent whatever its size, so
    that a consumer with small limits still gets on (KIP-74)."""

    def __init__(self, max_bytes: int) -> None:
        self.left = max_bytes
        self.is_untouched = True

    def take(self, log: PartitionLog, asked: FetchPartition, until: int) -> RecordBuffers:
        limit = max(0, min(asked.partition_max_bytes, self.left))
        found = log.read(asked.fetch_offset, limit, at_least_one=self.is_untouched, until=until)
        if found.size:
            self.is_untouched = False
            self.left -= found.size
        return RecordBuffers(found.buffers, found.size)


def _partition(
    broker: Broker,
    topic: str,
    asked: FetchPartition,
    budget: _Budget,
    committed: bool,
    answers: Answers,
) -> Any:
    records, until, aborted = RecordBuffers((), 0), -1, ()
    error, log = leader_of(
        broker, topic, asked.partition, getattr(asked, "current_leader_epoch", -1)
    )
    if log is not None:
        until = log.last_stable_offset if committed else log.end_offset
        try:
            records = budget.take(log, asked, until)
            if committed:
                aborted = _aborted(log, asked.fetch_offset, until, answers)
        except OffsetOutOfRange:
            error, log = ErrorCode.offset_out_of_range, None
    return answers(
        "PartitionData",
        partition_index=asked.partition,
        error_code=error,
        high_watermark=-1 if log is None else log.end_offset,
        last_stable_offset=-1 if log is None else log.last_stable_offset,
        log_start_offset=-1 if log is None else log.start_offset,
        aborted_transactions=aborted if committed else None,
        records=records,
    )


def _aborted(log: PartitionLog, first: int, until: int, answers: Answers) -> tuple[Any, ...]:
    return tuple(
        answers(
            "AbortedTransaction",
            producer_id=transaction.producer_id,
            first_offset=transaction.first_offset,
        )
        for transaction in log.transactions.aborted(first, until)
    )


async def _wait_for_bytes(broker: Broker, request: FetchRequest) -> None:
    """Return when the answer is worth sending, or after the request's patience."""
    changed = asyncio.Event()
    with _Watch(broker, request, changed.set):
        try:
            async with asyncio.timeout(request.max_wait.total_seconds()):
                while not _is_worth_sending(broker, request):
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            return


def _is_worth_sending(broker: Broker, request: FetchRequest) -> bool:
    found = 0
    committed = request.isolation_level == READ_COMMITTED
    for topic in request.topics:
        for asked in topic.partitions:
            log = broker.state.partition(topic.topic, asked.partition)
            if log is None:
                return True
            until = log.last_stable_offset if committed else None
            try:
                available = log.bytes_from(asked.fetch_offset, until)
                found += min(available, max(asked.partition_max_bytes, 1))
            except OffsetOutOfRange:
                return True
    return found >= min(request.min_bytes, request.max_bytes)


class _Watch:
    """While entered, `wake` is called when one of the request's partitions changes."""

    def __init__(self, broker: Broker, request: FetchRequest, wake: Callable[[], None]) -> None:
        self._wake = wake
        found = [
            broker.state.partition(topic.topic, asked.partition)
            for topic in request.topics
            for asked in topic.partitions
        ]
        self._logs = [log for log in found if log is not None]

    def __enter__(self) -> None:
        for log in self._logs:
            log.watch(self._wake)

    def __exit__(self, *_: object) -> None:
        for log in self._logs:
            log.unwatch(self._wake)
