"""What belongs to the caller: favourites, what was opened, what is reserved, own groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.api.call import Call, Endpoint, to_int
from app.sandbox.content_server.api.nodes import node_data
from app.sandbox.content_server.api.workspace_lists import sort_nodes
from app.sandbox.content_server.model import Node
from app.sandbox.content_server.render import collection, links, paginate

LARGEST_PAGE = 100
MOST_ACCESSED = 25
"""``members/accessed`` never shows more (reference/extended-ecm.md 0)."""


def list_favorites(call: Call) -> Any:
    """``GET /v2/members/favorites``."""
    marked = call.store.favorites.get(call.actor.id, [])
    return _page(call, _existing(call, marked), "/v2/members/favorites")


def add_favorite(call: Call) -> Any:
    """``POST /v2/members/favorites/{id}``; a second time changes nothing."""
    node = call.node()
    marked = call.store.favorites.setdefault(call.actor.id, [])
    if node.id not in marked:
        marked.append(node.id)
    return {"links": links(f"/v2/members/favorites/{node.id}", "POST"), "results": {}}


def remove_favorite(call: Call) -> Any:
    """``DELETE /v2/members/favorites/{id}``; 400 when it is none."""
    marked = call.store.favorites.get(call.actor.id, [])
    if call.path["id"] not in marked:
        raise errors.ApiError(400, "The item is not a favorite.")
    marked.remove(call.path["id"])
    return {"results": {}}


def list_accessed(call: Call) -> Any:
    """``GET /v2/members/accessed``: the newest 25 items that the caller opened."""
    opened = list(reversed(call.store.accessed.get(call.actor.id, {})))
    found = _existing(call, opened)
    kinds = {to_int(kind, "where_type") for kind in call.query.getlist("where_type")}
    parent = to_int(call.query.get("where_parent_id"), "where_parent_id")
    found = [
        node
        for node in found
        if (not kinds or node.type in kinds) and parent in (None, node.parent_id)
    ]
    return _page(call, found[:MOST_ACCESSED], "/v2/members/accessed")


def list_reserved(call: Call) -> Any:
    """``GET /v2/members/reserved``: what the caller has reserved."""
    mine = [node for node in call.store.nodes.values() if node.reserved_by == call.actor.id]
    return _page(call, call.visible(mine), "/v2/members/reserved")


def _existing(call: Call, ids: Iterable[int]) -> list[Node]:
    return call.visible(call.store.nodes[i] for i in ids if i in call.store.nodes)


def _page(call: Call, found: list[Node], path: str) -> Any:
    wanted = call.query.get("where_name", "").casefold()
    sort = call.query.get("sort", "")
    named = sort_nodes([node for node in found if wanted in node.name.casefold()], sort)
    limit = call.query_number("limit", LARGEST_PAGE)
    page = paginate(named, limit, call.query_number("page", 1), LARGEST_PAGE)
    page.items[:] = [{"data": node_data(call, node)} for node in page.items]
    return collection(page, path, call.query.multi_items(), sort)


ENDPOINTS = (
    Endpoint("GET", "/v2/members/favorites", list_favorites),
    Endpoint("POST", "/v2/members/favorites/{id:int}", add_favorite),
    Endpoint("DELETE", "/v2/members/favorites/{id:int}", remove_favorite),
    Endpoint("GET", "/v2/members/accessed", list_accessed),
    Endpoint("GET", "/v2/members/reserved", list_reserved),
)
