"""Query options: which rows, which columns, in which order, page by page.

A page's cookie remembers the sort key of its last row, so rows that come or go between two pages
neither repeat nor hide others.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries.filters import Predicate, parse_filter, value_of
from app.sandbox.dataverse.queries.rendering import Selection
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.tables.schema import Column, Registry, Table
from app.sandbox.dataverse.tables.values import comparable
from app.sandbox.dataverse.web.urls import Prefer

MAX_PAGE = 5000
KNOWN = {
    "$select",
    "$filter",
    "$orderby",
    "$top",
    "$count",
    "$expand",
    "$skiptoken",
    "$deltatoken",
    "tag",
}


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page; ``cookie`` continues after them, None on the last; ``total`` of all."""

    rows: list[Row]
    total: int
    cookie: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """One item of ``$orderby``."""

    column: Column
    descending: bool


def check_options(query: dict[str, str], *, single: bool = False) -> None:
    """Raises `Refusal` 400 for a query option that the service does not know."""
    for name in query:
        if name == "$skip":
            raise Refusal.bad_query("Skip Clause is not supported in CRM")
        allowed = {"$select", "$expand", "tag"} if single else KNOWN
        if name.startswith("$") and name not in allowed:
            raise Refusal.bad_query(f"The query parameter {name} is not supported.")


def parse_selection(query: dict[str, str], table: Table, registry: Registry) -> Selection:
    """``$select`` and ``$expand``. Raises `Refusal` 400 for an unknown property."""
    columns = None
    if names := query.get("$select"):
        columns = tuple(table.by_property(name.strip()) for name in names.split(","))
    expand = {}
    for part in _outside_parentheses(query.get("$expand", "")):
        navigation, selection = _expanded(part, table, registry)
        expand[navigation] = selection
    return Selection(table, columns, expand)


def _expanded(part: str, table: Table, registry: Registry) -> tuple[str, Selection]:
    match = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\))?\s*", part, re.DOTALL)
    if match is None:
        raise Refusal.bad_query(f"Syntax error in $expand at '{part}'.")
    found = table.navigation(match[1])
    if found is None:
        raise Refusal.unknown_property(match[1], table.name)
    options = dict(
        option.strip().partition("=")[::2] for option in (match[2] or "").split(";") if option
    )
    if unknown := set(options) - {"$select"}:
        raise Refusal.bad_query(f"{', '.join(sorted(unknown))} is not supported within $expand.")
    # The owner's property leads to a user or a team; its columns are those of users.
    return match[1], parse_selection(options, registry.table(found[1]), registry)


def _outside_parentheses(text: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += letter
    return [*parts, current] if current.strip() else parts


def parse_order(text: str, table: Table) -> list[Order]:
    orders = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, direction = part.partition(" ")
        if direction.strip() not in ("", "asc", "desc"):
            raise Refusal.bad_query(f"Syntax error in $orderby at '{part}'.")
        orders.append(Order(table.by_property(name), direction.strip() == "desc"))
    return orders


def select_page(rows: Iterable[Row], table: Table, query: dict[str, str], prefer: Prefer) -> Page:
    """Filter, sort and cut. ``$top`` counts only where no page size is preferred."""
    text = query.get("$filter")
    keep: Predicate = parse_filter(text, table) if text else _everything
    order = parse_order(query.get("$orderby", ""), table)
    key = functools.cmp_to_key(functools.partial(_compare, order=order))
    entries = sorted((key(_sort_key(r, order, table)), r) for r in rows if keep(r))
    total = len(entries)
    if cookie := query.get("$skiptoken"):
        last = key(_Key(*read_cookie(cookie)["last"]))
        entries = [entry for entry in entries if last < entry[0]]
    size = min(prefer.page_size or MAX_PAGE, MAX_PAGE)
    if prefer.page_size is None and (top := query.get("$top")):
        return Page([row for _, row in entries[: _count(top)]], total, None)
    page = [row for _, row in entries[:size]]
    if len(entries) <= size:
        return Page(page, total, None)
    last_key = _sort_key(page[-1], order, table)
    return Page(page, total, write_cookie({"last": [last_key.values, last_key.id]}))


def _everything(_: Row) -> bool:
    return True


def _count(top: str) -> int:
    if not top.isdigit():
        raise Refusal.bad_query(f"Invalid value '{top}' for $top query option found.")
    return int(top)


@dataclass(frozen=True, slots=True)
class _Key:
    values: list[Any]
    id: str


def _sort_key(row: Row, order: list[Order], table: Table) -> _Key:
    return _Key([comparable(value_of(row, o.column, table)) for o in order], row.id)


def _compare(one: _Key, two: _Key, *, order: list[Order]) -> int:
    """Empty sorts first, as in the database; equal rows by id, so that the order is total."""
    for mine, theirs, item in zip(one.values, two.values, order, strict=True):
        if mine == theirs:
            continue
        less = mine is None or (theirs is not None and mine < theirs)
        return -1 if less is not item.descending else 1
    return (one.id > two.id) - (one.id < two.id)


def write_cookie(content: dict[str, Any]) -> str:
    """An opaque continuation in the service's dress."""
    packed = base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
    return f'<cookie pagingcookie="{packed}" istracking="False" />'


def read_cookie(text: str) -> dict[str, Any]:
    """What `write_cookie` wrote. Raises `Refusal` 400."""
    match = re.fullmatch(r'<cookie pagingcookie="([\w\-=]+)" istracking="False" />', text)
    try:
        if match is None:
            raise ValueError(text)
        content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(match[1]))
    except ValueError as error:
        raise Refusal.bad_query("Malformed XML in the Paging Cookie") from error
    return content
