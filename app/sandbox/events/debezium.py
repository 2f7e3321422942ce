"""Debezium envelopes of an on-premises SQL Server or of a relay that imitates them.

From reference/dataverse.md 1.3. A delete is followed by a tombstone.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.sandbox.events.change import (
    Encoded,
    RowEvent,
    dumped,
    numeral,
    reference,
    since_1970_ms,
)
from streams.catalogue import ColumnKind, ColumnValue

_OPS = {"create": "c", "update": "u", "delete": "d"}
_TYPE_CODES = {"account": 1, "contact": 2, "systemuser": 8, "team": 9}
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Habits:
    """How one connector is set up.

    ``schemas``: JsonConverter writes the schema beside the payload. ``sql_server``: tables
    ``AccountBase`` with PascalCase columns, rowversions as bytes, times as integers; else a relay
    with logical names. ``flat``: ExtractNewRecordState keeps the row alone. ``snapshot``: the row
    was read by a snapshot. ``decimals`` is the connector's ``decimal.handling.mode``; ``precise``
    needs schemas. ``lag_ms`` is how long after the commit the connector saw it.
    """

    schemas: bool = False
    sql_server: bool = False
    flat: bool = False
    snapshot: bool = False
    decimals: Literal["precise", "string", "double"] = "string"
    lag_ms: int = 500


PLAIN = Habits()


def encode(event: RowEvent, habits: Habits = PLAIN) -> list[Encoded]:
    """The message of a change; after a delete also its tombstone."""
    key = _key(event, habits)
    value = _flat(event, habits) if habits.flat else _envelope(event, habits)
    messages = [Encoded(key, dumped(value))]
    if event.operation == "delete":
        messages.append(Encoded(key, None))
    return messages


def key_changed(event: RowEvent, old_id: str, habits: Habits = PLAIN) -> list[Encoded]:
    """A changed primary key: delete and tombstone of the old row, create of the new one."""
    old = RowEvent(event.table, old_id, "delete", {}, event.at_ms, event.version, event.actor)
    new = RowEvent(
        event.table, event.id, "create", event.row, event.at_ms, event.version, event.actor
    )
    return [*encode(old, habits), *encode(new, habits)]


def _envelope(event: RowEvent, habits: Habits) -> dict[str, Any]:
    row, fields = _row(event, habits)
    deleted = event.operation == "delete"
    payload = {
        "before": row if deleted else None,
        "after": None if deleted else row,
        "source": _source(event, habits),
        "op": "r" if habits.snapshot else _OPS[event.operation],
        "ts_ms": event.at_ms + habits.lag_ms,
        "transaction": None,
    }
    if not habits.schemas:
        return payload
    sides = [
        {"type": "struct", "optional": True, "field": side, "fields": fields}
        for side in ("before", "after")
    ]
    others = [{"type": "string", "optional": False, "field": "op"}]
    schema = {"type": "struct", "name": "org1.Envelope", "fields": [*sides, *others]}
    return {"schema": schema, "payload": payload}


def _flat(event: RowEvent, habits: Habits) -> dict[str, Any]:
    row, fields = _row(event, habits)
    row |= {
        "__op": "r" if habits.snapshot else _OPS[event.operation],
        "__deleted": "true" if event.operation == "delete" else "false",
        "__source_ts_ms": event.at_ms,
        "__table": _table(event, habits),
    }
    if not habits.schemas:
        return row
    schema = {"type": "struct", "name": "org1.Value", "fields": fields}
    return {"schema": schema, "payload": row}


def _source(event: RowEvent, habits: Habits) -> dict[str, Any]:
    source: dict[str, Any] = {
        "version": "3.0.0.Final",
        "connector": "sqlserver" if habits.sql_server else "dataverse-relay",
        "name": "org1",
        "ts_ms": event.at_ms,
        "snapshot": "true" if habits.snapshot else "false",
        "db": "org1_MSCRM" if habits.sql_server else "org1",
        "table": _table(event, habits),
    }
    if habits.sql_server:
        lsn = f"{event.version:08x}:00000000:0001"
        source |= {"schema": "dbo", "change_lsn": lsn, "commit_lsn": lsn, "event_serial_no": 1}
    return source


def _table(event: RowEvent, habits: Habits) -> str:
    name = event.table.name
    return f"{name[:1].upper()}{name[1:]}Base" if habits.sql_server else name


def _key(event: RowEvent, habits: Habits) -> bytes:
    name = _name(event.table.primary_id, habits)
    payload = {name: event.id}
    if not habits.schemas:
        return dumped(payload)
    fields = [{"type": "string", "optional": False, "field": name}]
    return dumped({"schema": {"type": "struct", "fields": fields}, "payload": payload})


def _row(event: RowEvent, habits: Habits) -> tuple[dict[str, Any], list[Mapping[str, Any]]]:
    """The row, and the schema's field for each of its columns."""
    row: dict[str, Any] = {_name(event.table.primary_id, habits): event.id}
    fields: list[Mapping[str, Any]] = []
    for column, value in event.row.items():
        kind = event.table.columns[column].kind
        name = _name(column, habits)
        row[name] = _value(kind, value, habits)
        fields.append({"field": name, "optional": True, **_type(kind, value, habits)})
        if kind is ColumnKind.LOOKUP:
            row |= _lookup_type(column, value, habits)
    stamp = _moment(event.modified_ms, habits)
    row |= {_name("modifiedon", habits): stamp, _name("modifiedby", habits): event.actor}
    moments = {"type": "int64", "name": "io.debezium.time.Timestamp"}
    fields.append({"field": _name("modifiedon", habits), **moments})
    row[_name("versionnumber", habits)] = (
        base64.b64encode(event.version.to_bytes(8, "big")).decode()
        if habits.sql_server
        else event.version
    )
    return row, fields


def _lookup_type(column: str, value: ColumnValue, habits: Habits) -> dict[str, Any]:
    """A polymorphic lookup's table: its object type code in SQL, its name from a relay."""
    table = reference(value).table if value is not None else None
    if habits.sql_server:
        code = _TYPE_CODES.get(table) if table else None
        return {_name(column, habits) + "Type": code} if code or table is None else {}
    return {f"{column}_entitytype": table}


def _value(kind: ColumnKind, value: ColumnValue, habits: Habits) -> Any:
    if value is None:
        return None
    if kind is ColumnKind.LOOKUP:
        return reference(value).id
    if kind is ColumnKind.NUMBER:
        return _decimal(str(value), habits)
    if kind is ColumnKind.DATETIME:
        return _moment(since_1970_ms(str(value)), habits)
    if kind is ColumnKind.DATE and habits.sql_server:
        return since_1970_ms(str(value)) // _DAY_MS
    return value


def _moment(at_ms: int, habits: Habits) -> int:
    """Milliseconds from SQL Server's ``datetime``; a relay writes microseconds."""
    return at_ms if habits.sql_server or habits.schemas else at_ms * 1000


def _decimal(text: str, habits: Habits) -> Any:
    if habits.decimals == "double":
        return numeral(text)
    if habits.decimals == "string":
        return text
    whole, _, fraction = text.partition(".")
    unscaled = int(whole + fraction)
    size = unscaled.bit_length() // 8 + 1
    return base64.b64encode(unscaled.to_bytes(size, "big", signed=True)).decode()


def _type(kind: ColumnKind, value: ColumnValue, habits: Habits) -> dict[str, Any]:
    """The Connect type of a column."""
    if kind is ColumnKind.NUMBER and habits.decimals == "precise":
        scale = len(str(value or "").partition(".")[2])
        return {
            "type": "bytes",
            "name": "org.apache.kafka.connect.data.Decimal",
            "parameters": {"scale": str(scale), "connect.decimal.precision": "23"},
        }
    if kind is ColumnKind.DATETIME:
        return {"type": "int64", "name": "io.debezium.time.Timestamp"}
    if kind is ColumnKind.DATE and habits.sql_server:
        return {"type": "int32", "name": "io.debezium.time.Date"}
    if kind in (ColumnKind.INTEGER, ColumnKind.CHOICE):
        return {"type": "int32"}
    return {"type": "boolean" if kind is ColumnKind.BOOLEAN else "string"}


def _name(column: str, habits: Habits) -> str:
    """``statecode`` is ``StateCode`` in SQL Server."""
    if not habits.sql_server:
        return column
    for ending in ("code", "number", "id", "on", "by"):
        if column.endswith(ending) and column != ending:
            return column.removesuffix(ending).capitalize() + ending.capitalize()
    return column.capitalize()
