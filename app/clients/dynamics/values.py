"""Column values: from Web API JSON to the canonical form of ``streams.catalogue``, and back.

reference/dataverse.md 2.3 and 2.4. Rows are read as decode reads them, so that a row that we read
and a change event of the same row agree. Numbers stay exact both ways: answers are parsed with
Decimal, bodies are written from the canonical text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from app.clients.setting_names import TABLES_FILE
from streams.catalogue import Column, ColumnKind, ColumnValue, Table
from streams.errors import Misconfigured, Refused
from streams.formats.times import instant_ms
from streams.formats.values import Unknown, WrongType, canonical, version_number
from streams.formats.web_api import raw_row
from streams.ports import Row
from tables.keys import RecordRef

LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"


def select_name(name: str, column: Column) -> str:
    """How the column is called in ``$select``, in rows and in alternate keys."""
    return f"_{name}_value" if column.kind is ColumnKind.LOOKUP else name


def row_of(table: Table, body: Mapping[str, Any]) -> Row:
    """The row as the port gives it: the declared columns that the body has, canonical.

    A lookup that does not say which of its tables it points to is left out. Raises Misconfigured
    (``column_kind_wrong``) when a value is not of the declared kind.
    """
    raw = raw_row(body)
    columns: dict[str, ColumnValue] = {}
    for name, column in table.columns.items():
        if name not in raw.values:
            continue
        try:
            value = canonical(column, raw.values[name], raw.lookup_tables.get(name))
        except WrongType as wrong:
            raise Misconfigured(
                f"Dataverse holds {raw.values[name]!r} in {table.name}.{name}, "
                f"which is declared as {column.kind}: {wrong}",
                code="column_kind_wrong",
                advice=f"Correct the column's kind or targets in {TABLES_FILE}.",
            ) from wrong
        if not isinstance(value, Unknown):
            columns[name] = value
    modified = raw.values.get("modifiedon")
    return Row(
        columns=columns,
        version=version_number(raw.values.get("versionnumber")),
        modified_ms=instant_ms(modified) if modified else 0,
    )


def wire_value(table: Table, name: str, value: ColumnValue) -> Any:
    """The JSON value for a column that is not a lookup.

    Raises Refused (``value_invalid``) when the value is not one of the column's kind.
    """
    column = table.columns[name]
    try:
        checked = canonical(column, value)
    except WrongType as wrong:
        raise Refused(
            f"{value!r} cannot be written to {table.name}.{name}, declared as {column.kind}: "
            f"{wrong}.",
            code="value_invalid",
            advice=f"Correct the rule, or the column's kind in {TABLES_FILE}.",
        ) from wrong
    # The canonical text of a number is its JSON: no float comes near it.
    return (
        orjson.Fragment(str(checked))
        if column.kind is ColumnKind.NUMBER and checked is not None
        else checked
    )


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
