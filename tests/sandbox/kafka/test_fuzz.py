"""Requests with bytes gone wrong: answered or hung up on, never an error of the broker's own."""

from __future__ import annotations

import asyncio
import io
import logging
import random
import struct
from dataclasses import replace

import pytest
from kio.index import load_request_schema
from kio.serial import entity_writer

from app.sandbox.kafka import BrokerSettings, EmbeddedBroker
from app.sandbox.kafka.apis import APIS
from app.sandbox.kafka.wire import Malformed, is_flexible, read_body, read_frame
from tests.sandbox.kafka.raw import list_offsets_request, raw_client, types
from tests.sandbox.kafka.test_versions import EVERY, example

ROUNDS = 12
"""How often each version of each request is spoilt."""
EXTREMES = (0, -1, 1, 2**31 - 1, -(2**31), 0x7FFF, 0x10000)


def frame(api_key: int, version: int) -> bytes:
    """A good request with its header."""
    request = example(load_request_schema(api_key, version), types(api_key, version))
    header = request.__header_schema__(
        request_api_key=api_key, request_api_version=version, correlation_id=1, client_id="fuzz"
    )
    out = io.BytesIO()
    entity_writer(type(header))(out, header)
    entity_writer(type(request))(out, request)
    return out.getvalue()


def spoilt(good: bytes, chance: random.Random) -> bytes:
    """The request with something wrong after its api key and version."""
    data = bytearray(good)
    for _ in range(chance.randint(1, 3)):
        at = chance.randint(4, len(data) - 1)
        kind = chance.randrange(4)
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at : at + 4] = struct.pack(">i", chance.choice(EXTREMES))
        elif kind == 2:
            data[at:at] = chance.randbytes(chance.randint(1, 9))
        else:
            del data[at : at + chance.randint(1, 9)]
        if len(data) < 6:
            break
    return bytes(data)


async def send(address: str, data: bytes) -> None:
    """Send it, and see for a moment what comes."""
    async with raw_client(address) as raw:
        raw.send_frame(data)
        try:
            async with asyncio.timeout(0.2):
                await raw.frame()
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass


@pytest.mark.parametrize("api_key", sorted(APIS))
async def test_a_spoilt_request_is_answered_or_hung_up_on(
    api_key: int, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(api_key)
    caplog.set_level(logging.ERROR)
    settings = BrokerSettings(request_max_bytes=10_000_000)
    async with EmbeddedBroker(settings=settings) as broker:
        broker.state.create_topic("exists", 1, {})
        for version in (version for key, version in EVERY if key == api_key):
            good = frame(api_key, version)
            spoiled = [spoilt(good, chance) for _ in range(ROUNDS)]
            await asyncio.gather(*(send(broker.bootstrap, data) for data in spoiled))
        async with raw_client(broker.bootstrap) as raw:
            await raw.ask(list_offsets_request("exists", -1))
    wrong = [f"{record.message}\n{record.exc_text}" for record in caplog.records]
    assert not wrong, wrong[0]


@pytest.mark.parametrize(("api_key", "version"), EVERY)
def test_a_request_that_is_cut_off_anywhere_is_no_request(api_key: int, version: int) -> None:
    good = frame(api_key, version)
    whole = read_frame(good, is_flexible(api_key, version))
    read_body(whole)
    for end in range(whole.body_at, len(good)):
        with pytest.raises(Malformed):
            read_body(replace(whole, data=good[:end]))


@pytest.mark.parametrize("count", [-1, -2, 1000, 2**31 - 1])
def test_an_array_that_cannot_be_is_found_before_memory_is_asked_for_it(count: int) -> None:
    # Produce 3: transactional id, acks, timeout, then the topics.
    body = struct.pack(">hhii", -1, -1, 1000, count) + b"\0" * 100
    data = struct.pack(">hhih", 0, 3, 1, -1) + body
    with pytest.raises(Malformed, match=f"an array of {count} elements"):
        read_body(read_frame(data, is_flexible=False))


def test_an_array_that_may_be_null_may_be() -> None:
    data = struct.pack(">hhihi", 3, 1, 1, -1, -1)
    assert read_body(read_frame(data, is_flexible=False)).topics is None
