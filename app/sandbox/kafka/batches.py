"""Record batches, format 2: their header, their checks, and the two fields a broker rewrites.

The body of a batch is opaque: compressed or not, it is kept and served as it arrived. Only the base
offset and the partition leader epoch change, which both lie outside the checksum. What looks into a
batch, or makes one, is in `records`.
Layout: https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from crc32c import crc32c
from kio.schema.errors import ErrorCode

HEADER = struct.Struct(">qiibIhiqqqhii")
"""The fields of a header in their order."""
HEADER_BYTES = HEADER.size
"""Length of a batch header, 61 bytes."""
LENGTH_PREFIX = 12
"""Base offset and length field; the length counts what follows them."""
CRC_FROM = 21
"""Where the part that the checksum covers begins."""
_MAGIC_AT = 16
MAGIC = 2
"""The one record format that is served."""
CODEC_MASK = 0x07
APPEND_TIME_FLAG = 0x08
"""All records have the newest timestamp of the batch, which is when it was appended."""
TRANSACTIONAL_FLAG = 0x10
CONTROL_FLAG = 0x20
HORIZON_FLAG = 0x40
"""Set by compaction: the first timestamp is the moment from which tombstones may go (KIP-534)."""
_BASE_OFFSET = struct.Struct(">q")
_CRC = struct.Struct(">I")
CRC_AT = 17
_ATTRIBUTES = struct.Struct(">h")
_MAX_TIMESTAMP = struct.Struct(">q")
_MAX_TIMESTAMP_AT = 35
_LEADER_EPOCH = struct.Struct(">i")
_MAX_SEQUENCE = 2**31 - 1

Buffer = bytes | bytearray | memoryview


class BatchRefused(Exception):
    """A produced batch that the broker does not append: `code` is what the producer is told."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class BatchHeader:
    """The header fields a broker needs. `size` is the whole batch in bytes, timestamps are
    milliseconds since 1970, `producer_id` and `base_sequence` are -1 without idempotence."""

    base_offset: int
    size: int
    crc: int
    attributes: int
    last_offset_delta: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int
    first_timestamp: int = -1
    leader_epoch: int = -1

    @property
    def is_control(self) -> bool:
        """Whether it is a broker's own batch, which ends a transaction."""
        return bool(self.attributes & CONTROL_FLAG)

    @property
    def is_transactional(self) -> bool:
        """Whether it is part of a transaction."""
        return bool(self.attributes & TRANSACTIONAL_FLAG)

    @property
    def delete_horizon(self) -> int | None:
        """When (ms) its tombstones may go; None before compaction has seen them."""
        return self.first_timestamp if self.attributes & HORIZON_FLAG else None

    @property
    def last_offset(self) -> int:
        """Offset of the last record."""
        return self.base_offset + self.last_offset_delta

    @property
    def last_sequence(self) -> int:
        """Sequence number of the last record; sequence numbers wrap to 0 after 2^31-1."""
        return (self.base_sequence + self.last_offset_delta) % (_MAX_SEQUENCE + 1)


def read_header(data: Buffer, position: int = 0) -> BatchHeader:
    """The header of the batch at `position`.

    Raises BatchRefused(corrupt_message) when the bytes there cannot be a batch of format 2.
    """
    if len(data) - position < HEADER_BYTES:
        raise BatchRefused(ErrorCode.corrupt_message, "the batch is shorter than its header")
    fields = HEADER.unpack_from(data, position)
    base, length, leader_epoch, magic, crc, attributes, last_delta = fields[:7]
    first_timestamp, max_timestamp, producer_id, epoch, sequence, count = fields[7:]
    if magic != MAGIC:
        raise BatchRefused(ErrorCode.corrupt_message, f"record format {magic}, only 2 is served")
    size = length + LENGTH_PREFIX
    if size < HEADER_BYTES:
        raise BatchRefused(ErrorCode.corrupt_message, f"the batch claims {size} bytes")
    return BatchHeader(
        base,
        size,
        crc,
        attributes,
        last_delta,
        max_timestamp,
        producer_id,
        epoch,
        sequence,
        count,
        first_timestamp,
        leader_epoch,
    )


def checksum_holds(data: Buffer, header: BatchHeader, position: int = 0) -> bool:
    """Whether the batch at `position` has the CRC-32C that its header states."""
    end = position + header.size
    return end <= len(data) and crc32c(memoryview(data)[position + CRC_FROM : end]) == header.crc


def check_produced(records: Buffer | None, max_bytes: int) -> BatchHeader:
    """Check what a producer sent for one partition as Apache Kafka does: exactly one whole batch.

    Raises BatchRefused with corrupt_message, message_too_large or invalid_record.
    """
    if not records:
        raise BatchRefused(ErrorCode.invalid_record, "the request holds no record batch")
    if len(records) < HEADER_BYTES or records[_MAGIC_AT] < MAGIC:
        raise BatchRefused(ErrorCode.invalid_record, "the request holds no batch of format 2")
    header = read_header(records)
    if header.size > len(records):
        raise BatchRefused(
            ErrorCode.invalid_record,
            f"the batch claims {header.size} bytes, {len(records)} arrived",
        )
    if header.size < len(records):
        raise BatchRefused(ErrorCode.invalid_record, "more than one record batch for a partition")
    if header.size > max_bytes:
        raise BatchRefused(
            ErrorCode.message_too_large,
            f"the batch has {header.size} bytes, the topic allows {max_bytes} (max.message.bytes)",
        )
    if not checksum_holds(records, header):
        raise BatchRefused(ErrorCode.corrupt_message, "the batch does not match its checksum")
    _check_shape(header)
    return header


def _check_shape(header: BatchHeader) -> None:
    if header.record_count <= 0 or header.last_offset_delta != header.record_count - 1:
        raise BatchRefused(
            ErrorCode.invalid_record,
            f"{header.record_count} records with a last offset delta of {header.last_offset_delta}",
        )
    if header.is_control:
        raise BatchRefused(ErrorCode.invalid_record, "clients cannot write control batches")
    if header.is_transactional and header.producer_id < 0:
        raise BatchRefused(ErrorCode.invalid_record, "a transaction without a producer id")
    if header.producer_id >= 0 and header.base_sequence < 0:
        raise BatchRefused(ErrorCode.invalid_record, "a producer id without a sequence number")


def stamped(records: Buffer, header: BatchHeader, timestamp: int) -> tuple[BatchHeader, bytearray]:
    """A copy of the batch whose records all have this timestamp (ms), that of their appending."""
    batch = bytearray(records)
    attributes = header.attributes | APPEND_TIME_FLAG
    _ATTRIBUTES.pack_into(batch, CRC_FROM, attributes)
    _MAX_TIMESTAMP.pack_into(batch, _MAX_TIMESTAMP_AT, timestamp)
    crc = crc32c(memoryview(batch)[CRC_FROM:])
    _CRC.pack_into(batch, CRC_AT, crc)
    return replace(header, attributes=attributes, max_timestamp=timestamp, crc=crc), batch


def placed_at(records: Buffer, base_offset: int, leader_epoch: int) -> bytearray:
    """A copy of the batch that carries its offset in the log."""
    placed = bytearray(records)
    _BASE_OFFSET.pack_into(placed, 0, base_offset)
    _LEADER_EPOCH.pack_into(placed, LENGTH_PREFIX, leader_epoch)
    return placed
