"""Column values: from Web API JSON to the canonical form of ``streams.catalogue``, and back.

reference/dataverse.md 2.3 and 2.4. Numbers stay exact both ways: answers are parsed with Decimal,
bodies are written from the canonical text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from app.clients.setting_names import TABLES_FILE
from streams.catalogue import Column, ColumnKind, ColumnValue, Table
from streams.errors import Misconfigured, Refused
from tables.keys import RecordRef, normal_guid

LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"


def select_name(name: str, column: Column) -> str:
    """How the column is called in ``$select`` and in rows."""
    return f"_{name}_value" if column.kind is ColumnKind.LOOKUP else name


def columns_of_row(table: Table, row: Mapping[str, Any]) -> dict[str, ColumnValue]:
    """The declared columns that the row has, canonical.

    Raises Misconfigured (``column_kind_wrong``) when a value is not of the declared kind.
    """
    columns: dict[str, ColumnValue] = {}
    for name, column in table.columns.items():
        wire = select_name(name, column)
        if wire not in row:
            continue
        try:
            columns[name] = _canonical(column, row[wire], row.get(f"{wire}@{LOOKUP_TABLE}"))
        except (ValueError, TypeError, InvalidOperation) as error:
            raise Misconfigured(
                f"Dataverse holds {row[wire]!r} in {table.name}.{name}, "
                f"which is declared as {column.kind}: {error}",
                code="column_kind_wrong",
                advice=f"Correct the column's kind or targets in {TABLES_FILE}.",
            ) from error
    return columns


def _canonical(column: Column, value: Any, lookup_table: str | None) -> ColumnValue:
    if value is None:
        return None
    if column.kind is ColumnKind.LOOKUP:
        return _lookup(column, value, lookup_table)
    return _READERS[column.kind](value)


def _lookup(column: Column, value: Any, lookup_table: str | None) -> str:
    table = lookup_table or (column.targets[0] if len(column.targets) == 1 else None)
    if table is None:
        raise ValueError("it does not say which table it points to")
    return RecordRef.of(table, str(value)).key


def _integer(value: Any) -> int:
    if isinstance(value, bool) or int(value) != value:
        raise ValueError("not an integer")
    return int(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("not a boolean")
    return value


def _number(value: Any) -> str:
    if isinstance(value, bool):
        raise ValueError("not a number")
    return plain_number(Decimal(value))


def plain_number(number: Decimal) -> str:
    """A decimal without exponent and trailing zeros: ``50000``, ``1234.5``."""
    if not number.is_finite():
        raise ValueError("not a finite number")
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _choices(value: Any) -> str:
    return ",".join(str(n) for n in sorted(int(part) for part in str(value).split(",") if part))


def moment(value: Any) -> datetime:
    """A date and time of the Web API; zone-less ones are UTC."""
    parsed = datetime.fromisoformat(str(value))
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _datetime(value: Any) -> str:
    parsed = moment(value)
    milliseconds = f".{parsed.microsecond // 1000:03d}" if parsed.microsecond >= 1000 else ""
    return f"{parsed:%Y-%m-%dT%H:%M:%S}{milliseconds}Z"


_READERS: Mapping[ColumnKind, Callable[[Any], ColumnValue]] = {
    ColumnKind.TEXT: str,
    ColumnKind.INTEGER: _integer,
    ColumnKind.CHOICE: _integer,
    ColumnKind.CHOICES: _choices,
    ColumnKind.NUMBER: _number,
    ColumnKind.BOOLEAN: _boolean,
    ColumnKind.DATETIME: _datetime,
    ColumnKind.DATE: lambda value: date.fromisoformat(str(value)[:10]).isoformat(),
    ColumnKind.GUID: lambda value: normal_guid(str(value)),
}


def wire_value(table: Table, name: str, value: ColumnValue) -> Any:
    """The JSON value for a column that is not a lookup.

    Raises Refused (``value_invalid``) when the value cannot be one of the column's kind.
    """
    if value is None:
        return None
    kind = table.columns[name].kind
    try:
        if kind is ColumnKind.NUMBER:
            return orjson.Fragment(plain_number(Decimal(str(value))))
        if kind in (ColumnKind.INTEGER, ColumnKind.CHOICE):
            return int(value)
        if kind is ColumnKind.BOOLEAN:
            return _boolean(value)
        return str(value)
    except (ValueError, TypeError, InvalidOperation) as error:
        raise Refused(
            f"{value!r} cannot be written to {table.name}.{name}, which is declared as {kind}.",
            code="value_invalid",
            advice=f"Correct the rule, or the column's kind in {TABLES_FILE}.",
        ) from error


def key_literal(table: Table, name: str, value: ColumnValue) -> str:
    """A value as it stands in an alternate key of an address: texts quoted, ids bare."""
    column = table.columns[name]
    if column.kind is ColumnKind.LOOKUP:
        return RecordRef.parse(str(value)).id
    if column.kind is ColumnKind.BOOLEAN:
        return "true" if value else "false"
    if column.kind in (ColumnKind.TEXT, ColumnKind.CHOICES):
        return "'" + str(value).replace("'", "''") + "'"
    return str(value)
