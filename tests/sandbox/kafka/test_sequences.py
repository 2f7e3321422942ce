"""Idempotence: whatever a producer repeats after a lost answer is in the log once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kio.schema.errors import ErrorCode

from app.sandbox.kafka.batches import BatchHeader, BatchRefused
from app.sandbox.kafka.sequences import Sequences

LAST = 2**31 - 1


def header(sequence: int, count: int = 1, epoch: int = 0, producer: int = 1) -> BatchHeader:
    return BatchHeader(0, 100, 0, 0, count - 1, 0, producer, epoch, sequence, count)


class Partition:
    """Sequences, and the offsets a log would give."""

    def __init__(self) -> None:
        self.sequences = Sequences()
        self.end = 0

    def append(self, batch: BatchHeader) -> int:
        duplicate = self.sequences.duplicate_of(batch)
        if duplicate is not None:
            return duplicate
        base, self.end = self.end, self.end + batch.record_count
        self.sequences.appended(batch, base)
        return base


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), max_size=30))
def test_a_batch_sent_any_number_of_times_is_appended_once(sent: list[tuple[int, int]]) -> None:
    partition, sequence = Partition(), 0
    for count, repeats in sent:
        batch = header(sequence, count)
        first = partition.append(batch)
        assert [partition.append(batch) for _ in range(repeats)] == [first] * repeats
        sequence += count
    assert partition.end == sequence


@given(st.integers(1, 20))
def test_sequence_numbers_go_on_at_zero_after_the_highest(count: int) -> None:
    partition = Partition()
    partition.append(header(LAST - 9, 10))
    assert partition.append(header(0, count)) == 10

    other = Partition()
    other.append(header(LAST - 4, 10))
    assert other.append(header(5, count)) == 10
    assert other.append(header(LAST - 4, 10)) == 0


def test_a_producer_the_partition_does_not_know_may_begin_anywhere() -> None:
    assert Partition().append(header(17)) == 0


def test_producers_do_not_mind_each_other() -> None:
    partition = Partition()
    assert partition.append(header(0, producer=1)) == 0
    assert partition.append(header(0, producer=2)) == 1
    assert partition.append(header(1, producer=1)) == 2


def test_without_a_producer_id_nothing_is_a_duplicate() -> None:
    partition = Partition()
    assert [partition.append(header(-1, producer=-1)) for _ in range(3)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("batch", "error"),
    [
        (header(2), ErrorCode.out_of_order_sequence_number),
        (header(0, count=2), ErrorCode.out_of_order_sequence_number),
        (header(1, epoch=4), ErrorCode.invalid_producer_epoch),
        (header(1, epoch=6), ErrorCode.out_of_order_sequence_number),
    ],
)
def test_what_does_not_follow_is_refused(batch: BatchHeader, error: ErrorCode) -> None:
    partition = Partition()
    partition.append(header(0, epoch=5))
    if batch.producer_epoch == 0:
        batch = header(batch.base_sequence, batch.record_count, epoch=5)
    with pytest.raises(BatchRefused) as refused:
        partition.append(batch)
    assert refused.value.code is error
    assert partition.append(header(0, epoch=6)) == 1
