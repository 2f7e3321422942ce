"""Values as .NET's DataContractJsonSerializer writes them (reference/dataverse.md 1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.sandbox.events.change import numeral, reference, since_1970_ms
from streams.catalogue import ColumnKind, ColumnValue, Table

CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"


def entity_value(table: str, row_id: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """An Entity: columns that are already encoded, by name."""
    return {
        "__type": f"Entity:{CONTRACTS}",
        "Attributes": pairs(attributes),
        "EntityState": None,
        "FormattedValues": [],
        "Id": row_id,
        "KeyAttributes": [],
        "LogicalName": table,
        "RelatedEntities": [],
        "RowVersion": None,
    }


def reference_value(table: str, row_id: str) -> dict[str, Any]:
    """An EntityReference: a lookup's value, or the target of a message."""
    return {
        "__type": f"EntityReference:{CONTRACTS}",
        "Id": row_id,
        "KeyAttributes": [],
        "LogicalName": table,
        "Name": None,
        "RowVersion": None,
    }


def option_value(value: ColumnValue) -> dict[str, Any]:
    """An OptionSetValue: a choice, a state or a status."""
    return {"__type": f"OptionSetValue:{CONTRACTS}", "Value": value}


def values(table: Table, columns: Mapping[str, ColumnValue]) -> dict[str, Any]:
    """Canonical columns, encoded."""
    return {name: value_of(table.columns[name].kind, value) for name, value in columns.items()}


def value_of(kind: ColumnKind, value: ColumnValue) -> Any:
    """One canonical value, encoded by its column's kind."""
    if value is None:
        return None
    if kind is ColumnKind.CHOICE:
        return option_value(value)
    if kind is ColumnKind.CHOICES:
        return [option_value(int(part)) for part in str(value).split(",")]
    if kind is ColumnKind.NUMBER:
        return {"__type": f"Money:{CONTRACTS}", "Value": numeral(str(value))}
    if kind in (ColumnKind.DATETIME, ColumnKind.DATE):
        return f"/Date({since_1970_ms(str(value))})/"
    if kind is ColumnKind.LOOKUP:
        found = reference(value)
        return reference_value(found.table, found.id)
    return value


def pairs(values: Mapping[str, Any]) -> list[Any]:
    """A list of keys and values, which .NET writes for a dictionary."""
    return [{"key": name, "value": value} for name, value in values.items()]
