"""What a write sends: the JSON of its columns, and alternate keys as part of the address.

reference/dataverse.md 2.4 and 2.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from app.clients.dynamics.metadata import Metadata
from app.clients.dynamics.values import key_literal, select_name, wire_value
from app.clients.setting_names import TABLES_FILE
from streams.catalogue import ColumnKind, ColumnValue, Table
from streams.errors import Misconfigured, Refused
from tables.keys import RecordRef


async def write_body(
    metadata: Metadata, table: Table, columns: Mapping[str, ColumnValue]
) -> dict[str, Any]:
    """The JSON object that sets these columns; lookups are bound by their navigation property.

    Raises Misconfigured (``column_undeclared``, ``column_unknown``) and Refused
    (``value_invalid``).
    """
    body: dict[str, Any] = {}
    for name, value in columns.items():
        column = table.columns.get(name)
        if column is None:
            raise _undeclared(table, name)
        if column.kind is ColumnKind.LOOKUP:
            navigation, bound = await _binding(metadata, table, name, value)
            body[f"{navigation}@odata.bind"] = bound
        else:
            body[name] = wire_value(table, name, value)
    return body


async def _binding(
    metadata: Metadata, table: Table, name: str, value: ColumnValue
) -> tuple[str, str | None]:
    """Navigation property and address of a lookup's record; an empty lookup is bound to null.

    A lookup of several tables has one property for each; any of them empties it.
    """
    if value is None:
        target = (*table.columns[name].targets, "owner")[0]
        return await metadata.navigation(table.name, name, target), None
    try:
        record = RecordRef.parse(str(value))
    except ValueError as error:
        raise Refused(
            f"{value!r} cannot be written to {table.name}.{name}: {error}.",
            code="value_invalid",
            advice="A lookup is written as <table>:<guid>; correct the rule.",
        ) from error
    navigation = await metadata.navigation(table.name, name, record.table)
    return navigation, f"/{await metadata.entity_set(record.table)}({record.id})"


def key_path(table: Table, key: Mapping[str, ColumnValue]) -> str:
    """An alternate key as it stands in an address: ``accountnumber='A1'``."""
    parts = []
    for name, value in key.items():
        if name not in table.columns:
            raise _undeclared(table, name)
        if value is None:
            raise Refused(
                f"{table.name} cannot be addressed by an empty {name}.", code="value_invalid"
            )
        literal = quote(key_literal(table, name, value), safe="'")
        parts.append(f"{select_name(name, table.columns[name])}={literal}")
    return ",".join(parts)


def _undeclared(table: Table, name: str) -> Misconfigured:
    return Misconfigured(
        f"The column {table.name}.{name} is not declared.",
        code="column_undeclared",
        advice=f"Add it to {TABLES_FILE}.",
    )
