"""A row as JSON: selected properties, lookups as ``_x_value``, annotations, expanded lookups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries.filters import value_of
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.schema import Column, ColumnType, Registry, Table
from app.sandbox.dataverse.tables.values import Reference, Value
from app.sandbox.dataverse.web.urls import Prefer

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a row is wanted; ``columns`` None for all."""

    table: Table
    columns: tuple[Column, ...] | None = None
    expand: Mapping[str, Selection] = field(default_factory=dict)

    @property
    def context(self) -> str:
        """The parenthesis of ``@odata.context``; empty when nothing was selected."""
        names = [] if self.columns is None else [c.property_name for c in self.columns]
        names += [f"{nav}{inner.context or '()'}" for nav, inner in self.expand.items()]
        return f"({','.join(names)})" if names else ""


class Renderer:
    """Turns rows of one store into JSON for clients at ``base_url``."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    def render(self, row: Row, selection: Selection, prefer: Prefer) -> dict[str, Any]:
        """The properties; primary id and ETag come back whether they were selected or not."""
        table = selection.table
        rendered: dict[str, Any] = {"@odata.etag": row.etag}
        for column in self._columns(selection):
            self._property(rendered, row, column, table, prefer)
        rendered[table.primary_id] = row.id
        for navigation, inner in selection.expand.items():
            rendered[navigation] = self._expanded(row, navigation, inner, table, prefer)
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
        self, row: Row, navigation: str, inner: Selection, table: Table, prefer: Prefer
    ) -> dict[str, Any] | None:
        found = table.navigation(navigation)
        if found is None:
            raise Refusal.unknown_property(navigation, table.name)
        value = row.values.get(found[0].name)
        if not isinstance(value, Reference) or value.table != inner.table.name:
            return None
        target = self._store.get(value.table, value.id)
        return None if target is None else self.render(target, inner, prefer)
