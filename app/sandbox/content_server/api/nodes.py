"""Node calls (reference/extended-ecm.md 0, 2.7, 5 and 8.2)."""

from __future__ import annotations

from typing import Any

from app.sandbox.content_server import categories, creation_roles, errors, nodes
from app.sandbox.content_server.api.call import (
    Call,
    Endpoint,
    in_own_language,
    to_bool,
    to_int,
    to_text,
)
from app.sandbox.content_server.api.category_answers import describe
from app.sandbox.content_server.api.workspace_lists import braced, sort_nodes
from app.sandbox.content_server.model import Node
from app.sandbox.content_server.render import (
    collection,
    expanded,
    links,
    narrowed,
    node_properties,
    paginate,
    selection,
    version_properties,
)

DEFAULT_PAGE = 25
LARGEST_PAGE = 500
LARGEST_ID_LIST = 250


def create_node(call: Call) -> Any:
    """``POST /v2/nodes``: folder, URL, shortcut, copy, or a document with its file."""
    parent_id = call.number("parent_id")
    if parent_id is None:
        raise errors.missing_argument("parent_id")
    node_type, original_id = call.number("type"), call.number("original_id")
    if node_type is None and original_id is not None:
        name = call.text("name") or call.node(original_id).name
        node = nodes.copy(call.store, original_id, parent_id, name, call.actor)
    else:
        more = creation_roles.read(call.store, call.fields.get("roles"), call.actor)
        node = nodes.create(call.store, _request(call, node_type, parent_id), call.actor)
        creation_roles.put(call.store, node, more, call.actor)
        call.use_up()
    return node_answer(call, node, "/v2/nodes", "POST")


def _request(call: Call, node_type: int | None, parent_id: int) -> nodes.NodeRequest:
    if node_type is None:
        raise errors.missing_argument("type")
    file = call.uploaded()
    name = call.text("name") or (file.name if file else "")
    if not name:
        raise errors.missing_argument("name")
    return nodes.NodeRequest(
        node_type,
        parent_id,
        name,
        call.text("description"),
        call.number("original_id"),
        call.text("url"),
        {key: call.fields[key] for key in nodes.EXTERNAL if call.fields.get(key)},
        categories.flat(call.fields.get("roles")),
        file,
        to_bool(call.fields.get("advanced_versioning")),
    )


def get_node(call: Call) -> Any:
    """``GET /v2/nodes/{id}`` with ``fields``, ``expand``, ``metadata`` and ``state``."""
    node = _node(call)
    if node.parent_id != -1:
        call.store.mark_accessed(call.actor.id, node.id)
    return node_answer(call, node, f"/v2/nodes/{node.id}", "GET")


def node_answer(call: Call, node: Node, path: str, method: str) -> dict[str, Any]:
    """One node in the v2 envelope."""
    results: dict[str, Any] = _row(call, node)
    if call.flag("state"):
        results["state"] = {
            "properties": {"metadata_token": nodes.metadata_token(node)},
            "categories": {
                f"{i}_1": {"metadata_token": categories.token(node, i)} for i in node.categories
            },
        }
    return {"links": links(path, method), "results": results}


def node_data(call: Call, node: Node) -> dict[str, Any]:
    """The chosen field groups of a node; properties alone when none are chosen."""
    chosen = selection(call.query.getlist("fields")) or {"properties": ((), None)}
    data: dict[str, Any] = {}
    if "properties" in chosen:
        shown = narrowed(node_properties(call.store, node), chosen["properties"][0])
        data["properties"] = shown | expanded(call.store, node, call.query.getlist("expand"))
    if "categories" in chosen:
        data["categories"] = [categories.all_values(call.store, node)] if node.categories else []
    if "versions" in chosen:
        data["versions"] = _versions(call, node, chosen["versions"][1])
    if "nicknames" in chosen:
        data["nicknames"] = {"nickname": node.nickname}
    return data


def list_children(call: Call) -> Any:
    """``GET /v2/nodes/{id}/nodes`` with ``where_type``, ``where_name`` (contains), ``sort``."""
    parent = _node(call)
    if not parent.is_container:
        raise errors.ApiError(400, "The item is not a container.")
    kinds = [to_int(kind, "where_type") for kind in call.query.getlist("where_type")]
    wanted = call.query.get("where_name", "").casefold()
    collected = [call.store.nodes[i] for i in parent.collected if i in call.store.nodes]
    found = [
        child
        for child in call.visible([*call.store.children(parent.id), *collected])
        if wanted in child.name.casefold() and _of_kind(child, kinds)
    ]
    sort = call.query.get("sort", "asc_name")
    page = paginate(
        sort_nodes(found, sort),
        call.query_number("limit", DEFAULT_PAGE),
        call.query_number("page", 1),
        LARGEST_PAGE,
    )
    page.items[:] = [_row(call, child) for child in page.items]
    return collection(page, f"/v2/nodes/{parent.id}/nodes", call.query.multi_items(), sort)


def _row(call: Call, node: Node) -> dict[str, Any]:
    """A node's data and, with ``metadata``, its categories described one by one.

    A list, as OpenText's own client reads it; the calls for categories have one flat object.
    """
    row: dict[str, Any] = {"data": node_data(call, node)}
    if call.flag("metadata"):
        kinds = [call.store.categories[i] for i in node.categories]
        row["metadata"] = {"categories": [describe(category) for category in kinds]}
    return row


def list_by_id(call: Call) -> Any:
    """``POST /v2/nodes/list`` with at most 250 ``ids``; what cannot be seen is left out."""
    ids = _ids(call)
    if len(ids) > LARGEST_ID_LIST:
        raise errors.ApiError(400, f"More than {LARGEST_ID_LIST} ids.")
    found = call.visible(call.store.nodes[i] for i in ids if i in call.store.nodes)
    results = [{"data": node_data(call, node)} for node in found]
    return {"links": links("/v2/nodes/list", "POST"), "results": results}


def update_node(call: Call) -> Any:
    """``PUT /v2/nodes/{id}``: rename, describe, move, reserve; 409 for a stale token."""
    node = _node(call)
    changes = in_own_language(call.fields)
    changes |= {n: to_text(changes[n], n) for n in ("name", "description") if n in changes}
    changes |= {
        name: call.number(name) for name in ("parent_id", "reserved_user_id") if name in changes
    }
    nodes.update(call.store, node, changes, call.actor)
    return node_answer(call, node, f"/v2/nodes/{node.id}", "PUT")


def delete_node(call: Call) -> Any:
    """``DELETE /v2/nodes/{id}``."""
    node = _node(call)
    nodes.delete(call.store, node, call.actor)
    return {"links": links(f"/v2/nodes/{node.id}", "DELETE"), "results": {}}


def list_ancestors(call: Call) -> Any:
    """``GET /v1/nodes/{id}/ancestors``: from the volume down."""
    line = nodes.ancestors(call.store, _node(call))
    shown = [{"id": n.id, "name": n.name, "parent_id": n.parent_id, "type": n.type} for n in line]
    return {"ancestors": shown}


def change_collection(call: Call) -> Any:
    """``PUT /v2/nodes/{id}/collection`` with ``ids`` and ``operation`` add or remove."""
    operation = call.text("operation")
    if operation not in ("add", "remove"):
        raise errors.invalid_datatype("operation")
    nodes.collect(call.store, _node(call), _ids(call), call.actor, add=operation == "add")
    return {"results": {}}


def unique_names(call: Call) -> Any:
    """``GET /v2/uniquenames?where_names={a,b}``: items by their nickname, whoever asks."""
    wanted = braced(call.query.get("where_names", ""))
    if not wanted:
        raise errors.missing_argument("where_names")
    ids = [call.store.nicknames.get(name.casefold()) for name in wanted]
    found = call.visible(call.store.nodes[i] for i in ids if i is not None)
    rows = [{"NodeId": n.id, "NodeName": n.name, "UniqueName": n.nickname} for n in found]
    return {"links": links("/v2/uniquenames"), "results": rows}


def set_nickname(call: Call) -> Any:
    """``PUT /v2/nodes/{id}/nicknames`` with ``nickname``."""
    nodes.set_nickname(call.store, _node(call), call.required("nickname"))
    return {"results": {}}


def by_nickname(call: Call) -> Any:
    """``GET /v2/nicknames/{name}/nodes``."""
    node_id = call.store.nicknames.get(str(call.path["name"]).casefold())
    if node_id is None:
        raise errors.not_accessible()
    path = f"/v2/nicknames/{call.path['name']}/nodes"
    return node_answer(call, call.node(node_id), path, "GET")


def name_collisions(call: Call) -> Any:
    """``POST /v1/validation/nodes/names``: which of ``names`` the parent has already."""
    parent_id = call.number("parent_id")
    if parent_id is None:
        raise errors.missing_argument("parent_id")
    parent = call.node(parent_id)
    held = [call.store.child_by_name(parent.id, str(n)) for n in call.fields.get("names") or []]
    return {"results": [{"id": node.id, "name": node.name} for node in held if node]}


def list_volumes(call: Call) -> Any:
    """``GET /v2/volumes``."""
    found = [n for n in call.store.nodes.values() if n.parent_id == -1]
    return {"links": links("/v2/volumes"), "results": [{"data": node_data(call, n)} for n in found]}


def get_volume(call: Call) -> Any:
    """``GET /v2/volumes/{type}``: by subtype, or by node id."""
    wanted = call.path["type"]
    for node in call.store.nodes.values():
        if node.parent_id == -1 and wanted in (node.type, node.id):
            return node_answer(call, node, f"/v2/volumes/{wanted}", "GET")
    raise errors.not_accessible()


def _versions(call: Call, node: Node, element: int | None) -> Any:
    zone = "Z" if call.store.behaviour.zulu_dates else ""
    shown = [version_properties(version, zone) for version in reversed(node.versions)]
    if element is None:
        return shown
    return shown[element] if element < len(shown) else None


def _of_kind(node: Node, kinds: list[int | None]) -> bool:
    """-1 containers, -2 searchable (everything here), -3 non-containers, else the subtype."""
    if not kinds:
        return True
    return any(
        kind == node.type
        or kind == -2
        or (kind == -1 and node.is_container)
        or (kind == -3 and not node.is_container)
        for kind in kinds
    )


def _ids(call: Call) -> list[int]:
    given = call.fields.get("ids", [])
    raw = [to_int(i, "ids") for i in (given if isinstance(given, list) else [given])]
    ids = [i for i in raw if i is not None]
    if not ids:
        raise errors.missing_argument("ids")
    return ids


def _node(call: Call) -> Node:
    return call.node()


ENDPOINTS = (
    Endpoint("POST", "/v2/nodes", create_node, "BMF"),
    Endpoint("POST", "/v2/nodes/list", list_by_id, "FB"),
    Endpoint("GET", "/v2/nodes/{id:int}", get_node),
    Endpoint("PUT", "/v2/nodes/{id:int}", update_node, "BF"),
    Endpoint("DELETE", "/v2/nodes/{id:int}", delete_node),
    Endpoint("GET", "/v2/nodes/{id:int}/nodes", list_children),
    Endpoint("PUT", "/v2/nodes/{id:int}/collection", change_collection, "F"),
    Endpoint("GET", "/v2/uniquenames", unique_names),
    Endpoint("PUT", "/v2/nodes/{id:int}/nicknames", set_nickname, "F"),
    Endpoint("GET", "/v2/nicknames/{name}/nodes", by_nickname),
    Endpoint("GET", "/v1/nodes/{id:int}/ancestors", list_ancestors),
    Endpoint("POST", "/v1/validation/nodes/names", name_collisions, "B"),
    Endpoint("GET", "/v2/volumes", list_volumes),
    Endpoint("GET", "/v2/volumes/{type:int}", get_volume),
)
