"""Events of Extended ECM, as a WebReport, a workflow step or a webhook sends them.

The JSON is ours, for the product has no outbound events of its own (reference/extended-ecm.md 8.3
and 8.5)::

    {"event_id": "…", "event": "contract.signed", "occurred_at": "2024-01-31T10:15:00Z",
     "workspace_id": 12345,
     "business_object": {"external_system": "D365", "type": "opportunity", "id": "<guid>"},
     "document": {"id": 6789, "version": 2, "name": "Agreement.pdf", "url": "https://…"},
     "actor": "jdoe", "attributes": {"effective_on": "2024-02-01"}}

Attributes that the flows look at: ``document_type``, ``folder_id`` (the folder that a document is
in; below a folder that Dovetail made, that one), ``milestone`` and what else a rule names,
``expires_on`` and ``effective_on``; of workflows ``workflow_id`` and ``comment``. A document that
is moved to another workspace is told to the one that it left as ``document.deleted``.

A workspace or a business object is needed, the rest may be null or missing. As a CloudEvent its
type is the event's name, also as ``com.opentext.ecm.<event>``, and id and time stand for the
body's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from streams.formats.rows import time_of, wrong_type
from streams.formats.shape import (
    Decoded,
    Json,
    Skipped,
    SkipReason,
    Source,
    UnreadableReason,
    unreadable,
)
from streams.formats.values import WrongType, number_text
from streams.messages.facts import BusinessObject, Document, EcmEvent
from tables.keys import RecordRef

PREFIX = "com.opentext.ecm."

#: Every event that Dovetail understands; others are skipped and counted.
EVENTS = frozenset(
    f"{subject}.{happened}"
    for subject, happenings in {
        "workspace": ("created", "updated", "connected", "deleted"),
        "document": (
            "added",
            "version_added",
            "renamed",
            "moved",
            "deleted",
            "approved",
            "rejected",
            "expired",
        ),
        "attribute": ("changed",),
        "classification": ("changed",),
        "hold": ("applied", "released"),
        "record": ("finalized",),
        "workflow": ("started", "step", "approved", "rejected", "stopped"),
        "signature": ("sent", "signed", "voided"),
        "permission": ("changed",),
        "contract": (
            "draft",
            "in_negotiation",
            "in_approval",
            "approved",
            "rejected",
            "signed",
            "executed",
            "expired",
            "terminated",
        ),
    }.items()
    for happened in happenings
)

_WHERE = "EcmEvent"
_SUBJECTS = ("workspace_id", "business_object", "event_id")


def is_ecm_event(body: Json, source: Source) -> bool:
    if source.event is not None:
        name = source.event.type.lower()
        if name.startswith(PREFIX) or name in EVENTS:
            return True
    return isinstance(body.get("event"), str) and any(name in body for name in _SUBJECTS)


def decode(body: Json, source: Source) -> Decoded:
    """Return the event; raises Unreadable, with workspace_unknown when it belongs nowhere."""
    event = _name(body, source)
    if event not in EVENTS:
        return Skipped(SkipReason.ECM_EVENT_NOT_MAPPED, event[:100])
    workspace_id = _workspace_id(body.get("workspace_id"))
    business_object = _business_object(body.get("business_object"))
    record = _record(business_object, source)
    if workspace_id is None and record is None:
        raise unreadable(
            UnreadableReason.WORKSPACE_UNKNOWN,
            f"{event} names no workspace, and no business object of a type that the rules know",
            "send workspace_id, or the business object that the workspace was created for",
        )
    occurred_ms = time_of(_WHERE, "occurred_at", body.get("occurred_at"))
    found = EcmEvent(
        event_id=_event_id(body, source),
        event=event,
        at_ms=source.time_ms if occurred_ms is None else occurred_ms,
        workspace_id=workspace_id,
        business_object=business_object,
        record=record,
        document=_document(body.get("document")),
        actor=_optional(body, "actor"),
        attributes=_attributes(body.get("attributes")),
        origin=source.origin("ecm_event"),
    )
    return (found,)


def _name(body: Json, source: Source) -> str:
    name = body.get("event")
    if not isinstance(name, str) or not name:
        name = source.event.type if source.event else ""
    return name.lower().removeprefix(PREFIX)


def _event_id(body: Json, source: Source) -> str:
    found = _optional(body, "event_id") or (source.event.id if source.event else None)
    if not found:
        raise unreadable(
            UnreadableReason.BODY_INCOMPLETE, f"{_WHERE} has no event_id, which tells repeats apart"
        )
    return found


def _workspace_id(raw: Any) -> int | None:
    return None if raw is None else _node_id("workspace_id", raw)


def _node_id(name: str, raw: Any) -> int:
    """A node id of Content Server: a positive number, as such or as text."""
    if isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) < 19:
        raw = int(raw)
    if not isinstance(raw, int) or isinstance(raw, bool) or not 0 < raw < 2**63:
        raise wrong_type(_WHERE, name, raw, "no node id")
    return raw


def _business_object(raw: Any) -> BusinessObject | None:
    if raw is None:
        return None
    body = _object("business_object", raw)
    return BusinessObject(
        external_system=_required(body, "external_system"),
        type=_required(body, "type"),
        id=_required(body, "id"),
    )


def _record(business_object: BusinessObject | None, source: Source) -> RecordRef | None:
    """The record that the business object stands for, when its type is one of the rules'."""
    if business_object is None:
        return None
    table = source.business_objects.get((business_object.external_system, business_object.type))
    if table is None:
        return None
    try:
        return RecordRef.of(table, business_object.id)
    except ValueError:
        return None


def _document(raw: Any) -> Document | None:
    if raw is None:
        return None
    body = _object("document", raw)
    return Document(
        id=_node_id("document.id", body.get("id")),
        version=_node_id("document.version", body.get("version")),
        name=_optional(body, "name") or "",
        url=_optional(body, "url") or "",
    )


def _attributes(raw: Any) -> dict[str, str | int | bool | None]:
    """Attributes as they are; a number with decimals becomes its text."""
    found: dict[str, str | int | bool | None] = {}
    for name, value in ({} if raw is None else _object("attributes", raw)).items():
        if isinstance(value, float | Decimal) or (isinstance(value, int) and abs(value) >= 2**63):
            value = _checked(name, value, number_text)
        if not isinstance(value, str | int | bool | None):
            raise wrong_type(_WHERE, f"attributes.{name[:60]}", value, "neither text nor number")
        found[name] = value
    return found


def _checked(name: str, value: Any, read: Callable[[Any], str]) -> str:
    try:
        return read(value)
    except WrongType as fault:
        raise wrong_type(_WHERE, f"attributes.{name[:60]}", value, str(fault)) from None


def _object(name: str, raw: Any) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise wrong_type(_WHERE, name, raw, "no object")
    return raw


def _required(body: Mapping[str, Any], name: str) -> str:
    found = _optional(body, name)
    if not found:
        raise wrong_type(_WHERE, f"business_object.{name}", body.get(name), "no text")
    return found


def _optional(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if not isinstance(value, str | None):
        raise wrong_type(_WHERE, name, value, "no text")
    return value
