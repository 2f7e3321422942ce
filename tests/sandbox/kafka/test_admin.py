"""The admin pages: fault switches at run time, and what the broker holds."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kio.schema.errors import ErrorCode

from app.sandbox.faults import ADMIN_PATH
from app.sandbox.kafka import BrokerFault, EmbeddedBroker
from app.sandbox.kafka.admin import admin_app
from tests.sandbox.kafka.raw import (
    eventually,
    fetch_request,
    fetched,
    list_offsets_request,
    produce_request,
    produced,
    raw_client,
    record_batch,
)

REPOSITORY = Path(__file__).resolve().parents[3]


@asynccontextmanager
async def admin_of(broker: EmbeddedBroker) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(admin_app(broker))
    async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
        yield client


@pytest.fixture
async def admin(embedded: EmbeddedBroker) -> AsyncIterator[httpx.AsyncClient]:
    async with admin_of(embedded) as client:
        yield client


async def post(admin: httpx.AsyncClient, *faults: dict[str, Any]) -> dict[str, Any]:
    answer = await admin.post(ADMIN_PATH, json=list(faults))
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def assert_hung_up(raw: Any, request: Any) -> None:
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await raw.ask(request)


async def test_not_leader_is_answered_as_often_as_asked_where_it_was_asked(
    embedded: EmbeddedBroker, admin: httpx.AsyncClient
) -> None:
    embedded.state.create_topic("t", 2, {})
    await post(admin, {"kind": "not_leader", "topic": "t", "partition": 1, "times": 2})
    batch = record_batch([b"x"])
    async with raw_client(embedded.bootstrap) as raw:
        assert produced(await raw.ask(produce_request("t", batch))).error_code is ErrorCode.none
        for expected in (ErrorCode.not_leader_or_follower, ErrorCode.not_leader_or_follower, 0):
            found = produced(await raw.ask(produce_request("t", batch, partition=1)))
            assert found.error_code == expected
        await post(admin, {"kind": "not_leader"})
        part = fetched(await raw.ask(fetch_request("t", 0)))
        assert part.error_code is ErrorCode.not_leader_or_follower
    told = (await admin.get(ADMIN_PATH)).json()
    assert (told["waiting"], told["struck"]) == ([], {"not_leader": 3})
    assert {"not_leader", "restart"} <= set(told["kinds"])


async def test_a_lost_answer_a_hang_up_and_a_delay_strike_the_requests_they_name(
    embedded: EmbeddedBroker, admin: httpx.AsyncClient
) -> None:
    log = embedded.state.create_topic("t", 1, {}).partitions[0]
    await post(
        admin,
        {"kind": "lose_answer", "api": "produce"},
        {"kind": "hang_up", "api": "fetch"},
        {"kind": "latency", "api": "list_offsets", "seconds": 0.2},
    )
    async with raw_client(embedded.bootstrap) as raw:
        await assert_hung_up(raw, produce_request("t", record_batch([b"x"])))
    assert log.end_offset == 1
    async with raw_client(embedded.bootstrap) as raw:
        await assert_hung_up(raw, fetch_request("t", 0))
    async with raw_client(embedded.bootstrap) as raw:
        clock = asyncio.get_running_loop()
        began = clock.time()
        await raw.ask(list_offsets_request("t", -1))
        assert clock.time() - began >= 0.19
        fetched(await raw.ask(fetch_request("t", 0)))


async def test_a_stall_of_any_request_ends_when_it_is_cleared(
    embedded: EmbeddedBroker, admin: httpx.AsyncClient
) -> None:
    embedded.state.create_topic("t", 1, {})
    told = await post(admin, {"kind": "stall", "api": "list_offsets", "times": None})
    assert [fault["kind"] for fault in told["waiting"]] == ["stall"]
    async with raw_client(embedded.bootstrap) as held, raw_client(embedded.bootstrap) as free:
        request = list_offsets_request("t", -1)
        held.send(request)
        await free.ask(fetch_request("t", 0, wait=0))
        await admin.delete(ADMIN_PATH)
        await held.answer_to(request)


async def test_connections_are_refused_until_all_is_cleared_and_dropped_once(
    embedded: EmbeddedBroker, admin: httpx.AsyncClient
) -> None:
    embedded.state.create_topic("t", 1, {})
    request = list_offsets_request("t", -1)
    async with raw_client(embedded.bootstrap) as raw:
        await raw.ask(request)
        await post(admin, {"kind": "drop"})
        await assert_hung_up(raw, request)
    async with raw_client(embedded.bootstrap) as raw:
        await raw.ask(request)
        await post(admin, {"kind": "refuse"})
        await assert_hung_up(raw, request)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        async with raw_client(embedded.bootstrap) as raw:
            await raw.ask(request)
    told = (await admin.delete(ADMIN_PATH)).json()
    assert told["struck"] == {"drop": 2, "refuse": 1}, "to refuse drops all, too"
    async with raw_client(embedded.bootstrap) as raw:
        await raw.ask(request)


async def test_connections_are_refused_for_some_time_only(
    embedded: EmbeddedBroker, admin: httpx.AsyncClient
) -> None:
    embedded.state.create_topic("t", 1, {})

    async def refused() -> bool:
        """Whether a connection is; the time may be over before it comes."""
        told = await post(admin, {"kind": "refuse", "seconds": 0.2})
        assert [fault["kind"] for fault in told["waiting"]] == ["refuse"]
        try:
            async with raw_client(embedded.bootstrap) as raw:
                await raw.ask(list_offsets_request("t", -1))
        except (asyncio.IncompleteReadError, ConnectionError):
            return True
        return False

    await eventually(refused)

    async def over() -> bool:
        return not embedded.faults.waiting()

    await eventually(over)
    async with raw_client(embedded.bootstrap) as raw:
        await raw.ask(list_offsets_request("t", -1))


async def test_a_restart_keeps_records_and_clients(
    embedded: EmbeddedBroker, admin: httpx.AsyncClient
) -> None:
    embedded.state.create_topic("t", 1, {})
    async with AIOKafkaProducer(
        bootstrap_servers=embedded.bootstrap, enable_idempotence=True
    ) as producer:
        await producer.send_and_wait("t", b"before")
        await post(admin, {"kind": "restart", "seconds": 0.1})
        sent = await producer.send_and_wait("t", b"after")
    assert sent.offset == 1


async def test_members_expire_and_leaders_move_on_request(
    embedded: EmbeddedBroker, admin: httpx.AsyncClient
) -> None:
    embedded.state.create_topic("t", 1, {})
    async with AIOKafkaConsumer(
        "t", bootstrap_servers=embedded.bootstrap, group_id="g", heartbeat_interval_ms=100
    ):
        group = embedded.groups.find("g")
        assert group is not None
        former = set(group.members)
        await post(admin, {"kind": "expire_member", "group": "g"})

        async def rejoined() -> bool:
            return bool(group.members) and not former & set(group.members)

        await eventually(rejoined)
    await post(admin, {"kind": "move_leader", "topic": "t", "partition": 0})
    assert embedded.state.topics["t"].partitions[0].epochs.current == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": "rain"}, "There is no fault 'rain'"),
        ({"kind": 5}, 'A fault is an object with at least "kind".'),
        ({"kind": "stall", "seconds": "x"}, "seconds has to be a number, not 'x'."),
        ({"kind": "restart", "seconds": None}, "seconds has to be a number, not None."),
        ({"kind": "hang_up", "times": True}, "times has to be a whole number, not True."),
        ({"kind": "move_leader", "topic": 1}, "topic has to be a text, not 1."),
        ({"times": 1}, 'A fault is an object with at least "kind".'),
        ({"kind": "stall", "api": "prodcue"}, "There is no request 'prodcue'"),
        ({"kind": "latency", "seconds": -1}, "seconds must not be negative."),
        ({"kind": "hang_up", "times": 0}, "times must be at least 1"),
        ({"kind": "drop", "times": 2}, "drop has no field times."),
        ({"kind": "move_leader"}, "move_leader needs the field topic."),
        ({"kind": "move_leader", "topic": "x"}, "there is no partition 0 of a topic 'x'"),
        ({"kind": "expire_member", "group": "x"}, "there is no group 'x'"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused_with_the_reason(
    admin: httpx.AsyncClient, embedded: EmbeddedBroker, fault: dict[str, Any], reason: str
) -> None:
    answer = await admin.post(ADMIN_PATH, json=[{"kind": "hang_up"}, fault])
    assert answer.status_code == 400
    assert reason in answer.json()["error"]


async def test_none_of_several_faults_strikes_when_one_makes_no_sense(
    admin: httpx.AsyncClient, embedded: EmbeddedBroker
) -> None:
    await admin.post(ADMIN_PATH, json=[{"kind": "hang_up"}, {"kind": "rain"}])
    assert embedded.faults.waiting() == []
    with pytest.raises(ValueError, match="There is no fault"):
        embedded.faults.add(BrokerFault("rain"))


async def test_the_page_tells_what_the_broker_holds(
    embedded: EmbeddedBroker, admin: httpx.AsyncClient
) -> None:
    embedded.state.create_topic("some.topic", 1, {})
    async with raw_client(embedded.bootstrap) as raw:
        await raw.ask(produce_request("some.topic", record_batch([b"x"] * 7)))
    async with AIOKafkaConsumer(
        bootstrap_servers=embedded.bootstrap, group_id="behind", enable_auto_commit=False
    ) as consumer:
        part = TopicPartition("some.topic", 0)
        consumer.assign([part])
        await consumer.commit({part: 2})
    embedded.transactions.init_producer("<b>", 60)
    embedded.faults.lose_produce_answers(3)
    embedded.faults.drop_connections()
    page = (await admin.get("/")).text
    assert embedded.bootstrap in page
    assert "of at most 512.0 MiB" in page
    for told in ("some.topic", "&lt;b&gt;", "lose_answer"):
        assert f"<td>{told}</td>" in page
    assert "<td>behind</td><td>Empty</td><td>0</td><td>0</td><td>5</td>" in page
    assert "<td>drop</td><td>1</td>" in page


async def test_the_page_names_the_folder_that_keeps_everything(tmp_path: Path) -> None:
    async with EmbeddedBroker(data=tmp_path) as broker, admin_of(broker) as admin:
        assert f"kept in {tmp_path}." in (await admin.get("/")).text


async def test_a_broker_whose_port_was_taken_meanwhile_says_so_when_it_is_to_start_again(
    embedded: EmbeddedBroker, admin: httpx.AsyncClient
) -> None:
    restarting = asyncio.create_task(
        admin.post(ADMIN_PATH, json={"kind": "restart", "seconds": 0.3})
    )
    taken = await _once_free(embedded.port)
    answer = await restarting
    assert answer.status_code == 503
    assert "in use by another program" in answer.json()["error"]
    taken.close()
    assert (await admin.post(ADMIN_PATH, json={"kind": "restart"})).status_code == 200
    async with raw_client(embedded.bootstrap) as raw:
        await raw.ask(list_offsets_request("t", -1))


async def _once_free(port: int) -> socket.socket:
    """Take a port as soon as nobody listens there."""
    while True:
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            await asyncio.sleep(0.01)


async def test_a_process_has_its_switches_at_the_admin_port() -> None:
    command = [sys.executable, "-m", "app.sandbox.kafka", "--admin-port", "0"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        told = json.loads(await asyncio.wait_for(process.stdout.readline(), 90))
        async with httpx.AsyncClient(base_url=told["admin"]) as admin:
            assert told["bootstrap"] in (await admin.get("/")).text
            request = list_offsets_request("t", -1)
            async with raw_client(told["bootstrap"]) as raw:
                await raw.ask(request)
                await post(admin, {"kind": "refuse"})
                await assert_hung_up(raw, request)
            await admin.delete(ADMIN_PATH)
            async with raw_client(told["bootstrap"]) as raw:
                await raw.ask(request)
                await post(admin, {"kind": "restart", "seconds": 0.1})
                await assert_hung_up(raw, request)
            async with raw_client(told["bootstrap"]) as raw:
                await raw.ask(request)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
