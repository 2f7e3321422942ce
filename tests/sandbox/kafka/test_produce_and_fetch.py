"""What a broker answers to Produce and Fetch, byte by byte; Apache Kafka passes these too."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from tests.sandbox.kafka.conftest import NewTopicName
from tests.sandbox.kafka.raw import (
    ANSWER_SECONDS,
    RawClient,
    fetch_request,
    fetched,
    list_offsets_request,
    produce_request,
    produced,
    producer_id,
    raw_client,
    record_batch,
)

pytestmark = pytest.mark.broker

LONGER_THAN_AN_ANSWER = 10 * ANSWER_SECONDS
"""A fetch's wait (s) that no test sees the end of."""
AFTER_EPOCH_FIELD = 16
"""Base offset, length and leader epoch end here; what follows a broker must not touch."""


async def list_offset(raw: RawClient, topic: str, timestamp: int) -> Any:
    answer = await raw.ask(list_offsets_request(topic, timestamp))
    return answer.topics[0].partitions[0]


async def test_a_batch_comes_back_as_it_went_but_for_its_offset(
    raw: RawClient, new_topic: NewTopicName
) -> None:
    topic = await new_topic("opaque")
    sent = record_batch([b"one", b"two", b"three"])
    assert produced(await raw.ask(produce_request(topic, sent))).base_offset == 0
    assert produced(await raw.ask(produce_request(topic, sent))).base_offset == 3

    part = fetched(await raw.ask(fetch_request(topic, 0)))

    assert part.high_watermark == 6
    first, second = part.records[: len(sent)], part.records[len(sent) :]
    assert int.from_bytes(first[:8], "big") == 0
    assert int.from_bytes(second[:8], "big") == 3
    assert first[AFTER_EPOCH_FIELD:] == second[AFTER_EPOCH_FIELD:] == sent[AFTER_EPOCH_FIELD:]


async def test_a_fetch_begins_with_the_batch_that_contains_its_offset(
    raw: RawClient, new_topic: NewTopicName
) -> None:
    topic = await new_topic("middle")
    for _ in range(3):
        await raw.ask(produce_request(topic, record_batch([b"a", b"b", b"c"])))

    part = fetched(await raw.ask(fetch_request(topic, 4)))

    assert int.from_bytes(part.records[:8], "big") == 3


async def test_a_fetch_at_the_end_waits_and_is_woken_by_new_records(
    raw: RawClient, kafka_address: str, new_topic: NewTopicName
) -> None:
    topic = await new_topic("long-poll")
    request = fetch_request(topic, 0, wait=LONGER_THAN_AN_ANSWER)
    raw.send(request)
    async with raw_client(kafka_address) as other:
        await other.ask(produce_request(topic, record_batch([b"here"])))
    part = fetched(await raw.answer_to(request))

    assert b"here" in part.records


async def test_a_fetch_with_nothing_to_give_is_answered_after_its_wait(
    raw: RawClient, new_topic: NewTopicName
) -> None:
    topic = await new_topic("patience")
    began = time.monotonic()
    part = fetched(await raw.ask(fetch_request(topic, 0, wait=0.4)))

    assert part.error_code is ErrorCode.none
    assert not part.records
    assert time.monotonic() - began > 0.35


async def test_a_fetch_waits_for_its_minimum_of_bytes(
    raw: RawClient, kafka_address: str, new_topic: NewTopicName
) -> None:
    topic = await new_topic("minimum")
    batch = record_batch([b"x" * 1000])
    await raw.ask(produce_request(topic, batch))
    request = fetch_request(topic, 0, wait=20, min_bytes=len(batch) + 1)
    raw.send(request)
    async with raw_client(kafka_address) as other:
        await other.ask(produce_request(topic, batch))

    assert len(fetched(await raw.answer_to(request)).records) == 2 * len(batch)


async def test_a_fetch_keeps_to_its_limits_but_gives_at_least_one_batch(
    raw: RawClient, new_topic: NewTopicName
) -> None:
    topic = await new_topic("limits")
    batch = record_batch([b"x" * 1000])
    for _ in range(5):
        await raw.ask(produce_request(topic, batch))

    tiny = fetched(await raw.ask(fetch_request(topic, 0, partition_max_bytes=10)))
    two = fetched(await raw.ask(fetch_request(topic, 0, partition_max_bytes=2 * len(batch))))
    in_total = fetched(await raw.ask(fetch_request(topic, 0, max_bytes=3 * len(batch))))

    assert len(tiny.records) == len(batch)
    assert len(two.records) == 2 * len(batch)
    assert len(in_total.records) == 3 * len(batch)


@pytest.mark.parametrize("offset", [-1, 2, 1_000_000])
async def test_an_offset_outside_the_log_is_refused(
    raw: RawClient, new_topic: NewTopicName, offset: int
) -> None:
    topic = await new_topic("range")
    await raw.ask(produce_request(topic, record_batch([b"only"])))

    part = fetched(await raw.ask(fetch_request(topic, offset, wait=LONGER_THAN_AN_ANSWER)))

    assert part.error_code is ErrorCode.offset_out_of_range


async def test_what_does_not_exist_is_said_to_be_unknown(
    raw: RawClient, new_topic: NewTopicName, unique_name: Any
) -> None:
    topic = await new_topic("one-partition")
    unknown = ErrorCode.unknown_topic_or_partition
    for name, partition in ((topic, 1), (topic, -1), (unique_name("none"), 0)):
        write = produce_request(name, record_batch([b"x"]), partition=partition)
        assert produced(await raw.ask(write)).error_code is unknown
        read = fetch_request(name, 0, partitions=(partition,), wait=LONGER_THAN_AN_ANSWER)
        assert fetched(await raw.ask(read), partition).error_code is unknown


async def test_a_duplicate_of_an_idempotent_batch_is_answered_its_first_offset(
    raw: RawClient, new_topic: NewTopicName
) -> None:
    topic = await new_topic("duplicates")
    pid = await producer_id(raw)
    batches = [
        record_batch([b"a", b"b"], producer_id=pid, epoch=0, sequence=2 * n) for n in range(6)
    ]
    for batch in batches:
        await raw.ask(produce_request(topic, batch))

    for n in range(1, 6):
        again = produced(await raw.ask(produce_request(topic, batches[n])))
        assert (again.error_code, again.base_offset) == (ErrorCode.none, 2 * n)
    # Five batches are remembered, so the sixth from the end is out of order.
    oldest = produced(await raw.ask(produce_request(topic, batches[0])))
    assert oldest.error_code is ErrorCode.out_of_order_sequence_number
    assert (await list_offset(raw, topic, -1)).offset == 12


async def test_a_gap_in_an_idempotent_producers_numbers_is_refused(
    raw: RawClient, new_topic: NewTopicName
) -> None:
    topic = await new_topic("gaps")
    pid = await producer_id(raw)

    async def append(epoch: int, sequence: int) -> ErrorCode:
        batch = record_batch([b"a"], producer_id=pid, epoch=epoch, sequence=sequence)
        return ErrorCode(produced(await raw.ask(produce_request(topic, batch))).error_code)

    assert await append(0, 0) is ErrorCode.none
    assert await append(0, 2) is ErrorCode.out_of_order_sequence_number
    assert await append(0, 1) is ErrorCode.none
    assert await append(1, 5) is ErrorCode.out_of_order_sequence_number
    assert await append(1, 0) is ErrorCode.none
    assert await append(0, 2) is ErrorCode.invalid_producer_epoch
    assert (await list_offset(raw, topic, -1)).offset == 3


async def test_producer_ids_differ(raw: RawClient) -> None:
    ids = [await producer_id(raw) for _ in range(5)]
    assert len(set(ids)) == 5


async def test_a_broken_batch_is_refused_and_not_appended(
    raw: RawClient, new_topic: NewTopicName
) -> None:
    topic = await new_topic("broken")
    sound = record_batch([b"value"])
    flipped = sound[:-1] + bytes([sound[-1] ^ 1])
    for records, error in (
        (flipped, ErrorCode.corrupt_message),
        (sound + sound, ErrorCode.invalid_record),
    ):
        part = produced(await raw.ask(produce_request(topic, records)))
        assert (part.error_code, part.base_offset) == (error, -1)
    assert (await list_offset(raw, topic, -1)).offset == 0


async def test_a_batch_above_the_topics_limit_is_too_large(
    raw: RawClient, new_topic: NewTopicName
) -> None:
    batch = record_batch([b"x" * 3000])
    exact = await new_topic("exact", configs={"max.message.bytes": str(len(batch))})
    below = await new_topic("below", configs={"max.message.bytes": str(len(batch) - 1)})

    assert produced(await raw.ask(produce_request(exact, batch))).error_code is ErrorCode.none
    refused = produced(await raw.ask(produce_request(below, batch)))
    assert refused.error_code is ErrorCode.message_too_large


async def test_a_record_from_the_future_is_refused(raw: RawClient, new_topic: NewTopicName) -> None:
    topic = await new_topic("future")
    now = int(time.time() * 1000)
    soon = record_batch([b"x"], timestamp=now + 1_800_000)
    later = record_batch([b"x"], timestamp=now + 4_500_000)

    assert produced(await raw.ask(produce_request(topic, soon))).error_code is ErrorCode.none
    part = produced(await raw.ask(produce_request(topic, later)))
    assert part.error_code is ErrorCode.invalid_timestamp


async def test_a_compacted_topic_takes_no_record_without_a_key(
    raw: RawClient, new_topic: NewTopicName
) -> None:
    topic = await new_topic("compacted", configs={"cleanup.policy": "compact"})

    keyed = produced(await raw.ask(produce_request(topic, record_batch([b"x"]))))
    keyless = produced(await raw.ask(produce_request(topic, record_batch([b"x"], key=None))))

    assert keyed.error_code is ErrorCode.none
    assert keyless.error_code is ErrorCode.invalid_record


async def test_acks_zero_is_not_answered_and_other_acks_are_refused(
    raw: RawClient, new_topic: NewTopicName
) -> None:
    topic = await new_topic("acks")
    raw.send(produce_request(topic, record_batch([b"x"]), acks=0))
    part = produced(await raw.ask(produce_request(topic, record_batch([b"y"]), acks=2)))

    assert part.error_code is ErrorCode.invalid_required_acks
    assert (await list_offset(raw, topic, -1)).offset == 1


async def test_an_error_with_acks_zero_is_told_by_hanging_up(
    raw: RawClient, unique_name: Any
) -> None:
    raw.send(produce_request(unique_name("none"), record_batch([b"x"]), acks=0))
    with pytest.raises(asyncio.IncompleteReadError):
        await raw.frame()


async def test_offsets_are_listed_by_place_and_by_time(
    raw: RawClient, new_topic: NewTopicName
) -> None:
    topic = await new_topic("times", configs={"retention.ms": "-1"})
    for start in (1_000, 2_000, 1_500):
        await raw.ask(produce_request(topic, record_batch([b"a", b"b"], timestamp=start)))

    async def found(timestamp: int) -> tuple[int, int]:
        part = await list_offset(raw, topic, timestamp)
        assert part.error_code is ErrorCode.none
        return part.offset, part.timestamp

    assert await found(-2) == (0, -1)
    assert await found(-1) == (6, -1)
    assert await found(-3) == (3, 2_001)
    assert await found(0) == (0, 1_000)
    assert await found(1_001) == (1, 1_001)
    assert await found(1_002) == (2, 2_000)
    assert await found(2_001) == (3, 2_001)
    assert await found(2_002) == (-1, -1)


async def test_one_long_poll_does_not_hold_up_another_connection(
    raw: RawClient, kafka_address: str, new_topic: NewTopicName
) -> None:
    topic = await new_topic("neighbours")
    request = fetch_request(topic, 0, wait=LONGER_THAN_AN_ANSWER)
    raw.send(request)
    async with raw_client(kafka_address) as other:
        assert (await list_offset(other, topic, -1)).offset == 0
        await other.ask(produce_request(topic, record_batch([b"done"])))
    await raw.answer_to(request)
