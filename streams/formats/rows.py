"""A row, whatever format it came in, becomes a ``RecordChange`` here and nowhere else.

The stamp that orders a record's events is made here too (``tables.records.Stamp``):

* ``at_ms`` is ``modifiedon``. Dataverse cuts that to the second, so an operation's time that stands
  in for it is cut likewise, or it would beat a later change of the same second.
* A delete's time is the operation's, uncut: its ``modifiedon`` is that of the change before it.
* ``version`` is ``versionnumber``, which only whole rows carry; it decides within a second.
* ``sequence`` is the operation's time in milliseconds; it decides between events without one, such
  as the two that Dataverse makes of one update (reference/dataverse.md 1.1, splitting rule).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.catalogue import Column, ColumnKind, ColumnValue, Table
from streams.errors import Unreadable
from streams.formats.finance import Named, company_of, finance_value, identified, own_names
from streams.formats.shape import Source, UnreadableReason, shown, unreadable
from streams.formats.times import instant_ms, whole_second
from streams.formats.values import ZERO_GUID, Unknown, WrongType, canonical, version_number
from streams.messages.facts import Operation, RecordChange
from tables.keys import RecordRef, normal_guid

#: Dataverse's column, then that of finance and operations (reference/dataverse.md 1.2).
_MODIFIED = ("modifiedon", "modifieddatetime")
_VERSION = ("versionnumber", "sysrowversion")


@dataclass(frozen=True, slots=True)
class RawRow:
    """Raw values by lower-case column, and the table of each lookup where the producer named it."""

    values: Mapping[str, Any]
    lookup_tables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Happening:
    """What an event says beside the row's columns; ``time_ms`` is the operation's own time."""

    format: str
    operation: Operation
    time_ms: int
    version: int | None = None
    actor: str | None = None
    tag: str | None = None
    thin: bool = False


def change(
    source: Source, table: Table, row_id: Any, row: RawRow, happening: Happening
) -> RecordChange:
    """Return the change of one row; raises Unreadable naming table and column."""
    named, row = _named(table, row_id, row)
    record = named.record
    deleted = happening.operation is Operation.DELETE
    columns, complete = _columns(table, row, deleted)
    if table.primary_id in table.columns:
        columns[table.primary_id] = record.id
    modified_ms = _first_time(table, row)
    at_ms = whole_second(happening.time_ms) if modified_ms is None else modified_ms
    return RecordChange(
        record=record,
        alias=named.alias,
        operation=happening.operation,
        columns=columns,
        at_ms=happening.time_ms if deleted else at_ms,
        sequence=happening.time_ms,
        version=_version(table, row, happening.version),
        actor=happening.actor or (None if deleted else _modified_by(row)),
        tag=happening.tag,
        thin=not deleted and (happening.thin or not complete),
        origin=source.origin(happening.format),
    )


def _named(table: Table, row_id: Any, row: RawRow) -> tuple[Named, RawRow]:
    """Which record the row is about, and the row under the names that its table declares."""
    if table.finance is None:
        return Named(RecordRef.of(table.name, guid_of(table, row_id))), row
    values = own_names(table.finance, row.values)
    try:
        record = identified(table, table.finance, values)
    except (WrongType, ValueError) as fault:
        key = ", ".join(table.finance.key)
        raise wrong_type(table.name, key, row.values, str(fault)) from None
    alias = None if row_id in (None, "", ZERO_GUID) else guid_of(table, row_id)
    if record is None:
        return Named(RecordRef(table.name, guid_of(table, alias))), RawRow(values)
    return Named(record, alias), RawRow(values)


def guid_of(table: Table, row_id: Any) -> str:
    """Return a row's id; raises Unreadable when there is none or it is no guid."""
    if row_id is None or row_id in ("", ZERO_GUID):
        raise unreadable(
            UnreadableReason.ROW_ID_MISSING, f"{table.name}: the event names no row id"
        )
    try:
        return normal_guid(row_id)
    except (ValueError, AttributeError, TypeError):
        raise wrong_type(table.name, table.primary_id, row_id, "no guid") from None


def time_of(where: str, name: str, raw: Any) -> int | None:
    """Read a time beside the row; None when it is not there or .NET's "never"."""
    if raw is None or raw == "":
        return None
    try:
        at_ms = instant_ms(raw)
    except (ValueError, OverflowError) as fault:
        raise wrong_type(where, name, raw, str(fault)) from None
    return at_ms if at_ms > 0 else None


def wrong_type(where: str, column: str, raw: Any, why: str) -> Unreadable:
    """Return the error for a value that does not fit."""
    return unreadable(
        UnreadableReason.WRONG_TYPE,
        f"{where}.{column} holds {shown(raw)}: {why}",
        "correct the producer, or the column's kind in the rules' tables.yaml",
    )


def _columns(table: Table, row: RawRow, deleted: bool) -> tuple[dict[str, ColumnValue], bool]:
    """Return the declared columns of the row, and False when one of them stays unknown.

    A deleted row's empty columns are left out: formats fill a delete up with nulls.
    """
    columns: dict[str, ColumnValue] = {}
    complete = True
    for name, column in table.columns.items():
        if name not in row.values:
            continue
        value = _value(table, name, column, row)
        if isinstance(value, Unknown):
            complete = False
        elif not (deleted and value is None):
            columns[name] = value
    return columns, complete


def _value(table: Table, name: str, column: Column, row: RawRow) -> ColumnValue | Unknown:
    raw = row.values[name]
    try:
        if name in _VERSION and column.kind is ColumnKind.INTEGER:
            return version_number(raw)
        if table.finance is not None:
            return finance_value(name, column, raw, company_of(row.values))
        return canonical(column, raw, row.lookup_tables.get(name))
    except WrongType as fault:
        raise wrong_type(table.name, name, raw, str(fault)) from None


def _first_time(table: Table, row: RawRow) -> int | None:
    for name in _MODIFIED:
        at_ms = time_of(table.name, name, row.values.get(name))
        if at_ms is not None:
            return at_ms
    return None


def _version(table: Table, row: RawRow, otherwise: int | None) -> int | None:
    for name in reversed(_VERSION) if table.finance else _VERSION:
        try:
            version = version_number(row.values.get(name))
        except WrongType as fault:
            raise wrong_type(table.name, name, row.values.get(name), str(fault)) from None
        if version is not None:
            return version
    return otherwise


def _modified_by(row: RawRow) -> str | None:
    raw = row.values.get("modifiedby")
    return user_of(raw.get("Id") if isinstance(raw, dict) else raw)


def user_of(raw: Any) -> str | None:
    """Return a user's id; finance and operations write a user name instead, which is kept."""
    if not isinstance(raw, str) or not raw.strip():
        return None
    try:
        guid = normal_guid(raw)
    except ValueError:
        return raw.strip()
    return guid if guid.strip("0-") else None
