"""Column values: what a body may say, what is stored, how it compares.

Stored forms are JSON scalars: text, numbers, booleans, ``2024-05-01T10:00:00Z`` (whole seconds,
UTC), ``2024-05-01``, lower-case guids, ``"1,3"`` for multi-select choices. A lookup is stored as a
`Reference`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.tables.schema import Column, ColumnType

GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
STAMP = "%Y-%m-%dT%H:%M:%SZ"


class Reference(NamedTuple):
    """A row of a table, as a lookup points to it."""

    table: str
    id: str


def reached(column: Column, value: Value, navigation: str) -> Reference | None:
    """The row that a lookup leads to by one of its properties; the owner's leads to two tables."""
    if isinstance(value, Reference) and column.targets.get(value.table) == navigation:
        return value
    return None


Value = str | int | float | bool | Reference | None
Values = dict[str, Value]


OLDEST = dt.date(1753, 1, 1)
"""The first day that the database's own type can hold."""


def stamp(moment: dt.datetime) -> str:
    """A time as rows carry it: UTC, whole seconds."""
    return moment.astimezone(dt.UTC).strftime(STAMP)


def as_guid(text: str) -> str | None:
    """Lower case without braces, or None when it is not a guid."""
    bare = text.strip("{}")
    return bare.lower() if GUID.fullmatch(bare) else None


def parse(column: Column, value: Any, table: str) -> Value:
    """``value`` of a JSON body as it is stored. Raises `Refusal` 400 for what the column refuses.

    Lookups do not come this way; they are bound by navigation property.
    """
    if value is None:
        return None
    return _PARSERS[column.type](column, value, table)


def _wrong(column: Column, value: Any, expected: str) -> Refusal:
    return Refusal.payload(
        f"Cannot convert the literal '{value}' to the expected type '{expected}' "
        f"for property '{column.name}'."
    )


def _text(column: Column, value: Any, table: str) -> str:
    if not isinstance(value, str):
        raise _wrong(column, value, "Edm.String")
    if len(value) > column.max_length:
        raise Refusal.too_long(column.name, table, len(value), column.max_length)
    return value


def _integer(column: Column, value: Any, _: str) -> int:
    bits, name = (63, "Edm.Int64") if column.type is ColumnType.BIGINT else (31, "Edm.Int32")
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(column, value, name)
    if not -(2**bits) <= value < 2**bits:
        raise _wrong(column, value, name)
    _within_range(column, value)
    return value


def _number(column: Column, value: Any, _: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(column, value, "Edm.Decimal")
    if not abs(value) <= 922_337_203_685_477:
        raise Refusal.out_of_range(column.name, value)
    _within_range(column, value)
    if column.type is ColumnType.DOUBLE and column.precision is None:
        return float(value)
    return _rounded(value, 2 if column.precision is None else column.precision)


def _rounded(value: float, places: int) -> float:
    """As the service rounds decimals, half away from zero: the number as it was written counts."""
    exact = Decimal(repr(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return float(exact)


def _within_range(column: Column, value: float) -> None:
    low, high = column.minimum, column.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise Refusal.out_of_range(column.name, value)


def _boolean(column: Column, value: Any, _: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(column, value, "Edm.Boolean")
    return value


def _datetime(column: Column, value: Any, _: str) -> str:
    moment = _moment(value) if isinstance(value, str) and "T" in value else None
    if moment is None:
        raise _wrong(column, value, "Edm.DateTimeOffset")
    _not_too_old(moment.date())
    return stamp(moment)


def _moment(text: str) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text)
        # Edm.DateTimeOffset needs its offset; a local time has no meaning here.
        return moment.astimezone(dt.UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _date(column: Column, value: Any, _: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise _wrong(column, value, "Edm.Date")
    try:
        day = dt.date.fromisoformat(value)
    except ValueError:
        raise _wrong(column, value, "Edm.Date") from None
    _not_too_old(day)
    return day.isoformat()


def _not_too_old(day: dt.date) -> None:
    if day < OLDEST:
        raise Refusal.payload(
            "DateTime is less than minumum value supported by CrmDateTime. "
            f"Actual value: {day:%m/%d}/{day.year:04}, Minimum value supported: 01/01/1753"
        )


def _guid(column: Column, value: Any, _: str) -> str:
    guid = as_guid(value) if isinstance(value, str) else None
    if guid is None:
        raise _wrong(column, value, "Edm.Guid")
    return guid


def _choice(column: Column, value: Any, table: str) -> int:
    number = _integer(column, value, table)
    if column.options and number not in column.options:
        raise Refusal.out_of_range(column.name, value)
    return number


def _choices(column: Column, value: Any, table: str) -> str:
    parts = value.split(",") if isinstance(value, str) else []
    if not parts or not all(part.strip().isdigit() for part in parts):
        raise _wrong(column, value, "Edm.String")
    return ",".join(str(_choice(column, int(part), table)) for part in parts)


def _lookup(column: Column, value: Any, table: str) -> Value:
    raise Refusal.payload(
        f"A 'PrimitiveValue' node with non-null value was found when trying to read the value of "
        f"the navigation property '{column.name}'; bind it with '<property>@odata.bind'."
    )


def _file(column: Column, value: Any, _: str) -> Value:
    raise Refusal.payload(f"'{column.name}' is a file column; its content is uploaded on its own.")


_PARSERS: dict[ColumnType, Callable[[Column, Any, str], Value]] = {
    ColumnType.STRING: _text,
    ColumnType.MEMO: _text,
    ColumnType.INTEGER: _integer,
    ColumnType.BIGINT: _integer,
    ColumnType.DECIMAL: _number,
    ColumnType.DOUBLE: _number,
    ColumnType.MONEY: _number,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.DATETIME: _datetime,
    ColumnType.DATE: _date,
    ColumnType.GUID: _guid,
    ColumnType.CHOICE: _choice,
    ColumnType.MULTICHOICE: _choices,
    ColumnType.STATE: _choice,
    ColumnType.STATUS: _choice,
    ColumnType.LOOKUP: _lookup,
    ColumnType.FILE: _file,
}


def comparable(value: Value) -> Any:
    """For filters, sorting and keys: text compares without case, as the database's collation."""
    if isinstance(value, Reference):
        return value.id
    return value.casefold() if isinstance(value, str) else value
