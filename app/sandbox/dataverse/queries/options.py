"""Query options of a list: which rows, in which order, page by page.

A page's cookie remembers the sort key of its last row, so rows that come or go between two pages
neither repeat nor hide others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries.filters import Predicate, Reading, parse_filter
from app.sandbox.dataverse.queries.ordering import Key, key_of, parse_order, sortable
from app.sandbox.dataverse.queries.paging import MAX_PAGE, page_of, read_cookie, write_cookie
from app.sandbox.dataverse.queries.selection import whole_number
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.tables.schema import Table
from app.sandbox.dataverse.web.urls import Prefer

OF_ONE = {"$select", "$expand"}
OF_MANY = {*OF_ONE, "$filter", "$orderby", "$top", "$count", "$skiptoken", "$deltatoken", "$apply"}


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page; ``cookie`` continues after them, None on the last; ``total`` of all."""

    rows: list[Row]
    total: int
    cookie: str | None


def check_options(query: Mapping[str, str], *, single: bool = False) -> None:
    """Raises `Refusal` 400 for a query option that the service does not know."""
    for name in query:
        if name == "$skip":
            raise Refusal.bad_query("Skip Clause is not supported in CRM")
        if name.startswith("$") and name not in (OF_ONE if single else OF_MANY):
            raise Refusal.bad_query(f"The query parameter {name} is not supported.")


def select_page(
    rows: Iterable[Row], table: Table, query: Mapping[str, str], prefer: Prefer, reading: Reading
) -> Page:
    """Filter, sort and cut. ``$top`` counts only where no page size is preferred."""
    text = query.get("$filter")
    keep: Predicate = parse_filter(text, table, reading) if text else _everything
    order = parse_order(query.get("$orderby", ""), table, reading)
    entries = sorted(
        ((sortable(key_of(row, order), order), row) for row in rows if keep(row)),
        key=lambda entry: entry[0],
    )
    total, number = len(entries), 1
    if cookie := query.get("$skiptoken"):
        last, number = sortable(_last(cookie), order), page_of(cookie)
        entries = [entry for entry in entries if last < entry[0]]
    size = min(prefer.page_size or MAX_PAGE, MAX_PAGE)
    if prefer.page_size is None and (top := query.get("$top")) is not None:
        return Page([row for _, row in entries[: whole_number("$top", top)]], total, None)
    page = [row for _, row in entries[:size]]
    if len(entries) <= size:
        return Page(page, total, None)
    key = key_of(page[-1], order)
    return Page(page, total, write_cookie({"last": [key.values, key.id]}, number + 1))


def _last(cookie: str) -> Key:
    """The key of the row that the page before ended with. Raises `Refusal` 400."""
    last = read_cookie(cookie, "last")["last"]
    if isinstance(last, list) and len(last) == 2 and isinstance(last[0], list):
        return Key(last[0], str(last[1]))
    raise Refusal.bad_query("Malformed XML in the Paging Cookie")


def _everything(_: Row) -> bool:
    return True
