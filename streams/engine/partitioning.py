"""Where a record goes, and whether it may."""

from __future__ import annotations

from functools import lru_cache

from aiokafka.partitioner import murmur2

from streams.engine.errors import Undeliverable
from streams.engine.records import Outgoing


@lru_cache(maxsize=50_000)
def _hashed(key: bytes) -> int:
    """Hash a key; aiokafka does it in Python, 10 us for a key of ours, so it pays to remember."""
    hashed: int = murmur2(key)
    return hashed & 0x7FFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key as Kafka's default partitioner chooses it."""
    return _hashed(key) % partitions


def check_size(record: Outgoing, limit: int) -> None:
    """Raise Undeliverable when a record has more than ``limit`` bytes."""
    size = len(record.key or b"") + len(record.value or b"")
    for name, value in record.headers:
        size += len(name) + len(value)
    if size > limit:
        raise Undeliverable(
            f"A record for {record.topic} with the key {record.key!r} has {size} bytes, "
            f"more than max_record_bytes={limit}: raise it together with the topic's "
            "max.message.bytes, or make the record smaller"
        )
