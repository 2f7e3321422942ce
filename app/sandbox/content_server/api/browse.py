"""Browsing a container by facets, and its columns (``/v3/app/container``, ``/v2/facets``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.api.call import Call, Endpoint, to_int
from app.sandbox.content_server.api.workspace_lists import sort_nodes
from app.sandbox.content_server.model import TYPE_NAMES, Node
from app.sandbox.content_server.render import (
    columns,
    links,
    node_properties,
    paginate,
)
from app.sandbox.content_server.store import Store

LARGEST_PAGE = 500
OWNER_FACET, TYPE_FACET = 1, 2


@dataclass(frozen=True)
class Facet:
    """A property to narrow a container by; ``value`` is None where a node has none."""

    id: int
    name: str
    value: Callable[[Node], Any]


def facets_of(store: Store) -> dict[int, Facet]:
    """Owner and kind, and every attribute that is published as a column."""
    found = [
        Facet(OWNER_FACET, "Owner", lambda node: node.acl.owner_id),
        Facet(TYPE_FACET, "Content Type", lambda node: int(node.type)),
    ]
    for category in store.categories.values():
        for attribute in category.attributes():
            if attribute.column:
                number = category.id * 100 + attribute.id
                name = f"{category.name} - {attribute.label}"
                found.append(Facet(number, name, _column(store, attribute.column)))
    return {facet.id: facet for facet in found}


def list_container(call: Call) -> Any:
    """``GET /v3/app/container/{id}``: children, narrowed by ``where_facet=id:a|b``.

    A shape of its own: ``paging`` at the top and flat items in ``results.contents``.
    """
    found = _children(call)
    wanted = call.query.get("where_name", "").casefold()
    found = [node for node in found if wanted in node.name.casefold()]
    sort = call.query.get("sort", "asc_name")
    limit = call.query_number("page_size", 0) or call.query_number("limit", 100)
    page = paginate(sort_nodes(found, sort), limit, call.query_number("page", 1), LARGEST_PAGE)
    contents = [
        node_properties(call.store, node) | columns(call.store, node) for node in page.items
    ]
    return {
        "links": links(f"/v3/app/container/{call.path['id']}"),
        "paging": page.block(),
        "results": {"contents": contents},
    }


def list_facets(call: Call) -> Any:
    """``GET /v2/facets/{id}``: how many children have which value."""
    found = _children(call)
    most = call.query_number("top_values_limit", 10)
    about: dict[str, Any] = {}
    available: list[dict[str, Any]] = []
    for facet in facets_of(call.store).values():
        counts = Counter(value for node in found if (value := facet.value(node)) not in (None, ""))
        if not counts:
            continue
        about[str(facet.id)] = {
            "display_count": True,
            "id": facet.id,
            "name": facet.name,
            "show_text_in_more": True,
            "total_displayable": len(counts),
        }
        values = [
            {
                "count": count,
                "name": _shown(call.store, facet, value),
                "percentage": 100 * count / len(found),
                "value": str(value),
            }
            for value, count in counts.most_common(max(most, 1))
        ]
        available.append({str(facet.id): values})
    selected = [{str(number): sorted(values)} for number, values in _chosen(call).items()]
    values_block = {"available": available, "selected": selected}
    return {
        "links": links(f"/v2/facets/{call.path['id']}"),
        "results": {"data": {"facets": about, "values": values_block}},
    }


def list_columns(call: Call) -> Any:
    """``GET /v2/nodes/{id}/columns``: what lists show of the children."""
    node = call.node()
    published = [
        {"default": False, "id": category.id * 100 + attribute.id, "name": attribute.label}
        for category in call.store.categories.values()
        for attribute in category.attributes()
        if attribute.column
    ]
    shown = {
        "global_columns": ["Type", "Name", "Size", "Modified"],
        "inherited_columns": [],
        "local_columns": {"available_columns": published, "displayed_columns": []},
    }
    unsorted = {"column_id": None, "column_name": None, "sort_direction": None}
    return {
        "links": links(f"/v2/nodes/{node.id}/columns"),
        "results": {"columns_to_display": shown, "columns_to_sort": {"inherited_sort": unsorted}},
    }


def _children(call: Call) -> list[Node]:
    parent = call.node()
    if not parent.is_container:
        raise errors.ApiError(400, "The item is not a container.")
    known = facets_of(call.store)
    found = call.visible(call.store.children(parent.id))
    for number, values in _chosen(call).items():
        if number not in known:
            raise errors.ApiError(400, f"The facet {number} does not exist.")
        found = [node for node in found if str(known[number].value(node)) in values]
    return found


def _chosen(call: Call) -> Mapping[int, set[str]]:
    chosen: dict[int, set[str]] = {}
    for item in call.query.getlist("where_facet"):
        number, _, values = item.partition(":")
        chosen[to_int(number, "where_facet") or 0] = set(values.split("|"))
    return chosen


def _column(store: Store, name: str) -> Callable[[Node], Any]:
    return lambda node: columns(store, node).get(name)


def _shown(store: Store, facet: Facet, value: Any) -> str:
    if facet.id == TYPE_FACET:
        return TYPE_NAMES[value]
    if facet.id == OWNER_FACET and value in store.members:
        return store.members[value].display_name
    return str(value)


ENDPOINTS = (
    Endpoint("GET", "/v3/app/container/{id:int}", list_container),
    Endpoint("GET", "/v2/facets/{id:int}", list_facets),
    Endpoint("GET", "/v2/nodes/{id:int}/columns", list_columns),
)
