"""FetchXML queries, ``GET /accounts?fetchXml=..``: joins, conditions, aggregates, pages.

A result is a set of combinations, one row of each table that takes part (None where an outer link
found nothing). Columns of linked tables come back as ``alias.column``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries.aggregates import aggregated, grouped, plain
from app.sandbox.dataverse.queries.fetch_conditions import test_of
from app.sandbox.dataverse.queries.fetch_model import (
    Attribute,
    Condition,
    Entity,
    Fetch,
    Filter,
    Ordering,
    read_fetch,
)
from app.sandbox.dataverse.queries.filters import Reading, value_of
from app.sandbox.dataverse.queries.paging import MAX_PAGE
from app.sandbox.dataverse.queries.rendering import Renderer
from app.sandbox.dataverse.queries.selection import Selection
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.tables.schema import Column, ColumnType, Table
from app.sandbox.dataverse.tables.values import Value, comparable
from app.sandbox.dataverse.web.urls import Answer, ApiRequest

Combination = dict[str, Row | None]
Test = Callable[[Combination], bool]

CRM = "@Microsoft.Dynamics.CRM."
MAX_COMBINATIONS = 200_000
SPANS = {"day": 10, "month": 7, "year": 4}


class FetchXml:
    """Answers FetchXML over the rows of one organisation."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._entities: dict[str, Entity] = {}

    def answer(self, request: ApiRequest, table: Table, xml: str) -> Answer:
        """Raises `Refusal` 400 for what is no FetchXML of this table."""
        fetch = read_fetch(xml, self._reading.registry)
        if fetch.root.table.name != table.name:
            raise Refusal(400, "0x80060888", f"The FetchXML does not ask for {table.name}.")
        self._entities = {entity.alias: entity for entity in fetch.root.walk()}
        found = self._combinations(fetch.root)
        if fetch.aggregate:
            results = self._aggregate(fetch, found)
        else:
            results = self._rendered(request, fetch, self._sorted(fetch, found))
        return Answer(200, _paged(request, fetch, results))

    def _combinations(self, root: Entity) -> list[Combination]:
        start: list[Combination] = [
            {root.alias: row} for row in self._reading.store.rows(root.table.name)
        ]
        joined = self._linked(start, root)
        tests = [self._test(part) for entity in root.walk() for part in _of_joins(entity)]
        return [item for item in joined if all(test(item) for test in tests)]

    def _linked(self, combinations: list[Combination], outer: Entity) -> list[Combination]:
        for link in outer.links:
            combinations = self._link(combinations, outer, link)
            if link.link_type in ("inner", "outer"):
                combinations = self._linked(combinations, link)
            if len(combinations) > MAX_COMBINATIONS:
                raise Refusal.invalid_argument("The query joins too many rows.")
        return combinations

    def _link(
        self, combinations: list[Combination], outer: Entity, link: Entity
    ) -> list[Combination]:
        matches = self._matches(link)
        found: list[Combination] = []
        for item in combinations:
            value = self._value(item, outer.alias, outer.table.columns[link.to_column])
            rows = matches.get(comparable(value), []) if value is not None else []
            outer_rows: list[Row | None] = [*rows] or [None]
            if link.link_type == "inner":
                found += [{**item, link.alias: row} for row in rows]
            elif link.link_type == "outer":
                found += [{**item, link.alias: row} for row in outer_rows]
            elif bool(rows) is (link.link_type != "not any"):
                found.append({**item, link.alias: None})
        return found

    def _matches(self, link: Entity) -> dict[Any, list[Row]]:
        """The rows of a linked table that its own filters keep, by the column it is linked by."""
        column, table = link.table.columns[link.from_column], link.table
        rows: Iterable[Row] = self._reading.store.rows(table.name)
        tests = [self._test(part) for part in link.filters if _only_of(part, link.alias)]
        if link.link_type not in ("inner", "outer"):  # its links count, but it gives no row
            inner = self._linked([{link.alias: row} for row in rows], link)
            rows = [row for row in (item[link.alias] for item in inner) if row is not None]
        matches: dict[Any, list[Row]] = {}
        for row in rows:
            value = value_of(row, column, table)
            if value is not None and all(test({link.alias: row}) for test in tests):
                matches.setdefault(comparable(value), []).append(row)
        return matches

    def _test(self, part: Condition | Filter) -> Test:
        if isinstance(part, Filter):
            tests = [self._test(inner) for inner in part.parts]
            if part.any:
                return lambda item: any(test(item) for test in tests) or not tests
            return lambda item: all(test(item) for test in tests)
        entity = self._entity(part.entity)
        column = _column_of(entity, part.column)
        holds = test_of(part, column, self._reading.now, self._reading.user_id)
        return lambda item: holds(comparable(self._value(item, entity.alias, column)))

    def _entity(self, alias: str) -> Entity:
        if alias not in self._entities:
            raise Refusal.invalid_argument(f"No link-entity has the alias '{alias}'.")
        return self._entities[alias]

    def _value(self, item: Combination, alias: str, column: Column) -> Value:
        row = item.get(alias)
        return None if row is None else value_of(row, column, self._entities[alias].table)

    def _sorted(self, fetch: Fetch, found: list[Combination]) -> list[Combination]:
        root = fetch.root
        found.sort(key=lambda item: tuple(row.id if row else "" for row in item.values()))
        orders = [order for entity in root.walk() for order in entity.orders]
        for order in reversed(orders):
            alias, column = self._ordered_by(order)
            found.sort(
                key=lambda item: _sortable(self._value(item, alias, column)),
                reverse=order.descending,
            )
        return found

    def _ordered_by(self, order: Ordering) -> tuple[str, Column]:
        if not order.by_alias:
            return order.entity, _column_of(self._entity(order.entity), order.name)
        for entity in self._entities.values():
            for attribute in entity.attributes:
                if attribute.alias == order.name:
                    return entity.alias, attribute.column
        raise Refusal.invalid_argument(f"No attribute has the alias '{order.name}'.")

    def _rendered(
        self, request: ApiRequest, fetch: Fetch, found: list[Combination]
    ) -> list[dict[str, Any]]:
        renderer, root = Renderer(self._reading, request.base_url, listed=True), fetch.root
        columns = tuple(a.column for a in root.attributes)
        everything = root.all_attributes or not any(e.attributes for e in root.walk())
        selection = Selection(root.table, None if everything else columns)
        rendered = []
        for item in found:
            row = item[root.alias]
            assert row is not None, "the root is in every combination"
            shown = renderer.render(row, selection, request.prefer)
            for link in list(root.walk())[1:]:
                shown |= self._of_link(item, link)
            rendered.append(shown)
        return _distinct(rendered) if fetch.distinct else rendered

    def _of_link(self, item: Combination, link: Entity) -> dict[str, Any]:
        row = item.get(link.alias)
        if row is None:
            return {}
        attributes = link.attributes
        if link.all_attributes:
            attributes = [Attribute(column, "") for column in link.table.columns.values()]
        shown = {}
        for attribute in attributes:
            name = attribute.alias or f"{link.alias}.{attribute.column.name}"
            value = value_of(row, attribute.column, link.table)
            if value is not None:
                shown[name] = plain(value)
        return shown

    def _aggregate(self, fetch: Fetch, found: list[Combination]) -> list[dict[str, Any]]:
        wanted = [(e.alias, a) for e in fetch.root.walk() for a in e.attributes]
        keys = [(alias, a) for alias, a in wanted if a.groupby]
        sums = [(alias, a) for alias, a in wanted if not a.groupby]

        def key(item: Combination) -> list[Any]:
            return [_span(comparable(self._value(item, alias, a.column)), a) for alias, a in keys]

        groups = grouped(found, key)
        if not keys and not groups:
            groups = {(): []}
        results = []
        for members in groups.values():
            group: dict[str, Any] = {}
            for alias, a in keys:
                group[a.alias] = _span(plain(self._value(members[0], alias, a.column)), a)
            for alias, a in sums:
                group[a.alias] = self._sum(members, alias, a)
            results.append(group)
        for order in reversed([order for e in fetch.root.walk() for order in e.orders]):
            if not order.by_alias or order.name not in {a.alias for _, a in wanted}:
                raise Refusal.invalid_argument("An aggregate query is ordered by alias.")
            results.sort(
                key=lambda group: _sortable(group[order.name]),
                reverse=order.descending,
            )
        return results

    def _sum(self, members: Sequence[Combination], alias: str, attribute: Attribute) -> Any:
        if attribute.aggregate == "count":
            return len(members)
        function = {"avg": "average"}.get(attribute.aggregate, attribute.aggregate)
        if function == "countcolumn" and attribute.distinct:
            function = "countdistinct"
        values = (self._value(item, alias, attribute.column) for item in members)
        return plain(aggregated(function, attribute.column, values))


def _of_joins(entity: Entity) -> list[Filter]:
    """The filters that see the joined result: of the root, and those about other tables."""
    if not entity.link_type:
        return entity.filters
    return [part for part in entity.filters if not _only_of(part, entity.alias)]


def _only_of(part: Condition | Filter, alias: str) -> bool:
    if isinstance(part, Condition):
        return part.entity == alias
    return all(_only_of(inner, alias) for inner in part.parts)


def _column_of(entity: Entity, name: str) -> Column:
    column = entity.table.columns.get(name.lower())
    if column is None:
        table = entity.table.name
        text = f"'{table}' entity doesn't contain attribute with Name = '{name}'."
        raise Refusal(400, "0x80041103", text)
    return column


def _span(value: Any, attribute: Attribute) -> Any:
    """The part of a date that is grouped by."""
    grouping = attribute.date_grouping
    if not grouping or value is None:
        return value
    dates = (ColumnType.DATETIME, ColumnType.DATE)
    if grouping not in SPANS or attribute.column.type not in dates:
        raise Refusal.invalid_argument(f"dategrouping '{grouping}' is not supported here.")
    number = str(value)[: SPANS[grouping]].split("-")[-1]
    return int(number)


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is not None, comparable(value)


def _distinct(rendered: list[dict[str, Any]]) -> list[dict[str, Any]]:
    unique = {repr(sorted(shown.items())): shown for shown in rendered}
    return list(unique.values())


def _paged(request: ApiRequest, fetch: Fetch, results: list[dict[str, Any]]) -> dict[str, Any]:
    """The page that is asked for, and how to ask for the next."""
    total = len(results)
    size = min(fetch.count or request.prefer.page_size or MAX_PAGE, MAX_PAGE)
    if fetch.top is not None:
        page, more = results[: fetch.top], False
    else:
        start = (fetch.page - 1) * size
        page, more = results[start : start + size], total > start + size
    context = f"{request.base_url}/$metadata#{fetch.root.table.entity_set}"
    body: dict[str, Any] = {"@odata.context": context}
    if fetch.total:
        body[f"{CRM}totalrecordcount"] = min(total, MAX_PAGE)
        body[f"{CRM}totalrecordcountlimitexceeded"] = total > MAX_PAGE
    body["value"] = page
    if more:
        last = page[-1].get(fetch.root.table.primary_id, "")
        inner = f'<cookie page="{fetch.page}"><id last={quoteattr(str(last))} /></cookie>'
        twice = quote(quote(inner, safe=""), safe="")
        body[f"{CRM}morerecords"] = True
        body[f"{CRM}fetchxmlpagingcookie"] = (
            f'<cookie pagenumber="{fetch.page + 1}" pagingcookie="{twice}" istracking="False" />'
        )
    return body
