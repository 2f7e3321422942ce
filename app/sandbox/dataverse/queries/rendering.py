"""A row as JSON: selected properties, lookups as ``_x_value``, annotations, expanded rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries.filters import Binder, Reading, value_of
from app.sandbox.dataverse.queries.ordering import in_order
from app.sandbox.dataverse.queries.paging import write_cookie
from app.sandbox.dataverse.queries.selection import Expansion, Selection
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.tables.schema import Column, ColumnType, Table
from app.sandbox.dataverse.tables.values import Reference, Value, reached
from app.sandbox.dataverse.web.urls import Prefer, link

PRINCIPALS = ("systemuser", "team")
"""Tables whose primary id is also called ``ownerid`` (reference/dataverse.md 2.3)."""
FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"


@dataclass(frozen=True, slots=True)
class _How:
    """What is preferred; ``nested``: rows somewhere in the query are expanded below others."""

    prefer: Prefer
    nested: bool


class Renderer:
    """Turns rows into JSON for one request.

    ``listed`` tells rows of a list from one that was asked for itself: the rows that lookups of a
    list lead to come without an ETag.
    """

    def __init__(self, reading: Reading, base_url: str, *, listed: bool = False) -> None:
        self._reading = reading
        self._store = reading.store
        self._registry = reading.registry
        self._base_url = base_url
        self._listed = listed

    def render(self, row: Row, selection: Selection, prefer: Prefer) -> dict[str, Any]:
        """The properties; primary id and ETag come back whether they were selected or not."""
        how = _How(prefer, nested=selection.nested)
        return {"@odata.etag": row.etag, **self._whole(row, selection, how)}

    def _whole(self, row: Row, selection: Selection, how: _How) -> dict[str, Any]:
        rendered = self._properties(row, selection, how.prefer)
        for navigation, expansion in selection.expand.items():
            self._expand(rendered, row, navigation, expansion, how)
        return rendered

    def _properties(self, row: Row, selection: Selection, prefer: Prefer) -> dict[str, Any]:
        rendered: dict[str, Any] = {}
        table = selection.table
        for column in self._columns(selection):
            self._property(rendered, row, column, table, prefer)
        rendered[table.primary_id] = row.id
        if table.name in PRINCIPALS:
            rendered["ownerid"] = row.id
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

    def _expand(
        self, into: dict[str, Any], row: Row, navigation: str, expansion: Expansion, how: _How
    ) -> None:
        if expansion.many:
            self._collection(into, row, navigation, expansion, how)
            return
        found = self._registry.table(row.table).navigation(navigation)
        if found is None:
            raise Refusal.unknown_property(navigation, row.table)
        column = found[0]
        reference = reached(column, row.values.get(column.name), navigation)
        other = None if reference is None else self._store.get(*reference)
        if expansion.reference:
            into[column.property_name] = None if reference is None else reference.id
            into[navigation] = None if other is None else {"@odata.id": self._address(other)}
        elif other is None:
            into[navigation] = None
        else:
            etag = {} if how.nested or self._listed else {"@odata.etag": other.etag}
            selection = expansion.selection.of(self._registry.table(other.table))
            into[navigation] = etag | self._whole(other, selection, how)

    def _collection(
        self, into: dict[str, Any], row: Row, navigation: str, expansion: Expansion, how: _How
    ) -> None:
        """The rows, and where to read on: pages are turned in nested queries alone."""
        table, options = self._registry.table(row.table), dict(expansion.options)
        _, reach = Binder(self._reading).collection(table, navigation)
        rows = [r for r in reach(row) if expansion.keep is None or expansion.keep(r)]
        rows = in_order(rows, expansion.order)[: expansion.top]
        if how.nested and how.prefer.page_size is not None:
            rows = rows[: how.prefer.page_size]
            if rows:
                options["$skiptoken"] = write_cookie({"last": [[], rows[-1].id]})
        into[navigation] = [
            self._member(other, table, navigation, expansion.selection, how) for other in rows
        ]
        address = f"{table.entity_set}({row.id})/{navigation}"
        into[f"{navigation}@odata.nextLink"] = link(self._base_url, address, options)

    def _member(
        self, row: Row, table: Table, navigation: str, selection: Selection, how: _How
    ) -> dict[str, Any]:
        """A row of a collection; unless the query is nested, with what makes it a member."""
        whole = self._whole(row, selection, how)
        if how.nested:
            return whole
        if one := self._registry.collection(table, navigation):
            column = selection.table.columns[one.column]
            self._property(whole, row, column, selection.table, how.prefer)
        return {"@odata.etag": row.etag, **whole}

    def _address(self, row: Row) -> str:
        return f"{self._base_url}/{self._registry.table(row.table).entity_set}({row.id})"
