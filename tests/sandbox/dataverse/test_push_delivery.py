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
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from app.sandbox.dataverse import DataverseSimulator
from app.sandbox.dataverse.push import Habits, ServiceEndpoint
from app.sandbox.faults import ADMIN_PATH, Fault
from app.sandbox.kafka import EmbeddedBroker
from tests.sandbox.dataverse.support import NO_TLS

UniqueName = Callable[[str], str]
Record = ConsumerRecord[bytes | None, bytes | None]


async def arrived(bootstrap: str, topic: str, count: int, seconds: float = 20.0) -> list[Record]:
    """The first messages of a topic, of all partitions, each partition in its order."""
    found: list[Record] = []
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    async with consumer, asyncio.timeout(seconds):
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
    async with ServiceEndpoint(
        dataverse, bootstrap=kafka_address, topic=topic, partitions=3
    ) as endpoint:
        await client.post("/accounts", json={"name": "A"})
        endpoint.pause()
        await client.post("/accounts", json={"name": "quiet"})
        endpoint.resume()
        await client.post("/accounts", json={"name": "B"})
        await endpoint.flush()
        assert (endpoint.waiting, endpoint.counts["sent"]) == (0, 2)
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
    habits = Habits(duplicate_share=0.2, late_share=0.3, late_seconds=0.4)
    async with ServiceEndpoint(
        dataverse, bootstrap=kafka_address, topic=topic, partitions=3, habits=habits
    ) as endpoint:
        for number in range(60):
            dataverse.seed("account", {"name": f"{number:02d}"})
            await asyncio.sleep(0.002)
        await endpoint.flush()
        counts = endpoint.counts
    assert 0 < counts["duplicate"] < 60
    assert 0 < counts["late"] < 60
    assert counts["sent"] == 60 + counts["duplicate"]
    records = await arrived(kafka_address, topic, counts["sent"])
    times = Counter(body(record)["OperationId"] for record in records)
    assert sorted(times.values()) == sorted(
        [2] * counts["duplicate"] + [1] * (len(times) - counts["duplicate"])
    )
    assert len(times) == 60, "one operation for each commit, however often it is delivered"
    in_order = [name(r) for r in sorted(records, key=lambda r: r.timestamp)]
    assert in_order != sorted(in_order)


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
    habits = Habits(late_seconds=0.05)
    async with (
        httpx.AsyncClient(verify=NO_TLS) as stranger,
        ServiceEndpoint(
            dataverse, bootstrap=kafka_address, topic=topic, partitions=3, habits=habits
        ) as endpoint,
    ):
        answer = await stranger.post(dataverse.url + ADMIN_PATH, json=faults)
        assert answer.status_code == 200
        await client.post("/contacts", json={"lastname": "Lee"})
        await client.patch(f"/accounts({row_id})", json={"name": "never told"})
        await client.delete(f"/accounts({row_id})")
        await endpoint.flush()
        counts = endpoint.counts
    assert (counts["sent"], counts["duplicate"], counts["lost"], counts["trimmed"]) == (3, 1, 1, 1)
    records = await arrived(kafka_address, topic, 3)
    messages = Counter(body(record)["MessageName"] for record in records)
    assert messages == {"Create": 2, "Delete": 1}
    (gone,) = (record for record in records if body(record)["MessageName"] == "Delete")
    assert "InputParameters" not in body(gone)
    assert dict(gone.headers)["MessageMaxSizeExceeded"] == b"\x41"
    assert body(gone)["PrimaryEntityId"] == row_id


async def test_a_late_message_is_overtaken(
    dataverse: DataverseSimulator, kafka_address: str, unique_name: UniqueName
) -> None:
    topic = unique_name("late")
    dataverse.faults.add(Fault("push_late"))
    habits = Habits(late_seconds=0.6)
    async with ServiceEndpoint(
        dataverse, bootstrap=kafka_address, topic=topic, partitions=3, habits=habits
    ) as endpoint:
        dataverse.seed("account", {"name": "first"})
        dataverse.seed("account", {"name": "second"})
        (overtaker,) = await arrived(kafka_address, topic, 1)
        assert name(overtaker) == "second"
        assert endpoint.waiting == 1
        await endpoint.flush()
    assert {name(r) for r in await arrived(kafka_address, topic, 2)} == {"first", "second"}


async def test_a_broker_that_is_away_is_waited_for(dataverse: DataverseSimulator) -> None:
    broker = EmbeddedBroker()
    await broker.start()
    address = broker.bootstrap
    await broker.stop()
    async with ServiceEndpoint(
        dataverse, bootstrap=address, topic="patient", partitions=1
    ) as endpoint:
        dataverse.seed("account", {"name": "A"})
        await asyncio.sleep(0.3)
        assert endpoint.counts["sent"] == 0
        await broker.start()
        try:
            await endpoint.flush()
            (record,) = await arrived(address, "patient", 1)
            assert name(record) == "A"
        finally:
            await broker.stop()


def test_the_command_pushes(kafka_address: str, unique_name: UniqueName) -> None:
    topic = unique_name("command")
    command = [sys.executable, "-m", "app.sandbox.dataverse"]
    command += [
        "--push-bootstrap",
        kafka_address,
        "--push-topic",
        topic,
        "--push-tables",
        "account",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        assert (announced["push_bootstrap"], announced["push_topic"]) == (kafka_address, topic)
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
