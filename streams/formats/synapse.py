"""Rows of Azure Synapse Link, of Dataverse and of finance and operations tables.

One object per row with the names of ``model.json`` as keys, in any case, values as text or typed
(reference/dataverse.md 1.2). A row is whole, so an empty column is a cleared one; but a deleted
row of finance and operations has three columns only, and a row that lacks a column says nothing
about it.
"""

from __future__ import annotations

from typing import Any

from streams.catalogue import ColumnKind, Table
from streams.formats.naming import table_of
from streams.formats.rows import Happening, RawRow, change, time_of, wrong_type
from streams.formats.shape import Decoded, Json, Skipped, Source
from streams.messages.facts import Operation

_DELETED = {"true": True, "1": True, "": False, "false": False, "0": False}
_NAMES = ("_table", "entityname", "entity")
_FINANCE_MARKS = ("recid", "sysrowversion")
#: What finance and operations write for "no date".
_NO_DATE = "1900-01-01"
_DATES = (ColumnKind.DATE, ColumnKind.DATETIME)
_TYPE_SUFFIX = "_entitytype"
#: The lake's times are cut to the second, and a delete comes after the last change of its second.
_REST_OF_SECOND_MS = 999


def is_synapse(body: Json) -> bool:
    names = {name.lower() for name in body}
    deletable = "isdelete" in names or "isdeleted" in names
    return "sinkmodifiedon" in names or (deletable and "id" in names)


def decode(body: Json, source: Source) -> Decoded:
    """Return the change of one row of the lake; raises Unreadable."""
    row = {name.lower(): value for name, value in body.items()}
    named = next((row[n] for n in _NAMES if isinstance(row.get(n), str) and row[n]), None)
    table = table_of(source, named)
    if isinstance(table, Skipped):
        return table
    deleted = _is_deleted(row, table.name)
    written_ms = time_of(table.name, "SinkModifiedOn", row.get("sinkmodifiedon"))
    if written_ms is not None and deleted:
        written_ms += _REST_OF_SECOND_MS
    happening = Happening(
        format="synapse",
        operation=Operation.DELETE if deleted else Operation.UPSERT,
        time_ms=source.time_ms if written_ms is None else written_ms,
    )
    row_id = row.get("id") or row.get(table.primary_id)
    return (change(source, table, row_id, _raw_row(row, table), happening),)


def _is_deleted(row: dict[str, Any], table: str) -> bool:
    raw = row.get("isdelete", row.get("isdeleted"))
    if raw is None:
        return False
    known = _DELETED.get(str(raw).strip().lower()) if isinstance(raw, str | int) else None
    if known is None:
        raise wrong_type(table, "IsDelete", raw, "neither true nor false")
    return known


def _raw_row(row: dict[str, Any], table: Table) -> RawRow:
    if any(mark in row for mark in _FINANCE_MARKS):
        dates = {name for name, column in table.columns.items() if column.kind in _DATES}
        empty = {name: None for name in dates & row.keys() if _is_no_date(row[name])}
        row = row | empty
    tables = {
        name.removesuffix(_TYPE_SUFFIX): value
        for name, value in row.items()
        if name.endswith(_TYPE_SUFFIX) and isinstance(value, str) and value
    }
    return RawRow(row, tables)


def _is_no_date(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_NO_DATE)
