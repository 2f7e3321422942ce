"""Query options over rows: ``$filter $select $orderby $top $skip $count`` and pages.

What finance and operations do not have is refused: ``in``, ``has``, functions, more than eq and ne
on enums (reference/dataverse.md 4). A text compared with ``*`` in it is a pattern.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from app.sandbox.dataverse.errors import Refusal as SyntaxRefusal
from app.sandbox.dataverse.queries import syntax
from app.sandbox.events.finance_entities import Entity, Field
from app.sandbox.finance.errors import Refusal
from app.sandbox.finance.state import Row
from app.sandbox.finance.values import comparable, literal, number_of

OPTIONS = ("$filter", "$select", "$orderby", "$top", "$skip", "$count", "$skiptoken", "$expand")
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
Predicate = Callable[[Row], bool]


@dataclass(frozen=True, slots=True)
class Query:
    """The options of one request, read. ``start`` is where a page begins."""

    where: Predicate
    select: tuple[str, ...]
    order: tuple[tuple[Field, bool], ...]
    top: int | None
    skip: int
    start: int
    count: bool
    cross_company: bool


def options_of(query: str) -> dict[str, str]:
    """Options by name; the service takes ``cross-company`` in any case."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        plain = name.lower()
        if plain.startswith("$") and plain not in OPTIONS:
            raise Refusal.query(f"The query parameter '{name}' is not supported.")
        found[plain] = value
    return found


def query_of(entity: Entity, options: Mapping[str, str]) -> Query:
    """Raises `Refusal` 400 for what cannot be read or is not supported."""
    if options.get("$expand"):
        what = f"Could not find a property named '{options['$expand']}' on type '{entity.name}'."
        raise Refusal.query(what)
    return Query(
        where=_filter(entity, options.get("$filter", "")),
        select=_select(entity, options.get("$select", "")),
        order=_order(entity, options.get("$orderby", "")),
        top=_count(options, "$top"),
        skip=_count(options, "$skip") or 0,
        start=_count(options, "$skiptoken") or 0,
        count=options.get("$count", "").lower() == "true",
        cross_company=is_cross_company(options),
    )


def is_cross_company(options: Mapping[str, str]) -> bool:
    return options.get("cross-company", "").lower() == "true"


def matching(rows: list[Row], query: Query) -> list[Row]:
    """The rows that the filter takes, in the order that is asked for (else that of RecIds)."""
    found = [row for row in rows if query.where(row)]
    for field, descending in reversed(query.order):
        found.sort(key=lambda row: _rank(field, row.values[field.name]), reverse=descending)
    return found


def _rank(field: Field, value: Any) -> Any:
    """Where a value stands in an order; the database sorts an enum by its number."""
    return number_of(field, value) if field.kind == "enum" else comparable(value)


def field_of(entity: Entity, name: str) -> Field:
    found = entity.field(name)
    if found is None:
        what = f"Could not find a property named '{name}' on type '{entity.name}'."
        raise Refusal.query(what)
    return found


def _select(entity: Entity, text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    return tuple(field_of(entity, name).name for name in names)


def _order(entity: Entity, text: str) -> tuple[tuple[Field, bool], ...]:
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, direction = part.partition(" ")
        if direction.strip() not in ("", "asc", "desc"):
            raise Refusal.query(f"Syntax error in '{text}'.")
        found.append((field_of(entity, name), direction.strip() == "desc"))
    return tuple(found)


def _count(options: Mapping[str, str], name: str) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise Refusal.query(f"Invalid value '{text}' for {name} query option found.")
    return int(text)


def _filter(entity: Entity, text: str) -> Predicate:
    if not text.strip():
        return lambda _: True
    try:
        return _predicate(entity, syntax.parse(text))
    except SyntaxRefusal:
        raise Refusal.query(f"Syntax error in '{text}'.") from None


def _predicate(entity: Entity, node: syntax.Node) -> Predicate:
    match node:
        case syntax.Comparison():
            return _comparison(entity, node)
        case syntax.Not():
            inner = _predicate(entity, node.inner)
            return lambda row: not inner(row)
        case syntax.Both():
            every = [_predicate(entity, part) for part in node.parts]
            return lambda row: all(part(row) for part in every)
        case syntax.Either():
            some = [_predicate(entity, part) for part in node.parts]
            return lambda row: any(part(row) for part in some)
    raise Refusal.query("The filter uses a function that is not supported.")


def _comparison(entity: Entity, node: syntax.Comparison) -> Predicate:
    field = field_of(entity, node.path)
    if field.kind == "enum" and node.operator not in ("eq", "ne"):
        raise Refusal.query(f"Enum property '{field.name}' can be compared with eq and ne only.")
    value = literal(entity, field, node.operand)
    if isinstance(value, str) and "*" in value and node.operator in ("eq", "ne"):
        parts = comparable(value).split("*")
        pattern = re.compile(".*".join(map(re.escape, parts)), re.DOTALL)
        wanted = node.operator == "eq"
        return lambda row: bool(pattern.fullmatch(comparable(row.values[field.name]))) is wanted
    compare, operand = _ORDER[node.operator], comparable(value)
    return lambda row: compare(comparable(row.values[field.name]), operand)
