"""Kafka headers, with the AMQP encoding that Event Hubs' Kafka endpoint leaves on their values.

An AMQP application property keeps its type byte: ``0xA1 len text``, ``0xB1 len4 text``, ``0x41``
for true (reference/dataverse.md 1.1). Everything else is plain UTF-8.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable

_CLAIMS = "http://schemas.microsoft.com/xrm/2011/claims/"
_TRUE = {"true", "1", "yes", ""}
#: Types of fixed width: type byte -> struct format of what follows.
_FIXED = {
    0x43: "", 0x44: "", 0x45: "",
    0x50: ">B", 0x51: ">b", 0x52: ">B", 0x53: ">B", 0x54: ">b", 0x55: ">b",
    0x60: ">H", 0x61: ">h", 0x70: ">I", 0x71: ">i", 0x72: ">f", 0x73: ">I",
    0x80: ">Q", 0x81: ">q", 0x82: ">d", 0x83: ">q",
}  # fmt: skip


class Headers:
    """The headers of one message: names in any case, values as text."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[str, bytes]]) -> None:
        self._values = {name.lower(): value for name, value in pairs}

    def text(self, *names: str) -> str | None:
        """Return the first of these headers that is there and has text (names in lower case)."""
        for name in names:
            raw = self._values.get(name)
            text = header_text(raw) if raw is not None else None
            if text:
                return text
        return None

    def claim(self, name: str) -> str | None:
        """Return a property of Dataverse's service endpoint, e.g. ``EntityLogicalName``."""
        return self.text(_CLAIMS + name.lower())

    def flag(self, *names: str) -> bool:
        """True when one of these headers is there and does not say false."""
        for name in names:
            if name in self._values:
                text = header_text(self._values[name])
                return text is None or text.lower() in _TRUE
        return False


def header_text(raw: bytes) -> str | None:
    """Return a header's value as text, AMQP-encoded or plain; None when it is neither.

    >>> header_text(b"\\xa1\\x07account"), header_text(b"account"), header_text(b"\\x41")
    ('account', 'account', 'true')
    """
    text = _amqp_text(raw)
    if text is not None:
        return text.strip()
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        return None


def _amqp_text(raw: bytes) -> str | None:
    """Read an AMQP 1.0 primitive; None when the bytes are none, of another length or plain text."""
    if not raw:
        return None
    code, data = raw[0], raw[1:]
    if code in (0x41, 0x42) and not data:
        return "true" if code == 0x41 else "false"
    if code == 0x56 and data in (b"\x00", b"\x01"):
        return "true" if data == b"\x01" else "false"
    if code == 0x98 and len(data) == 16:
        return str(uuid.UUID(bytes=data))
    if code in (0xA1, 0xA3):
        return _counted(data, ">B")
    if code in (0xB1, 0xB3):
        return _counted(data, ">I")
    return _fixed(code, data)


def _counted(data: bytes, count: str) -> str | None:
    size = struct.calcsize(count)
    if len(data) < size or struct.unpack(count, data[:size])[0] != len(data) - size:
        return None
    try:
        return data[size:].decode("utf-8")
    except UnicodeDecodeError:
        return None


def _fixed(code: int, data: bytes) -> str | None:
    layout = _FIXED.get(code)
    if layout is None or struct.calcsize(layout) != len(data):
        return None
    # "queue" could be the int32 0x71 + 4 bytes, and "D" a zero: what reads as text is text.
    if code < 0x80 and (not data or _reads_as_text(data)):
        return None
    return str(struct.unpack(layout, data)[0])


def _reads_as_text(data: bytes) -> bool:
    """True for printable UTF-8, which a count of the same bytes hardly ever is."""
    try:
        return data.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return False
