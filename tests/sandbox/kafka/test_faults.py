"""What the broker can be made to do wrong, as clients live it."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kio.schema.errors import ErrorCode

from app.sandbox.kafka import EmbeddedBroker
from tests.sandbox.kafka.raw import (
    RawClient,
    eventually,
    fetch_request,
    fetched,
    list_offsets_request,
    produce_request,
    produced,
    raw_client,
    record_batch,
    types,
)


async def test_a_stalled_produce_is_appended_when_the_stall_ends(embedded: EmbeddedBroker) -> None:
    log = embedded.state.create_topic("slow", 1, {}).partitions[0]
    embedded.faults.stall_produce()
    async with raw_client(embedded.bootstrap) as raw, raw_client(embedded.bootstrap) as other:
        request = produce_request("slow", record_batch([b"x"]))
        raw.send(request)
        # Another connection's request, sent later, is answered: the first had its chance.
        await other.ask(list_offsets_request("slow", -1))
        assert log.end_offset == 0

        embedded.faults.resume()

        assert produced(await raw.answer_to(request)).base_offset == 0


async def test_a_stall_ends_by_itself_after_its_time(embedded: EmbeddedBroker) -> None:
    embedded.state.create_topic("slow", 1, {})
    clock = asyncio.get_running_loop()
    began = clock.time()
    embedded.faults.stall_produce(0.2)
    async with raw_client(embedded.bootstrap) as raw:
        await raw.ask(produce_request("slow", record_batch([b"x"])))
    assert clock.time() - began >= 0.2


async def test_a_lost_answer_leaves_the_records_and_closes_the_connection(
    embedded: EmbeddedBroker,
) -> None:
    log = embedded.state.create_topic("lost", 1, {}).partitions[0]
    embedded.faults.lose_produce_answers(1)
    async with raw_client(embedded.bootstrap) as raw:
        with pytest.raises(asyncio.IncompleteReadError):
            await raw.ask(produce_request("lost", record_batch([b"x"])))
    assert log.end_offset == 1
    async with raw_client(embedded.bootstrap) as raw:
        again = produced(await raw.ask(produce_request("lost", record_batch([b"x"]))))
    assert again.base_offset == 1


async def test_an_idempotent_producer_doubles_nothing_when_answers_are_lost(
    embedded: EmbeddedBroker,
) -> None:
    log = embedded.state.create_topic("lost", 1, {}).partitions[0]
    async with AIOKafkaProducer(
        bootstrap_servers=embedded.bootstrap, enable_idempotence=True
    ) as producer:
        for n in range(6):
            if n % 2:
                embedded.faults.lose_produce_answers(1)
            sent = await producer.send_and_wait("lost", b"%d" % n)
            assert sent.offset == n
    assert log.end_offset == 6


async def test_clients_come_back_after_their_connections_are_dropped(
    embedded: EmbeddedBroker,
) -> None:
    embedded.state.create_topic("on", 1, {})
    part = TopicPartition("on", 0)
    async with (
        AIOKafkaProducer(bootstrap_servers=embedded.bootstrap) as producer,
        AIOKafkaConsumer(
            bootstrap_servers=embedded.bootstrap, auto_offset_reset="earliest"
        ) as consumer,
    ):
        consumer.assign([part])
        for n in range(3):
            await producer.send_and_wait("on", b"%d" % n)
            assert (await asyncio.wait_for(consumer.getone(), 60)).value == b"%d" % n
            embedded.faults.drop_connections()


async def test_a_refusing_broker_lets_nobody_in_until_it_accepts(embedded: EmbeddedBroker) -> None:
    embedded.state.create_topic("shut", 1, {})
    request = list_offsets_request("shut", -1)
    async with raw_client(embedded.bootstrap) as raw:
        await raw.ask(request)
        embedded.faults.refuse_connections()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await raw.ask(request)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        async with raw_client(embedded.bootstrap) as raw:
            await raw.ask(request)

    embedded.faults.accept_connections()

    async with raw_client(embedded.bootstrap) as raw:
        await raw.ask(request)


async def test_an_expired_member_loses_its_partitions_and_joins_again(
    embedded: EmbeddedBroker,
) -> None:
    embedded.state.create_topic("source", 2, {})
    async with AIOKafkaConsumer(
        "source", bootstrap_servers=embedded.bootstrap, group_id="g", heartbeat_interval_ms=100
    ) as consumer:
        group = embedded.groups.find("g")
        assert group is not None
        (former,) = group.members
        embedded.groups.expire_member("g", former)

        async def rejoined() -> bool:
            return bool(group.members) and former not in group.members

        await eventually(rejoined)
        await eventually_assigned(consumer, 2)
    with pytest.raises(KeyError, match="no member 'nobody' in group 'g'"):
        embedded.groups.expire_member("g", "nobody")


async def eventually_assigned(consumer: AIOKafkaConsumer, count: int) -> None:
    async def assigned() -> bool:
        return len(consumer.assignment()) == count

    await eventually(assigned)


async def test_a_stopping_broker_does_not_wait_for_long_polls() -> None:
    broker = EmbeddedBroker()
    await broker.start()
    broker.state.create_topic("quiet", 1, {})
    async with raw_client(broker.bootstrap) as raw:
        request = fetch_request("quiet", 0, wait=600)
        raw.send(request)
        async with raw_client(broker.bootstrap) as other:
            await other.ask(list_offsets_request("quiet", -1))
        async with asyncio.timeout(60):
            await broker.stop()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await raw.answer_to(request)


async def test_who_waits_for_records_of_a_topic_learns_that_it_was_deleted(
    embedded: EmbeddedBroker,
) -> None:
    topic = embedded.state.create_topic("doomed", 1, {})
    async with raw_client(embedded.bootstrap) as raw, raw_client(embedded.bootstrap) as other:
        request = fetch_request("doomed", 0, wait=600)
        raw.send(request)
        await other.ask(list_offsets_request("doomed", -1))
        embedded.state.delete_topic(topic)
        answer = fetched(await raw.answer_to(request))
    assert answer.error_code is ErrorCode.unknown_topic_or_partition


async def test_a_loop_that_was_held_up_does_not_expire_members_whose_heartbeats_lie_unread(
    embedded: EmbeddedBroker,
) -> None:
    embedded.state.create_topic("source", 1, {})
    async with raw_client(embedded.bootstrap) as raw:
        member_id = await enter_group(raw, session=1.0)
        beat = types(12, 4).HeartbeatRequest(group_id="g", generation_id=1, member_id=member_id)
        raw.send(beat)
        # Everything on this loop stands still, for longer than the session.
        time.sleep(1.3)  # noqa: ASYNC251
        assert (await raw.answer_to(beat)).error_code is ErrorCode.none
        beaten = await raw.ask(beat)
        assert beaten.error_code is ErrorCode.none


async def test_who_stood_still_with_the_broker_has_a_whole_session_to_come_back(
    embedded: EmbeddedBroker,
) -> None:
    loop = asyncio.get_running_loop()
    async with raw_client(embedded.bootstrap) as raw:
        member_id = await enter_group(raw, session=60.0)
        group = embedded.groups.find("g")
        assert group is not None
        member = group.members[member_id]
        assert loop.time() < member.deadline <= loop.time() + 60
        assert embedded.groups._timers["g"].when() == group.next_deadline()
        member.deadline = due = loop.time() - 10
        embedded.groups._expire(group, due)  # as the loop calls it when it comes round so late
        assert member.deadline > loop.time() + 20
        beat = types(12, 4).HeartbeatRequest(group_id="g", generation_id=1, member_id=member_id)
        assert (await raw.ask(beat)).error_code is ErrorCode.none
        # What is overdue all the same waits for what lies unread, and no longer for what comes.
        group._rebalance_deadline = due
        embedded.groups._expire(group, due)
        armed = embedded.groups._timers["g"].when()
        assert armed > due + 10
        assert embedded.groups.heartbeat("g", member_id, 1, None) is ErrorCode.none
        assert embedded.groups._timers["g"].when() == armed
        group._rebalance_deadline = None
        member.deadline = due = loop.time() + 10
        embedded.groups._expire(group, due)  # as when it comes round in time
        assert not group.members


async def enter_group(raw: RawClient, session: float) -> str:
    """Become the only member of group "g"; its id."""
    t = types(11, 3)
    joined = await raw.ask(
        t.JoinGroupRequest(
            group_id="g",
            session_timeout=timedelta(seconds=session),
            rebalance_timeout=timedelta(seconds=10),
            member_id="",
            protocol_type="consumer",
            protocols=(t.JoinGroupRequestProtocol(name="range", metadata=b""),),
        )
    )
    s = types(14, 5)
    part = s.SyncGroupRequestAssignment(member_id=joined.member_id, assignment=b"all")
    synced = await raw.ask(
        s.SyncGroupRequest(
            group_id="g",
            generation_id=1,
            member_id=joined.member_id,
            protocol_type="consumer",
            protocol_name="range",
            assignments=(part,),
        )
    )
    assert synced.error_code is ErrorCode.none
    return str(joined.member_id)


def test_an_address_that_nobody_can_connect_to_is_not_advertised() -> None:
    with pytest.raises(ValueError, match="give advertised_host"):
        EmbeddedBroker(host="0.0.0.0")
    assert EmbeddedBroker(host="0.0.0.0", port=1, advertised_host="kafka").bootstrap == "kafka:1"
