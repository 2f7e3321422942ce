"""From a Kafka message to its changes: take off the layers, tell the format, decode.

The order of the tests is that of reference/dataverse.md 1.7. No test looks at the topic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from streams.catalogue import Catalogue
from streams.formats import (
    airbyte,
    business_events,
    cloudevents,
    debezium,
    ecm_events,
    rec,
    synapse,
    web_api,
    wrappers,
)
from streams.formats.headers import Headers
from streams.formats.json_text import parse
from streams.formats.shape import (
    Decoded,
    Json,
    Skipped,
    SkipReason,
    Source,
    SourceMessage,
    UnreadableReason,
    shown,
    unreadable,
)

#: A CloudEvent around a relay's wrapper around a text around a body is four.
_MAX_LAYERS = 8


def decode(
    message: SourceMessage,
    catalogue: Catalogue,
    business_objects: Mapping[tuple[str, str], str] | None = None,
) -> Decoded:
    """Return the changes that a message holds, in its order, or why it holds none.

    ``business_objects`` tells which table a business object type stands for:
    ``{(external system, type): table}``. Equal messages give equal answers: there is no clock and
    no state. Raises ``streams.errors.Unreadable`` with a code from ``UnreadableReason``, and
    nothing else.
    """
    if not message.value:
        return Skipped(SkipReason.TOMBSTONE)
    headers = Headers(message.headers)
    source = Source(
        message=message,
        catalogue=catalogue,
        headers=headers,
        business_objects=business_objects or {},
        event=cloudevents.of_headers(headers),
    )
    content_type = (headers.text("content-type") or "").lower()
    return _opened(parse(message.value, content_type), source)


def _opened(body: Any, source: Source) -> Decoded:
    """Take one layer after the other off, until a decoder knows the body."""
    for _ in range(_MAX_LAYERS):
        if body is None:
            return Skipped(SkipReason.TOMBSTONE)
        if isinstance(body, str):
            body = parse(body)
            continue
        if not isinstance(body, dict):
            raise unreadable(
                UnreadableReason.NOT_AN_OBJECT, f"the body is {shown(body)}, not an object"
            )
        if cloudevents.is_structured(body, source.headers):
            event, body = cloudevents.opened(body)
            source = replace(source, event=event)
            continue
        decoded = _decoded(body, source)
        if decoded is not None:
            return decoded
        body, source = _inner(body, source)
    raise unreadable(
        UnreadableReason.WRAPPED_TOO_DEEP, f"more than {_MAX_LAYERS} layers around the body"
    )


def _decoded(body: Json, source: Source) -> Decoded | None:
    """Ask the decoder that knows this body; None when none does."""
    for knows, decode_body in _FORMATS:
        if knows(body, source):
            return decode_body(body, source)
    return None


def _inner(body: Json, source: Source) -> tuple[Any, Source]:
    """Take Kafka Connect's or a relay's wrapper off; raises Unreadable when there is none."""
    if wrappers.is_connect(body):
        return body["payload"], replace(source, schema=body["schema"] or {})
    if wrappers.is_wrapper(body):
        return wrappers.unwrapped(body), source
    keys = ", ".join(sorted(body)[:12])
    raise unreadable(
        UnreadableReason.UNKNOWN_FORMAT,
        f"no known format has these keys: {shown(keys)}",
        'send one of the formats of "What to send us" in the README; a plain row needs the name of '
        "its table in a field _table",
    )


def _is_flat_row(body: Json, source: Source) -> bool:
    """Connect's schema beside an object that is nothing else: a flattened row without marks."""
    bare = source.schema is not None and not wrappers.is_wrapper(body)
    return debezium.is_flat(body) or (bare and not wrappers.is_connect(body))


def _names_its_table(body: Json) -> bool:
    """A row of a producer of one's own, with no mark of a format but the table's name."""
    return isinstance(body.get("_table"), str)


_FORMATS: tuple[tuple[Callable[[Json, Source], bool], Callable[[Json, Source], Decoded]], ...] = (
    (lambda body, _: rec.is_rec(body), rec.decode),
    (lambda body, _: debezium.is_debezium(body), debezium.decode),
    (lambda body, _: business_events.is_business_event(body), business_events.decode),
    (lambda body, _: web_api.is_web_api(body), web_api.decode),
    (lambda body, _: synapse.is_synapse(body), synapse.decode),
    (lambda body, _: airbyte.is_airbyte(body), airbyte.decode),
    (ecm_events.is_ecm_event, ecm_events.decode),
    (_is_flat_row, debezium.decode_flat),
    (lambda body, _: _names_its_table(body), web_api.decode),
)
