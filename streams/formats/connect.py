"""Kafka Connect's schemas: what a bare number or base64 text of a Debezium row stands for.

Without a schema a decimal in base64 has no scale and is refused later as a wrong type, rather than
guessed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from decimal import Decimal, DecimalException
from typing import Any

from streams.formats.shape import Json
from streams.formats.times import date_text

#: Debezium's word for "this column was not in the log": it is unknown, not empty.
PLACEHOLDER = "__debezium_unavailable_value"
_DECIMAL = "org.apache.kafka.connect.data.Decimal"
_DATES = ("io.debezium.time.Date", "org.apache.kafka.connect.data.Date")
#: Units of integers since 1970, per millisecond.
_MOMENTS = {
    "io.debezium.time.Timestamp": 1,
    "org.apache.kafka.connect.data.Timestamp": 1,
    "io.debezium.time.MicroTimestamp": 1_000,
    "io.debezium.time.NanoTimestamp": 1_000_000,
}
_MAX_BYTES = 32
_MAX_SCALE = 64


def typed_row(row: Json, schema: Json | None, side: str | None) -> dict[str, Any]:
    """Return the row with its values as the schema means them: decimals, dates and moments.

    ``side`` is the envelope's field that holds the row, None when the schema is the row's own.
    Values that do not fit their schema are left as they are; the column's kind judges them.
    """
    fields = dict(_fields(schema, side))
    return {name: _typed(value, fields.get(name, {})) for name, value in row.items()}


def _fields(schema: Any, side: str | None) -> Iterator[tuple[str, Json]]:
    """The named fields of a struct, or of the struct in its field ``side``."""
    listed = schema.get("fields") if isinstance(schema, dict) else None
    for field in listed if isinstance(listed, list) else ():
        if not isinstance(field, dict) or not isinstance(field.get("field"), str):
            continue
        if side is None:
            yield field["field"], field
        elif field["field"] == side:
            yield from _fields(field, None)


def _typed(value: Any, field: Json) -> Any:
    name = field.get("name")
    if isinstance(value, dict) and {"scale", "value"} <= value.keys():
        return _decimal(value["value"], value["scale"], value)  # VariableScaleDecimal
    if name == _DECIMAL and isinstance(value, str):
        parameters = field.get("parameters")
        scale = parameters.get("scale") if isinstance(parameters, dict) else None
        return _decimal(value, scale, value)
    if isinstance(value, int) and not isinstance(value, bool) and isinstance(name, str):
        return _time(value, name)
    return value


def _time(value: int, name: str) -> Any:
    if name in _DATES:
        try:
            return date_text(value)
        except (ValueError, OverflowError):
            return value
    return f"/Date({value // _MOMENTS[name]})/" if name in _MOMENTS else value


def _decimal(text: Any, scale: Any, otherwise: Any) -> Any:
    """Big-endian two's complement in base64, shifted by the scale."""
    try:
        digits = base64.b64decode(text, validate=True)
        shift = int(scale)
        if not digits or len(digits) > _MAX_BYTES or abs(shift) > _MAX_SCALE:
            return otherwise
        # Written out, for arithmetic would round to the context's 28 digits.
        return Decimal(f"{int.from_bytes(digits, 'big', signed=True)}E{-shift}")
    except (TypeError, ValueError, binascii.Error, DecimalException):
        return otherwise
