"""A Kafka client that sends exactly what it is told: for what well-behaved clients never send."""

from __future__ import annotations

import asyncio
import io
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from kio.index import load_payload_module, load_response_schema
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader, entity_writer
from kio.static.constants import EntityType

_LENGTH = struct.Struct(">i")
ANSWER_SECONDS = 60
NOW_MS = round(time.time() * 1000)
"""When this run began: records from long ago would be thrown away by retention."""


class RawClient:
    """One connection. `ask` sends one request and returns its typed answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._sent = 0

    async def ask(self, request: Any) -> Any:
        """Send a request, await its answer. Raises asyncio.IncompleteReadError when the broker
        hangs up instead."""
        self.send(request)
        return await self.answer_to(request)

    def send(self, request: Any) -> None:
        """Send a request and do not wait."""
        self._sent += 1
        header = request.__header_schema__(
            request_api_key=request.__api_key__,
            request_api_version=request.__version__,
            correlation_id=self._sent,
            client_id="raw",
        )
        out = io.BytesIO()
        entity_writer(type(header))(out, header)
        entity_writer(type(request))(out, request)
        self.send_frame(out.getvalue())

    async def answer_to(self, request: Any) -> Any:
        """The next answer, which is to be the one to `request`, the last that was sent."""
        data = await self.frame()
        schema: Any = load_response_schema(request.__api_key__, request.__version__)
        read_header: Any = entity_reader(schema.__header_schema__)
        header, at = read_header(data, 0)
        assert header.correlation_id == self._sent
        answer, _ = entity_reader(schema)(data, at)
        return answer

    def send_frame(self, data: bytes) -> None:
        """Send bytes with their length in front."""
        self._writer.write(_LENGTH.pack(len(data)) + data)

    async def frame(self) -> bytes:
        """The next frame from the broker."""
        async with asyncio.timeout(ANSWER_SECONDS):
            (size,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            return await self._reader.readexactly(size)


@asynccontextmanager
async def raw_client(address: str) -> AsyncIterator[RawClient]:
    """A connection to "host:port"."""
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield RawClient(reader, writer)
    finally:
        writer.close()


def types(api_key: int, version: int) -> Any:
    """The module that has the request types of an API's version."""
    return load_payload_module(api_key, version, EntityType.request)


def record_batch(
    values: Sequence[bytes],
    *,
    key: bytes | None = b"key",
    timestamp: int = NOW_MS,
    producer_id: int = -1,
    epoch: int = -1,
    sequence: int = -1,
) -> bytes:
    """A batch of format 2 as a producer sends it; timestamps count up from `timestamp` (ms)."""
    builder = DefaultRecordBatchBuilder(
        2, 0, 0, producer_id, epoch, sequence, batch_size=64 * 2**20
    )
    for number, value in enumerate(values):
        builder.append(number, timestamp + number, key, value, [])
    return bytes(builder.build())


def produce_request(
    topic: str, records: bytes | None, *, partition: int = 0, acks: int = -1
) -> Any:
    """A Produce request of one batch for one partition."""
    t = types(0, 9)
    data = t.PartitionProduceData(index=partition, records=records)
    return t.ProduceRequest(
        acks=acks,
        timeout=timedelta(seconds=10),
        topic_data=(t.TopicProduceData(name=topic, partition_data=(data,)),),
    )


def produced(answer: Any) -> Any:
    """The one partition of an answer to `produce_request`."""
    return answer.responses[0].partition_responses[0]


def fetch_request(
    topic: str,
    offset: int,
    *,
    partitions: Sequence[int] = (0,),
    min_bytes: int = 1,
    max_bytes: int = 50 * 2**20,
    partition_max_bytes: int = 2**20,
    wait: float = 0.2,
) -> Any:
    """A Fetch request for partitions of one topic, all from one offset; `wait` is seconds."""
    t = types(1, 11)
    asked = tuple(
        t.FetchPartition(
            partition=partition,
            fetch_offset=offset,
            partition_max_bytes=partition_max_bytes,
        )
        for partition in partitions
    )
    return t.FetchRequest(
        max_wait=timedelta(seconds=wait),
        min_bytes=min_bytes,
        max_bytes=max_bytes,
        topics=(t.FetchTopic(topic=topic, partitions=asked),),
        forgotten_topics_data=(),
    )


def fetched(answer: Any, partition: int = 0) -> Any:
    """One partition of an answer to `fetch_request`."""
    return next(p for p in answer.responses[0].partitions if p.partition_index == partition)


def list_offsets_request(topic: str, timestamp: int, *, partitions: Sequence[int] = (0,)) -> Any:
    """A ListOffsets request for one moment (ms, or -1, -2, -3) in partitions of one topic."""
    t = types(2, 7)
    asked = tuple(
        t.ListOffsetsPartition(partition_index=p, timestamp=timestamp) for p in partitions
    )
    topics = (t.ListOffsetsTopic(name=topic, partitions=asked),)
    return t.ListOffsetsRequest(replica_id=-1, isolation_level=0, topics=topics)


async def until_served(client: RawClient, topic: str, partitions: int) -> None:
    """Return when each partition has a leader that answers: Apache Kafka answers CreateTopics
    before that."""
    request = list_offsets_request(topic, -2, partitions=range(partitions))
    await until(
        client,
        request,
        lambda answer: not any(p.error_code for p in answer.topics[0].partitions),
    )


async def until(client: RawClient, request: Any, is_good: Callable[[Any], bool]) -> Any:
    """Ask again and again until the answer is good, and return that."""
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            answer = await client.ask(request)
            if is_good(answer):
                return answer
            await asyncio.sleep(0.02)


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Return when something holds; it is asked again and again."""
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


async def producer_id(raw: RawClient) -> int:
    """A new producer id."""
    request = types(22, 4).InitProducerIdRequest(
        transactional_id=None, transaction_timeout=timedelta(seconds=60)
    )
    # A fresh Apache Kafka first has to load its coordinator.
    answer = await until(raw, request, lambda answer: answer.error_code is ErrorCode.none)
    return int(answer.producer_id)
