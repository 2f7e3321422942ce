"""Bytes to JSON values, exactly: no number loses a digit and no malformed text gets through."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn

import orjson

from streams.formats.shape import UnreadableReason, shown, unreadable

_BOM = b"\xef\xbb\xbf"
#: Far above what any sender can deliver (Dataverse trims at 256 KB, Event Hubs stops at 1 MB).
MAX_BYTES = 16 * 1024 * 1024
_DIGITS = bytes.maketrans(b"123456789.", b"0" * 10)
#: A double keeps 15 digits, so a numeral of 16 digits and a point may not survive as one.
_LONG_NUMERAL = b"0" * 17


def parse(raw: bytes | str, content_type: str = "") -> Any:
    """Return the JSON value of a text; non-integral numbers of 16 digits or more are Decimals.

    Raises Unreadable: too_large, binary_xml, text_xml, not_utf8 or malformed_json.
    """
    body = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    if len(body) > MAX_BYTES:
        raise unreadable(
            UnreadableReason.TOO_LARGE, f"the body has {len(body)} bytes, more than {MAX_BYTES}"
        )
    body = body.removeprefix(_BOM)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        _refuse(body, content_type, fault)
    return _exactly(body) if _LONG_NUMERAL in body.translate(_DIGITS) else value


def _exactly(body: bytes) -> Any:
    """Read again with numbers as they are written; orjson has checked all but depth and digits."""
    try:
        return json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError) as fault:
        raise unreadable(
            UnreadableReason.MALFORMED_JSON, f"the body holds an impossible number ({fault})"
        ) from None


def _refuse(body: bytes, content_type: str, fault: orjson.JSONDecodeError) -> NoReturn:
    """Say why a body is no JSON, as precisely as its first bytes allow."""
    if "msbin1" in content_type or body[:1] == b"@":
        raise unreadable(
            UnreadableReason.BINARY_XML,
            "the body is .NET binary XML",
            "set the service endpoint's message format to JSON",
        ) from None
    if body.lstrip()[:1] == b"<":
        raise unreadable(
            UnreadableReason.TEXT_XML,
            "the body is XML",
            "set the service endpoint's message format to JSON",
        ) from None
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as broken:
        raise unreadable(
            UnreadableReason.NOT_UTF8, f"the body is not UTF-8 from byte {broken.start}"
        ) from None
    raise unreadable(
        UnreadableReason.MALFORMED_JSON, f"the body is no JSON: {shown(str(fault))}"
    ) from None
