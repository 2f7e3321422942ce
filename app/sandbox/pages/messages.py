"""The newest messages of a topic of the embedded broker, as people read them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from aiokafka.record.memory_records import MemoryRecords

from app.sandbox.kafka.log import PartitionLog
from app.sandbox.kafka.state import Topic

SHOWN = 50
LONGEST_TEXT = 600
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Shown:
    """One message; texts are cut at `LONGEST_TEXT`, and what is not UTF-8 is replaced."""

    partition: int
    offset: int
    at: dt.datetime
    key: str
    value: str
    headers: str


def newest(topic: Topic) -> list[Shown]:
    """The newest messages of all partitions, newest first."""
    found = [
        message
        for index, log in enumerate(topic.partitions)
        for message in list(_of(index, log))[-SHOWN:]
    ]
    return sorted(found, key=lambda m: (m.at, m.offset), reverse=True)[:SHOWN]


def _of(partition: int, log: PartitionLog) -> Iterator[Shown]:
    begin = max(log.start_offset, log.end_offset - SHOWN)
    if begin == log.end_offset:
        return
    read = log.read(begin, _READ_BYTES, at_least_one=True)
    batches = MemoryRecords(b"".join(bytes(buffer) for buffer in read.buffers))
    while batches.has_next():
        batch = batches.next_batch()
        if batch is None or batch.is_control_batch:
            continue
        for record in batch:
            if record.offset >= begin:
                yield Shown(
                    partition,
                    record.offset,
                    dt.datetime.fromtimestamp(max(record.timestamp, 0) / 1000, dt.UTC),
                    _text(record.key),
                    _text(record.value),
                    ", ".join(name for name, _ in record.headers),
                )


def _text(data: bytes | None) -> str:
    if data is None:
        return "-"
    text = bytes(data[: LONGEST_TEXT * 4]).decode("utf-8", "replace")
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]} ..."
