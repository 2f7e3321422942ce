"""RemoteExecutionContext: what Dataverse's service endpoints and webhooks push.

Also the data events of finance and operations, whose tables start with ``mserp_``
(reference/dataverse.md 1.1 and 1.6) and whose pre-image tells which row it is. An update carries
the submitted columns only; a post-image adds what it shows. A body that its transport cut off
becomes a thin change: the row is read again.
``RowVersion`` of a target is not read: it is the version that a cautious writer expected before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from streams.catalogue import Table
from streams.formats.finance import own_names
from streams.formats.naming import table_of
from streams.formats.rec_body import RecBody, attributes, id_of
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
from streams.messages.facts import Operation, RecordChange

#: State after a closing message: the message and the table decide (reference/dataverse.md 3.2).
_CLOSED_STATES = {
    ("win", "opportunity"): 1,
    ("lose", "opportunity"): 2,
    ("win", "quote"): 2,
    ("close", "quote"): 3,
    ("close", "incident"): 1,
}
#: State and status of the record that a merge leaves behind.
_MERGED_STATES = {"account": (1, 2), "contact": (1, 2), "incident": (2, 2000)}


def is_rec(body: Json) -> bool:
    return "MessageName" in body and "PrimaryEntityName" in body


def decode(body: Json, source: Source) -> Decoded:
    """Return the changes of one platform message; raises Unreadable."""
    rec = RecBody.of(body, source)
    handler = _HANDLERS.get(rec.message)
    if handler is None:
        if rec.message in ("associate", "disassociate"):
            return Skipped(SkipReason.ASSOCIATION_NOT_MAPPED, rec.message)
        return Skipped(SkipReason.MESSAGE_NOT_MAPPED, rec.message[:100])
    table = table_of(source, rec.table_name())
    return table if isinstance(table, Skipped) else handler(rec, table)


def _written(operation: Operation) -> Callable[[RecBody, Table], Decoded]:
    """Create, Update and Upsert: the target's columns, over those of the post-images."""

    def handler(rec: RecBody, table: Table) -> Decoded:
        target = rec.entity("Target")
        columns = {**rec.post_image(), **attributes(target)}
        return (_change(rec, table, operation, columns, whole="Attributes" in target),)

    return handler


def _deleted(rec: RecBody, table: Table) -> Decoded:
    return (_change(rec, table, Operation.DELETE, rec.pre_image(), whole=True),)


def _assigned(rec: RecBody, table: Table) -> Decoded:
    assignee = rec.entity("Assignee")
    columns = {"ownerid": assignee} if assignee else {}
    return (_update(rec, table, columns),)


def _state_set(rec: RecBody, table: Table) -> Decoded:
    pairs = (("statecode", rec.inputs.get("State")), ("statuscode", rec.inputs.get("Status")))
    return (_update(rec, table, {name: raw for name, raw in pairs if raw is not None}),)


def _closed(rec: RecBody, table: Table) -> Decoded:
    """Win, Lose and Close: the state is certain, the status when it is not "the default" (-1)."""
    columns: dict[str, Any] = {}
    state = _CLOSED_STATES.get((rec.message, table.name))
    if state is not None:
        columns["statecode"] = state
    status = rec.inputs.get("Status")
    if status is not None and not (isinstance(status, dict) and status.get("Value") == -1):
        columns["statuscode"] = status
    whole = len(columns) == 2
    row_id = rec.row_id(table) or id_of(rec.closing_activity().get(table.primary_id))
    merged = {**rec.post_image(), **columns}
    return (_change(rec, table, Operation.UPDATE, merged, whole=whole, row_id=row_id),)


def _several(operation: Operation) -> Callable[[RecBody, Table], Decoded]:
    """CreateMultiple and its like: one change for each entity of ``Targets``."""

    def handler(rec: RecBody, table: Table) -> Decoded:
        changes = []
        for entity in rec.entities("Targets"):
            columns = attributes(entity)
            row_id = id_of(entity) or columns.get(table.primary_id)
            changes.append(_change(rec, table, operation, columns, whole=True, row_id=row_id))
        if not changes:
            raise unreadable(
                UnreadableReason.BODY_INCOMPLETE,
                f"{rec.message} of {table.name} was cut off and names no row",
                "register the step on Create and Update instead",
            )
        return tuple(changes)

    return handler


def _merged(rec: RecBody, table: Table) -> Decoded:
    """The subordinate becomes inactive and points to the target, which takes over columns."""
    subordinate = rec.inputs.get("SubordinateId")
    if subordinate is None:
        return (_update(rec, table, {}),)
    target = rec.entity("Target") or {"Id": rec.row_id(table)}
    left: dict[str, Any] = {"merged": True}
    if id_of(target) is not None:
        left["masterid"] = {"Id": id_of(target), "LogicalName": table.name}
    state, status = _MERGED_STATES.get(table.name, (None, None))
    if state is not None:
        left |= {"statecode": state, "statuscode": status}
    changes = [
        _change(rec, table, Operation.UPDATE, left, whole=state is not None, row_id=subordinate)
    ]
    taken_over = {**rec.post_image(), **attributes(rec.entity("UpdateContent"))}
    if taken_over:
        row_id = id_of(target)
        changes.append(_change(rec, table, Operation.UPDATE, taken_over, whole=True, row_id=row_id))
    return tuple(changes)


def _update(rec: RecBody, table: Table, columns: dict[str, Any]) -> RecordChange:
    """An update that is thin when the message's own columns are not there."""
    shown = {**rec.post_image(), **columns}
    return _change(rec, table, Operation.UPDATE, shown, whole=bool(columns))


def _change(
    rec: RecBody,
    table: Table,
    operation: Operation,
    columns: Mapping[str, Any],
    *,
    whole: bool,
    row_id: Any = None,
) -> RecordChange:
    happening = Happening(
        format="rec",
        operation=operation,
        time_ms=rec.time_ms,
        actor=rec.actor,
        tag=rec.tag,
        thin=rec.trimmed or not whole,
    )
    values = {**_key_before(rec, table), **columns}
    return change(rec.source, table, row_id or rec.row_id(table), RawRow(values), happening)


def _key_before(rec: RecBody, table: Table) -> dict[str, Any]:
    """The natural key of a row of finance and operations, which an update does not repeat."""
    if table.finance is None:
        return {}
    before = own_names(table.finance, rec.pre_image())
    return {name: before[name] for name in table.finance.key if name in before}


_HANDLERS: Mapping[str, Callable[[RecBody, Table], Decoded]] = {
    "create": _written(Operation.CREATE),
    "update": _written(Operation.UPDATE),
    "upsert": _written(Operation.UPSERT),
    "delete": _deleted,
    "assign": _assigned,
    "setstate": _state_set,
    "setstatedynamicentity": _state_set,
    "win": _closed,
    "lose": _closed,
    "close": _closed,
    "createmultiple": _several(Operation.CREATE),
    "updatemultiple": _several(Operation.UPDATE),
    "upsertmultiple": _several(Operation.UPSERT),
    "deletemultiple": _several(Operation.DELETE),
    "merge": _merged,
}
