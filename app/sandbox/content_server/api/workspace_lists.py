"""Lists of workspaces and their filters (reference/extended-ecm.md 2.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.api.call import Call, Endpoint, to_bool, to_int
from app.sandbox.content_server.column_query import matches, parse_query
from app.sandbox.content_server.model import Node
from app.sandbox.content_server.render import (
    narrowed,
    paginate,
    selection,
    workspace_list,
    workspace_row,
)

LARGEST_PAGE = 500
_BRACES = re.compile(r"^\{(.*)\}$")


def list_workspaces(call: Call) -> Any:
    """``GET /v2/businessworkspaces``: without ``expanded_view`` only what the caller opened."""
    store = call.store
    found = [node for node in call.visible(_candidates(call)) if _matches(call, node)]
    if query := call.query.get("where_column_query"):
        parsed = parse_query(query, store.behaviour.queryable_columns)
        rows = [(node, workspace_row(store, node)) for node in found]
        rows = [(node, row) for node, row in rows if matches(parsed.condition, row)]
        for column, descending in reversed(parsed.order):
            rows.sort(key=lambda pair: _sortable(pair[1].get(column)), reverse=descending)
        found = [node for node, _ in rows]
    found = sort_nodes(found, call.query.get("sort", ""))
    return list_answer(call, [(node, {}) for node in found], "/v2/businessworkspaces")


def list_answer(
    call: Call, found: Sequence[tuple[Node, Mapping[str, Any]]], path: str
) -> dict[str, Any]:
    """A page of workspaces, each with properties of its own beside the usual ones.

    ``fields`` counts only together with ``action=properties-`` (reference 0).
    """
    page = paginate(
        found, call.query_number("limit", LARGEST_PAGE), call.query_number("page", 1), LARGEST_PAGE
    )
    wanted: tuple[str, ...] = ()
    if "properties-" in call.query.getlist("action"):
        wanted = selection(call.query.getlist("fields")).get("properties", ((), None))[0]
    for index, (node, extra) in enumerate(page.items):
        row = {**workspace_row(call.store, node), **extra}
        page.items[index] = {"data": {"properties": narrowed(row, wanted)}}
    return workspace_list(page, path, call.query.multi_items())


def braced(text: str) -> list[str]:
    """``{1,2}`` or ``{'child','parent'}`` as a list; a bare value as a list of one."""
    inner = _BRACES.match(text.strip())
    parts = (inner[1] if inner else text).split(",")
    return [part.strip().strip("'\"") for part in parts if part.strip()]


def sort_nodes(found: list[Node], sort: str) -> list[Node]:
    """``asc_name``, ``desc_modify_date``...; 400 for a column that cannot be sorted by."""
    key, descending = sort_key(sort)
    return sorted(found, key=key, reverse=descending) if key else found


def sort_key(sort: str) -> tuple[Callable[[Node], Any] | None, bool]:
    """The key function of a ``sort`` parameter and whether it descends; (None, False) for none."""
    if not sort:
        return None, False
    direction, _, column = sort.partition("_")
    if direction not in ("asc", "desc"):
        direction, column = "asc", sort
    if column not in _SORT_KEYS:
        raise errors.ApiError(400, f"Invalid sort column '{column}'.")
    return _SORT_KEYS[column], direction == "desc"


def matches_text(value: str, wanted: str) -> bool:
    """The filters of workspace lists: equal, or ``contains_X`` / ``startswith_X``."""
    value = value.casefold()
    for prefix, test in (("contains_", str.__contains__), ("startswith_", str.startswith)):
        if wanted.startswith(prefix):
            return bool(test(value, wanted.removeprefix(prefix).casefold()))
    return value == wanted.casefold()


def _candidates(call: Call) -> list[Node]:
    store = call.store
    if to_bool(call.query.get("expanded_view")):
        return store.workspaces()
    opened = reversed(store.accessed.get(call.actor.id, {}))
    return [node for i in opened if (node := store.nodes.get(i)) and _is_instance(node)]


def _is_instance(node: Node) -> bool:
    return node.workspace is not None and not node.workspace.is_template


def _matches(call: Call, node: Node) -> bool:
    return (
        all(
            test(call, node, call.query[name])
            for name, test in _FILTERS.items()
            if name in call.query
        )
        and _columns_match(call, node)
        and _object_matches(call, node)
    )


def _columns_match(call: Call, node: Node) -> bool:
    wanted = {
        n.removeprefix("where_"): v for n, v in call.query.items() if n.startswith("where_wn")
    }
    if not wanted:
        return True
    row = workspace_row(call.store, node)
    return all(matches_text(str(row.get(name, "")), value) for name, value in wanted.items())


def _object_matches(call: Call, node: Node) -> bool:
    assert node.workspace is not None
    names = ("where_ext_system_id", "where_bo_type", "where_bo_id")
    wanted = [call.query.get(name) for name in names]
    if wanted == [None, None, None]:
        return True
    return any(
        all(want in (None, have) for want, have in zip(wanted, reference.key(), strict=True))
        for reference in node.workspace.references
    )


def _type_name(call: Call, node: Node, wanted: str) -> bool:
    # Behaves like starts-with on live servers (reference 2.3), so "Case" also finds "Case File".
    assert node.workspace is not None
    kind = call.store.workspace_types[node.workspace.type_id]
    return kind.name.casefold().startswith(wanted.casefold())


def _type_id(call: Call, node: Node, wanted: str) -> bool:
    assert node.workspace is not None
    return node.workspace.type_id == to_int(wanted, "where_workspace_type_id")


def _name(call: Call, node: Node, wanted: str) -> bool:
    return matches_text(node.name, wanted)


def _early(call: Call, node: Node, wanted: str) -> bool:
    assert node.workspace is not None
    return not to_bool(wanted) or not node.workspace.references


def _bo_type(call: Call, node: Node, wanted: str) -> bool:
    assert node.workspace is not None
    kind = call.store.bo_types.get(to_int(wanted, "where_botype_node_id") or 0)
    named = (kind.external_system, kind.name) if kind else None
    return any((r.external_system, r.bo_type) == named for r in node.workspace.references)


_SORT_KEYS: dict[str, Callable[[Node], Any]] = {
    "name": lambda node: node.name.casefold(),
    "create_date": lambda node: node.created,
    "modify_date": lambda node: node.modified,
    "size": lambda node: len(node.versions[-1].content) if node.versions else 0,
    "type": lambda node: node.type,
    "id": lambda node: node.id,
}
_FILTERS: dict[str, Callable[[Call, Node, str], bool]] = {
    "where_workspace_type_id": _type_id,
    "where_workspace_type_name": _type_name,
    "where_name": _name,
    "where_is_early": _early,
    "where_botype_node_id": _bo_type,
    # Physical objects have barcodes; workspaces have none.
    "where_barcode": lambda *_: False,
}


def _sortable(value: Any) -> tuple[int, str, float]:
    if isinstance(value, int | float):
        return (1, "", float(value))
    return (0, str(value or "").casefold(), 0.0)


ENDPOINTS = (Endpoint("GET", "/v2/businessworkspaces", list_workspaces),)
