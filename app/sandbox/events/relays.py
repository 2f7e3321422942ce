"""What relays between Dataverse and Kafka do to a body (reference/dataverse.md 1.1, last table)."""

from __future__ import annotations

import base64

import orjson

from app.sandbox.events.change import Encoded, dumped


def double_encoded(inner: Encoded) -> Encoded:
    """The whole body as a JSON string, as Functions and Logic Apps leave it."""
    return Encoded(inner.key, dumped((inner.value or b"").decode()), inner.headers)


def in_key(inner: Encoded, name: str = "value", *, as_text: bool = False) -> Encoded:
    """The body under a key: ``{"value": {...}}``, ``{"body": "{...}"}``."""
    value = inner.value or b"null"
    content = value.decode() if as_text else orjson.Fragment(value)
    return Encoded(inner.key, dumped({name: content}), inner.headers)


def content_data(inner: Encoded) -> Encoded:
    """The Service Bus connector of Logic Apps: base64 in ``ContentData``."""
    body = {
        "ContentData": base64.b64encode(inner.value or b"").decode(),
        "ContentType": "application/json",
        "Properties": {"DeliveryCount": "1"},
    }
    return Encoded(inner.key, dumped(body), inner.headers)


def with_bom(inner: Encoded) -> Encoded:
    """A UTF-8 byte order mark in front, as .NET's writers put it."""
    return Encoded(inner.key, b"\xef\xbb\xbf" + (inner.value or b""), inner.headers)
