"""Values of finance and operations: from OData JSON to canonical form, and back.

Rows are read as decode reads them (``streams.formats.finance``), so that a row that we read and
what any other source tells of it agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from app.clients.finance.metadata import Property
from app.clients.setting_names import TABLES_FILE
from streams.catalogue import Column, ColumnKind, ColumnValue, Table
from streams.errors import Misconfigured, Refused
from streams.formats.finance import company_of, finance_value, identified
from streams.formats.values import Unknown, WrongType, canonical
from tables.keys import RecordRef

NAMESPACE = "Microsoft.Dynamics.DataEntities"
_NO_DATE = "1900-01-01T12:00:00Z"
_NO_YES = "NoYes"


def columns_of(table: Table, body: Mapping[str, Any]) -> dict[str, ColumnValue]:
    """The declared columns that the row has, canonical.

    Raises Misconfigured (``column_kind_wrong``) when a value is not of the declared kind.
    """
    values = _lower(body)
    company = company_of(values)
    columns: dict[str, ColumnValue] = {}
    for name, column in table.columns.items():
        if name not in values:
            continue
        try:
            value = finance_value(name, column, values[name], company)
        except WrongType as wrong:
            raise _wrong_kind(table, name, values[name], wrong) from wrong
        if not isinstance(value, Unknown):
            columns[name] = value
    return columns


def record_of(table: Table, body: Mapping[str, Any]) -> RecordRef | None:
    """Which record a row is; None when its key is not whole."""
    assert table.finance is not None
    try:
        return identified(table, table.finance, _lower(body))
    except ValueError:
        return None


def wire_value(table: Table, name: str, value: ColumnValue, declared: Property) -> Any:
    """The JSON value that a write sends; there is no null, every kind has its empty value.

    Raises Refused (``value_invalid``) when the value is not one of the column's kind.
    """
    column = table.columns[name]
    if column.kind is ColumnKind.LOOKUP:
        raise _unwritable(table, name, value, "numbers of other rows are not written")
    if value is None:
        return _empty(table, name, column)
    if column.kind is ColumnKind.CHOICE:
        return _symbol(table, name, column, value)
    try:
        checked = canonical(column, value)
    except WrongType as wrong:
        raise _unwritable(table, name, value, str(wrong)) from wrong
    if column.kind is ColumnKind.BOOLEAN and declared.type == _NO_YES:
        return "Yes" if checked else "No"
    if column.kind is ColumnKind.DATE:
        return f"{checked}T12:00:00Z"
    # The canonical text of a number is its JSON: no float comes near it.
    return orjson.Fragment(str(checked)) if column.kind is ColumnKind.NUMBER else checked


def literal(table: Table, name: str, part: str, declared: Property) -> str:
    """A part of a record's key as a filter compares it."""
    column = table.columns[name]
    if column.kind is ColumnKind.DATE:
        return f"{part}T12:00:00Z"
    if column.kind is ColumnKind.CHOICE:
        symbol = next((s for s, number in column.symbols if str(number) == part), part)
        return f"{NAMESPACE}.{declared.type}'{symbol}'"
    return part if column.kind is ColumnKind.INTEGER else quoted(part)


def key_literal(value: Any, declared: Property) -> str:
    """A value that a row holds in its key, as it stands in an address."""
    if declared.is_enum:
        return f"{NAMESPACE}.{declared.type}'{value}'"
    return quoted(value) if declared.type == "Edm.String" else str(value)


def quoted(text: str) -> str:
    return "'{}'".format(text.replace("'", "''"))


def _lower(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in body.items() if "@" not in name}


def _empty(table: Table, name: str, column: Column) -> Any:
    if column.kind is ColumnKind.TEXT:
        return ""
    if column.kind in (ColumnKind.DATE, ColumnKind.DATETIME):
        return _NO_DATE
    raise _unwritable(table, name, None, f"a {column.kind} cannot be empty")


def _symbol(table: Table, name: str, column: Column, value: ColumnValue) -> str:
    for symbol, number in column.symbols:
        if number == value and not isinstance(value, bool):
            return symbol
    raise _unwritable(table, name, value, "no number of the enum")


def _unwritable(table: Table, name: str, value: ColumnValue, why: str) -> Refused:
    return Refused(
        f"{value!r} cannot be written to {table.name}.{name}: {why}.",
        code="value_invalid",
        advice=f"Correct the rule, or the column's kind in {TABLES_FILE}.",
    )


def _wrong_kind(table: Table, name: str, value: Any, wrong: WrongType) -> Misconfigured:
    return Misconfigured(
        f"Finance and operations hold {value!r} in {table.name}.{name}, "
        f"which is declared as {table.columns[name].kind}: {wrong}",
        code="column_kind_wrong",
        advice=f"Correct the column's kind or symbols in {TABLES_FILE}.",
    )
