"""Facts for tests, short to write."""

from __future__ import annotations

import uuid

from streams.catalogue import ColumnValue
from streams.messages.facts import (
    BusinessObject,
    Document,
    EcmEvent,
    Operation,
    Origin,
    RecordChange,
)
from tables.keys import RecordRef

ORIGIN = Origin(format="test", topic="source", partition=0, offset=0)
START_MS = 1_700_000_000_000


def ref(table: str, number: int) -> RecordRef:
    return RecordRef(table, str(uuid.UUID(int=number)))


def change(
    record: RecordRef,
    second: int,
    *,
    operation: Operation = Operation.UPDATE,
    version: int | None = None,
    actor: str | None = None,
    thin: bool = False,
    sequence: int = 0,
    **columns: ColumnValue,
) -> RecordChange:
    """A change ``second`` seconds after the start."""
    return RecordChange(
        record=record,
        operation=operation,
        columns=columns,
        at_ms=START_MS + second * 1000,
        sequence=sequence,
        version=version,
        actor=actor,
        thin=thin,
        origin=ORIGIN,
    )


def deleted(record: RecordRef, second: int) -> RecordChange:
    return change(record, second, operation=Operation.DELETE)


def event(
    name: str,
    second: int,
    *,
    workspace_id: int | None = None,
    record: RecordRef | None = None,
    document: Document | None = None,
    **attributes: ColumnValue,
) -> EcmEvent:
    """A contract event, of a workspace or of a record's business object."""
    named = (
        BusinessObject(external_system="D365", type="contract", id=record.id) if record else None
    )
    return EcmEvent(
        event_id=f"{name}-{second}",
        event=name,
        at_ms=START_MS + second * 1000,
        workspace_id=workspace_id,
        business_object=named,
        record=record,
        document=document,
        attributes=attributes,
        origin=ORIGIN,
    )
