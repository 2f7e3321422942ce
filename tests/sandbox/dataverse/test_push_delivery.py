"""From commits to a topic of a real broker: tidy, untidy, and while the broker is away."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from app.sandbox.dataverse import DataverseSimulator
from app.sandbox.dataverse.push import Habits, ServiceEndpoint, Steps
from app.sandbox.dataverse.push.admin import RELAY_PATH
from app.sandbox.faults import ADMIN_PATH, Fault
from app.sandbox.kafka import EmbeddedBroker
from tests.patience import PATIENCE_SECONDS
from tests.sandbox.dataverse.support import NO_TLS

pytestmark = pytest.mark.broker

UniqueName = Callable[[str], str]
Record = ConsumerRecord[bytes | None, bytes | None]


async def arrived(bootstrap: str, topic: str, count: int) -> list[Record]:
    """The first messages of a topic, of all partitions, each partition in its order."""
    found: list[Record] = []
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    async with consumer, asyncio.timeout(PATIENCE_SECONDS):
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
    return found


def body(record: Record) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(record.value or b"null")
    return found


def name(record: Record) -> str:
    (parameter,) = body(record)["InputParameters"]
    values = {pair["key"]: pair["value"] for pair in parameter["value"]["Attributes"]}
    return str(values["name"])


async def test_each_commit_arrives_with_headers_and_without_a_key(
    dataverse: DataverseSimulator,
    client: httpx.AsyncClient,
    kafka_address: str,
    unique_name: UniqueName,
) -> None:
    topic = unique_name("push")
    dataverse.seed("account", {"name": "before the endpoint was there"})
    async with ServiceEndpoint(dataverse, kafka_address, topic, partitions=3) as endpoint:
        await client.post("/accounts", json={"name": "A"})
        await endpoint.drained()
        endpoint.on = False
        await client.post("/accounts", json={"name": "B"})
        await asyncio.sleep(0.1)
        assert (endpoint.waiting, endpoint.sent) == (1, 1), "held back"
        endpoint.on = True
        await endpoint.drained()
        assert (endpoint.waiting, endpoint.sent) == (0, 2)
    await client.post("/accounts", json={"name": "after it"})
    records = await arrived(kafka_address, topic, 2)
    assert sorted(map(name, records)) == ["A", "B"]
    assert {record.key for record in records} == {None}
    headers = dict(records[0].headers)
    request = "http://schemas.microsoft.com/xrm/2011/Claims/RequestName"
    assert headers[request] == b"\xa1\x06Create"
    host = dataverse.url.partition("://")[2].encode()
    organisation = headers["http://schemas.microsoft.com/xrm/2011/Claims/Organization"]
    assert organisation == bytes((0xA1, len(host))) + host


async def test_some_are_delivered_twice_and_some_are_overtaken(
    dataverse: DataverseSimulator, kafka_address: str, unique_name: UniqueName
) -> None:
    topic = unique_name("untidy")
    habits = Habits(duplicates=0.2, reordering=0.3)
    async with ServiceEndpoint(
        dataverse, kafka_address, topic, partitions=1, habits=habits
    ) as endpoint:
        for number in range(60):
            dataverse.seed("account", {"name": f"{number:02d}"})
        await endpoint.drained()
        sent = endpoint.sent
    assert 60 < sent < 120
    records = await arrived(kafka_address, topic, sent)
    times = Counter(body(record)["OperationId"] for record in records)
    assert len(times) == 60, "one operation for each commit, however often it is delivered"
    assert set(times.values()) == {1, 2}
    order = [name(record) for record in records]
    assert order != sorted(order)


async def test_single_messages_go_wrong_by_faults_from_outside(
    dataverse: DataverseSimulator,
    client: httpx.AsyncClient,
    kafka_address: str,
    unique_name: UniqueName,
) -> None:
    topic = unique_name("faulty")
    kept = (await client.post("/accounts", json={"name": "kept"})).headers["OData-EntityId"]
    row_id = kept[-37:-1]
    faults = [
        {"kind": "push_duplicate", "method": "Create", "path": "contact"},
        {"kind": "push_lost", "method": "Update", "path": row_id},
        {"kind": "push_trimmed", "method": "Delete"},
    ]
    async with (
        httpx.AsyncClient(verify=NO_TLS) as stranger,
        ServiceEndpoint(dataverse, kafka_address, topic, partitions=3) as endpoint,
    ):
        answer = await stranger.post(dataverse.url + ADMIN_PATH, json=faults)
        assert answer.status_code == 200
        await client.post("/contacts", json={"lastname": "Lee"})
        await client.patch(f"/accounts({row_id})", json={"name": "never told"})
        await client.delete(f"/accounts({row_id})")
        await endpoint.drained()
        counts = endpoint.counts
    assert (counts["sent"], counts["lost"], counts["trimmed"]) == (3, 1, 1)
    records = await arrived(kafka_address, topic, 3)
    messages = Counter(body(record)["MessageName"] for record in records)
    assert messages == {"Create": 2, "Delete": 1}
    (gone,) = (record for record in records if body(record)["MessageName"] == "Delete")
    assert "InputParameters" not in body(gone)
    assert dict(gone.headers)["MessageMaxSizeExceeded"] == b"\x41"
    assert body(gone)["PrimaryEntityId"] == row_id


async def test_a_late_message_is_overtaken_and_leaves_in_the_end(
    dataverse: DataverseSimulator, kafka_address: str, unique_name: UniqueName
) -> None:
    topic = unique_name("late")
    dataverse.faults.add(Fault("push_late"))
    async with ServiceEndpoint(dataverse, kafka_address, topic, partitions=1) as endpoint:
        endpoint.habits = Habits(reach=1)
        dataverse.seed("account", {"name": "first"})
        dataverse.seed("account", {"name": "second"})
        dataverse.faults.add(Fault("push_late"))
        dataverse.seed("account", {"name": "third"})
        records = await arrived(kafka_address, topic, 3)  # without a word from us
    assert [name(record) for record in records] == ["second", "first", "third"]


async def test_the_push_is_switched_from_outside(
    dataverse: DataverseSimulator, kafka_address: str, unique_name: UniqueName
) -> None:
    topic = unique_name("switched")
    async with httpx.AsyncClient(base_url=dataverse.url, verify=NO_TLS) as stranger:
        assert (await stranger.get(RELAY_PATH)).status_code == 404
        async with ServiceEndpoint(dataverse, kafka_address, topic, partitions=1) as endpoint:
            given = {"on": False, "duplicates": 0.5, "reach": 2, "steps": {"tables": ["account"]}}
            answer = (await stranger.post(RELAY_PATH, json=given)).json()
            assert (answer["on"], answer["duplicates"], answer["reach"]) == (False, 0.5, 2)
            assert answer["steps"]["tables"] == ["account"]
            dataverse.seed("contact", {"lastname": "no step"})
            dataverse.seed("account", {"name": "A"})
            assert (await stranger.get(RELAY_PATH)).json()["waiting"] == 1
            for wrong in (
                {"duplicates": 2},
                {"nonsense": 1},
                {"steps": {"transport": "pigeon"}},
                5,
            ):
                refused = await stranger.post(RELAY_PATH, json=wrong)
                assert refused.status_code == 400, wrong
            assert endpoint.steps.transport == "event_hub"
            assert endpoint.habits.duplicates == 0.5
            await stranger.post(RELAY_PATH, json={"on": True, "duplicates": 0})
            await endpoint.drained()
            assert (await stranger.get(RELAY_PATH)).json()["sent"] == endpoint.sent > 0
            assert (await stranger.delete(RELAY_PATH)).status_code == 405


async def test_what_is_too_large_for_the_broker_holds_up_nothing(
    dataverse: DataverseSimulator, kafka_address: str, unique_name: UniqueName
) -> None:
    topic = unique_name("large")
    steps = Steps(tables=frozenset({"asyncoperation", "account"}), largest_bytes=10**9)
    async with ServiceEndpoint(
        dataverse, kafka_address, topic, partitions=1, steps=steps
    ) as endpoint:
        dataverse.seed("asyncoperation", {"name": "A", "message": "x" * 1_048_576})
        dataverse.seed("account", {"name": "small"})
        await endpoint.drained()
        assert (endpoint.sent, endpoint.counts["too_large"]) == (1, 1)
    (record,) = await arrived(kafka_address, topic, 1)
    assert name(record) == "small"


async def test_a_broker_that_is_away_is_waited_for(dataverse: DataverseSimulator) -> None:
    broker = EmbeddedBroker()
    await broker.start()
    address = broker.bootstrap
    await broker.stop()
    async with ServiceEndpoint(dataverse, address, "patient", partitions=1) as endpoint:
        dataverse.seed("account", {"name": "A"})
        await asyncio.sleep(0.3)
        assert endpoint.counts["sent"] == 0
        await broker.start()
        try:
            await endpoint.drained()
            (record,) = await arrived(address, "patient", 1)
            assert name(record) == "A"
        finally:
            await broker.stop()


def test_the_command_pushes(kafka_address: str, unique_name: UniqueName) -> None:
    topic = unique_name("command")
    command = [sys.executable, "-m", "app.sandbox.dataverse"]
    command += ["--kafka", kafka_address, "--changes-topic", topic, "--tables", "account"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        assert (announced["kafka"], announced["changes_topic"]) == (kafka_address, topic)
        asyncio.run(_write_and_read(announced, kafka_address, topic))
        process.terminate()


async def _write_and_read(announced: dict[str, Any], address: str, topic: str) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": announced["client_id"],
        "client_secret": "sandbox-secret",
        "scope": announced["scope"],
    }
    context = ssl.create_default_context(cafile=announced["ca_path"])
    async with httpx.AsyncClient(verify=context) as http:
        url = f"{announced['authority']}/oauth2/v2.0/token"
        token = (await http.post(url, data=form)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=announced["api_url"], headers=headers) as client:
        await client.post("/contacts", json={"lastname": "no step here"})
        await client.post("/accounts", json={"name": "told"})
    (record,) = await arrived(address, topic, 1)
    assert name(record) == "told"
