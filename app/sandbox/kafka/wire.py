"""Kafka's framing: bytes of a connection to kio's typed requests, and typed answers to bytes.

Record batches pass through uncopied: a Fetch answer carries `RecordBuffers`, whose parts go into
the list of outgoing buffers as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import cache
from typing import Any

from kio.index import load_payload_module, load_request_schema
from kio.schema.request_header.v1.header import RequestHeader as RequestHeaderV1
from kio.schema.request_header.v2.header import RequestHeader as RequestHeaderV2
from kio.schema.response_header.v0.header import ResponseHeader as ResponseHeaderV0
from kio.schema.response_header.v1.header import ResponseHeader as ResponseHeaderV1
from kio.serial import entity_reader, entity_writer
from kio.serial.errors import SerialError
from kio.static.constants import EntityType

from app.sandbox.kafka.batches import Buffer
from app.sandbox.kafka.lengths import follow_lengths

_API_AND_VERSION = struct.Struct(">hh")
_CORRELATION_AND_CLIENT = struct.Struct(">ih")
_LENGTH = struct.Struct(">i")
_NO_THROTTLE = timedelta(0)
_read_header_1: Any = entity_reader(RequestHeaderV1)
_read_header_2: Any = entity_reader(RequestHeaderV2)


class RecordBuffers:
    """Stored batches in the place of a `records` field; as long as they are together."""

    __slots__ = ("buffers", "size")

    def __init__(self, buffers: Sequence[Buffer], size: int) -> None:
        self.buffers = buffers
        self.size = size

    def __len__(self) -> int:
        return self.size


class _Outgoing:
    """The writable that kio serialises into; keeps the parts apart."""

    def __init__(self) -> None:
        self.parts: list[Buffer] = []
        self.size = 0

    def write(self, part: Buffer | RecordBuffers) -> None:
        if isinstance(part, RecordBuffers):
            self.parts.extend(part.buffers)
        else:
            self.parts.append(part)
        self.size += len(part)


@dataclass(frozen=True, slots=True)
class Frame:
    """A request as it came: its header's fields, and where its body begins in `data`."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str
    data: bytes
    body_at: int


class Malformed(Exception):
    """Bytes that are no request of the version that they name."""


_SAYS_MALFORMED = (SerialError, struct.error, ValueError, LookupError, OverflowError)
"""What readers raise for bytes that are none of theirs; kio raises KeyError for a tagged field that
it does not know."""


def read_frame(data: bytes, is_flexible: bool) -> Frame:
    """The header of a request. Raises Malformed."""
    try:
        header, body_at = (_read_header_2 if is_flexible else _read_header_1)(data, 0)
    except _SAYS_MALFORMED as error:
        raise Malformed(repr(error)) from error
    return Frame(
        header.request_api_key,
        header.request_api_version,
        header.correlation_id,
        header.client_id or "",
        data,
        body_at,
    )


def api_and_version(data: bytes) -> tuple[int, int]:
    """The first two fields of any request. Raises Malformed when it is shorter."""
    try:
        key, version = _API_AND_VERSION.unpack_from(data)
    except struct.error as error:
        raise Malformed(repr(error)) from error
    return key, version


def correlation_id(data: bytes) -> int:
    """The correlation id, which every request header has in the same place."""
    correlation, _ = _CORRELATION_AND_CLIENT.unpack_from(data, _API_AND_VERSION.size)
    return int(correlation)


@cache
def is_flexible(api_key: int, version: int) -> bool:
    """Whether the request's header has tagged fields."""
    return bool(load_request_schema(api_key, version).__header_schema__ is RequestHeaderV2)


def read_body(frame: Frame) -> Any:
    """The typed request. Raises Malformed."""
    schema = _schema(frame.api_key, frame.api_version)
    try:
        follow_lengths(schema, frame.data, frame.body_at)
        request, _ = _reader(schema)(frame.data, frame.body_at)
    except _SAYS_MALFORMED as error:
        raise Malformed(repr(error)) from error
    return request


@cache
def _schema(api_key: int, version: int) -> Any:
    return load_request_schema(api_key, version)


@cache
def _reader(schema: Any) -> Any:
    return entity_reader(schema)


def write_response(correlation: int, response: Any) -> list[Buffer]:
    """The answer with its length in front, as buffers to be written one after the other.

    None is empty: from Python 3.12 on asyncio never gets rid of an empty one that is the last. It
    tries without end to write it, and a connection that is closed meanwhile stays open.
    """
    out = _Outgoing()
    if response.__header_schema__ is ResponseHeaderV1:
        _write(out, ResponseHeaderV1(correlation_id=_as_i32(correlation)))
    else:
        _write(out, ResponseHeaderV0(correlation_id=_as_i32(correlation)))
    _write(out, response)
    return [_LENGTH.pack(out.size), *filter(len, out.parts)]


def _as_i32(value: int) -> Any:
    return value


def _write(out: _Outgoing, entity: Any) -> None:
    writer: Any = entity_writer(type(entity))
    writer(out, entity)


class Answers:
    """The response types of one API in one version, by their schema names.

    `answers("PartitionData", ...)` makes one; a field that this version does not have yet, or no
    longer, is left out, a field that no version has is a TypeError, and throttling is never asked.
    """

    def __init__(self, api_key: int, version: int) -> None:
        module = load_payload_module(api_key, version, EntityType.response)
        self.version = version
        self._types = {
            name: (entity, frozenset(f.name for f in fields(entity)))
            for name, entity in vars(module).items()
            if hasattr(entity, "__dataclass_fields__") and entity.__module__ == module.__name__
        }
        self._known = _fields_of_all_versions(api_key)

    def __call__(self, kind: str, /, **values: Any) -> Any:
        entity, present = self._types[kind]
        if "throttle_time" in present:
            values.setdefault("throttle_time", _NO_THROTTLE)
        if values.keys() <= present:
            return entity(**values)
        unknown = values.keys() - self._known
        if unknown:
            raise TypeError(f"no version of {kind} has {sorted(unknown)}")
        return entity(**{key: value for key, value in values.items() if key in present})


@cache
def answers(api_key: int, version: int) -> Answers:
    """The response types of an API's version."""
    return Answers(api_key, version)


@cache
def _fields_of_all_versions(api_key: int) -> frozenset[str]:
    found: set[str] = set()
    from kio.schema.index import api_key_map, schema_name_map

    for version in schema_name_map[api_key_map[api_key]]:
        module = load_payload_module(api_key, version, EntityType.response)
        for entity in vars(module).values():
            if hasattr(entity, "__dataclass_fields__"):
                found.update(f.name for f in fields(entity))
    return frozenset(found)
