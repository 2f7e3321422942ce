"""Values of entities: from JSON and addresses to what is kept, and checked on the way."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from app.sandbox.events.finance_entities import ENUMS, Entity, Field
from app.sandbox.finance.errors import Refusal

NAMESPACE = "Microsoft.Dynamics.DataEntities"
_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))")
_ENUM = re.compile(rf"(?:{re.escape(NAMESPACE)}\.)(\w+)'(\w+)'")
_QUOTED = re.compile(r"'((?:[^']|'')*)'")


def stored(entity: Entity, field: Field, value: Any) -> str | int | float:
    """A JSON value as it is kept; null is the empty value. Raises `Refusal` 400."""
    if value is None:
        return field.empty
    if field.kind == "enum":
        return _symbol(entity, field, value)
    if field.kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _unfit(field, value, "Edm.Decimal")
        return value
    if not isinstance(value, str):
        raise _unfit(field, value, "Edm.DateTimeOffset" if field.kind == "date" else "Edm.String")
    return _noon(field, value) if field.kind == "date" else value


def literal(entity: Entity, field: Field, text: str) -> str | int | float:
    """A value as it stands in an address: ``'usmf'``, ``…CustVendorBlocked'All'``, a date."""
    if field.kind == "enum":
        match = _ENUM.fullmatch(text)
        if match is None or match[1] != field.enum:
            raise Refusal.query(
                "A binary operator with incompatible types was detected. Found operand types "
                f"'{NAMESPACE}.{field.enum}' and 'Edm.String' for operator kind 'Equal'."
            )
        return _symbol(entity, field, match[2])
    if field.kind == "number":
        try:
            return float(text)
        except ValueError:
            raise Refusal.query(f"{text!r} is no number.") from None
    if field.kind == "date":
        return _noon(field, text)
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        raise Refusal.query(f"{text!r} is no text in quotes.")
    return quoted[1].replace("''", "'")


def equal(one: Any, other: Any) -> bool:
    """Equality as the database sees it: case and trailing blanks do not count."""
    return bool(comparable(one) == comparable(other))


def comparable(value: Any) -> Any:
    return value.rstrip().lower() if isinstance(value, str) else value


def number_of(field: Field, value: Any) -> int:
    return ENUMS[field.enum][value]


def enumeration(name: str) -> Mapping[str, int]:
    return ENUMS[name]


def _symbol(entity: Entity, field: Field, value: Any) -> str:
    symbols = {symbol.lower(): symbol for symbol in ENUMS[field.enum]}
    if not isinstance(value, str) or value.lower() not in symbols:
        raise Refusal.query(
            f"Cannot convert the literal '{value}' to the expected type "
            f"'{NAMESPACE}.{field.enum}' of {entity.name}.{field.name}."
        )
    return symbols[value.lower()]


def _noon(field: Field, text: str) -> str:
    """Dates are kept without a time and shown at noon."""
    if not _DATE.fullmatch(text):
        raise _unfit(field, text, "Edm.DateTimeOffset")
    try:
        day = dt.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(dt.UTC).date()
    except (ValueError, OverflowError):
        raise _unfit(field, text, "Edm.DateTimeOffset") from None
    return f"{day.isoformat()}T12:00:00Z"


def _unfit(field: Field, value: Any, kind: str) -> Refusal:
    return Refusal.query(
        f"Cannot convert the literal '{value}' to the expected type '{kind}' of {field.name}."
    )
