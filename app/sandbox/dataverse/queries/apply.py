"""``$apply``: ``filter(..)/groupby((a,b),aggregate(x with sum as total,$count as n))``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries.aggregates import aggregated, grouped, plain
from app.sandbox.dataverse.queries.filters import Binder, Getter, Reading, parse_filter
from app.sandbox.dataverse.queries.selection import outside_parentheses
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.tables.schema import Column, Table
from app.sandbox.dataverse.tables.values import comparable

_STEP = re.compile(r"(filter|groupby|aggregate)\((.*)\)", re.DOTALL)
_GROUPBY = re.compile(r"\(([^()]*)\)(?:,aggregate\((.*)\))?", re.DOTALL)
_WITH = re.compile(
    r"(?P<path>[\w/]+) with (?P<function>sum|average|min|max|countdistinct) as (?P<alias>\w+)"
)
_COUNT = re.compile(r"\$count as (?P<alias>\w+)")


@dataclass(frozen=True, slots=True)
class _Aggregate:
    """``column`` None counts the rows."""

    function: str
    alias: str
    column: Column | None = None
    get: Getter | None = None

    def over(self, rows: list[Row]) -> Any:
        if self.column is None or self.get is None:
            return len(rows)
        return plain(aggregated(self.function, self.column, map(self.get, rows)))


def apply(
    query: Mapping[str, str], table: Table, rows: Iterable[Row], reading: Reading
) -> list[dict[str, Any]]:
    """The groups as objects, without any id. Raises `Refusal` 400 for what is not understood."""
    if other := {"$select", "$expand", "$filter", "$top"} & set(query):
        raise Refusal.bad_query(f"{', '.join(sorted(other))} cannot stand beside $apply.")
    steps = outside_parentheses(query["$apply"], "/")
    left = list(rows)
    for number, step in enumerate(steps):
        match = _STEP.fullmatch(step.strip())
        if match is None or (match[1] != "filter" and number != len(steps) - 1):
            raise Refusal.bad_query(f"Syntax error in $apply at '{step}'.")
        if match[1] == "filter":
            keep = parse_filter(match[2], table, reading)
            left = [row for row in left if keep(row)]
        else:
            return _ordered(_groups(match, table, left, reading), query.get("$orderby", ""))
    raise Refusal.bad_query("$apply must end with groupby or aggregate.")


def _groups(
    match: re.Match[str], table: Table, rows: list[Row], reading: Reading
) -> list[dict[str, Any]]:
    if match[1] == "aggregate":
        aggregates = _aggregates(match[2], table, reading)
        return [{item.alias: item.over(rows) for item in aggregates}]
    parts = _GROUPBY.fullmatch(match[2].strip())
    if parts is None:
        raise Refusal.bad_query(f"Syntax error in $apply at '{match[0]}'.")
    names = [name.strip() for name in parts[1].split(",") if name.strip()]
    getters = [Binder(reading).getter(name, table)[1] for name in names]
    aggregates = _aggregates(parts[2], table, reading) if parts[2] else []
    found = []
    for members in grouped(rows, lambda row: [comparable(get(row)) for get in getters]).values():
        group = {name: plain(get(members[0])) for name, get in zip(names, getters, strict=True)}
        found.append(group | {item.alias: item.over(members) for item in aggregates})
    return found


def _aggregates(text: str, table: Table, reading: Reading) -> list[_Aggregate]:
    found = []
    for part in outside_parentheses(text):
        if match := _COUNT.fullmatch(part.strip()):
            found.append(_Aggregate("count", match["alias"]))
        elif match := _WITH.fullmatch(part.strip()):
            column, get = Binder(reading).getter(match["path"], table)
            found.append(_Aggregate(match["function"], match["alias"], column, get))
        else:
            raise Refusal.bad_query(f"Syntax error in $apply at '{part}'.")
    return found


def _ordered(groups: list[dict[str, Any]], orderby: str) -> list[dict[str, Any]]:
    for part in reversed([part.strip() for part in orderby.split(",") if part.strip()]):
        name, _, direction = part.partition(" ")
        if groups and name not in groups[0]:
            raise Refusal.bad_query(f"'{name}' is no property of the result.")
        groups.sort(
            key=lambda group: (group[name] is not None, comparable(group[name])),
            reverse=direction.strip() == "desc",
        )
    return groups
