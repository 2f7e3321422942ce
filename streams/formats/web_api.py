"""Rows of the Dataverse Web API as a change-tracking relay sends them, and their deletes.

A row has the selected columns, lookups as ``_name_value`` with the table in an annotation
(reference/dataverse.md 2.3 and 2.7). Create and update are not told apart. A relay may send a
whole page of a delta at once.
"""

from __future__ import annotations

import re
from typing import Any

from streams.catalogue import Table
from streams.formats.naming import table_of
from streams.formats.rows import Happening, RawRow, change
from streams.formats.shape import (
    Decoded,
    Json,
    Skipped,
    SkipReason,
    Source,
    UnreadableReason,
    unreadable,
)
from streams.messages.facts import EcmEvent, Operation, RecordChange

_LOOKUP = re.compile(r"_(.+)_value")
_TABLE_OF_LOOKUP = "@microsoft.dynamics.crm.lookuplogicalname"
_ENTITY_SET = re.compile(r"\$metadata#([A-Za-z0-9_]+)")
_ETAG = re.compile(r'(?:W/)?"?(\d{1,18})"?', re.ASCII)
_ID_IN_URL = re.compile(r"(?:^|/)([A-Za-z0-9_]+)\(([0-9A-Fa-f-]{32,36})\)$")


def is_web_api(body: Json) -> bool:
    return "@odata.etag" in body or is_removed(body) or is_page(body)


def is_removed(body: Json) -> bool:
    """True for ``{"@odata.context": "…/$deletedEntity", "id": …, "reason": "deleted"}``."""
    if isinstance(body.get("@removed"), dict):
        return True
    context = body.get("@odata.context")
    return isinstance(context, str) and context.endswith("$deletedEntity") and "id" in body


def is_page(body: Json) -> bool:
    return isinstance(body.get("value"), list) and isinstance(body.get("@odata.context"), str)


def decode(body: Json, source: Source) -> Decoded:
    """Return the change of a row, or of each row of a page; raises Unreadable."""
    if not is_page(body):
        return _row(body, source, _context(body))
    changes: list[RecordChange | EcmEvent] = []
    skipped = Skipped(SkipReason.EMPTY_PAGE)
    for row in body["value"]:
        if not isinstance(row, dict):
            raise unreadable(UnreadableReason.NOT_AN_OBJECT, "a row of the page is no object")
        decoded = _row(row, source, _context(row) or _context(body))
        if isinstance(decoded, Skipped):
            skipped = decoded
        else:
            changes.extend(decoded)
    return tuple(changes) or skipped


def _row(body: Json, source: Source, context: str) -> Decoded:
    removed = is_removed(body)
    removed_id, removed_set = _removed_id(body) if removed else (None, "")
    table = _table(body, source, context or removed_set)
    if isinstance(table, Skipped):
        return table
    if removed:
        return (_removed(body, source, table, removed_id),)
    return (row_change(body, source, table, "web_api", source.time_ms),)


def row_change(
    body: Json, source: Source, table: Table, format_name: str, time_ms: int, deleted: bool = False
) -> RecordChange:
    """Return the change of one row in the Web API's shape."""
    etag = body.get("@odata.etag")
    match = _ETAG.fullmatch(etag) if isinstance(etag, str) else None
    happening = Happening(
        format=format_name,
        operation=Operation.DELETE if deleted else Operation.UPSERT,
        time_ms=time_ms,
        version=int(match[1]) if match else None,
    )
    row = raw_row(body)
    return change(source, table, row.values.get(table.primary_id), row, happening)


def raw_row(body: Json) -> RawRow:
    """Take lookups and annotations apart: ``_ownerid_value`` is the column ``ownerid``."""
    values: dict[str, Any] = {}
    tables: dict[str, str] = {}
    for name, value in body.items():
        name = name.lower()
        column, _, annotation = name.partition("@")
        if match := _LOOKUP.fullmatch(column):
            column = match[1]
        if not annotation:
            values[column] = value
        elif name.endswith(_TABLE_OF_LOOKUP) and isinstance(value, str) and value:
            tables[column] = value
    return RawRow(values, tables)


def _removed(body: Json, source: Source, table: Table, row_id: Any) -> RecordChange:
    """A removed row was deleted, or (reason "changed") is no longer shown and must be read."""
    mark = body.get("@removed")
    reason = mark.get("reason") if isinstance(mark, dict) else body.get("reason")
    deleted = reason != "changed"
    happening = Happening(
        format="web_api",
        operation=Operation.DELETE if deleted else Operation.UPSERT,
        time_ms=source.time_ms,
        thin=not deleted,
    )
    return change(source, table, row_id, RawRow({}), happening)


def _removed_id(body: Json) -> tuple[Any, str]:
    """The id of a removed row, and the entity set when the id is an address."""
    raw = body.get("id", body.get("@id", body.get("@odata.id")))
    match = _ID_IN_URL.search(raw) if isinstance(raw, str) else None
    return (match[2], match[1]) if match else (raw, "")


def _context(body: Json) -> str:
    """The entity set that ``@odata.context`` names; empty when it does not."""
    context = body.get("@odata.context")
    match = _ENTITY_SET.search(context) if isinstance(context, str) else None
    return match[1] if match else ""


def _table(body: Json, source: Source, entity_set: str) -> Table | Skipped:
    named = body.get("_table")
    if isinstance(named, str) and named:
        return table_of(source, named)
    return table_of(source, entity_set or None)
