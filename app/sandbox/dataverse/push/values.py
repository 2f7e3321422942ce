"""Rows as .NET's DataContractJsonSerializer writes them (reference/dataverse.md 1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.sandbox.dataverse.tables.schema import Column, ColumnType, Table
from app.sandbox.dataverse.tables.values import Reference, Value
from app.sandbox.events.change import since_1970_ms
from app.sandbox.events.rec_values import (
    CONTRACTS,
    entity_value,
    option_value,
    pairs,
    reference_value,
)

_CHOICES = (ColumnType.CHOICE, ColumnType.STATE, ColumnType.STATUS)


def target(table: Table, row_id: str, columns: Mapping[str, Value]) -> dict[str, Any]:
    """An Entity with these columns and its id; labels of choices as formatted values."""
    attributes = {**_attributes(table, columns), table.primary_id: row_id}
    entity = entity_value(table.name, row_id, attributes)
    entity["FormattedValues"] = pairs(_labels(table, columns))
    return entity


def image(table: Table, row_id: str, columns: Mapping[str, Value]) -> dict[str, Any]:
    """An image holds no empty columns, and its entity has no ``__type``."""
    filled = {name: value for name, value in columns.items() if value is not None}
    entity = target(table, row_id, filled)
    del entity["__type"]
    return entity


def encoded(column: Column, value: Value) -> Any:
    """One value by the type of its column."""
    if value is None:
        return None
    if isinstance(value, Reference):
        return reference_value(value.table, value.id)
    if column.type in _CHOICES:
        return option_value(int(value))
    if column.type is ColumnType.MULTICHOICE:
        return [option_value(int(part)) for part in str(value).split(",")]
    if column.type is ColumnType.MONEY:
        return {"__type": f"Money:{CONTRACTS}", "Value": value}
    if column.type in (ColumnType.DATETIME, ColumnType.DATE):
        return f"/Date({since_1970_ms(str(value))})/"
    return _sound(value) if isinstance(value, str) else value


def _sound(text: str) -> str:
    """Half a pair of UTF-16, which a body may hold and UTF-8 cannot, as .NET writes it: U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _attributes(table: Table, columns: Mapping[str, Value]) -> dict[str, Any]:
    return {
        name: encoded(table.columns[name], value)
        for name, value in columns.items()
        if name in table.columns
    }


def _labels(table: Table, columns: Mapping[str, Value]) -> dict[str, str]:
    return {
        name: label
        for name, value in columns.items()
        if name in table.columns and isinstance(value, int)
        if (label := table.columns[name].options.get(value)) is not None
    }
