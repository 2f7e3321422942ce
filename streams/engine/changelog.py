"""What is written into a changelog and into the commit metadata, and why that is enough.

A changelog topic holds the rows of one table, key to value, no value for a deleted row. It is
compacted, so its last record of a key must be the key's *committed* value. Three things see to it:

1. Every commit of source offsets carries, in its metadata, the changelog position up to which the
   changelog is part of what is committed. It is one request to one broker, so offsets and position
   hold or fail together, and what a crash left above the position was never committed.
2. A partition has one owner, so its records follow each other without a hole. A hole means that a
   former owner, thrown out of the group and not yet aware of it, wrote in between.
3. What was not committed, or not ours, is overruled: for each of its keys the committed value is
   written again. This happens before anything later is committed, so a position never covers a
   stranger's record without its correction, and compaction can only keep what is true. Until then
   ``min.compaction.lag.ms`` protects the older, true record.

So replaying a changelog below the committed position, in order, always gives the committed rows,
however often workers crashed in between.

The header of each record names what caused it (``<topic>-<partition>@<offset>``): for people, and
to recognise a record that no engine wrote.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from streams.engine.errors import ForeignRecord
from streams.engine.records import Outgoing

CAUSE_HEADER = "cause"
_METADATA_VERSION = 1


def cause(topic: str, partition: int, offset: int) -> bytes:
    """Name the source record that caused a row to change."""
    return f"{topic}-{partition}@{offset}".encode()


def correction(position: int) -> bytes:
    """Name the cause of a record that restores the value committed at a changelog position."""
    return f"correction@{position}".encode()


def to_records(
    changes: Iterable[tuple[tuple[str, str], bytes | None]],
    topics: Mapping[str, str],
    partition: int,
    why: bytes,
) -> list[Outgoing]:
    """Turn changed rows into changelog records; ``topics`` maps tables to their changelogs."""
    headers = ((CAUSE_HEADER, why),)
    return [
        Outgoing(topics[table], key.encode(), value, headers, partition)
        for (table, key), value in changes
    ]


def row_key(
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    headers: Iterable[tuple[str, bytes]],
) -> str:
    """Read a changelog record's row key; raises ForeignRecord when the engine did not write it."""
    where = f"{topic}-{partition} at offset {offset}"
    advice = (
        "Only the engine may write to a changelog. Find the writer, then overrule the record: "
        "delete it with kafka-delete-records, or restore the topic"
    )
    if not any(name == CAUSE_HEADER for name, _ in headers):
        raise ForeignRecord(f"The record in {where} has no {CAUSE_HEADER!r} header. {advice}")
    if key is None:
        raise ForeignRecord(f"The record in {where} has no key. {advice}")
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise ForeignRecord(f"The key of the record in {where} is not UTF-8. {advice}") from error


def encode_positions(positions: Mapping[str, int]) -> str:
    """Write changelog positions (table to next offset) as commit metadata."""
    return json.dumps(
        {"v": _METADATA_VERSION, "changelogs": dict(positions)}, separators=(",", ":")
    )


def decode_positions(metadata: str) -> dict[str, int] | None:
    """Read commit metadata back; None when somebody else committed (``kafka-consumer-groups``)."""
    try:
        found = json.loads(metadata)
        if found["v"] != _METADATA_VERSION:
            return None
        return {str(table): int(offset) for table, offset in found["changelogs"].items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
