"""Business workspace calls: create, upsert, list, get, references (reference 2.2 to 2.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.sandbox.content_server import categories, creation_roles, errors, workspaces
from app.sandbox.content_server.api import workspace_requests
from app.sandbox.content_server.api.call import Call, Endpoint
from app.sandbox.content_server.api.category_answers import metadata
from app.sandbox.content_server.api.workspace_lists import list_answer
from app.sandbox.content_server.model import BusinessReference, Node
from app.sandbox.content_server.render import (
    links,
    narrowed,
    node_properties,
    selection,
    workspace_row,
)
from app.sandbox.content_server.store import Store


def create(call: Call) -> Any:
    """``POST /v2/businessworkspaces``."""
    request = workspace_requests.parse(call.store, call.fields)
    more = creation_roles.read(call.store, call.fields.get("roles"), call.actor)
    node = workspaces.create(call.store, request, call.actor)
    if request.shared_workspace_id is None:
        creation_roles.put(call.store, node, more, call.actor)
    return {
        "links": links("/v2/businessworkspaces", "POST"),
        "results": {"direct_open": True, "id": node.id, "sub_folder_id": 0},
    }


def upsert_many(call: Call) -> Any:
    """``PUT /v2/businessworkspaces``: a bare array, each item with its own error text."""
    if not call.store.behaviour.bulk_upsert:
        raise errors.ApiError(400, errors.UNKNOWN_URL)
    items = call.fields.get("bws_infos")
    if not isinstance(items, list) or not items:
        raise errors.missing_argument("bws_infos")
    return [_upsert_one(call, item) for item in items]


def _upsert_one(call: Call, item: Any) -> dict[str, Any]:
    try:
        if not isinstance(item, dict):
            raise errors.invalid_datatype("bws_infos")
        given = {key: value for key, value in item.items() if key != "ibo_workspace_id"}
        request = workspace_requests.parse(call.store, given)
        return {"id": workspaces.upsert(call.store, request, call.actor).id, "error_message": ""}
    except errors.ApiError as refusal:
        return {"id": 0, "error_message": refusal.text}


def get_workspace(call: Call) -> Any:
    """``GET /v2/businessworkspaces/{id}``; opening it counts as recently accessed."""
    store, node = call.store, call.workspace()
    assert node.workspace is not None
    store.mark_accessed(call.actor.id, node.id)
    linked = node.workspace.references
    chosen = selection(call.query.getlist("fields"))
    parts: dict[str, Callable[[], Any]] = {
        "properties": lambda: _properties(store, node),
        "business_properties": lambda: _business_properties(store, node),
        "workspace_references": lambda: references(store, node),
        "categories": lambda: [categories.all_values(store, node)] if node.categories else [],
        "display_urls": lambda: [_display_url(store, ref) for ref in linked],
        "wksp_info": lambda: {"wksp_type_icon": None},
    }
    data = {name: part() for name, part in parts.items() if not chosen or name in chosen}
    if "properties" in data and chosen:
        data["properties"] = narrowed(data["properties"], chosen["properties"][0])
    actions: dict[str, Any] = {"change-reference" if linked else "complete-reference": {}}
    results: dict[str, Any] = {"actions": {"data": actions}, "data": data}
    if call.flag("metadata"):
        results |= metadata(store, node)
    return {"links": links(f"/v2/businessworkspaces/{node.id}"), "results": results}


def get_workspace_v1(call: Call) -> Any:
    """``GET /v1/businessworkspaces/{id}``: the older, smaller answer."""
    node = call.workspace()
    assert node.workspace is not None
    linked = node.workspace.references
    business = {
        "has_business_object_id": bool(linked),
        "display_url": _display_url(call.store, linked[0]) if linked else None,
    }
    return {"data": node_properties(call.store, node), "business_reference": business}


def by_business_object(call: Call) -> Any:
    """``GET /v2/externalsystems/{es}/botypes/{bt}/boids/{id}``: a list of at most one."""
    store = call.store
    reference = BusinessReference(*(str(call.path[name]) for name in ("es", "bt", "bo")))
    linked = store.linked_workspace(reference)
    node = next(iter(call.visible([linked] if linked else [])), None)
    missing = store.behaviour.bo_missing
    if node is None and missing != "empty":
        raise errors.ApiError(int(missing), errors.NOT_ACCESSIBLE)
    return list_answer(
        call, [(node, {})] if node else [], call.request.url.path.partition("/api")[2]
    )


def set_reference(call: Call) -> Any:
    """``PUT .../workspacereferences``: give a workspace its business object."""
    node = call.workspace()
    call.require(node, "modify")
    reference = workspace_requests.reference(call.store, call.fields)
    if reference is None:
        raise errors.missing_argument("bo_id")
    workspaces.complete(call.store, node, reference, call.actor)
    return {
        "links": links(f"/v2/businessworkspaces/{node.id}/workspacereferences", "PUT"),
        "results": {},
    }


def delete_reference(call: Call) -> Any:
    """``DELETE .../workspacereferences`` with form fields or query parameters."""
    node = call.workspace()
    call.require(node, "modify")
    given = call.fields or dict(call.query)
    reference = workspace_requests.reference(call.store, given)
    if reference is None:
        raise errors.missing_argument("bo_id")
    if not call.store.unlink(node, reference):
        raise errors.ApiError(400, "The workspace does not have this business object.")
    call.store.touch(node, call.actor.id)
    return {"results": {"data": {"showDetails": ""}}}


def enclosing(call: Call) -> Any:
    """``GET /v1/nodes/{id}/businessworkspace``: the workspace that a node lies in."""
    node = call.store.enclosing_workspace(call.node())
    node = next(iter(call.visible([node] if node else [])), None)
    if node is None or node.workspace is None:
        raise errors.ApiError(404, "The node is not inside a business workspace.")
    return {
        "id": node.id,
        "isLinked": bool(node.workspace.references),
        "type": node.type,
        "workspace_type_id": node.workspace.type_id,
    }


def references(store: Store, node: Node) -> list[dict[str, Any]]:
    """Every business object of a workspace; the first is the default of both kinds."""
    assert node.workspace is not None
    rows = []
    for index, reference in enumerate(node.workspace.references):
        bo_type = store.bo_type(reference.external_system, reference.bo_type)
        rows.append(
            {
                "business_object_id": reference.bo_id,
                "business_object_type": reference.bo_type,
                "business_object_type_id": bo_type.id,
                "external_system_id": reference.external_system,
                "has_default_display": index == 0,
                "has_default_search": index == 0,
                "workspace_type_id": bo_type.workspace_type_id,
            }
        )
    return rows


def _properties(store: Store, node: Node) -> dict[str, Any]:
    assert node.workspace is not None
    kind = store.workspace_types[node.workspace.type_id]
    extra = {"wksp_type_name": kind.name, "rm_enabled": kind.rm_enabled}
    return workspace_row(store, node) | extra


def _business_properties(store: Store, node: Node) -> dict[str, Any]:
    """Only the first business object shows here (reference 2.4)."""
    assert node.workspace is not None
    shown: dict[str, Any] = {
        "isEarly": not node.workspace.references,
        "workspace_type_id": node.workspace.type_id,
    }
    if not node.workspace.references:
        return shown
    first = node.workspace.references[0]
    return shown | {
        "business_object_id": first.bo_id,
        "business_object_type": first.bo_type,
        "business_object_type_id": store.bo_type(first.external_system, first.bo_type).id,
        "external_system_id": first.external_system,
        "display_url": _display_url(store, first),
    }


def _display_url(store: Store, reference: BusinessReference) -> str:
    base = store.external_systems[reference.external_system].base_url
    return f"{base}/main.aspx?etn={reference.bo_type}&id={reference.bo_id}&pagetype=entityrecord"


ENDPOINTS = (
    Endpoint("POST", "/v2/businessworkspaces", create, "BF"),
    Endpoint("PUT", "/v2/businessworkspaces", upsert_many, "JB"),
    Endpoint("GET", "/v2/businessworkspaces/{id:int}", get_workspace),
    Endpoint("GET", "/v1/businessworkspaces/{id:int}", get_workspace_v1),
    Endpoint("GET", "/v2/externalsystems/{es}/botypes/{bt}/boids/{bo}", by_business_object),
    Endpoint("PUT", "/v2/businessworkspaces/{id:int}/workspacereferences", set_reference, "FBM"),
    Endpoint(
        "DELETE", "/v2/businessworkspaces/{id:int}/workspacereferences", delete_reference, "F"
    ),
    Endpoint("GET", "/v1/nodes/{id:int}/businessworkspace", enclosing),
)
