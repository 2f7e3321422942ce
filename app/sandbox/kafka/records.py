"""What is inside a record batch: read, and written where the broker itself writes batches.

Two batches are the broker's own: the control batch that ends a transaction, and the batch that
compaction has taken records out of. Encoding: https://kafka.apache.org/documentation/#messageformat
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiokafka import codec
from aiokafka.record.default_records import DefaultRecordBatch
from crc32c import crc32c
from kio.schema.errors import ErrorCode

from app.sandbox.kafka.batches import (
    CODEC_MASK,
    CONTROL_FLAG,
    CRC_AT,
    CRC_FROM,
    HEADER,
    HEADER_BYTES,
    HORIZON_FLAG,
    LENGTH_PREFIX,
    MAGIC,
    TRANSACTIONAL_FLAG,
    BatchHeader,
    BatchRefused,
    Buffer,
)

_CRC = struct.Struct(">I")
_CONTROL_KEY = struct.Struct(">hh")
_CONTROL_VALUE = struct.Struct(">hi")
_ABORT, _COMMIT = 0, 1
_COMPRESSORS: Mapping[int, Callable[[bytes], bytes]] = {
    0: bytes,
    1: codec.gzip_encode,
    2: codec.snappy_encode,
    3: codec.lz4_encode,
    4: codec.zstd_encode,
}
"""By the codec number in a batch's attributes."""
_DECOMPRESSORS: Mapping[int, Callable[[bytes], bytes]] = {
    1: codec.gzip_decode,
    2: codec.snappy_decode,
    3: codec.lz4_decode,
    4: codec.zstd_decode,
}


@dataclass(frozen=True, slots=True)
class RecordStamp:
    """Where and when one record is: its offset and its timestamp in milliseconds."""

    offset: int
    timestamp: int


def read_records(batch: Buffer) -> Iterator[Any]:
    """The records (offset, timestamp, key, value, headers), which for a compressed batch means
    unpacking it.

    Raises BatchRefused(corrupt_message) when the records are none, though their checksum holds.
    """
    try:
        yield from DefaultRecordBatch(bytes(batch))
    except Exception as error:
        # Whatever a decompressor or the record reader says about bytes that are not its own.
        raise BatchRefused(
            ErrorCode.corrupt_message, f"the records cannot be read: {error!r}"
        ) from error


def check_records(batch: Buffer, header: BatchHeader) -> None:
    """See whether a checked batch has the records that its header tells of, and nothing else.

    Raises BatchRefused: invalid_record when there are more or fewer, unknown_server_error (as
    Apache Kafka answers) when they cannot be read.
    """
    body = memoryview(batch)[HEADER_BYTES : header.size]
    try:
        number = header.attributes & CODEC_MASK
        content = _DECOMPRESSORS[number](bytes(body)) if number else body
        count = _count_records(content)
    except Exception as error:
        # Whatever a decompressor says about bytes that are not its own.
        raise BatchRefused(
            ErrorCode.unknown_server_error, f"the records cannot be read: {error!r}"
        ) from error
    if count != header.record_count:
        raise BatchRefused(
            ErrorCode.invalid_record,
            f"the batch has {count} records and claims {header.record_count}",
        )


def _count_records(content: Buffer) -> int:
    """How many records lie one after the other; each begins with its length, a zigzag varint.
    Raises ValueError or IndexError when they do not end where the content does."""
    at, count, end = 0, 0, len(content)
    while at < end:
        byte = content[at]
        at += 1
        length, shift = byte & 0x7F, 7
        while byte & 0x80:
            byte = content[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
        if length & 1 or length == 0:
            raise ValueError(f"a record of {length} bytes, zigzag encoded")
        at += length >> 1
        count += 1
    if at != end:
        raise ValueError(f"the last record ends at {at} of {end} bytes")
    return count


def stamps(batch: Buffer) -> Iterator[RecordStamp]:
    """Offset and timestamp of each record. Raises BatchRefused as `read_records`."""
    for record in read_records(batch):
        yield RecordStamp(record.offset, record.timestamp)


def has_keyless_record(batch: Buffer) -> bool:
    """Whether some record of the batch has no key (a compacted topic takes none of these).
    Raises BatchRefused as `read_records`."""
    return any(record.key is None for record in read_records(batch))


def commits(control_batch: Buffer) -> bool:
    """Whether a control batch commits its transaction; otherwise it aborts it."""
    (record,) = read_records(control_batch)
    _, kind = _CONTROL_KEY.unpack_from(record.key)
    return bool(kind == _COMMIT)


def transaction_marker(
    producer_id: int, epoch: int, *, commit: bool, timestamp: int, coordinator_epoch: int = 0
) -> tuple[BatchHeader, bytes]:
    """The control batch that ends a producer's transaction, with its header; it is still to be
    placed in a log."""
    key = _CONTROL_KEY.pack(0, _COMMIT if commit else _ABORT)
    record = _encoded(0, 0, key, _CONTROL_VALUE.pack(0, coordinator_epoch), ())
    like = BatchHeader(
        base_offset=0,
        size=0,
        crc=0,
        attributes=TRANSACTIONAL_FLAG | CONTROL_FLAG,
        last_offset_delta=0,
        max_timestamp=timestamp,
        producer_id=producer_id,
        producer_epoch=epoch,
        base_sequence=-1,
        record_count=1,
        first_timestamp=timestamp,
    )
    return _assembled(like, record)


def rewritten(
    header: BatchHeader, records: Sequence[Any], horizon: int | None
) -> tuple[BatchHeader, bytes]:
    """The batch with only these of its records, under the offsets they had.

    Offsets, producer, sequence numbers and codec stay as they were; `horizon` (ms) is kept in the
    place of the first timestamp, see `HORIZON_FLAG`.
    """
    first = horizon
    attributes = header.attributes & ~HORIZON_FLAG
    if not records:
        attributes &= ~CODEC_MASK
    if first is None:
        first = records[0].timestamp if records else header.first_timestamp
    else:
        attributes |= HORIZON_FLAG
    newest = max((record.timestamp for record in records), default=header.max_timestamp)
    body = b"".join(
        _encoded(r.offset - header.base_offset, r.timestamp - first, r.key, r.value, r.headers)
        for r in records
    )
    like = replace(
        header,
        attributes=attributes,
        first_timestamp=first,
        max_timestamp=newest,
        record_count=len(records),
    )
    return _assembled(like, _COMPRESSORS[attributes & CODEC_MASK](body))


def _assembled(like: BatchHeader, body: bytes) -> tuple[BatchHeader, bytes]:
    size = HEADER_BYTES + len(body)
    batch = bytearray(size)
    HEADER.pack_into(
        batch,
        0,
        like.base_offset,
        size - LENGTH_PREFIX,
        like.leader_epoch,
        MAGIC,
        0,
        like.attributes,
        like.last_offset_delta,
        like.first_timestamp,
        like.max_timestamp,
        like.producer_id,
        like.producer_epoch,
        like.base_sequence,
        like.record_count,
    )
    batch[HEADER_BYTES:] = body
    crc = crc32c(memoryview(batch)[CRC_FROM:])
    _CRC.pack_into(batch, CRC_AT, crc)
    return replace(like, size=size, crc=crc), bytes(batch)


def _encoded(
    offset_delta: int,
    timestamp_delta: int,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
) -> bytes:
    parts = [b"\0", _varint(timestamp_delta), _varint(offset_delta), _sized(key), _sized(value)]
    parts.append(_varint(len(headers)))
    for name, content in headers:
        parts += (_sized(name.encode()), _sized(content))
    record = b"".join(parts)
    return _varint(len(record)) + record


def _sized(data: bytes | None) -> bytes:
    return _varint(-1) if data is None else _varint(len(data)) + data


def _varint(value: int) -> bytes:
    """A zigzag varint of a signed 64-bit number."""
    left = (value << 1) ^ (value >> 63)
    out = bytearray()
    while left > 0x7F:
        out.append((left & 0x7F) | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)
