"""CloudEvents 1.0 on Kafka, structured and binary, around a body of any format.

The binding is CloudEvents' own (reference/dataverse.md 1.4); the header prefixes of AMQP and HTTP
producers, which Event Hubs passes on, are accepted too.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from streams.formats.headers import Headers
from streams.formats.json_text import parse
from streams.formats.rows import time_of, wrong_type
from streams.formats.shape import CloudEvent, Json, UnreadableReason, unreadable

_PREFIXES = ("ce_", "ce-", "cloudevents:", "cloudevents_")
_REQUIRED = ("specversion", "type", "source", "id")


def of_headers(headers: Headers) -> CloudEvent | None:
    """Return the event of a message in binary mode; None when it is in none."""
    for prefix in _PREFIXES:
        if headers.text(prefix + "id") is None:
            continue
        attributes = {name: headers.text(prefix + name) for name in _REQUIRED}
        if all(attributes.values()):
            attributes |= {name: headers.text(prefix + name) for name in ("subject", "time")}
            return _event(attributes)
    return None


def is_structured(body: Json, headers: Headers) -> bool:
    """True when the body is an event itself, by its header or by the attributes it must have."""
    if all(isinstance(body.get(name), str) for name in _REQUIRED):
        return True
    declared = (headers.text("content-type") or "").lower().startswith("application/cloudevents")
    return declared and ("data" in body or "data_base64" in body)


def opened(body: Json) -> tuple[CloudEvent, Any]:
    """Return a structured event and its data; None when it has none. Raises Unreadable."""
    event = _event(body)
    encoded = body.get("data_base64")
    if encoded is None:
        return event, body.get("data")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise unreadable(
            UnreadableReason.MALFORMED_BASE64, "the CloudEvent's data_base64 is no base64"
        ) from None
    return event, parse(raw) if raw else None


def _event(attributes: Mapping[str, Any]) -> CloudEvent:
    texts = {}
    for name in ("id", "type", "source", "subject"):
        value = attributes.get(name)
        if not isinstance(value, str | None):
            raise wrong_type("CloudEvent", name, value, "no text")
        texts[name] = value or ""
    return CloudEvent(**texts, time_ms=time_of("CloudEvent", "time", attributes.get("time")))
