"""Debezium's envelope: SQL Server behind on-premises Dynamics, SQL copies, relays that imitate it.

With and without Kafka Connect's schema, and flattened by ExtractNewRecordState
(reference/dataverse.md 1.3). Columns come in any case (``AccountId`` in ``AccountBase``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.catalogue import Table
from streams.errors import Unreadable
from streams.formats.connect import PLACEHOLDER, typed_row
from streams.formats.json_text import parse
from streams.formats.naming import table_of
from streams.formats.rows import Happening, RawRow, change, time_of, wrong_type
from streams.formats.shape import (
    Decoded,
    Json,
    Skipped,
    SkipReason,
    Source,
    UnreadableReason,
    unreadable,
)
from streams.messages.facts import Operation

_OPERATIONS = {
    "c": Operation.CREATE,
    "u": Operation.UPDATE,
    "d": Operation.DELETE,
    "r": Operation.UPSERT,  # read by a snapshot: it may be known already
}
_NOT_MAPPED = {
    "t": SkipReason.TRUNCATE_NOT_MAPPED,
    "m": SkipReason.LOGICAL_MESSAGE_NOT_MAPPED,
}
_FLAT_MARKS = ("__op", "__deleted", "__source_ts_ms", "__table")
#: Object type codes of system tables are the same everywhere (reference/dataverse.md 3.1); SQL
#: keeps them beside a polymorphic lookup: ``OwnerIdType`` 8 is a user.
_TYPE_CODES = {
    1: "account", 2: "contact", 3: "opportunity", 4: "lead", 8: "systemuser", 9: "team",
    112: "incident", 1010: "contract", 1084: "quote", 1088: "salesorder", 1090: "invoice",
}  # fmt: skip


def is_debezium(body: Json) -> bool:
    op = body.get("op")
    if not isinstance(op, str) or op not in (*_OPERATIONS, *_NOT_MAPPED):
        return False
    return "before" in body or "after" in body or (op in _NOT_MAPPED and "source" in body)


def is_flat(body: Json) -> bool:
    """True for a flattened row that has one of the fields which the transform adds."""
    return any(mark in body for mark in _FLAT_MARKS)


def decode(body: Json, source: Source) -> Decoded:
    """Return the change of one envelope; raises Unreadable."""
    op = body["op"]
    if op in _NOT_MAPPED:
        return Skipped(_NOT_MAPPED[op])
    origin = body.get("source")
    origin = origin if isinstance(origin, dict) else {}
    named = origin.get("table")
    table = table_of(source, named if isinstance(named, str) and named else None)
    if isinstance(table, Skipped):
        return table
    operation = _OPERATIONS[op]
    side = "before" if operation is Operation.DELETE else "after"
    row = body.get(side)
    if row is None and operation is not Operation.DELETE:
        raise unreadable(
            UnreadableReason.BODY_INCOMPLETE, f'{table.name}: op "{op}" comes without its row'
        )
    if not isinstance(row, dict | None):
        raise wrong_type(table.name, side, row, "no row")
    committed_ms = _time(table, origin) or time_of(table.name, "ts_ms", body.get("ts_ms"))
    row = typed_row(row or {}, source.schema, side)
    return _changed(source, table, row, operation, committed_ms)


def decode_flat(body: Json, source: Source) -> Decoded:
    """Return the change of a flattened row; raises Unreadable."""
    headers = source.headers
    op = body.get("__op") or headers.text("__op")
    if isinstance(op, str) and op in _NOT_MAPPED:
        return Skipped(_NOT_MAPPED[op])
    named = body.get("__table")
    table = table_of(source, named if isinstance(named, str) and named else None)
    if isinstance(table, Skipped):
        return table
    operation = _OPERATIONS.get(op, Operation.UPSERT) if isinstance(op, str) else Operation.UPSERT
    deleted = str(body.get("__deleted", headers.text("__deleted"))).lower() == "true"
    written_ms = body.get("__source_ts_ms") or _digits(headers.text("__source_ts_ms"))
    row = typed_row(body, source.schema, None)
    return _changed(
        source,
        table,
        row,
        Operation.DELETE if deleted else operation,
        time_of(table.name, "__source_ts_ms", written_ms),
    )


def _changed(
    source: Source, table: Table, row: Json, operation: Operation, time_ms: int | None
) -> Decoded:
    happening = Happening("debezium", operation, source.time_ms if time_ms is None else time_ms)
    values = {name.lower(): value for name, value in row.items() if value != PLACEHOLDER}
    row_id = values.get(table.primary_id)
    if row_id is None:
        row_id = _id_in_key(source, table)
    return (change(source, table, row_id, RawRow(values, _lookup_tables(values)), happening),)


def _time(table: Table, origin: Json) -> int | None:
    """The commit's time; a snapshot may leave it at zero."""
    for name in ("ts_ms", "ts_us", "ts_ns"):
        at_ms = time_of(table.name, f"source.{name}", origin.get(name))
        if at_ms is not None:
            return at_ms
    return None


def _lookup_tables(values: Mapping[str, Any]) -> dict[str, str]:
    """The tables of polymorphic lookups: ``<lookup>_entitytype``, or ``<lookup>type`` in SQL."""
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, str) and value and name.endswith("_entitytype"):
            found[name.removesuffix("_entitytype")] = value
        elif name.endswith("idtype"):
            table = _TYPE_CODES.get(value) if isinstance(value, int) else value
            if isinstance(table, str) and table:
                found.setdefault(name.removesuffix("type"), table)
    return found


def _id_in_key(source: Source, table: Table) -> Any:
    """The row's id in the message's key, with or without Connect's schema."""
    if not source.message.key:
        return None
    try:
        key = parse(source.message.key)
    except Unreadable:
        return None
    if isinstance(key, dict) and isinstance(key.get("payload"), dict):
        key = key["payload"]
    if not isinstance(key, dict):
        return None
    return next((v for name, v in key.items() if name.lower() == table.primary_id), None)


def _digits(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else None
