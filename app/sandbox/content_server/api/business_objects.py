"""Records of the leading applications, and connections to them (reference/extended-ecm.md 2.1)."""

from __future__ import annotations

from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.api.call import Call, Endpoint, to_int
from app.sandbox.content_server.model import BusinessObjectType, ExternalSystem
from app.sandbox.content_server.render import links, paginate, workspace_list

KEY = "ID"


def list_objects(call: Call) -> Any:
    """``GET /v2/businessobjects``: what the leading application's adapter says right now."""
    bo_type = _bo_type(call)
    wanted = {
        name.removeprefix("where_"): value.casefold()
        for name, value in call.query.items()
        if name.startswith("where_")
    }
    rows = [
        row
        for row in call.store.business_objects.get((bo_type.external_system, bo_type.name), [])
        if all(row.get(name, "").casefold().startswith(text) for name, text in wanted.items())
    ]
    page = paginate(rows, call.query_number("limit", 500), call.query_number("page", 1), 500)
    answer = workspace_list(page, "/v2/businessobjects", call.query.multi_items())
    answer["results"] = {
        "column_descriptions": _columns(bo_type),
        "max_rows_exceeded": page.number < page.pages,
        "result_rows": page.items,
    }
    return answer


def search_form(call: Call) -> Any:
    """``GET /v2/forms/businessobjects/search``: the type, then a form of its properties."""
    bo_type = _bo_type(call)
    about = {
        "bo_type": bo_type.name,
        "bo_type_id": bo_type.id,
        "bo_type_name": bo_type.name,
        "ext_system_id": bo_type.external_system,
    }
    names = [KEY, *bo_type.properties]
    return {
        "links": links("/v2/forms/businessobjects/search"),
        "results": [
            {
                "data": about | {"business_attachments": {"metadata_mapping": False}},
                "options": {"fields": {name: {"hidden": True} for name in about}},
                "schema": {"properties": {name: {"readonly": True} for name in about}},
            },
            {
                "data": dict.fromkeys(names, ""),
                "options": {"fields": {name: {"label": name, "type": "text"} for name in names}},
                "schema": {
                    "properties": {name: {"title": name, "type": "string"} for name in names},
                    "title": bo_type.name,
                    "type": "object",
                },
            },
        ],
    }


def add_system(call: Call) -> Any:
    """``POST /v2/externalsystems``: a new connection; 500 when there is one of that name."""
    name = call.required("external_system_name")
    if name in call.store.external_systems:
        raise errors.ApiError(500, f"The external system '{name}' already exists.")
    system = ExternalSystem(
        call.store.new_id(), name, call.required("conn_type"), call.text("baseurl")
    )
    call.store.external_systems[name] = system
    return {"links": links("/v2/externalsystems", "POST"), "results": {"id": system.id}}


def _bo_type(call: Call) -> BusinessObjectType:
    type_id = to_int(call.query.get("bo_type_id"), "bo_type_id")
    if type_id is None:
        for name in ("ext_system_id", "bo_type"):
            if not call.query.get(name):
                raise errors.missing_argument(name)
        return call.store.bo_type(call.query["ext_system_id"], call.query["bo_type"])
    found = call.store.bo_types.get(type_id)
    if found is None:
        raise errors.ApiError(400, f"The business object type {type_id} does not exist.")
    return found


def _columns(bo_type: BusinessObjectType) -> list[dict[str, Any]]:
    return [
        {
            "fieldLabel": name,
            "fieldName": name,
            "keyField": "X" if name == KEY else " ",
            "length": 255,
            "position": position,
        }
        for position, name in enumerate((KEY, *bo_type.properties), start=1)
    ]


ENDPOINTS = (
    Endpoint("GET", "/v2/businessobjects", list_objects),
    Endpoint("GET", "/v2/forms/businessobjects/search", search_form),
    Endpoint("POST", "/v2/externalsystems", add_system, "F"),
)
