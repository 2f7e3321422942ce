"""What the broker's folder keeps: over a stop, and over a process that is killed."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kio.schema.errors import ErrorCode

from app.sandbox.kafka import BrokerSettings, EmbeddedBroker
from app.sandbox.kafka.__main__ import main
from app.sandbox.kafka.state import DataFolderInUse
from tests.sandbox.kafka.raw import (
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

REPOSITORY = Path(__file__).resolve().parents[3]


class BrokerProcess:
    """`python -m app.sandbox.kafka` on a folder."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.port = 0
        self.process: asyncio.subprocess.Process | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        command = ["-m", "app.sandbox.kafka", "--port", str(self.port), "--data", str(self._data)]
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
        )
        assert self.process.stdout is not None
        first_line = json.loads(await asyncio.wait_for(self.process.stdout.readline(), 90))
        self.port = int(first_line["bootstrap"].rsplit(":", 1)[1])

    async def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 60)


@asynccontextmanager
async def broker_process(data: Path) -> AsyncIterator[BrokerProcess]:
    broker = BrokerProcess(data)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.end(signal.SIGKILL)


def segment_files(data: Path, topic: str) -> list[Path]:
    """The files of the topic's first partition."""
    return sorted(data.glob(f"logs/{topic}-*/0/*.log"))


async def test_a_killed_broker_comes_back_at_its_address_with_all_it_acknowledged(
    tmp_path: Path,
) -> None:
    part = TopicPartition("changes", 0)
    async with broker_process(tmp_path) as broker:
        async with raw_client(broker.bootstrap) as raw:
            await create_topic(raw, "changes", {"cleanup.policy": "compact"})
        async with AIOKafkaProducer(
            bootstrap_servers=broker.bootstrap, enable_idempotence=True
        ) as producer:
            for n in range(50):
                await producer.send_and_wait("changes", b"%d" % n, key=b"k")
            async with AIOKafkaConsumer(
                bootstrap_servers=broker.bootstrap, group_id="readers", enable_auto_commit=False
            ) as consumer:
                consumer.assign([part])
                await consumer.commit({part: 20})

            await broker.end(signal.SIGKILL)
            await broker.start()

            # The very same producer goes on: its sequence numbers are known from the log.
            sent = await producer.send_and_wait("changes", b"50", key=b"k")
            assert sent.offset == 50
        async with AIOKafkaConsumer(
            bootstrap_servers=broker.bootstrap, group_id="readers", enable_auto_commit=False
        ) as consumer:
            consumer.assign([part])
            values = [int((await consumer.getone()).value) for _ in range(31)]
        assert values == list(range(20, 51))
        assert await broker.end(signal.SIGTERM) == 0


async def create_topic(raw: Any, name: str, configs: dict[str, str]) -> None:
    t = types(19, 7)
    topic = t.CreatableTopic(
        name=name,
        num_partitions=1,
        replication_factor=1,
        assignments=(),
        configs=tuple(t.CreatableTopicConfig(name=k, value=v) for k, v in configs.items()),
    )
    answer = await raw.ask(
        t.CreateTopicsRequest(topics=(topic,), timeout=timedelta(seconds=5), validate_only=False)
    )
    assert answer.topics[0].error_code is ErrorCode.none


async def test_a_folder_keeps_topics_configs_duplicates_and_producer_ids(tmp_path: Path) -> None:
    batch = record_batch([b"a", b"b"], producer_id=7, epoch=0, sequence=0)
    async with EmbeddedBroker(data=tmp_path) as broker, raw_client(broker.bootstrap) as raw:
        await create_topic(raw, "kept", {"retention.ms": "1234", "internal.segment.bytes": "100"})
        for _ in range(3):
            await raw.ask(produce_request("kept", record_batch([b"x" * 60])))
        assert produced(await raw.ask(produce_request("kept", batch))).base_offset == 3
        broker.state.topics["kept"].partitions[0].delete_before(1)
        first_id, cluster = broker.state.new_producer_id(), broker.state.cluster_id
        topic_id = broker.state.topics["kept"].topic_id
    segments = segment_files(tmp_path, "kept")
    # Four segments, and the first went with its deleted record.
    assert len(segments) == 3

    async with EmbeddedBroker(data=tmp_path) as broker, raw_client(broker.bootstrap) as raw:
        topic = broker.state.topics["kept"]
        assert (topic.topic_id, broker.state.cluster_id) == (topic_id, cluster)
        assert topic.configs == {"retention.ms": "1234", "internal.segment.bytes": "100"}
        assert broker.state.new_producer_id() > first_id
        assert produced(await raw.ask(produce_request("kept", batch))).base_offset == 3
        earliest = await raw.ask(list_offsets_request("kept", -2))
        assert earliest.topics[0].partitions[0].offset == 1
        part = fetched(await raw.ask(fetch_request("kept", 1)))
        assert part.high_watermark == 5
        assert part.records.count(b"x" * 60) == 2


async def test_more_partitions_than_open_files_are_kept_and_served(tmp_path: Path) -> None:
    settings = BrokerSettings(open_files_max=3)
    async with EmbeddedBroker(data=tmp_path, settings=settings) as broker:
        broker.state.create_topic("wide", 40, {})
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
            sent = [await producer.send("wide", b"%d" % n, partition=n) for n in range(40)]
            await asyncio.gather(*sent)
        assert len(broker.state.files) <= 3
    async with EmbeddedBroker(data=tmp_path, settings=settings) as broker:
        consumer = AIOKafkaConsumer(
            "wide", bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest"
        )
        async with consumer, asyncio.timeout(60):
            found = [await consumer.getone() for _ in range(40)]
        assert {record.partition: record.value for record in found} == {
            n: b"%d" % n for n in range(40)
        }
        assert len(broker.state.files) <= 3


async def test_what_a_crash_left_half_written_is_cut_off(tmp_path: Path) -> None:
    async with EmbeddedBroker(data=tmp_path) as broker:
        broker.state.create_topic("torn", 1, {})
        async with raw_client(broker.bootstrap) as raw:
            await raw.ask(produce_request("torn", record_batch([b"whole"])))
            await raw.ask(produce_request("torn", record_batch([b"torn apart"])))
    (segment,) = segment_files(tmp_path, "torn")
    segment.write_bytes(segment.read_bytes()[:-3])

    async with EmbeddedBroker(data=tmp_path) as broker, raw_client(broker.bootstrap) as raw:
        assert produced(await raw.ask(produce_request("torn", record_batch([b"new"])))).base_offset
        part = fetched(await raw.ask(fetch_request("torn", 0)))
        assert b"whole" in part.records
        assert b"torn" not in part.records
        assert b"new" in part.records
        assert part.high_watermark == 2


async def test_records_of_a_deleted_topic_do_not_come_back(tmp_path: Path) -> None:
    async with EmbeddedBroker(data=tmp_path) as broker:
        topic = broker.state.create_topic("gone", 1, {})
        folder = tmp_path / "logs" / f"gone-{topic.topic_id.hex}"
        assert folder.is_dir()
        broker.state.delete_topic(topic)
        assert not folder.exists()
        # As a crash between forgetting the topic and removing its folder would leave it.
        folder.mkdir()
    async with EmbeddedBroker(data=tmp_path) as broker:
        assert broker.state.topics == {}
        assert not folder.exists()


async def test_in_memory_a_stopped_broker_starts_again_with_its_records() -> None:
    broker = EmbeddedBroker()
    await broker.start()
    address = broker.bootstrap
    broker.state.create_topic("kept", 1, {})
    async with raw_client(address) as raw:
        await raw.ask(produce_request("kept", record_batch([b"x"])))
    await broker.stop()
    with pytest.raises(ConnectionError):
        async with raw_client(address):
            pass

    async with broker, raw_client(broker.bootstrap) as raw:
        assert broker.bootstrap == address
        assert fetched(await raw.ask(fetch_request("kept", 0))).high_watermark == 1


async def test_a_group_goes_on_over_a_restart_of_its_broker(tmp_path: Path) -> None:
    broker = EmbeddedBroker(data=tmp_path)
    await broker.start()
    broker.state.create_topic("changes", 2, {})
    async with (
        AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer,
        AIOKafkaConsumer(
            "changes",
            bootstrap_servers=broker.bootstrap,
            group_id="readers",
            enable_auto_commit=False,
            heartbeat_interval_ms=100,
        ) as consumer,
    ):
        await producer.send_and_wait("changes", b"before", partition=0)
        assert (await asyncio.wait_for(consumer.getone(), 60)).value == b"before"
        await consumer.commit()

        await broker.stop()
        await broker.start()

        await producer.send_and_wait("changes", b"after", partition=0)
        assert (await asyncio.wait_for(consumer.getone(), 60)).value == b"after"
        group = broker.groups.find("readers")

        async def joined_again() -> bool:
            return group is not None and len(group.members) == 1

        await eventually(joined_again)
    await broker.stop()


async def test_two_brokers_do_not_share_a_folder(tmp_path: Path) -> None:
    async with EmbeddedBroker(data=tmp_path):
        with pytest.raises(DataFolderInUse, match="in use by another broker: stop that one"):
            await EmbeddedBroker(data=tmp_path).start()
    async with EmbeddedBroker(data=tmp_path):
        pass


def test_a_taken_port_is_told_and_lets_the_folder_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        arguments = ["--port", str(taken.getsockname()[1]), "--data", str(tmp_path)]
        assert main(arguments) == 1
        assert main(arguments) == 1

    told = capsys.readouterr()
    expected = f"the broker cannot start: 127.0.0.1:{arguments[1]} is in use by another program"
    assert told.err.count(expected) == 2
    assert "give another port (0 for a free one)" in told.err
    assert told.out == ""
