"""What relays put around a body: Functions, Logic Apps, Event Grid, Kafka Connect.

reference/dataverse.md 1.1 and 1.4.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from streams.formats.json_text import parse
from streams.formats.shape import Json, UnreadableReason, unreadable

_WRAPPERS = ("value", "body")


def is_connect(body: Json) -> bool:
    """True for JsonConverter's ``{"schema": …, "payload": …}``."""
    return body.keys() >= {"schema", "payload"} and isinstance(body["schema"], dict | None)


def is_wrapper(body: Json) -> bool:
    """True when a relay wrapped another body: ``value``, ``body``, ``data`` or ``ContentData``."""
    wrapped = any(_holds(body, name) for name in _WRAPPERS)
    return isinstance(body.get("ContentData"), str) or wrapped or _is_event_grid(body)


def unwrapped(body: Json) -> Any:
    """Return what a relay wrapped; raises Unreadable."""
    content = body.get("ContentData")
    if _is_event_grid(body):
        return body["data"]
    if not isinstance(content, str):
        return next(body[name] for name in _WRAPPERS if _holds(body, name))
    try:
        raw = base64.b64decode(content, validate=True)
    except (ValueError, binascii.Error):
        raise unreadable(
            UnreadableReason.MALFORMED_BASE64, "the relay's ContentData is no base64"
        ) from None
    return parse(raw, str(body.get("ContentType", "")).lower()) if raw else None


def _is_event_grid(body: Json) -> bool:
    """True for Event Grid's own schema, in which business events travel to an Event Hub."""
    return body.keys() >= {"eventType", "eventTime", "data"} and _holds(body, "data")


def _holds(body: Json, name: str) -> bool:
    """True for an object, or a text that is to be parsed as one."""
    inner = body.get(name)
    if isinstance(inner, str):
        return inner.lstrip("\ufeff \t\r\n")[:1] in ("{", '"')
    return isinstance(inner, dict)
