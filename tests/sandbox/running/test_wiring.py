"""What happens in the simulated systems of a sandbox is told to its broker."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from app.sandbox import assembly
from app.sandbox.assembly import Sandbox
from app.sandbox.choice import CHANGES_TOPIC, ECM_TOPIC, SOURCE_PARTITIONS, Choice, System
from app.sandbox.kafka import EmbeddedBroker

FREE = dict.fromkeys(System, 0)


async def texts(bootstrap: str, topic: str) -> list[str]:
    """Everything on a topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(topic, n) for n in range(SOURCE_PARTITIONS)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found: list[str] = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            records = await consumer.getmany(timeout_ms=500)
            found += [(r.value or b"").decode() for batch in records.values() for r in batch]
        return found
    finally:
        await consumer.stop()


def happen(sandbox: Sandbox) -> None:
    """Something in each system, and at once the end: nothing waits for what is told."""
    assert sandbox.dataverse and sandbox.finance and sandbox.content_server
    sandbox.dataverse.seed("account", {"name": "Kumi Oy"})
    vendor = {"VendorAccountNumber": "V-1", "VendorOrganizationName": "Kumi AB"}
    sandbox.finance.seed("VendorsV2", vendor)
    sandbox.content_server.create_workspace(
        "Account", "Kumi", business_object=("D365", "account", "1")
    )


async def test_all_that_happened_up_to_the_end_is_on_the_topics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    async with Sandbox(Choice(ports=FREE, data=tmp_path / "data")) as sandbox:
        happen(sandbox)
    async with EmbeddedBroker(data=tmp_path / "data" / "kafka") as broker:
        changes = await texts(broker.bootstrap, CHANGES_TOPIC)
        events = await texts(broker.bootstrap, ECM_TOPIC)
    assert any("Kumi Oy" in text and "MessageName" in text for text in changes), changes
    assert any("V-1" in text for text in changes), changes
    assert any("workspace.created" in text for text in events), events


async def test_a_pause_of_the_whole_process_keeps_nothing_from_being_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(assembly, "_LOOK_SECONDS", 0.01)
    turns = 0

    async def drained() -> None:
        nonlocal turns
        while turns < 3:
            time.sleep(0.5)  # noqa: ASYNC251 - longer than all looks together
            await asyncio.sleep(0)
            turns += 1

    await assembly._within(drained)
    assert turns == 3
    away = asyncio.Event()
    await assembly._within(away.wait)  # type: ignore[arg-type]


async def test_a_broker_elsewhere_is_told_and_none_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    async with EmbeddedBroker() as broker:
        async with Sandbox(Choice(ports=FREE, kafka=broker.bootstrap)) as sandbox:
            assert sandbox.broker is None
            assert System.KAFKA not in sandbox.running
            assert sandbox.dataverse
            sandbox.dataverse.seed("account", {"name": "Kumi Oy"})
        changes = await texts(broker.bootstrap, CHANGES_TOPIC)
    assert any("Kumi Oy" in text for text in changes)


async def test_of_a_start_that_fails_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = tmp_path / "data"
    data.mkdir()
    (data / "finance.state").write_bytes(b"no state")
    with pytest.raises(Exception, match=r"finance\.state is no file of a sandbox"):
        async with Sandbox(Choice(ports=FREE, data=data)):
            pass
    (data / "finance.state").unlink()
    # The folder and the broker's are free again.
    async with Sandbox(Choice(ports=FREE, data=data)) as sandbox:
        assert sandbox.running == list(System)
