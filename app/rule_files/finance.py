"""Tables of finance and operations in ``tables.yaml``: from the file to the catalogue, checked.

One entry declares the OData entity, the columns of its key, and under which names the other sources
tell of the same rows (app/decisions/0005)::

    salesorder:
      system: finance
      entity_set: SalesOrderHeadersV2
      key: [dataareaid, salesordernumber]
      columns:
        dataareaid: text
        salesordernumber: text
        salesorderstatus: {choice: [None, Backorder, Delivered, Invoiced, Canceled]}
        orderingcustomeraccountnumber: {lookup: customer}
      sources:
        salestable: {salesordernumber: salesid, salesorderstatus: salesstatus}
        mserp_salesorderheaderv2entity: {}
      business_events:
        SalesOrderConfirmedBusinessEvent: {salesordernumber: SalesOrderId}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from app.rule_files.faults import Fault, Location
from app.rule_files.models import TableEntry
from app.rule_files.yaml import Document
from streams.catalogue import COMPANY, Column, ColumnKind, Finance, Table
from streams.rules.hints import nearest

#: A key is text in an address and in an id: kinds that have one spelling each.
_KEY_KINDS = (
    ColumnKind.TEXT,
    ColumnKind.INTEGER,
    ColumnKind.DATE,
    ColumnKind.CHOICE,
    ColumnKind.LOOKUP,
)
_FINANCE_KEYS = ("key", "sources", "business_events")


def finance_of(entry: TableEntry) -> Finance | None:
    """What the entry says as a table of finance and operations; None for one of Dataverse."""
    if entry.system != "finance":
        return None
    names = {native: own for renamed in entry.sources.values() for own, native in renamed.items()}
    return Finance(entry.key, frozenset(entry.sources), names, entry.business_events)


def with_shared_lookups(tables: Mapping[str, Table]) -> dict[str, Table]:
    """The tables, with each lookup told whether its target belongs to a company."""
    return {name: _with_shared(table, tables) for name, table in tables.items()}


def _with_shared(table: Table, tables: Mapping[str, Table]) -> Table:
    if table.finance is None:
        return table
    columns = {name: _marked(column, tables) for name, column in table.columns.items()}
    return replace(table, columns=columns)


def _marked(column: Column, tables: Mapping[str, Table]) -> Column:
    target = tables.get(column.targets[0]) if column.targets else None
    if target is None or target.finance is None:
        return column
    return replace(column, shared=COMPANY not in target.finance.key)


def entry_faults(document: Document, name: str, entry: TableEntry) -> Iterator[Fault]:
    """What is wrong with one entry by itself, as one of its system."""
    if entry.system == "finance":
        yield from _finance_entry(document, name, entry)
        return
    if entry.primary_id is None:
        yield Fault(document.at(("tables", name)), "'primary_id' is missing")
    for key in _FINANCE_KEYS:
        if getattr(entry, key):
            what = f"{key} is for tables of finance and operations"
            fix = "write system: finance, or remove it"
            yield Fault(document.at(("tables", name, key)), what, fix)


def _finance_entry(document: Document, name: str, entry: TableEntry) -> Iterator[Fault]:
    def at(*trail: str | int) -> Location:
        return document.at(("tables", name, *trail))

    if entry.primary_id is not None:
        what = "finance and operations name rows by their key, not by an id"
        yield Fault(at("primary_id"), what, "remove it")
    yield from _key(at(), document, name, entry)
    yield from _sources(document, name, entry)
    for event, fields in entry.business_events.items():
        for column in fields:
            if column not in entry.key:
                what = f"{column!r} is no column of the key"
                where = at("business_events", event, column)
                yield Fault(where, what, nearest(column, entry.key))
        for column in entry.key:
            if column != COMPANY and column not in fields:
                what = f"{event} does not say which of its fields is {column!r}"
                yield Fault(at("business_events", event), what, f"add {column}: NameOfTheField")


def _key(top: Location, document: Document, name: str, entry: TableEntry) -> Iterator[Fault]:
    if not [column for column in entry.key if column != COMPANY]:
        what = "'key' is missing: the columns that name a row"
        yield Fault(top, what, f"as in key: [{COMPANY}, salesordernumber]")
    for index, column in enumerate(entry.key):
        where = document.at(("tables", name, "key", index))
        declared = entry.columns.get(column)
        if declared is None:
            yield Fault(where, f"{name} has no column {column!r}", nearest(column, entry.columns))
        elif declared.kind not in _KEY_KINDS:
            yield Fault(where, f"a {declared.kind} cannot be part of a key", "declare it as text")
        if column == COMPANY and index:
            yield Fault(where, f"{COMPANY} comes first in a key")


def _sources(document: Document, name: str, entry: TableEntry) -> Iterator[Fault]:
    told: dict[str, str] = {}
    for source, renamed in entry.sources.items():
        for column, native in renamed.items():
            where = document.at(("tables", name, "sources", source, column))
            if column not in entry.columns:
                what = f"{name} has no column {column!r}"
                yield Fault(where, what, nearest(column, entry.columns))
            elif told.setdefault(native, column) != column or (
                native in entry.columns and native != column
            ):
                yield Fault(where, f"{native!r} is the name of another column already")


def table_faults(document: Document, tables: Mapping[str, Table]) -> Iterator[Fault]:
    """What is wrong between tables: sources told twice, lookups that name no row."""
    taken: dict[str, str] = {}
    for table in tables.values():
        if table.finance is None:
            continue
        for source in sorted(table.finance.sources):
            other = taken.setdefault(source, table.name)
            if other != table.name or (source in tables and source != table.name):
                where = document.at(("tables", table.name, "sources", source))
                yield Fault(where, f"{source!r} is taken by another table", "keep one of them")
        for name, column in table.columns.items():
            yield from _lookup(document, tables, table, name, column)


def _lookup(
    document: Document, tables: Mapping[str, Table], table: Table, name: str, column: Column
) -> Iterator[Fault]:
    if column.kind is not ColumnKind.LOOKUP:
        return
    where = document.at(("tables", table.name, "columns", name))
    if len(column.targets) > 1:
        yield Fault(where, "a lookup by number names one table", "keep one of them")
    target = tables.get(column.targets[0])
    if target is None:
        return
    own = target.finance.key if target.finance else ()
    if len([part for part in own if part != COMPANY]) != 1:
        what = f"{name} holds one number, which does not name a row of {target.name}"
        fix = f"point to a table of finance and operations with the key [{COMPANY}, number]"
        yield Fault(where, what, fix)
