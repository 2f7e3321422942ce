"""Whether a request is as long as it says, and has an array wherever one has to be.

kio's reader asks for memory for as many elements as an array claims to have, before it reads them:
a length of garbage ends the whole process. So the lengths are followed through the request first;
its values are not looked at. What cannot be is told by IndexError, struct.error or ValueError.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

_FIXED = {
    "bool": 1,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "uuid": 16,
    "timedelta_i32": 4,
    "timedelta_i64": 8,
}
"""Bytes of the types that are always as long."""
_INT16, _INT32 = struct.Struct(">h"), struct.Struct(">i")
_LEGACY_LENGTHS = {"string": _INT16, "bytes": _INT32, "records": _INT32}

Skip = Callable[[bytes, int], int]
"""Gives the position behind something, given the position where it begins."""


def follow_lengths(schema: Any, data: bytes, at: int) -> None:
    """Go through a request's body, which begins at `at`. Raises IndexError, struct.error or
    ValueError when a length leads beyond its end, or an array is null that may not be."""
    end = _entity(schema)(data, at)
    if end > len(data):
        raise ValueError(f"it ends {end - len(data)} bytes too early")


@cache
def _entity(schema: Any) -> Skip:
    hints = get_type_hints(schema)
    steps: list[Skip] = []
    fixed = 0
    for field in fields(schema):
        kind = field.metadata.get("kafka_type")
        if "tag" in field.metadata:
            continue
        if kind in _FIXED and get_origin(_plain(hints[field.name])) is not tuple:
            fixed += _FIXED[kind]
            continue
        if fixed:
            steps.append(_over(fixed))
            fixed = 0
        steps.append(_value(hints[field.name], kind, schema.__flexible__))
    if fixed:
        steps.append(_over(fixed))
    if schema.__flexible__:
        steps.append(_tags)
    return _one_after_the_other(tuple(steps))


def _plain(hint: Any) -> Any:
    """The type without its None."""
    options = [option for option in get_args(hint) if option is not type(None)]
    return hint if get_origin(hint) is tuple or not options else options[0]


def _value(hint: Any, kind: str | None, flexible: bool) -> Skip:
    plain = _plain(hint)
    if get_origin(plain) is tuple:
        element = get_args(plain)[0]
        each = _one(element, kind, flexible)
        return _array(each, flexible, may_be_null=plain is not hint)
    return _one(plain, kind, flexible)


def _one(plain: Any, kind: str | None, flexible: bool) -> Skip:
    if kind is None:
        return _entity(plain)
    if kind in _FIXED:
        return _over(_FIXED[kind])
    return _compact if flexible else _sized(_LEGACY_LENGTHS[kind])


def _one_after_the_other(steps: tuple[Skip, ...]) -> Skip:
    def skip(data: bytes, at: int) -> int:
        for step in steps:
            at = step(data, at)
        return at

    return steps[0] if len(steps) == 1 else skip


def _over(size: int) -> Skip:
    return lambda data, at: at + size


def _sized(length: struct.Struct) -> Skip:
    def skip(data: bytes, at: int) -> int:
        (size,) = length.unpack_from(data, at)
        return at + length.size + max(int(size), 0)

    return skip


def _compact(data: bytes, at: int) -> int:
    size, at = _varint(data, at)
    return at + max(size - 1, 0)


def _array(each: Skip, flexible: bool, *, may_be_null: bool) -> Skip:
    def skip(data: bytes, at: int) -> int:
        if flexible:
            count, at = _varint(data, at)
            count -= 1
        else:
            (count,) = _INT32.unpack_from(data, at)
            at += _INT32.size
        if count > len(data) - at or count < -1 or (count < 0 and not may_be_null):
            raise ValueError(f"an array of {count} elements with {len(data) - at} bytes to come")
        for _ in range(count):
            at = each(data, at)
        return at

    return skip


def _tags(data: bytes, at: int) -> int:
    count, at = _varint(data, at)
    for _ in range(count):
        _, at = _varint(data, at)
        size, at = _varint(data, at)
        at += size
    return at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned varint and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
