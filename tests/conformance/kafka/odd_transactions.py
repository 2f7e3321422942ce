"""Odd requests of transactional producers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.conformance.kafka.observing import Observer, odd
from tests.conformance.kafka.odd_groups import commit, enter, offset_fetch
from tests.conformance.kafka.odd_records import TRANSACTIONAL, flagged
from tests.sandbox.kafka.raw import (
    fetch_request,
    fetched,
    list_offsets_request,
    produce_request,
    produced,
    record_batch,
    types,
)

Producer = tuple[int, int]


def init(
    transactional_id: str | None, seconds: float = 60, known: Producer = (-1, -1), version: int = 4
) -> Any:
    return types(22, version).InitProducerIdRequest(
        transactional_id=transactional_id,
        transaction_timeout=timedelta(seconds=seconds),
        producer_id=known[0],
        producer_epoch=known[1],
    )


def add(name: str, producer: Producer, *topics: str, partition: int = 0, version: int = 3) -> Any:
    """AddPartitionsToTxn."""
    t = types(24, version)
    return t.AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=name,
        v3_and_below_producer_id=producer[0],
        v3_and_below_producer_epoch=producer[1],
        v3_and_below_topics=tuple(
            t.AddPartitionsToTxnTopic(name=topic, partitions=(partition,)) for topic in topics
        ),
    )


def end(name: str, producer: Producer, *, committed: bool = True, version: int = 3) -> Any:
    return types(26, version).EndTxnRequest(
        transactional_id=name,
        producer_id=producer[0],
        producer_epoch=producer[1],
        committed=committed,
    )


def add_offsets(name: str, producer: Producer, group: str) -> Any:
    return types(25, 3).AddOffsetsToTxnRequest(
        transactional_id=name,
        producer_id=producer[0],
        producer_epoch=producer[1],
        group_id=group,
    )


def txn_commit(
    name: str, producer: Producer, group: str, topic: str, *, member: str = "", generation: int = -1
) -> Any:
    t = types(28, 3)
    part = t.TxnOffsetCommitRequestPartition(
        partition_index=0, committed_offset=5, committed_leader_epoch=-1, committed_metadata=""
    )
    asked = t.TxnOffsetCommitRequestTopic(name=topic, partitions=(part,))
    return t.TxnOffsetCommitRequest(
        transactional_id=name,
        group_id=group,
        producer_id=producer[0],
        producer_epoch=producer[1],
        generation_id=generation,
        member_id=member,
        topics=(asked,),
    )


def records(producer: Producer, sequence: int, count: int = 1) -> bytes:
    """A transactional batch."""
    batch = record_batch(
        [b"x"] * count, producer_id=producer[0], epoch=producer[1], sequence=sequence
    )
    return flagged(batch, TRANSACTIONAL)


async def send(o: Observer, what: str, topic: str, batch: bytes, name: str | None) -> None:
    """Produce and note error and offset."""
    request = replace(produce_request(topic, batch), transactional_id=name)
    answer = produced(await o.raw.ask(request))
    o.note(what, [answer.error_code.name, answer.base_offset])


@odd
async def ask_for_odd_producer_ids(o: Observer) -> None:
    name = o.name("txn")
    producer = await o.producer(name)
    await o.codes("empty id", init(""))
    await o.codes("no time", init(o.name("none"), 0))
    await o.codes("negative time", init(o.name("none"), -1))
    await o.codes("too much time", init(o.name("none"), 901))
    await o.codes("no id, no time", init(None, 0))
    await o.codes("no id, odd producer", init(None, 60, (12345, 3)))
    await o.codes("wrong producer", init(name, 60, (producer[0] + 7777, 0)))
    await o.codes("wrong epoch", init(name, 60, (producer[0], producer[1] + 5)))
    await o.codes("wrong epoch, version 3", init(name, 60, (producer[0], 5), version=3))
    await o.codes("an id that nobody has", init(o.name("new"), 60, (producer[0] + 9999, 3)))
    answer = await o.raw.ask(init(name, 60, producer))
    o.note("the right one", [answer.error_code.name, answer.producer_epoch - producer[1]])
    answer = await o.raw.ask(init(name))
    o.note("from the beginning", [answer.error_code.name, answer.producer_epoch - producer[1]])


@odd
async def add_partitions_oddly(o: Observer) -> None:
    name, topic = o.name("txn"), await o.topic("topic")
    producer = await o.producer(name)
    number, epoch = producer
    await o.codes("empty id", add("", producer, topic))
    await o.codes("unknown id", add(o.name("none"), producer, topic))
    await o.codes("wrong producer", add(name, (number + 7777, epoch), topic))
    await o.codes("old epoch", add(name, (number, epoch - 1), topic))
    await o.codes("later epoch", add(name, (number, epoch + 1), topic))
    await o.codes("later epoch, version 1", add(name, (number, epoch + 1), topic, version=1))
    await o.codes("unknown topic", add(name, producer, o.name("none")))
    await o.codes("known and unknown", add(name, producer, topic, o.name("none")))
    await o.codes("unknown partition", add(name, producer, topic, partition=9))
    await o.codes("known", add(name, producer, topic))
    await o.codes("again", add(name, producer, topic))
    await o.codes("end it", end(name, producer))


@odd
async def end_transactions_oddly(o: Observer) -> None:
    name, topic = o.name("txn"), await o.topic("topic")
    producer = await o.producer(name)
    number, epoch = producer
    await o.codes("empty id", end("", producer))
    await o.codes("unknown id", end(o.name("none"), producer))
    await o.codes("commit nothing", end(name, producer))
    await o.codes("abort nothing", end(name, producer, committed=False))
    await o.raw.ask(add(name, producer, topic))
    await o.codes("wrong producer", end(name, (number + 7777, epoch)))
    await o.codes("later epoch", end(name, (number, epoch + 1)))
    await o.codes("later epoch, version 1", end(name, (number, epoch + 1), version=1))
    await o.codes("commit", end(name, producer))
    await settled(o, name, producer)
    await o.codes("commit again", end(name, producer))
    await o.codes("abort what is committed", end(name, producer, committed=False))


async def settled(o: Observer, name: str, producer: Producer) -> None:
    """Return when the end of a transaction is complete: Apache Kafka answers before that."""
    while True:
        answer = await o.raw.ask(
            types(65, 0).DescribeTransactionsRequest(transactional_ids=(name,))
        )
        if not answer.transaction_states[0].transaction_state.startswith("Prepare"):
            return


@odd
async def produce_in_odd_transactions(o: Observer) -> None:
    name, topic, other = o.name("txn"), await o.topic("topic"), await o.topic("other")
    producer = await o.producer(name)
    number, epoch = producer
    await send(o, "before it began", topic, records(producer, 0), name)
    await o.raw.ask(add(name, producer, topic))
    await send(o, "in it", topic, records(producer, 0), name)
    await send(o, "again", topic, records(producer, 0), name)
    await send(o, "a gap", topic, records(producer, 5), name)
    await send(o, "to a topic it has not", other, records(producer, 0), name)
    await send(o, "later epoch", topic, records((number, epoch + 1), 0), name)
    await send(o, "no id in the request", topic, records(producer, 1), None)
    plain = record_batch([b"x"], producer_id=number, epoch=epoch, sequence=9)
    await send(o, "not transactional", topic, plain, None)
    ends = []
    for isolation in (0, 1):
        request = replace(list_offsets_request(topic, -1), isolation_level=isolation)
        ends.append((await o.raw.ask(request)).topics[0].partitions[0].offset)
    first = ends[1]
    o.note("stable end is where it began", first == 0)
    part = fetched(await o.raw.ask(replace(fetch_request(topic, 0), isolation_level=1)))
    o.note("committed records", len(part.records or b""))
    await o.codes("abort", end(name, producer, committed=False))
    await settled(o, name, producer)
    part = fetched(await o.raw.ask(replace(fetch_request(topic, 0), isolation_level=1)))
    o.note("aborted", [a.first_offset for a in part.aborted_transactions])
    o.note("stable", part.last_stable_offset == part.high_watermark)
    await send(o, "after it ended", topic, records(producer, 2), name)


@odd
async def be_fenced(o: Observer) -> None:
    name, topic, group = o.name("txn"), await o.topic("topic"), o.name("group")
    former = await o.producer(name)
    await o.raw.ask(add(name, former, topic))
    await send(o, "the former's records", topic, records(former, 0), name)
    answer = await o.raw.ask(init(name))
    o.note("init while it is ongoing", answer.error_code)
    await settled(o, name, former)
    present = await o.producer(name)
    o.note("epochs later", present[1] - former[1])
    await send(o, "the former produces", topic, records(former, 1), name)
    await o.codes("the former adds", add(name, former, topic))
    await o.codes("the former ends", end(name, former))
    await o.codes("the former adds offsets", add_offsets(name, former, group))
    await o.codes("the former commits offsets", txn_commit(name, former, group, topic))
    await o.codes("the present one adds", add(name, present, topic))
    await send(o, "the present one produces", topic, records(present, 0), name)
    await o.codes("the present one ends", end(name, present))


@odd
async def commit_offsets_in_odd_transactions(o: Observer) -> None:
    name, topic, group = o.name("txn"), await o.topic("topic"), o.name("group")
    producer = await o.producer(name)
    await o.codes("unknown id", add_offsets(o.name("none"), producer, group))
    await o.codes("empty id", add_offsets("", producer, group))
    await o.codes("wrong producer", add_offsets(name, (producer[0] + 7777, 0), group))
    await o.codes("add", add_offsets(name, producer, group))
    await o.codes("commit", txn_commit(name, producer, group, topic))
    await o.codes("unknown topic", txn_commit(name, producer, group, o.name("none")))
    await o.codes("a member of no group", txn_commit(name, producer, group, topic, member="x"))
    await o.codes(
        "a generation of no group",
        txn_commit(name, producer, o.name("none"), topic, member="x", generation=3),
    )
    pending = replace(offset_fetch(7, group, (topic,)), require_stable=True)
    found = (await o.raw.ask(pending)).topics[0].partitions[0]
    o.note("pending", [found.error_code.name, found.committed_offset])
    found = (await o.raw.ask(offset_fetch(7, group, (topic,)))).topics[0].partitions[0]
    o.note("pending, but never mind", [found.error_code.name, found.committed_offset])
    await o.codes("end", end(name, producer))
    await settled(o, name, producer)
    found = (await o.raw.ask(pending)).topics[0].partitions[0]
    while found.error_code.name == "unstable_offset_commit":
        found = (await o.raw.ask(pending)).topics[0].partitions[0]
    o.note("committed", [found.error_code.name, found.committed_offset])


@odd
async def commit_in_a_transaction_as_a_member(o: Observer) -> None:
    name, topic, group = o.name("txn"), await o.topic("topic"), o.name("group")
    producer = await o.producer(name)
    member, generation = await enter(o, group)
    await o.raw.ask(add_offsets(name, producer, group))

    async def ask(what: str, one: str, number: int) -> None:
        request = txn_commit(name, producer, group, topic, member=one, generation=number)
        await o.codes(what, request)

    await ask("the member", member, generation)
    await ask("nobody", "", -1)
    await ask("another member", "x", generation)
    await ask("an old generation", member, generation - 1)
    await o.codes("end", end(name, producer))
    await settled(o, name, producer)
    await o.codes("commit beside it", commit(group, topic, member=member, generation=generation))


@odd
async def look_at_odd_transactions(o: Observer) -> None:
    name, topic = o.name("txn"), await o.topic("topic")
    producer = await o.producer(name)
    await o.raw.ask(add(name, producer, topic))
    t = types(65, 0)
    for what, asked in (("unknown", o.name("none")), ("no name", "")):
        await o.codes(what, t.DescribeTransactionsRequest(transactional_ids=(asked,)))
    answer = await o.raw.ask(t.DescribeTransactionsRequest(transactional_ids=(name,)))
    (found,) = answer.transaction_states
    o.note("ongoing", [found.error_code.name, found.transaction_state, len(found.topics)])
    t = types(66, 1)
    for state in ("Ongoing", "Mad"):
        answer = await o.raw.ask(
            t.ListTransactionsRequest(state_filters=(state,), producer_id_filters=(producer[0],))
        )
        o.note(
            f"listed: {state}",
            [answer.error_code.name, answer.unknown_state_filters, len(answer.transaction_states)],
        )
    t = types(61, 0)
    for what, asked, index in (
        ("producers", topic, 0),
        ("producers of nothing", o.name("none"), 0),
        ("producers of no partition", topic, 9),
    ):
        part = t.TopicRequest(name=asked, partition_indexes=(index,))
        await o.codes(what, t.DescribeProducersRequest(topics=(part,)))
    await o.codes("end", end(name, producer, committed=False))
