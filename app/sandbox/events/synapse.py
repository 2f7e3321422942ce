"""Rows of Azure Synapse Link as a relay that reads its files sends them (dataverse.md 1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.sandbox.events.change import (
    IN_TOPIC,
    Encoded,
    Named,
    RowEvent,
    dumped,
    iso,
    moment,
    numeral,
    reference,
)
from streams.catalogue import ColumnKind, ColumnValue

_NUMBERS = (ColumnKind.INTEGER, ColumnKind.CHOICE, ColumnKind.NUMBER)


@dataclass(frozen=True, slots=True)
class Habits:
    """How one relay writes.

    ``typed``: numbers, booleans and nulls as JSON has them, else everything as text. ``lower``:
    all names in lower case, as Synapse's views do. ``finance``: a finance and operations table,
    whose deleted rows have three columns. ``lag_ms``: how long after the change the lake has it.
    """

    typed: bool = False
    lower: bool = False
    finance: bool = False
    lag_ms: int = 3_000
    named: Named = IN_TOPIC


TEXT = Habits()


def encode(event: RowEvent, habits: Habits = TEXT) -> list[Encoded]:
    """The one message of a row; a deleted one is marked by ``IsDelete``."""
    deleted = event.operation == "delete"
    if deleted and habits.finance:
        body: dict[str, Any] = {"Id": event.id, "SinkModifiedOn": _sink(event, habits)}
    else:
        body = _row(event, habits)
    mark: Any = (True if deleted else None) if habits.typed else ("True" if deleted else "")
    body |= {"IsDelete": mark, **habits.named.fields(event.table)}
    if habits.lower:
        body = {name.lower(): value for name, value in body.items()}
    return [Encoded(event.id.encode(), dumped(body), habits.named.headers(event.table))]


def _row(event: RowEvent, habits: Habits) -> dict[str, Any]:
    sink = _sink(event, habits)
    body: dict[str, Any] = {"Id": event.id, "SinkCreatedOn": sink, "SinkModifiedOn": sink}
    if event.created_ms is not None:
        body["createdon"] = f"{iso(event.created_ms // 1000 * 1000)[:-1]}.0000000+00:00"
    for name, value in event.row.items():
        body |= _column(name, event.table.columns[name].kind, value, habits)
    stamp = iso(event.modified_ms)
    version: Any = event.version if habits.typed else str(event.version)
    if habits.finance:
        marks: Mapping[str, Any] = {"modifieddatetime": stamp, "recid": "5637144576"}
        return {**body, **marks, "sysrowversion": version}
    user = {"modifiedby": event.actor, "modifiedby_entitytype": "systemuser"}
    return {**body, "modifiedon": stamp, **user, "versionnumber": version}


def _column(name: str, kind: ColumnKind, value: ColumnValue, habits: Habits) -> dict[str, Any]:
    if kind is ColumnKind.LOOKUP:
        found = reference(value) if value is not None else None
        empty = None if habits.typed else ""
        return {
            name: found.id if found else empty,
            f"{name}_entitytype": found.table if found else empty,
        }
    if value is None:
        return {name: None if habits.typed else ""}
    if kind is ColumnKind.CHOICES:
        return {name: str(value).replace(",", ";")}
    if habits.typed:
        return {name: numeral(str(value)) if kind in _NUMBERS else value}
    if kind is ColumnKind.NUMBER:
        text = str(value)
        return {name: text if "." in text else f"{text}.00"}
    return {name: str(value)}


def _sink(event: RowEvent, habits: Habits) -> str:
    """``1/31/2024 10:15:02 AM``"""
    at = moment(event.at_ms + habits.lag_ms)
    half = "AM" if at.hour < 12 else "PM"
    return f"{at.month}/{at.day}/{at.year} {at.hour % 12 or 12}:{at:%M:%S} {half}"
