"""Odd requests around records: Produce, Fetch, ListOffsets, OffsetForLeaderEpoch, DeleteRecords."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from crc32c import crc32c

from tests.conformance.kafka.observing import HUNG_UP, Observer, odd
from tests.sandbox.kafka.raw import (
    fetch_request,
    fetched,
    list_offsets_request,
    produce_request,
    produced,
    producer_id,
    raw_client,
    record_batch,
    types,
)

BATCH = record_batch([b"value"])
CONTROL, TRANSACTIONAL = 0x20, 0x10


def changed(batch: bytes, change: Callable[[bytearray], None]) -> bytes:
    """The batch with a change and a checksum that holds."""
    data = bytearray(batch)
    change(data)
    struct.pack_into(">I", data, 17, crc32c(bytes(data[21:])))
    return bytes(data)


def flagged(batch: bytes, flags: int) -> bytes:
    def change(data: bytearray) -> None:
        data[22] |= flags

    return changed(batch, change)


def counted(batch: bytes, count: int, last_delta: int) -> bytes:
    def change(data: bytearray) -> None:
        struct.pack_into(">i", data, 57, count)
        struct.pack_into(">i", data, 23, last_delta)

    return changed(batch, change)


def garbled(batch: bytes) -> bytes:
    def change(data: bytearray) -> None:
        data[61:] = b"\xff" * (len(data) - 61)

    return changed(batch, change)


BROKEN = {
    "no bytes": b"",
    "shorter than a header": BATCH[:40],
    "cut short": BATCH[:-3],
    "bad checksum": BATCH[:-1] + b"!",
    "format 1": BATCH[:16] + b"\x01" + BATCH[17:],
    "format 3": BATCH[:16] + b"\x03" + BATCH[17:],
    "two batches": BATCH + BATCH,
    "a control batch": flagged(BATCH, CONTROL),
    "more records than said": counted(record_batch([b"a", b"b"]), 1, 0),
    "fewer records than said": counted(BATCH, 2, 1),
    "a last offset that does not fit": counted(record_batch([b"a", b"b"]), 2, 7),
    "records that are none": garbled(BATCH),
    "codec 7": flagged(BATCH, 7),
    "gzip that is none": flagged(BATCH, 1),
    "a producer without a number": record_batch([b"x"], producer_id=5, epoch=0, sequence=-1),
    "too large": record_batch([b"x" * 1_100_000]),
}


@odd
async def produce_broken_batches(o: Observer) -> None:
    topic = await o.topic("broken")
    for what, batch in BROKEN.items():
        await o.codes(what, produce_request(topic, batch))
    o.note("the end of the log", await o.end_offset(topic))


@odd
async def produce_to_where_nothing_is(o: Observer) -> None:
    topic = await o.topic("one")
    await o.codes("unknown topic", produce_request(o.name("none"), BATCH))
    await o.codes("unknown partition", produce_request(topic, BATCH, partition=5))
    await o.codes("negative partition", produce_request(topic, BATCH, partition=-1))
    await o.codes("invalid name", produce_request("a b", BATCH))
    await o.codes("empty name", produce_request("", BATCH))


@odd
async def produce_with_odd_acks(o: Observer) -> None:
    topic = await o.topic("acks")
    for acks in (2, -2, 1, -1):
        await o.codes(f"acks {acks}", produce_request(topic, BATCH, acks=acks))
    strict = await o.topic("strict", configs={"min.insync.replicas": "2"})
    await o.codes("too few replicas", produce_request(strict, BATCH, acks=-1))
    await o.codes("too few replicas, acks 1", produce_request(strict, BATCH, acks=1))
    async with raw_client(o.address) as raw:
        raw.send(produce_request(o.name("none"), BATCH, acks=0))
        try:
            await asyncio.wait_for(raw.frame(), 10)
        except (asyncio.IncompleteReadError, ConnectionError):
            o.note("an error with acks 0", HUNG_UP)


@odd
async def produce_against_the_topics_rules(o: Observer) -> None:
    compacted = await o.topic("compacted", configs={"cleanup.policy": "compact"})
    await o.codes("no key", produce_request(compacted, record_batch([b"x"], key=None)))
    await o.codes("a key", produce_request(compacted, BATCH))
    small = await o.topic("small", configs={"max.message.bytes": "200"})
    await o.codes("above its limit", produce_request(small, record_batch([b"x" * 200])))
    now = round(time.time() * 1000)
    timed = await o.topic(
        "timed",
        configs={"message.timestamp.before.max.ms": "60000"},
    )
    early = record_batch([b"x"], timestamp=now - 3_600_000)
    await o.codes("too early", produce_request(timed, early))
    late = record_batch([b"x"], timestamp=now + 7_200_000)
    await o.codes("too late", produce_request(timed, late))


@odd
async def stamp_at_append(o: Observer) -> None:
    topic = await o.topic("stamped", configs={"message.timestamp.type": "LogAppendTime"})
    before = int(time.time() * 1000)  # brokers cut off, too
    sent = record_batch([b"x", b"y"], timestamp=before - 999_999, producer_id=-1)
    for what in ("first", "second"):
        part = produced(await o.raw.ask(produce_request(topic, sent)))
        told = part.log_append_time
        o.note(f"{what}: told when", told is not None and told.timestamp() * 1000 >= before)
        await asyncio.sleep(0.05)
    late = record_batch([b"x"], timestamp=before + 7_200_000)
    await o.codes("a timestamp in the future", produce_request(topic, late))
    found = fetched(await o.raw.ask(fetch_request(topic, 0))).records
    o.note("attributes", found[21:23].hex())
    o.note("first timestamp kept", int.from_bytes(found[27:35], "big") == before - 999_999)
    stamp = int.from_bytes(found[35:43], "big")
    o.note("newest timestamp is now", before <= stamp <= time.time() * 1000 + 1000)
    o.note("checksum holds", crc32c(found[21 : len(sent)]) == int.from_bytes(found[17:21], "big"))
    for what, moment in (("at the first", before), ("after it", stamp + 1), ("newest", -3)):
        answer = await o.raw.ask(list_offsets_request(topic, moment))
        o.note(f"offset {what}", answer.topics[0].partitions[0].offset)


@odd
async def produce_out_of_sequence(o: Observer) -> None:
    topic = await o.topic("sequence")
    number = await producer_id(o.raw)

    async def send(what: str, sequence: int, epoch: int = 0, count: int = 1) -> None:
        batch = record_batch([b"x"] * count, producer_id=number, epoch=epoch, sequence=sequence)
        answer = produced(await o.raw.ask(produce_request(topic, batch)))
        o.note(what, [answer.error_code.name, answer.base_offset])

    await send("first", 0)
    await send("second", 1, count=2)
    await send("second again", 1, count=2)
    await send("first again", 0)
    await send("overlapping", 1)
    await send("a gap", 9)
    await send("new epoch in the middle", 3, epoch=1)
    await send("new epoch", 0, epoch=1)
    await send("old epoch", 3, epoch=0)
    for sequence in range(1, 8):
        await send(f"number {sequence}", sequence, epoch=1)
    await send("long forgotten", 1, epoch=1)
    unknown = record_batch([b"x"], producer_id=number + 100_000, epoch=3, sequence=17)
    answer = produced(await o.raw.ask(produce_request(topic, unknown)))
    o.note("unknown producer in the middle", [answer.error_code.name, answer.base_offset])


@odd
async def fetch_what_is_not_there(o: Observer) -> None:
    topic = await o.topic("fetch")
    await o.raw.ask(produce_request(topic, record_batch([b"a", b"b", b"c"])))
    await o.codes("unknown topic", fetch_request(o.name("none"), 0))
    await o.codes("unknown partition", fetch_request(topic, 0, partitions=(5,)))
    await o.codes("negative partition", fetch_request(topic, 0, partitions=(-1,)))
    for offset in (-1, -2, 3, 4, 100):
        answer = await o.codes(f"offset {offset}", fetch_request(topic, offset))
        part = fetched(answer)
        o.note(
            f"offset {offset}: watermark, stable, start",
            [part.high_watermark, part.last_stable_offset, part.log_start_offset],
        )
    await o.codes("no bytes", fetch_request(topic, 0, max_bytes=0, partition_max_bytes=0))


@odd
async def fetch_with_odd_sessions(o: Observer) -> None:
    topic = await o.topic("sessions")
    request = fetch_request(topic, 0)
    for session, epoch in ((0, -1), (12345, 1), (12345, -1), (12345, 0), (0, 5)):
        what = f"session {session}, epoch {epoch}"
        await o.codes(what, replace(request, session_id=session, session_epoch=epoch))
    for isolation in (1,):
        await o.codes(f"isolation {isolation}", replace(request, isolation_level=isolation))


@odd
async def fetch_in_another_leaders_epoch(o: Observer) -> None:
    topic = await o.topic("epochs")
    request = fetch_request(topic, 0)
    for epoch in (-1, 0, 9):
        part = replace(request.topics[0].partitions[0], current_leader_epoch=epoch)
        asked = replace(request.topics[0], partitions=(part,))
        await o.codes(f"epoch {epoch}", replace(request, topics=(asked,)))


@odd
async def list_odd_offsets(o: Observer) -> None:
    topic = await o.topic("list", configs={"retention.ms": "-1"})

    async def ask(what: str, timestamp: int) -> None:
        answer = await o.raw.ask(list_offsets_request(topic, timestamp))
        found = answer.topics[0].partitions[0]
        o.note(what, [found.error_code.name, found.offset, found.timestamp, found.leader_epoch])

    for timestamp in (-1, -2, -3, 0):
        await ask(f"empty, {timestamp}", timestamp)
    await o.raw.ask(produce_request(topic, record_batch([b"a", b"b", b"c"], timestamp=1000)))
    await o.raw.ask(produce_request(topic, record_batch([b"a", b"b"], timestamp=500)))
    for timestamp in (-1, -2, -3, 0, 500, 1001, 1002, 1003):
        await ask(f"filled, {timestamp}", timestamp)
    for timestamp in (-4, -5, -6, -7):
        await o.codes(f"version 7, {timestamp}", list_offsets_request(topic, timestamp))
    await o.codes("unknown topic", list_offsets_request(o.name("none"), -1))
    await o.codes("unknown partition", list_offsets_request(topic, -1, partitions=(7,)))


@odd
async def list_offsets_in_another_leaders_epoch(o: Observer) -> None:
    topic = await o.topic("list-epoch")
    request = list_offsets_request(topic, -1)
    for epoch in (0, 9):
        part = replace(request.topics[0].partitions[0], current_leader_epoch=epoch)
        asked = replace(request.topics[0], partitions=(part,))
        await o.codes(f"epoch {epoch}", replace(request, topics=(asked,)))


@odd
async def ask_where_epochs_end(o: Observer) -> None:
    topic = await o.topic("epoch-end")
    await o.raw.ask(produce_request(topic, record_batch([b"a", b"b", b"c"])))
    t = types(23, 4)

    async def ask(what: str, name: str, current: int, epoch: int) -> None:
        part = t.OffsetForLeaderPartition(
            partition=0, current_leader_epoch=current, leader_epoch=epoch
        )
        asked = t.OffsetForLeaderTopic(topic=name, partitions=(part,))
        answer = await o.raw.ask(t.OffsetForLeaderEpochRequest(topics=(asked,), replica_id=-1))
        end = answer.topics[0].partitions[0]
        o.note(what, [end.error_code.name, end.leader_epoch, end.end_offset])

    await ask("the only epoch", topic, -1, 0)
    await ask("a later epoch", topic, -1, 5)
    await ask("no epoch", topic, -1, -1)
    await ask("a client ahead", topic, 9, 0)
    await ask("unknown topic", o.name("none"), -1, 0)


@odd
async def delete_records_oddly(o: Observer) -> None:
    topic = await o.topic("delete")
    compacted = await o.topic("delete-compacted", configs={"cleanup.policy": "compact"})
    await o.raw.ask(produce_request(topic, record_batch([b"a", b"b", b"c"])))
    await o.raw.ask(produce_request(compacted, record_batch([b"a", b"b", b"c"])))
    t = types(21, 2)

    async def ask(what: str, name: str, offset: int, partition: int = 0) -> None:
        part = t.DeleteRecordsPartition(partition_index=partition, offset=offset)
        asked = t.DeleteRecordsTopic(name=name, partitions=(part,))
        request = t.DeleteRecordsRequest(topics=(asked,), timeout=timedelta(seconds=10))
        answer = await o.raw.ask(request)
        found = answer.topics[0].partitions[0]
        o.note(what, [found.error_code.name, found.low_watermark])

    await ask("beyond the end", topic, 4)
    await ask("below -1", topic, -2)
    await ask("two", topic, 2)
    await ask("back to one", topic, 1)
    o.note("fetch below the start", fetched(await o.raw.ask(fetch_request(topic, 1))).error_code)
    await ask("all", topic, -1)
    await ask("unknown topic", o.name("none"), 0)
    await ask("unknown partition", topic, 0, partition=4)
    await ask("compacted", compacted, 1)
