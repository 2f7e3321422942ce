"""Events of Extended ECM as a WebReport or a workflow step posts them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.sandbox.events import cloudevents
from app.sandbox.events.change import Encoded, dumped, iso


@dataclass(frozen=True, slots=True)
class EcmHappening:
    """One event; a workspace id or a business object (external system, type, id) is needed.

    ``document`` is (id, version, name, url).
    """

    event_id: str
    event: str
    at_ms: int
    workspace_id: int | None = None
    business_object: tuple[str, str, str] | None = None
    document: tuple[int, int, str, str] | None = None
    actor: str | None = None
    attributes: Mapping[str, str | int | bool | None] = field(default_factory=dict)


def encode(happening: EcmHappening, *, time_as_ms: bool = False) -> Encoded:
    """The event as plain JSON, its time as ISO text or as milliseconds."""
    body = {
        "event_id": happening.event_id,
        "event": happening.event,
        "occurred_at": happening.at_ms if time_as_ms else iso(happening.at_ms),
        **_content(happening),
    }
    return Encoded(_key(happening), dumped(body))


def encode_cloudevent(happening: EcmHappening, *, binary: bool = False) -> Encoded:
    """The event as a CloudEvent of type ``com.opentext.ecm.<event>``."""
    inner = Encoded(_key(happening), dumped(_content(happening)))
    attributes = cloudevents.Attributes(
        id=happening.event_id,
        type=f"com.opentext.ecm.{happening.event}",
        source="/otcs/livelink",
        time_ms=happening.at_ms,
    )
    wrap = cloudevents.binary if binary else cloudevents.structured
    return wrap(inner, attributes)


def _key(happening: EcmHappening) -> bytes | None:
    known = happening.workspace_id is not None
    return str(happening.workspace_id).encode() if known else None


def _content(happening: EcmHappening) -> dict[str, Any]:
    triple, document = happening.business_object, happening.document
    return {
        "workspace_id": happening.workspace_id,
        "business_object": (
            dict(zip(("external_system", "type", "id"), triple, strict=True)) if triple else None
        ),
        "document": (
            dict(zip(("id", "version", "name", "url"), document, strict=True)) if document else None
        ),
        "actor": happening.actor,
        "attributes": dict(happening.attributes),
    }
