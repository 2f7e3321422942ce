"""The server's events on a Kafka topic, as a webhook's relay would bring them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from app.ports import HeldPort
from app.sandbox.content_server import ContentServerSimulator
from app.sandbox.content_server.__main__ import parse_arguments
from app.sandbox.content_server.happenings import happened
from app.sandbox.content_server.relay import EcmRelay
from app.sandbox.events.habits import Habits
from tests.patience import PATIENCE_SECONDS


@pytest.fixture
async def topic(kafka_address: str, unique_name: Callable[[str], str]) -> AsyncIterator[str]:
    name = unique_name("ecm-events")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 3, 1)])
        yield name
    finally:
        await admin.delete_topics([name])
        await admin.close()


async def arrived(address: str, topic: str, count: int) -> list[Any]:
    """The first so many messages of the topic, and none within a moment beyond them."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    try:
        found = [await asyncio.wait_for(consumer.getone(), PATIENCE_SECONDS) for _ in range(count)]
        more = await consumer.getmany(timeout_ms=200)
        return found + [message for messages in more.values() for message in messages]
    finally:
        await consumer.stop()


def worked_on(server: ContentServerSimulator, count: int) -> list[str]:
    for number in range(count):
        server.create_workspace("Account", f"A{number}")
    return [happening.event_id for happening in server.happenings]


def ids(messages: list[Any]) -> list[str]:
    return [json.loads(message.value)["event_id"] for message in messages]


async def test_every_event_arrives_once_and_in_order_keyed_by_its_workspace(
    server: ContentServerSimulator, kafka_address: str, topic: str
) -> None:
    async with EcmRelay(server, kafka_address, topic) as relay:
        told = worked_on(server, 5)
        await asyncio.wait_for(relay.drained(), PATIENCE_SECONDS)
        messages = await arrived(kafka_address, topic, 5)
    assert sorted(ids(messages)) == told
    assert relay.sent == 5
    for message in messages:
        body = json.loads(message.value)
        assert message.key == str(body["workspace_id"]).encode()
        assert body["event"] == "workspace.created"
    worked_on(server, 0)
    assert server.relay is None


async def test_an_unruly_relay_sends_some_twice_and_late_and_loses_none(
    server: ContentServerSimulator, kafka_address: str, topic: str
) -> None:
    habits = Habits(duplicates=0.4, reordering=0.4, seed=3)
    workspace = server.create_workspace("Contract", "Frame")
    async with EcmRelay(server, kafka_address, topic, habits=habits) as relay:
        for number in range(30):
            node = server.store.new_node(workspace.id, f"{number}.txt", 144, 1000)
            happened(server.store, "document.added", node, 1000, {})
        told = [h.event_id for h in server.happenings][1:]
        await asyncio.wait_for(relay.drained(), PATIENCE_SECONDS)
        found = ids(await arrived(kafka_address, topic, relay.sent))
    assert set(found) == set(told)
    assert len(found) > len(told)
    assert list(dict.fromkeys(found)) != told


async def test_it_holds_events_back_while_it_is_switched_off_over_the_admin_path(
    server: ContentServerSimulator, kafka_address: str, topic: str
) -> None:
    async with (
        EcmRelay(server, kafka_address, topic, format="cloudevent") as relay,
        httpx.AsyncClient(base_url=server.base_url) as http,
    ):
        path = "/__admin/relay"
        off = await http.post(path, json={"on": False, "duplicates": 1.0, "reach": 2})
        assert off.json()["on"] is False
        worked_on(server, 3)
        await asyncio.sleep(0.2)
        shown = (await http.get(path)).json()
        assert (shown["sent"], shown["waiting"], shown["topic"]) == (0, 3, topic)
        for wrong in ({"duplicates": 2}, {"speed": 3}):
            assert (await http.post(path, json=wrong)).status_code == 400
        assert (await http.put(path)).status_code == 405
        await http.post(path, json={"on": True})
        await asyncio.wait_for(relay.drained(), PATIENCE_SECONDS)
        messages = await arrived(kafka_address, topic, 6)
    assert len(messages) == 6
    assert {json.loads(m.value)["type"] for m in messages} == {"com.opentext.ecm.workspace.created"}


async def test_a_server_without_a_relay_says_how_to_have_one(
    server: ContentServerSimulator,
) -> None:
    async with httpx.AsyncClient(base_url=server.base_url) as http:
        answer = await http.get("/__admin/relay")
    assert answer.status_code == 404
    assert "--kafka" in answer.json()["error"]


async def test_it_waits_for_a_broker_that_is_not_there_yet(
    server: ContentServerSimulator,
) -> None:
    nobody = HeldPort()
    async with EcmRelay(server, f"127.0.0.1:{nobody.port}", "t") as relay:
        worked_on(server, 2)
        await asyncio.sleep(0.3)
        assert (relay.sent, relay.waiting) == (0, 2)
    nobody.release()


async def test_the_process_sends_its_events_where_it_is_told(
    kafka_address: str, topic: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "app.sandbox.content_server", "--kafka", kafka_address, "--ecm-topic", topic),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        told = json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE_SECONDS))
        async with httpx.AsyncClient(base_url=told["url"]) as http:
            form = {"username": told["username"], "password": told["password"]}
            ticket = (await http.post("/v1/auth", data=form)).json()["ticket"]
            kinds = await http.get(
                "/v2/businessworkspacetypes?expand_templates=true", headers={"OTCSTicket": ticket}
            )
            template = kinds.json()["results"][0]["data"]["properties"]["templates"]
            assert template
            body = {"template_id": template[0]["id"], "name": "A"}
            made = await http.post(
                "/v2/businessworkspaces",
                data={"body": json.dumps(body)},
                headers={"OTCSTicket": ticket},
            )
            workspace = made.json()["results"]["id"]
        messages = await arrived(kafka_address, topic, 1)
        assert json.loads(messages[0].value)["workspace_id"] == workspace
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0


def test_a_broker_without_a_topic_is_a_mistake_that_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--kafka", "localhost:9092"])
    assert "--kafka needs --ecm-topic" in capsys.readouterr().err
