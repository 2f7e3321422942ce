"""Which table a body is about: rows, unlike a RemoteExecutionContext, often do not say.

In this order: the name in the body, the name in a header, the CloudEvent's subject, the topic, the
CloudEvent's type. A name that the rules do not know means that the table is not ours; a topic or
subject counts only when its parts name exactly one of our tables.
"""

from __future__ import annotations

import re

from streams.catalogue import Table
from streams.formats.shape import Skipped, SkipReason, Source, UnreadableReason, unreadable

#: Headers that name a table: relays', the webhook's, Debezium's and Kafka Connect's.
_HEADERS = (
    "table",
    "_table",
    "__table",
    "entity",
    "entityname",
    "entity_name",
    "logicalname",
    "x-ms-dynamics-entity-name",
    "ce_entity",
    "ce_table",
)
_PARTS = re.compile(r"[^a-z0-9_]+")


def table_of(source: Source, named: str | None, *hints: str) -> Table | Skipped:
    """Return the table that the event is about, or the skip when no rule listens to it.

    ``named`` is the body's own word, ``hints`` are texts of the body whose parts may name the
    table. Raises Unreadable(table_unknown) when nothing tells.
    """
    name = named or header_name(source)
    if name:
        return _known(source, name) or Skipped(SkipReason.TABLE_NOT_MAPPED, name[:100])
    event = source.event
    texts = (*hints, event.subject if event else "", source.message.topic)
    for text in (*texts, event.type if event else ""):
        table = _in_text(source, text)
        if table is not None:
            return table
    raise unreadable(
        UnreadableReason.TABLE_UNKNOWN,
        f"neither the body, nor a header, nor the topic {source.message.topic!r} names one table",
        'name it in a header "table", or in the topic: d365.<table>.changes.v1',
    )


def header_name(source: Source) -> str | None:
    """Return the table that a header names, as it is written there."""
    return source.headers.text(*_HEADERS) or source.headers.claim("EntityLogicalName")


def _known(source: Source, name: str) -> Table | None:
    """Look a name up: logical name, entity set, source of a finance table, or ``AccountBase``."""
    plain = name.strip().lower()
    catalogue = source.catalogue
    found = catalogue.get(plain) or catalogue.by_source(plain) or catalogue.by_entity_set(plain)
    if found is None and plain.endswith("base"):
        found = source.catalogue.get(plain.removesuffix("base"))
    return found


def _in_text(source: Source, text: str) -> Table | None:
    found = {}
    for part in _PARTS.split(text.lower()):
        table = _known(source, part) if part else None
        if table is not None:
            found[table.name] = table
    return next(iter(found.values())) if len(found) == 1 else None
