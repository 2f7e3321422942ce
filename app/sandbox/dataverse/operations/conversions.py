"""Actions that make one record of another, or one of two: convert and merge.

Names as reference/dataverse.md 2.10 has them; a merge is the event that 1.1 describes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.operations.bodies import Bodies, Given
from app.sandbox.dataverse.operations.rows import RowsApi
from app.sandbox.dataverse.operations.writes import Writes
from app.sandbox.dataverse.queries.selection import Selection
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.store.store import Store, references_to
from app.sandbox.dataverse.store.writing import Writer
from app.sandbox.dataverse.tables.schema import ColumnType, Registry, Table
from app.sandbox.dataverse.tables.values import Reference, Values, as_guid
from app.sandbox.dataverse.web.urls import Answer, ApiRequest

CONVERSIONS: Mapping[str, tuple[str, str, str, str]] = {
    "ConvertQuoteToSalesOrder": ("quote", "QuoteId", "salesorder", "quoteid"),
    "ConvertSalesOrderToInvoice": ("salesorder", "SalesOrderId", "invoice", "salesorderid"),
}
"""By action: the table it reads, the parameter with the id, the table it makes, its lookup back."""

MERGEABLE = ("account", "contact", "lead", "incident")
NOT_COPIED = ("statecode", "statuscode", "createdon", "modifiedon", "versionnumber")


class Conversions:
    """Answers ``POST`` on the actions of `CONVERSIONS`, and on ``Merge``."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        bodies: Bodies,
        writes: Writes,
        writer: Writer,
        rows: RowsApi,
    ) -> None:
        self._store = store
        self._registry = registry
        self._bodies = bodies
        self._writes = writes
        self._writer = writer
        self._rows = rows

    def convert(self, request: ApiRequest) -> Answer:
        """200 with the new record. Raises `Refusal` 400 or 404."""
        source, parameter, target, back = CONVERSIONS[request.segments[0].name]
        if request.method != "POST":
            raise Refusal.method(request.method)
        row = self._row(source, request.json().get(parameter), parameter)
        if source == "quote" and row.values.get("statecode") not in (1, 2):
            raise Refusal.invalid_argument("Only an active or won quote becomes an order.")
        table = self._registry.table(target)
        values = _shared(self._registry.table(source), row, table)
        values[back] = Reference(source, row.id)
        made = self._writes.create(table, Given(values), request.author)
        return Answer(200, self._rows.entity(request, made, Selection(table)))

    def merge(self, request: ApiRequest) -> Answer:
        """204: the subordinate is inactive, and what pointed to it points to the target."""
        if request.method != "POST":
            raise Refusal.method(request.method)
        body = request.json()
        table, target = self._merged(body.get("Target"), "Target")
        other_table, subordinate = self._merged(body.get("Subordinate"), "Subordinate")
        if other_table is not table or target.id == subordinate.id:
            raise Refusal.invalid_argument("Two different rows of one table can be merged.")
        content = body.get("UpdateContent") or {}
        if not isinstance(content, dict):
            raise Refusal.payload("UpdateContent is an object.")
        kept = {n: v for n, v in content.items() if n != table.primary_id}
        changes = self._bodies.columns(table, kept)
        with self._store.transaction():
            if changes:
                target = self._writes.update(table, target, changes, request.author)
            self._move(table, subordinate, target, request)
            closed: Values = {"statecode": 1, "merged": True}
            closed["masterid"] = Reference(table.name, target.id)
            if table.name == "incident":
                closed |= {"statecode": 2, "statuscode": 2000}
            current = self._store.get(table.name, subordinate.id) or subordinate
            known = {n: v for n, v in closed.items() if n in table.columns}
            self._writer.update(table, current, known, request.author, trusted=True)
            parameters = {
                "Target": Reference(table.name, target.id),
                "SubordinateId": subordinate.id,
                "UpdateContent": changes,
            }
            self._writer.announce("Merge", target, parameters, request.author)
        return Answer(204)

    def _move(self, table: Table, old: Row, new: Row, request: ApiRequest) -> None:
        """Rows that belong to the subordinate belong to the target from now on."""
        here, there = Reference(table.name, old.id), Reference(table.name, new.id)
        for one in self._registry.pointing_to(table.name):
            if one.on_delete == "NoCascade" or one.column == "masterid":
                continue
            others = self._registry.table(one.referencing)
            for row in references_to(self._store, one.referencing, one.column, here):
                with self._store.caused():
                    changes: Values = {one.column: there}
                    self._writer.update(others, row, changes, request.author, trusted=True)

    def _merged(self, given: Any, parameter: str) -> tuple[Table, Row]:
        kind = given.get("@odata.type", "") if isinstance(given, dict) else ""
        name = str(kind).removeprefix("#").removeprefix("Microsoft.Dynamics.CRM.")
        if name not in MERGEABLE:
            raise Refusal.payload(f"{parameter} is a row of one of: {', '.join(MERGEABLE)}.")
        table = self._registry.table(name)
        return table, self._row(name, given.get(table.primary_id), parameter)

    def _row(self, table: str, given: Any, parameter: str) -> Row:
        guid = as_guid(given) if isinstance(given, str) else None
        if guid is None:
            raise Refusal.payload(f"The parameter {parameter} is missing or names no row.")
        row = self._store.get(table, guid)
        if row is None:
            raise Refusal.missing_row(table, guid)
        return row


def _shared(source: Table, row: Row, target: Table) -> Values:
    """The values of columns that both tables have and a user may set."""
    shared: Values = {}
    for name, value in row.values.items():
        column = target.columns.get(name)
        if column is None or not column.writable or column.auto_prefix or name in NOT_COPIED:
            continue
        if column.type is source.columns[name].type and column.type is not ColumnType.FILE:
            shared[name] = value
    return shared
