"""Airbyte's envelope around a Web API row (reference/dataverse.md 1.3)."""

from __future__ import annotations

from streams.formats.json_text import parse
from streams.formats.naming import table_of
from streams.formats.rows import time_of
from streams.formats.shape import Decoded, Json, Skipped, Source, UnreadableReason, unreadable
from streams.formats.web_api import row_change

_DELETED_AT = "_ab_cdc_deleted_at"


def is_airbyte(body: Json) -> bool:
    return "_airbyte_data" in body


def decode(body: Json, source: Source) -> Decoded:
    """Return the change of one Airbyte record; raises Unreadable.

    A deleted record holds nothing but its id and the time of the poll.
    """
    row = body["_airbyte_data"]
    if isinstance(row, str):
        row = parse(row)
    if not isinstance(row, dict):
        raise unreadable(UnreadableReason.NOT_AN_OBJECT, "_airbyte_data is no object")
    stream = body.get("_airbyte_stream")
    table = table_of(source, stream if isinstance(stream, str) and stream else None)
    if isinstance(table, Skipped):
        return table
    deleted_ms = time_of(table.name, _DELETED_AT, row.get(_DELETED_AT))
    emitted_ms = time_of(table.name, "_airbyte_emitted_at", body.get("_airbyte_emitted_at"))
    time_ms = deleted_ms or emitted_ms or source.time_ms
    return (row_change(row, source, table, "airbyte", time_ms, deleted=deleted_ms is not None),)
