"""What finance and operations tell of a row: three sources, three names, one row.

Synapse Link shows the native table with numbers for enums and 1900 for no date; data events are a
RemoteExecutionContext of the virtual entity, whose options count from 200,000,000; business events
are flat, thin and numbered with gaps (reference/dataverse.md 1.2, 1.5, 1.6).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.sandbox.events import rec
from app.sandbox.events.change import (
    IN_TOPIC,
    Encoded,
    Named,
    RowEvent,
    dumped,
    iso,
    made_guid,
    moment,
)
from app.sandbox.events.finance_entities import ENUMS, NO_DATE, Entity, Field
from streams.catalogue import Column, ColumnKind, ColumnValue, Table

_OPTIONS_FROM = 200_000_000
_KINDS: Mapping[str, ColumnKind] = {
    "text": ColumnKind.TEXT,
    "enum": ColumnKind.CHOICE,
    "number": ColumnKind.NUMBER,
    "date": ColumnKind.DATETIME,
}


@dataclass(frozen=True, slots=True)
class EntityEvent:
    """One change of one row, in OData's names and values (enums as symbols).

    ``row``: after it; for a delete, before it. ``before``: an update's pre-image. ``changed``: what
    an update set, None for all. ``version`` is SQL's rowversion, ``actor`` the user's guid in
    Dataverse, ``user`` the name in finance and operations.
    """

    entity: Entity
    recid: int
    operation: Literal["create", "update", "delete"]
    row: Mapping[str, Any]
    at_ms: int
    version: int
    before: Mapping[str, Any] | None = None
    changed: frozenset[str] | None = None
    actor: str = made_guid("finance user")
    user: str = "erp.user"


def row_guid(number: int, recid: int) -> str:
    """A guid that encodes a RecId: the table in front, eight little-endian bytes at the end."""
    return str(uuid.UUID(bytes=number.to_bytes(4, "big") + bytes(4) + recid.to_bytes(8, "little")))


def native_id(event: EntityEvent) -> str:
    """What Synapse Link calls the row."""
    return row_guid(event.entity.number, event.recid)


def synapse_row(
    event: EntityEvent, *, typed: bool = False, lag_ms: int = 900_000, named: Named = IN_TOPIC
) -> Encoded:
    """The row as Synapse Link has it; a deleted one has three columns only."""
    table = Table(event.entity.table, "", "", {})
    body: dict[str, Any] = {"Id": native_id(event), "SinkModifiedOn": _sink(event.at_ms + lag_ms)}
    if event.operation != "delete":
        marks = {
            "recid": event.recid,
            "sysrowversion": event.version,
            "modifieddatetime": iso(event.at_ms // 1000 * 1000),
            "modifiedby": event.user,
            "partition": 5_637_144_576,
        }
        columns = {f.column: _native(f, event.row[f.name]) for f in event.entity.fields.values()}
        body |= columns | marks
    body["IsDelete"] = True if event.operation == "delete" else None
    body |= named.fields(table)
    if not typed:
        body = {name: "" if v is None else str(v) for name, v in body.items()}
    return Encoded(native_id(event).encode(), dumped(body), named.headers(table))


def data_event(event: EntityEvent, *, pre_image: bool = True) -> Encoded:
    """The data event of the row's virtual entity."""
    virtual = event.entity.virtual
    columns = {f"mserp_{f.name.lower()}": f for f in event.entity.fields.values()}
    table = Table(
        virtual,
        f"{virtual[:-1]}ies",
        f"{virtual}id",
        {name: Column(_KINDS[f.kind]) for name, f in columns.items()},
    )
    changed = event.changed
    found = RowEvent(
        table=table,
        id=row_guid(event.entity.virtual_number, event.recid),
        operation=event.operation,
        row=_virtual(columns, event.row),
        before=_virtual(columns, event.before) if event.before is not None else None,
        at_ms=event.at_ms,
        version=event.version,
        actor=event.actor,
        changed=None if changed is None else frozenset(f"mserp_{n.lower()}" for n in changed),
    )
    (message,) = rec.encode(found, rec.Habits(images=pre_image, pre_image_only=True, split=False))
    return message


def business_event(
    event_id: str,
    fields: Mapping[str, Any],
    *,
    company: str,
    at_ms: int,
    control_number: int,
    actor: str = made_guid("finance user"),
    newer: bool = True,
) -> Encoded:
    """A business event with its contract's fields; ``newer`` versions say more around them."""
    body: dict[str, Any] = {
        "BusinessEventId": event_id,
        "ControlNumber": control_number,
        "EventId": made_guid("business event", control_number).upper(),
        "EventTime": f"/Date({at_ms})/",
        "MajorVersion": 0,
        "MinorVersion": 0,
        "LegalEntity": company.upper(),
        **fields,
    }
    if newer:
        body |= {
            "BusinessEventLegalEntity": company.upper(),
            "ContextRecordSubject": "",
            "EventTimeIso8601": iso(at_ms),
            "InitiatingUserAADObjectId": f"{{{actor.upper()}}}",
            "ParentContextRecordSubjects": [],
        }
    return Encoded(None, dumped(body), (("content-type", b"application/json"),))


def _native(field: Field, value: Any) -> Any:
    if field.kind == "enum":
        return ENUMS[field.enum][value]
    if field.kind == "date" and value == NO_DATE:
        return "1900-01-01T00:00:00Z"
    return value if value != "" else None


def _virtual(columns: Mapping[str, Field], row: Mapping[str, Any]) -> dict[str, ColumnValue]:
    """A row in canonical values under the virtual entity's names; empty dates are left out."""
    found: dict[str, ColumnValue] = {}
    for name, field in columns.items():
        value = row[field.name]
        if field.kind == "enum":
            found[name] = _OPTIONS_FROM + ENUMS[field.enum][value]
        elif field.kind == "number":
            found[name] = str(value)
        elif field.kind != "date" or value != NO_DATE:
            found[name] = value if value != "" else None
    return found


def _sink(at_ms: int) -> str:
    at = moment(at_ms)
    return f"{at.month}/{at.day}/{at.year} {at.hour % 12 or 12}:{at:%M:%S %p}"
