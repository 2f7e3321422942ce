"""CreateMultiple, UpdateMultiple, UpsertMultiple: all rows or none (reference/dataverse.md 2.9)."""

from __future__ import annotations

from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.operations.bodies import Bodies, row_address
from app.sandbox.dataverse.operations.writes import Writes
from app.sandbox.dataverse.store.commits import Author, Row
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.schema import Table
from app.sandbox.dataverse.tables.values import as_guid
from app.sandbox.dataverse.web.urls import Answer, ApiRequest, Segment

PREFIX = "Microsoft.Dynamics.CRM."


class Bulk:
    """Answers ``POST`` on the bulk actions of an entity set."""

    def __init__(self, store: Store, bodies: Bodies, writes: Writes) -> None:
        self._store = store
        self._bodies = bodies
        self._writes = writes

    def answer(self, request: ApiRequest, table: Table, action: str) -> Answer:
        """Raises the `Refusal` of the first row that fails; then no row is written."""
        name = action.removeprefix(PREFIX)
        if name == "DeleteMultiple":  # elastic tables alone have it
            raise Refusal(501, "0x80060888", "DeleteMultiple has not yet been implemented.")
        if name not in ("CreateMultiple", "UpdateMultiple", "UpsertMultiple"):
            raise Refusal.not_implemented(name)
        if request.method != "POST":
            raise Refusal.method(request.method)
        targets = _targets(request.json(), table)
        with self._store.transaction():
            if name == "CreateMultiple":
                rows = [self._create(table, target, request.author) for target in targets]
                context = f"{request.base_url}/$metadata#{PREFIX}CreateMultipleResponse"
                return Answer(200, {"@odata.context": context, "Ids": [row.id for row in rows]})
            seen: set[str] = set()
            for target in targets:
                row = self._write(table, target, request.author, upsert=name == "UpsertMultiple")
                if row.id in seen:
                    raise Refusal.invalid_argument(f"{table.name} {row.id} occurs twice in Targets")
                seen.add(row.id)
        return Answer(204)

    def _create(self, table: Table, target: dict[str, Any], author: Author) -> Row:
        return self._writes.create(table, self._bodies.read(table, target), author)

    def _write(self, table: Table, target: dict[str, Any], author: Author, *, upsert: bool) -> Row:
        segment = _named(table, target)
        row = self._bodies.find(table, segment)
        if row is not None:
            return self._writes.update(table, row, self._bodies.columns(table, target), author)
        if not upsert:
            raise _lacking(table, segment)
        given = self._bodies.read(table, target)
        if segment.guid is None:
            given.values |= self._bodies.key_values(table, segment)[1]
        return self._writes.create(table, given, author, row_id=segment.guid)


def _lacking(table: Table, segment: Segment) -> Refusal:
    if segment.guid is None:
        return Refusal.missing_key(table.name)
    return Refusal(404, "0x80040217", f"{table.name} With Ids = {segment.guid} Do Not Exist")


def _targets(body: dict[str, Any], table: Table) -> list[dict[str, Any]]:
    targets = body.get("Targets")
    if not isinstance(targets, list) or not targets:
        raise Refusal.payload("The parameter Targets must be a list with at least one row.")
    wanted = f"{PREFIX}{table.name}"
    for target in targets:
        kind = target.get("@odata.type") if isinstance(target, dict) else None
        if str(kind).removeprefix("#") != wanted:
            raise Refusal.payload(f"Each of Targets needs '@odata.type': '{wanted}'.")
    return targets


def _named(table: Table, target: dict[str, Any]) -> Segment:
    """Which row a target is: by ``@odata.id`` or by its primary id."""
    if (address := target.get("@odata.id")) is not None:
        segment = row_address(address)
        if segment.name != table.entity_set:
            raise Refusal.payload(f"'{address}' is no address of a row of {table.name}.")
        return segment
    guid = as_guid(str(target.get(table.primary_id, "")))
    if guid is None:
        raise Refusal.payload(f"A row of Targets lacks '{table.primary_id}' and '@odata.id'.")
    return Segment(table.entity_set, guid=guid)
