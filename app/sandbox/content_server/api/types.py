"""Workspace types, business object types, external systems (reference/extended-ecm.md 2.1)."""

from __future__ import annotations

from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.api.call import Call, Endpoint, to_bool
from app.sandbox.content_server.api.workspace_lists import braced
from app.sandbox.content_server.model import BusinessObjectType, ExternalSystem, WorkspaceType
from app.sandbox.content_server.render import links, paginate, workspace_list
from app.sandbox.content_server.store import Store


def list_types(call: Call) -> Any:
    """``GET /v2/businessworkspacetypes``, whole or for one business object type."""
    system, bo_type = call.query.get("ext_system_id"), call.query.get("bo_type")
    if (system is None) != (bo_type is None):
        raise errors.missing_argument("bo_type" if bo_type is None else "ext_system_id")
    kinds = list(call.store.workspace_types.values())
    if system is not None and bo_type is not None:
        wanted = call.store.bo_type(system, bo_type).workspace_type_id
        kinds = [kind for kind in kinds if kind.id == wanted]
    if not kinds:
        # Not an empty list: a server without any type answers this (reference 2.1).
        raise errors.ApiError(500, "No business workspace type exists.")
    results = [_type_result(call, kind) for kind in kinds]
    return {"links": links("/v2/businessworkspacetypes"), "results": results}


def get_type(call: Call) -> Any:
    """``GET /v2/businessworkspacetypes/{id}``."""
    kind = _kind(call)
    return {
        "links": links(f"/v2/businessworkspacetypes/{kind.id}"),
        "results": _type_result(call, kind),
    }


def get_type_v1(call: Call) -> Any:
    """``GET /v1/businessworkspacetypes/{id}``: little more than the name."""
    return {"icon_url": None, "is_policies_enabled": False, "workspace_type": _kind(call).name}


def list_bo_types(call: Call) -> Any:
    """``GET /v2/businessobjecttypes``, ``paging`` at the top."""
    found = [
        {
            "data": {
                "properties": {
                    "bo_type": bo_type.name,
                    "bo_type_id": bo_type.id,
                    "bo_type_name": bo_type.name,
                    "ext_system_id": bo_type.external_system,
                    "is_default_Search": True,
                    "workspace_type_id": bo_type.workspace_type_id,
                }
            }
        }
        for bo_type in call.store.bo_types.values()
    ]
    page = paginate(found, call.query_number("limit", 100), call.query_number("page", 1), 500)
    return workspace_list(page, "/v2/businessobjecttypes", call.query.multi_items())


def get_bo_type(call: Call) -> Any:
    """``GET /v2/businessobjecttypes/{id}`` with its property mappings."""
    bo_type = call.store.bo_types.get(call.path["id"])
    if bo_type is None:
        raise errors.ApiError(404, f"The business object type {call.path['id']} does not exist.")
    shown = {
        "bo_type": bo_type.name,
        "bo_type_id": bo_type.id,
        "ext_system_id": bo_type.external_system,
        "workspace_type_id": bo_type.workspace_type_id,
        "propertyMappings": _mappings(bo_type),
        "propertyGroups": [
            {"name": name, "categoryID": str(category), "setID": f"{category}_{group}"}
            for name, (category, group, _) in bo_type.groups.items()
        ],
    }
    return {
        "links": links(f"/v2/businessobjecttypes/{bo_type.id}"),
        "results": {"data": {"properties": shown}},
    }


def get_bo_type_of_system(call: Call) -> Any:
    """``GET /v2/externalsystems/{es}/botypes/{bt}``."""
    system = str(call.path["es"])
    bo_type = call.store.bo_type(system, str(call.path["bt"]))
    shown: dict[str, Any] = {
        "bo_type": bo_type.name,
        "bo_type_id": bo_type.id,
        "businessProperties": _mappings(bo_type),
        "ext_system_id": system,
        "workspace_type_id": bo_type.workspace_type_id,
    }
    data: dict[str, Any] = {"properties": shown}
    if to_bool(call.query.get("expand_ext_system")):
        data["ext_system"] = _system(call.store.external_systems[system])
    if to_bool(call.query.get("expand_wksp_type")):
        kind = call.store.workspace_types[bo_type.workspace_type_id]
        data["wksp_type"] = _type_properties(call.store, kind, True)
    path = f"/v2/externalsystems/{system}/botypes/{bo_type.name}"
    return {"links": links(path), "results": {"data": data}}


def list_systems(call: Call) -> Any:
    """``GET /v2/externalsystems`` with ``where_name={a,b}`` and ``where_conntype``."""
    names = braced(call.query.get("where_name", ""))
    kinds = braced(call.query.get("where_conntype", ""))
    found = [
        _system(system)
        for system in call.store.external_systems.values()
        if (not names or system.name in names) and (not kinds or system.conn_type in kinds)
    ]
    return {"links": links("/v2/externalsystems"), "results": found}


def get_system(call: Call) -> Any:
    """``GET /v2/externalsystems/{es}/config``; ``\\`` and ``/`` of the name come as 0xF0A6/7."""
    name = str(call.path["es"]).replace("0xF0A6", "\\").replace("0xF0A7", "/")
    system = call.store.external_systems.get(name)
    if system is None:
        raise errors.ApiError(404, f"The external system '{name}' does not exist.")
    return {"links": links(f"/v2/externalsystems/{name}/config"), **_system(system)}


def _kind(call: Call) -> WorkspaceType:
    kind = call.store.workspace_types.get(call.path["id"])
    if kind is None:
        raise errors.ApiError(404, f"The workspace type {call.path['id']} does not exist.")
    return kind


def _type_result(call: Call, kind: WorkspaceType) -> dict[str, Any]:
    templates = to_bool(call.query.get("expand_templates"))
    data: dict[str, Any] = {"properties": _type_properties(call.store, kind, templates)}
    if to_bool(call.query.get("expand_wksp_info")):
        used = any(n.workspace and n.workspace.type_id == kind.id for n in call.store.workspaces())
        data["wksp_info"] = {"in_use": used, "wksp_type_icon": None}
    return {"data": data}


def _type_properties(store: Store, kind: WorkspaceType, templates: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "add_creator_to_lead_role": kind.creator_leads,
        "aviator_enabled": False,
        "rm_enabled": kind.rm_enabled,
        "wksp_creation": {
            "location": "CurrentNode" if kind.location_id is None else "StaticNodeId",
            "location_value": kind.location_id,
            "use_also_for_manual_creation": kind.location_for_manual,
        },
        "wksp_name_generation": {
            "use_also_for_wksp_without_bo": kind.name_without_bo,
            "wksp_names": {"en": kind.name_pattern},
        },
        "wksp_type_id": kind.id,
        "wksp_type_name": kind.name,
        "wksp_type_names": {"en": kind.name},
    }
    if templates:
        shown["templates"] = [
            {"id": i, "name": store.nodes[i].name, "subtype": 848} for i in kind.template_ids
        ]
    return shown


def _mappings(bo_type: BusinessObjectType) -> list[dict[str, str]]:
    return [
        {"name": name, "categoryID": str(category), "attributeID": f"{category}_{attribute}"}
        for name, (category, attribute) in bo_type.properties.items()
    ]


def _system(system: ExternalSystem) -> dict[str, Any]:
    return {
        "asurl": system.base_url,
        "asurl_v4": "",
        "auth_method": "OAUTH",
        "baseurl": system.base_url,
        "client_id": "",
        "conn_type": system.conn_type,
        "enabled": 1,
        "extsystem_node_id": system.id,
        "id_extsystem": system.name,
        "multilinguals": {"en": system.name},
        "schema_version": 1,
        "system_comment": "",
        "token_endpoint": "",
        "username": "",
    }


ENDPOINTS = (
    Endpoint("GET", "/v2/businessworkspacetypes", list_types),
    Endpoint("GET", "/v2/businessworkspacetypes/{id:int}", get_type),
    Endpoint("GET", "/v1/businessworkspacetypes/{id:int}", get_type_v1),
    Endpoint("GET", "/v2/businessobjecttypes", list_bo_types),
    Endpoint("GET", "/v2/businessobjecttypes/{id:int}", get_bo_type),
    Endpoint("GET", "/v2/externalsystems", list_systems),
    Endpoint("GET", "/v2/externalsystems/{es}/config", get_system),
    Endpoint("GET", "/v2/externalsystems/{es}/botypes/{bt}", get_bo_type_of_system),
)
