"""A row as JSON: selected properties, lookups as ``_x_value``, annotations, expanded rows."""

from __future__ import annotations

from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries.filters import Binder, Reading, value_of
from app.sandbox.dataverse.queries.ordering import in_order
from app.sandbox.dataverse.queries.selection import Expansion, Selection
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.tables.schema import Column, ColumnType, Table
from app.sandbox.dataverse.tables.values import Reference, Value
from app.sandbox.dataverse.web.urls import Prefer

PRINCIPALS = ("systemuser", "team")
"""Tables whose primary id is also called ``ownerid`` (reference/dataverse.md 2.3)."""
FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"


class Renderer:
    """Turns rows into JSON for one request."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._store = reading.store
        self._registry = reading.registry

    def render(self, row: Row, selection: Selection, prefer: Prefer) -> dict[str, Any]:
        """The properties; primary id and ETag come back whether they were selected or not."""
        table = selection.table
        rendered: dict[str, Any] = {"@odata.etag": row.etag}
        for column in self._columns(selection):
            self._property(rendered, row, column, table, prefer)
        rendered[table.primary_id] = row.id
        if table.name in PRINCIPALS and selection.columns is None:
            rendered["ownerid"] = row.id
        for navigation, expansion in selection.expand.items():
            rendered[navigation] = self._expanded(row, navigation, expansion, table, prefer)
        return rendered

    def _columns(self, selection: Selection) -> list[Column]:
        table = selection.table
        if selection.columns is None:
            return list(table.columns.values())
        chosen = list(selection.columns)
        money = any(c.type is ColumnType.MONEY for c in chosen)
        currency = table.columns.get("transactioncurrencyid")
        if money and currency is not None and currency not in chosen:
            chosen.append(currency)
        return chosen

    def _property(
        self, into: dict[str, Any], row: Row, column: Column, table: Table, prefer: Prefer
    ) -> None:
        value = value_of(row, column, table)
        name = column.property_name
        into[name] = value.id if isinstance(value, Reference) else value
        if value is None or not prefer.annotations:
            return
        if (label := self._label(column, value)) is not None and prefer.wants(FORMATTED):
            into[f"{name}@{FORMATTED}"] = label
        if isinstance(value, Reference):
            if prefer.wants(LOOKUP_TABLE):
                into[f"{name}@{LOOKUP_TABLE}"] = value.table
            if prefer.wants(NAVIGATION) and value.table in column.targets:
                into[f"{name}@{NAVIGATION}"] = column.targets[value.table]

    def _label(self, column: Column, value: Value) -> str | None:
        """What people see in place of the value; None where both are the same."""
        if isinstance(value, Reference):
            return self._name(value)
        if isinstance(value, bool):
            return "Yes" if value else "No"
        if column.type is ColumnType.FILE:
            stored = self._store.state.files.get(str(value))
            return stored.name if stored else None
        if column.type is ColumnType.MULTICHOICE:
            return "; ".join(column.options.get(int(v), v) for v in str(value).split(","))
        if column.options and isinstance(value, int):
            return column.options.get(value)
        if column.type in (ColumnType.MONEY, ColumnType.DECIMAL):
            return f"{value:,.2f}"
        if column.type in (ColumnType.INTEGER, ColumnType.BIGINT):
            return f"{value:,}"
        return str(value) if column.type in (ColumnType.DATETIME, ColumnType.DATE) else None

    def _name(self, reference: Reference) -> str | None:
        row = self._store.get(reference.table, reference.id)
        if row is None:
            return None
        name = row.values.get(self._registry.table(reference.table).primary_name)
        return None if name is None else str(name)

    def _expanded(
        self, row: Row, navigation: str, expansion: Expansion, table: Table, prefer: Prefer
    ) -> dict[str, Any] | list[dict[str, Any]] | None:
        inner = expansion.selection
        if expansion.many:
            _, reach = Binder(self._reading).collection(table, navigation)
            rows = [r for r in reach(row) if expansion.keep is None or expansion.keep(r)]
            rows = in_order(rows, expansion.order)[: expansion.top]
            return [self.render(other, inner, prefer) for other in rows]
        found = table.navigation(navigation)
        if found is None:
            raise Refusal.unknown_property(navigation, table.name)
        value = row.values.get(found[0].name)
        if not isinstance(value, Reference) or value.table != inner.table.name:
            return None
        target = self._store.get(value.table, value.id)
        return None if target is None else self.render(target, inner, prefer)
