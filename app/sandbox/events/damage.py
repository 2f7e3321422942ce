"""Messages that nobody can read: what really lands on a topic now and then."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.sandbox.events.change import Encoded


def _truncated(message: Encoded) -> bytes:
    value = message.value or b"{}"
    return value[: len(value) * 2 // 3]


def _not_utf8(message: Encoded) -> bytes:
    return b'{"name":"M\xfcller' + (message.value or b"")


#: Kind of damage -> the code under which it becomes a dead letter.
CODES: Mapping[str, str] = {
    "truncated": "malformed_json",
    "not_utf8": "not_utf8",
    "binary_xml": "binary_xml",
    "text_xml": "text_xml",
    "scalar": "not_an_object",
    "unknown_format": "unknown_format",
    "bad_base64": "malformed_base64",
    "nested": "malformed_json",
}

_DAMAGES: Mapping[str, Callable[[Encoded], bytes]] = {
    "truncated": _truncated,
    "not_utf8": _not_utf8,
    "binary_xml": lambda _: b"@\x06string\x083http://schemas.microsoft.com/2003/10/Serialization/",
    "text_xml": lambda _: b'<?xml version="1.0"?><RemoteExecutionContext/>',
    "scalar": lambda _: b"42",
    "unknown_format": lambda _: b'{"hello":"world"}',
    "bad_base64": lambda _: b'{"ContentData":"%%%"}',
    "nested": lambda _: b"[" * 5_000,
}


def damaged(message: Encoded, kind: str) -> Encoded:
    """The message with this kind of damage (a key of ``CODES``); key and headers stay."""
    return Encoded(message.key, _DAMAGES[kind](message), message.headers)
