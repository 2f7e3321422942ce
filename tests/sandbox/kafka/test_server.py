"""Requests that are none, and the versions that are served."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from crc32c import crc32c
from kio.index import load_request_schema, load_response_schema
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader

from app.sandbox.kafka import BrokerSettings, EmbeddedBroker, server
from app.sandbox.kafka.apis import API_VERSIONS, API_VERSIONS_RANGE, APIS
from app.sandbox.kafka.batches import HEADER_BYTES
from app.sandbox.kafka.wire import answers, write_response
from tests.sandbox.kafka.raw import (
    fetch_request,
    fetched,
    list_offsets_request,
    produce_request,
    produced,
    raw_client,
    record_batch,
    types,
)


@pytest.mark.broker
async def test_an_unknown_version_of_api_versions_is_answered_with_those_served(
    kafka_address: str,
) -> None:
    async with raw_client(kafka_address) as raw:
        raw.send_frame(struct.pack(">hhihb", API_VERSIONS, 99, 5, -1, 0))
        data = await raw.frame()
    reader: Any = entity_reader(load_response_schema(API_VERSIONS, 0))
    answer, _ = reader(data, 4)

    assert struct.unpack_from(">i", data) == (5,)
    assert answer.error_code is ErrorCode.unsupported_version
    assert API_VERSIONS in {api.api_key for api in answer.api_keys}


@pytest.mark.parametrize("version", range(API_VERSIONS_RANGE[0], API_VERSIONS_RANGE[1] + 1))
async def test_what_is_served_is_listed_and_nothing_else(
    embedded: EmbeddedBroker, version: int
) -> None:
    module = types(API_VERSIONS, version)
    names = {"client_software_name": "raw", "client_software_version": "1"}
    request = module.ApiVersionsRequest(**(names if version >= 3 else {}))
    async with raw_client(embedded.bootstrap) as raw:
        answer = await raw.ask(request)

    listed = {api.api_key: (api.min_version, api.max_version) for api in answer.api_keys}
    served = {key: (api.min_version, api.max_version) for key, api in APIS.items()}
    assert listed == served | {API_VERSIONS: API_VERSIONS_RANGE}


def test_every_version_that_is_listed_has_its_types() -> None:
    for key, api in APIS.items():
        for version in range(api.min_version, api.max_version + 1):
            assert load_request_schema(key, version).__version__ == version
            assert answers(key, version).version == version


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x00", id="too short for any header"),
        pytest.param(struct.pack(">hhih", 3, 1, 1, 50), id="client id beyond the end"),
        pytest.param(struct.pack(">hhih", 2, 1, 1, -1), id="no body"),
        pytest.param(struct.pack(">hhih", 24, 0, 1, -1), id="an api that is not served"),
        pytest.param(struct.pack(">hhih", 0, 2, 1, -1), id="a version that is not served"),
        pytest.param(struct.pack(">hhih", 999, 0, 1, -1), id="an api that is none"),
        pytest.param(struct.pack(">hhihi", 3, 1, 1, -1, 2**31 - 1), id="an endless array"),
        pytest.param(struct.pack(">hhih2s", 3, 1, 1, 2, b"\xff\xfe"), id="client id not UTF-8"),
    ],
)
async def test_what_is_no_request_costs_its_sender_the_connection_and_nobody_else(
    embedded: EmbeddedBroker, data: bytes
) -> None:
    embedded.state.create_topic("fine", 1, {})
    async with raw_client(embedded.bootstrap) as good:
        await assert_hung_up(embedded.bootstrap, data)
        await good.ask(list_offsets_request("fine", -1))


async def assert_hung_up(address: str, data: bytes) -> None:
    """Send a frame and be hung up on."""
    async with raw_client(address) as raw:
        raw.send_frame(data)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await raw.frame()


async def test_an_oversized_frame_is_not_waited_for() -> None:
    async with EmbeddedBroker(settings=BrokerSettings(request_max_bytes=1000)) as broker:
        await assert_hung_up(broker.bootstrap, b"\x00" * 1001)


async def test_a_connection_is_closed_when_it_is_idle_and_not_while_it_waits_for_records() -> None:
    settings = BrokerSettings(connections_max_idle=0.5)
    async with EmbeddedBroker(settings=settings) as broker:
        broker.state.create_topic("t", 1, {})
        async with raw_client(broker.bootstrap) as idle, raw_client(broker.bootstrap) as waiting:
            await idle.ask(list_offsets_request("t", -1))
            for wait in (0.1, 1.2, 0.1):
                part = fetched(await waiting.ask(fetch_request("t", 0, wait=wait)))
                assert part.records == b""
            with pytest.raises(asyncio.IncompleteReadError):
                await idle.frame()


async def test_a_loop_that_was_held_up_closes_no_connection_whose_request_lies_unread() -> None:
    settings = BrokerSettings(connections_max_idle=0.5)
    async with EmbeddedBroker(settings=settings) as broker, raw_client(broker.bootstrap) as raw:
        request = list_offsets_request("t", -1)
        await raw.ask(request)
        raw.send(request)
        # Everything on this loop stands still, for longer than a connection may be idle.
        time.sleep(0.8)  # noqa: ASYNC251
        await raw.answer_to(request)


async def test_no_answer_has_an_empty_part_that_asyncio_would_write_for_ever(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: list[Any] = []

    def kept(correlation: int, response: Any) -> list[Any]:
        written = write_response(correlation, response)
        parts.extend(written)
        return written

    monkeypatch.setattr(server, "write_response", kept)
    embedded.state.create_topic("t", 1, {})
    async with raw_client(embedded.bootstrap) as raw:
        await raw.ask(list_offsets_request("t", -1))
        await raw.ask(fetch_request("t", 0, wait=0.1))
    assert parts
    assert all(map(len, parts))


async def test_idle_consumers_are_there_when_a_record_comes() -> None:
    settings = BrokerSettings(connections_max_idle=0.3)
    async with EmbeddedBroker(settings=settings) as broker:
        broker.state.create_topic("t", 3, {})
        consumers = [
            AIOKafkaConsumer(
                "t",
                bootstrap_servers=broker.bootstrap,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=100,
            )
            for _ in range(5)
        ]
        async with contextlib.AsyncExitStack() as stack:
            for consumer in consumers:
                await stack.enter_async_context(consumer)
            reading = [asyncio.create_task(consumer.getone()) for consumer in consumers]
            await asyncio.sleep(1)
            async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
                await producer.send_and_wait("t", b"at last")
                await asyncio.sleep(0.6)
                await producer.send_and_wait("t", b"later")
            async with asyncio.timeout(60):
                assert [(await read).value for read in reading] == [b"at last"] * 5


async def test_a_record_that_is_none_is_found_out_when_it_is_looked_at(
    embedded: EmbeddedBroker,
) -> None:
    embedded.state.create_topic("opaque", 1, {})
    embedded.state.create_topic("compacted", 1, {"cleanup.policy": "compact"})
    garbage = bytearray(record_batch([b"value"]))
    # Its length is right, its inside is noise.
    garbage[HEADER_BYTES + 1 :] = b"\xff" * (len(garbage) - HEADER_BYTES - 1)
    struct.pack_into(">I", garbage, 17, crc32c(garbage[21:]))
    async with raw_client(embedded.bootstrap) as raw:
        kept = produced(await raw.ask(produce_request("opaque", bytes(garbage))))
        refused = produced(await raw.ask(produce_request("compacted", bytes(garbage))))
        answer = await raw.ask(list_offsets_request("opaque", 0))

    assert kept.error_code is ErrorCode.none
    assert refused.error_code is ErrorCode.corrupt_message
    assert answer.topics[0].partitions[0].error_code is ErrorCode.corrupt_message


async def test_a_browser_is_sent_away(embedded: EmbeddedBroker) -> None:
    reader, writer = await asyncio.open_connection(embedded.host, embedded.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(60):
        assert await reader.read() == b""
    writer.close()


async def test_topics_are_created_by_asking_when_that_is_switched_on() -> None:
    settings = BrokerSettings(auto_create_topics=True, default_partitions=3)
    t = types(3, 9)
    async with EmbeddedBroker(settings=settings) as broker, raw_client(broker.bootstrap) as raw:

        async def ask(name: str, may_create: bool) -> tuple[ErrorCode, int]:
            answer = await raw.ask(
                t.MetadataRequest(
                    topics=(t.MetadataRequestTopic(name=name),),
                    allow_auto_topic_creation=may_create,
                    include_cluster_authorized_operations=False,
                    include_topic_authorized_operations=False,
                )
            )
            return ErrorCode(answer.topics[0].error_code), len(answer.topics[0].partitions)

        unknown = ErrorCode.unknown_topic_or_partition
        assert await ask("new", False) == (unknown, 0)
        assert await ask("new", True) == (ErrorCode.none, 3)
        assert await ask("no name", True) == (ErrorCode.invalid_topic_exception, 0)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="default_partitions is 0"):
        BrokerSettings(default_partitions=0)
    with pytest.raises(ValueError, match="min_session_timeout"):
        BrokerSettings(min_session_timeout=10, max_session_timeout=5)
    with pytest.raises(ValueError, match="open_files_max is 0: give 1 or more"):
        BrokerSettings(open_files_max=0)


def test_a_field_that_no_version_has_is_an_error() -> None:
    with pytest.raises(TypeError, match="thorttle"):
        answers(12, 4)("HeartbeatResponse", error_code=ErrorCode.none, thorttle=1)
