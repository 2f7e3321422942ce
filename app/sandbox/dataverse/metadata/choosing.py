"""``$select``, ``$filter`` and ``$expand`` on metadata, whose items are plain objects."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries import syntax
from app.sandbox.dataverse.queries.selection import outside_parentheses
from app.sandbox.dataverse.queries.syntax import Both, Comparison, Either, Node, Not, TextTest
from app.sandbox.dataverse.web.urls import literal

Item = Mapping[str, Any]
Predicate = Callable[[Item], bool]

_ENUM = re.compile(r"[\w.]+'(?P<symbol>[^']*)'")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TEXT: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


def chosen(
    items: list[dict[str, Any]],
    query: Mapping[str, str],
    kind: str,
    *,
    hidden: Collection[str] = (),
) -> list[dict[str, Any]]:
    """The items that ``$filter`` keeps, cut to ``$select``.

    ``kind`` names their type in errors; ``hidden`` are properties that need a cast to be asked for.
    Raises `Refusal` 400 for an unknown property and for syntax.
    """
    known = {name for item in items for name in item} - set(hidden)
    if text := query.get("$filter"):
        keep = _bind(syntax.parse(text), known, kind)
        items = [item for item in items if keep(item)]
    return [selected(item, query, known, kind) for item in items]


def selected(
    item: dict[str, Any], query: Mapping[str, str], known: Collection[str], kind: str
) -> dict[str, Any]:
    """One item cut to ``$select``; its id and type come back always."""
    names = [name.strip() for name in query.get("$select", "").split(",") if name.strip()]
    if not names:
        return dict(item)
    for name in names:
        if known and name not in known:
            raise Refusal.unknown_property(name, kind)
    kept = ("@odata.type", "MetadataId", *names)
    return {name: item[name] for name in kept if name in item}


def expansions(text: str) -> dict[str, dict[str, str]]:
    """``Keys,Attributes($select=A,B;$filter=..)`` as names with their own options."""
    found = {}
    for part in outside_parentheses(text):
        match = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\))?\s*", part, re.DOTALL)
        if match is None:
            raise Refusal.bad_query(f"Syntax error in $expand at '{part}'.")
        options = (option.partition("=") for option in outside_parentheses(match[2] or "", ";"))
        found[match[1]] = {name.strip(): value for name, _, value in options}
    return found


def _bind(node: Node, known: Collection[str], kind: str) -> Predicate:
    match node:
        case Either(parts):
            options = [_bind(part, known, kind) for part in parts]
            return lambda item: any(option(item) for option in options)
        case Both(parts):
            needs = [_bind(part, known, kind) for part in parts]
            return lambda item: all(need(item) for need in needs)
        case Not(inner):
            holds = _bind(inner, known, kind)
            return lambda item: not holds(item)
        case Comparison():
            return _comparison(node, known, kind)
        case TextTest():
            get, part = _getter(node.path, known, kind), str(literal(node.operand)).casefold()
            return lambda item: _TEXT[node.function](str(get(item) or "").casefold(), part)
    raise Refusal.bad_query("This filter is not supported on metadata.")


def _comparison(node: Comparison, known: Collection[str], kind: str) -> Predicate:
    get, compare = _getter(node.path, known, kind), _COMPARE[node.operator]
    enum = _ENUM.fullmatch(node.operand)
    wanted = enum["symbol"] if enum else literal(node.operand)

    def holds(item: Item) -> bool:
        try:
            return compare(get(item), wanted)
        except TypeError:
            return False

    return holds


def _getter(path: str, known: Collection[str], kind: str) -> Callable[[Item], Any]:
    names = path.split("/")
    if known and names[0] not in known:
        raise Refusal.unknown_property(names[0], kind)

    def get(item: Item) -> Any:
        value: Any = item
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    return get
