"""Reading messages of our own topics, on which nobody else may write."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from streams.engine.records import Record
from streams.errors import Unreadable


def read_own(record: Record, messages: TypeAdapter[Any]) -> Any:
    """Return the message, one of ``messages``.

    Raises Unreadable: ``not_our_message`` when it is none, ``wrong_key`` when its key is not the
    one that it says itself: it would have come to the wrong partition, and so to the wrong rows.
    """
    try:
        message = messages.validate_json(record.value or b"")
    except ValidationError as fault:
        first = fault.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "message"
        raise Unreadable(f"{where}: {first['msg']}", code="not_our_message") from None
    if (record.key or b"").decode("utf-8", "replace") != message.key:
        raise Unreadable(
            f"the key {record.key!r} is not the message's, {message.key}",
            code="wrong_key",
            advice="only dovetail writes to this topic; see who else does",
        )
    return message
