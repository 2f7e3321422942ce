"""Business events of finance and operations: thin news of a row that has to be read.

A flat object with the event's own fields beside the envelope's; rows are named by natural keys
(reference/dataverse.md 1.5). Which event is about which table, and which of its fields make the
key, ``tables.yaml`` says, since ids and fields differ between versions and companies. An event that
no table names is skipped and counted.

``ControlNumber`` rises from event to event; it stands where other formats have the operation's
time, so that a late duplicate carries the stamp of its first copy and asks for nothing new.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.catalogue import COMPANY, Table
from streams.errors import Unreadable
from streams.formats.rows import Happening, RawRow, change, time_of, user_of, wrong_type
from streams.formats.shape import (
    Decoded,
    Json,
    Skipped,
    SkipReason,
    Source,
    UnreadableReason,
    unreadable,
)
from streams.formats.values import WrongType, version_number
from streams.messages.facts import Operation, RecordChange

_WHERE = "BusinessEvent"
#: Where an event names its company: in its own fields, in the envelope of newer versions.
_COMPANY = ("LegalEntity", "BusinessEventLegalEntity", "DataAreaId")
_TIMES = ("EventTime", "EventTimeIso8601")


def is_business_event(body: Json) -> bool:
    return "BusinessEventId" in body and "EventId" in body


def decode(body: Json, source: Source) -> Decoded:
    """Return a thin change for each table that the event is about; raises Unreadable."""
    event = body["BusinessEventId"]
    if not isinstance(event, str) or not event:
        raise wrong_type(_WHERE, "BusinessEventId", event, "no id of a business event")
    tables = source.catalogue.of_event(event)
    if not tables:
        return Skipped(SkipReason.BUSINESS_EVENT_NOT_MAPPED, event[:100])
    happening = _happening(body, source)
    changes: list[RecordChange] = []
    empty: list[str] = []
    for table, fields in tables:
        key = _key(table, fields, body)
        empty += [name for name, value in key.items() if value in (None, "")]
        if all(value not in (None, "") for value in key.values()):
            found = change(source, table, None, RawRow(key), happening)
            changes.append(found.model_copy(update={"sequence": _control_number(body, found)}))
    if not changes:
        raise _without_key(event, empty)
    return tuple(changes)


def _happening(body: Json, source: Source) -> Happening:
    times = (time_of(_WHERE, name, body.get(name)) for name in _TIMES)
    at_ms = next((time for time in times if time is not None), None)
    return Happening(
        format="business_event",
        operation=Operation.UPSERT,
        time_ms=source.time_ms if at_ms is None else at_ms,
        actor=user_of(body.get("InitiatingUserAADObjectId")),
        thin=True,
    )


def _control_number(body: Json, found: RecordChange) -> int:
    """The event's place among all; without one, its time has to do."""
    try:
        number = version_number(body.get("ControlNumber"))
    except WrongType as fault:
        raise wrong_type(_WHERE, "ControlNumber", body["ControlNumber"], str(fault)) from None
    return found.sequence if number is None else number


def _key(table: Table, fields: Mapping[str, str], body: Json) -> dict[str, Any]:
    """The raw values of the table's key, under the table's names."""
    assert table.finance is not None
    named = {name.lower(): value for name, value in body.items()}
    found: dict[str, Any] = {}
    for column in table.finance.key:
        names = (fields[column],) if column in fields else _COMPANY if column == COMPANY else ()
        values = (named.get(name.lower()) for name in names)
        found[column] = next((value for value in values if value not in (None, "")), None)
    return found


def _without_key(event: str, empty: list[str]) -> Unreadable:
    columns = ", ".join(dict.fromkeys(empty))
    return unreadable(
        UnreadableReason.ROW_ID_MISSING,
        f"{event} has no value for {columns}",
        f"correct business_events of {event} in the rules' tables.yaml",
    )
