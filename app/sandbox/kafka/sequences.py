"""Idempotent producers: which sequence numbers a partition has seen from whom.

The rules are Apache Kafka's ProducerStateManager and ProducerAppendInfo: the last five batches of a
producer are remembered, a batch among them is a duplicate and is answered again with its offset,
anything else must follow the last sequence number.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from kio.schema.errors import ErrorCode

from app.sandbox.kafka.batches import BatchHeader, BatchRefused

_REMEMBERED_BATCHES = 5
_MAX_SEQUENCE = 2**31 - 1


@dataclass(frozen=True, slots=True)
class _Appended:
    base_sequence: int
    last_sequence: int
    base_offset: int
    last_offset: int


@dataclass(frozen=True, slots=True)
class ProducerState:
    """What a partition knows of a producer; `timestamp` is of its last batch, in milliseconds."""

    producer_id: int
    epoch: int
    last_sequence: int
    timestamp: int


@dataclass(slots=True)
class _Producer:
    epoch: int
    timestamp: int = -1
    batches: deque[_Appended] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_BATCHES))


class Sequences:
    """The producers of one partition."""

    def __init__(self) -> None:
        self._producers: dict[int, _Producer] = {}

    def duplicate_of(self, header: BatchHeader) -> int | None:
        """The base offset under which this very batch was appended before, None if it is new.

        Raises BatchRefused: invalid_producer_epoch for a fenced producer, and
        out_of_order_sequence_number when a batch between the last one and this one is missing.
        """
        producer = self._producers.get(header.producer_id)
        if header.producer_id < 0 or producer is None:
            return None
        if header.producer_epoch < producer.epoch:
            raise BatchRefused(
                ErrorCode.invalid_producer_epoch,
                f"producer {header.producer_id} has epoch {header.producer_epoch}, "
                f"the partition knows {producer.epoch}",
            )
        if header.producer_epoch > producer.epoch:
            self._check_follows(header, -1)
            return None
        for seen in producer.batches:
            if (seen.base_sequence, seen.last_sequence) == (
                header.base_sequence,
                header.last_sequence,
            ):
                return seen.base_offset
        known = producer.batches
        self._check_follows(header, known[-1].last_sequence if known else -1)
        return None

    def appended(self, header: BatchHeader, base_offset: int) -> None:
        """Remember a batch that was written at `base_offset`."""
        if header.producer_id < 0:
            return
        producer = self._producers.get(header.producer_id)
        if producer is None or producer.epoch != header.producer_epoch:
            producer = self._producers[header.producer_id] = _Producer(header.producer_epoch)
        producer.timestamp = header.max_timestamp
        producer.batches.append(
            _Appended(
                header.base_sequence,
                header.last_sequence,
                base_offset,
                base_offset + header.last_offset_delta,
            )
        )

    def marked(self, producer_id: int, epoch: int, timestamp: int) -> None:
        """Know that a transaction of this producer was ended; a higher epoch fences the lower."""
        producer = self._producers.get(producer_id)
        if producer is None or epoch > producer.epoch:
            producer = self._producers[producer_id] = _Producer(epoch)
        producer.timestamp = timestamp

    def keeps(self, header: BatchHeader) -> bool:
        """Whether this batch is its producer's last, by which repetitions are recognised."""
        producer = self._producers.get(header.producer_id)
        if producer is None or not producer.batches:
            return False
        return producer.batches[-1].last_offset == header.last_offset

    def forget_before(self, timestamp: int) -> None:
        """Drop producers that have sent nothing since this moment (ms)."""
        self._producers = {
            name: producer
            for name, producer in self._producers.items()
            if producer.timestamp >= timestamp
        }

    def states(self) -> list[ProducerState]:
        """All known producers."""
        return [
            ProducerState(
                name,
                producer.epoch,
                producer.batches[-1].last_sequence if producer.batches else -1,
                producer.timestamp,
            )
            for name, producer in self._producers.items()
        ]

    @staticmethod
    def _check_follows(header: BatchHeader, last_sequence: int) -> None:
        expected = 0 if last_sequence == _MAX_SEQUENCE else last_sequence + 1
        if header.base_sequence != expected:
            raise BatchRefused(
                ErrorCode.out_of_order_sequence_number,
                f"producer {header.producer_id} sent sequence {header.base_sequence}, "
                f"expected {expected}",
            )
