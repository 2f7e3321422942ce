"""Web API rows of a change-tracking relay, and its deletes (reference/dataverse.md 2.3, 2.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.sandbox.events.change import (
    IN_TOPIC,
    ORG1,
    Encoded,
    Named,
    RowEvent,
    Sender,
    dumped,
    iso,
    numeral,
    reference,
)
from streams.catalogue import ColumnKind, ColumnValue

_FORMATTED = "@OData.Community.Display.V1.FormattedValue"
_TABLE = "@Microsoft.Dynamics.CRM.lookuplogicalname"
_NAVIGATION = "@Microsoft.Dynamics.CRM.associatednavigationproperty"


@dataclass(frozen=True, slots=True)
class Habits:
    """How one relay polls.

    ``annotated``: it asks for annotations, without which a lookup does not say its table.
    ``versioned``: it selects ``versionnumber``; else the version shows in the ETag only.
    """

    annotated: bool = True
    versioned: bool = True
    named: Named = IN_TOPIC
    sender: Sender = ORG1


PLAIN = Habits()


def encode(event: RowEvent, habits: Habits = PLAIN) -> list[Encoded]:
    """The one message of a row, or of its delete: then id and reason are all there is."""
    body = {**_change(event, habits), **habits.named.fields(event.table)}
    return [Encoded(event.id.encode(), dumped(body), habits.named.headers(event.table))]


def page(events: Sequence[RowEvent], habits: Habits = PLAIN) -> Encoded:
    """A whole answer of a delta request for rows of one table, deletes last."""
    table = events[0].table
    ordered = sorted(events, key=lambda event: (event.operation == "delete", event.version))
    base = f"https://{habits.sender.host}/api/data/v9.2"
    body = {
        "@odata.context": f"{base}/$metadata#{table.entity_set}/$delta",
        "@odata.deltaLink": f"{base}/{table.entity_set}?$deltatoken={ordered[-1].version}",
        "value": [_change(event, habits) for event in ordered],
    }
    return Encoded(None, dumped(body))


def _change(event: RowEvent, habits: Habits) -> dict[str, Any]:
    return _removed(event, habits) if event.operation == "delete" else _row(event, habits)


def _removed(event: RowEvent, habits: Habits) -> dict[str, Any]:
    base = f"https://{habits.sender.host}/api/data/v9.2"
    return {
        "@odata.context": f"{base}/$metadata#{event.table.entity_set}/$deletedEntity",
        "id": event.id,
        "reason": "deleted",
    }


def _row(event: RowEvent, habits: Habits) -> dict[str, Any]:
    body: dict[str, Any] = {
        "@odata.etag": f'W/"{event.version}"',
        event.table.primary_id: event.id,
    }
    for name, value in event.row.items():
        body |= _column(name, event.table.columns[name].kind, value, habits)
    body |= {"modifiedon": iso(event.modified_ms), "_modifiedby_value": event.actor}
    return {**body, "versionnumber": event.version} if habits.versioned else body


def _column(name: str, kind: ColumnKind, value: ColumnValue, habits: Habits) -> dict[str, Any]:
    if kind is ColumnKind.LOOKUP:
        return _lookup(name, value, habits)
    if kind is ColumnKind.NUMBER and value is not None:
        return {name: numeral(str(value))}
    if kind is ColumnKind.CHOICE and habits.annotated and value is not None:
        return {name: value, name + _FORMATTED: f"Option {value}"}
    return {name: value}


def _lookup(name: str, value: ColumnValue, habits: Habits) -> dict[str, Any]:
    column = f"_{name}_value"
    if value is None:
        return {column: None}
    found = reference(value)
    if not habits.annotated:
        return {column: found.id}
    return {
        column + _FORMATTED: f"{found.table} {found.id[:8]}",
        column + _NAVIGATION: name,
        column + _TABLE: found.table,
        column: found.id,
    }
