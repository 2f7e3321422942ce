"""The embedded broker moves records at a speed of the order of the sockets beneath it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.conformance.kafka.throughput import LIBRDKAFKA_BATCH_BYTES, run
from tests.kafka_server.embedded import EmbeddedKafka

MEGABYTES = 60
CHUNK = bytes(1_000_000)
MOST_TIMES_SLOWER = 12
"""Measured: produced 3 times, consumed 1.5 times the processor time of bare sockets."""


@pytest.fixture
def broker() -> Iterator[EmbeddedKafka]:
    """A broker of this test's own, in another process."""
    embedded = EmbeddedKafka()
    embedded.open()
    yield embedded
    embedded.close()


async def through_bare_sockets(megabytes: int) -> None:
    """Send chunks from one asyncio stream to another, in this process."""
    done = asyncio.Event()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(megabytes):
            await reader.readexactly(len(CHUNK))
        writer.close()
        done.set()

    async with await asyncio.start_server(receive, "127.0.0.1", 0, limit=4 * 2**20) as server:
        host, port = server.sockets[0].getsockname()[:2]
        _, writer = await asyncio.open_connection(host, port)
        for _ in range(megabytes):
            writer.write(CHUNK)
            await writer.drain()
        await done.wait()
        writer.close()


async def test_records_cost_the_broker_little_more_than_their_bytes(broker: EmbeddedKafka) -> None:
    began = time.process_time()
    await through_bare_sockets(MEGABYTES)
    bare = time.process_time() - began

    written, read = await asyncio.to_thread(
        run, broker.bootstrap, MEGABYTES, LIBRDKAFKA_BATCH_BYTES
    )

    for what, speed in (("produced", written), ("consumed", read)):
        if speed.processor is None:
            pytest.skip("the broker's processor time is told by /proc alone")
        told = f"{what} at {speed.on_one_core:.0f} MB/s, bare sockets {MEGABYTES / bare:.0f} MB/s"
        assert speed.processor <= MOST_TIMES_SLOWER * bare, told
