"""Forms of creation: workspaces and nodes (reference/extended-ecm.md 2.5 and 5)."""

from __future__ import annotations

from typing import Any

from app.sandbox.content_server import categories, errors
from app.sandbox.content_server.api.call import Call, Endpoint, to_int
from app.sandbox.content_server.api.category_answers import form
from app.sandbox.content_server.attributes import initial_values
from app.sandbox.content_server.model import Node
from app.sandbox.content_server.workspaces import NAME_LIMIT


def create_workspace(call: Call) -> Any:
    """``GET /v2/forms/businessworkspaces/create``: by template, business object type or both.

    A name that the type generates is read-only; the template's categories follow as forms.
    """
    template = _template(call)
    assert template.workspace is not None
    kind = call.store.workspace_types[template.workspace.type_id]
    linked = bool(call.query.get("bo_id"))
    generated = bool(kind.name_pattern) and (linked or kind.name_without_bo)
    parent_id = kind.location_id or to_int(call.query.get("parent_id"), "parent_id")
    data = {
        "description": "",
        "name": "",
        "parent_id": parent_id,
        "template_id": template.id,
        "wksp_type_id": kind.id,
    }
    schema = {
        "description": {"readonly": False, "required": False, "type": "string"},
        "name": _name(readonly=generated),
        "parent_id": {"readonly": kind.location_id is not None, "type": "integer"},
        "template_id": {"readonly": True, "type": "integer"},
        "wksp_type_id": {"readonly": True, "type": "integer"},
    }
    forms: list[dict[str, Any]] = [_form(data, schema)]
    for category_id, values in template.categories.items():
        category = call.store.categories[category_id]
        token = categories.token(template, category_id)
        forms.append(form(category, values, token) | {"role_name": "categories"})
    return {"forms": forms}


def create_node(call: Call) -> Any:
    """``GET /v1/forms/nodes/create?parent_id=&type=``, with ``category_id`` its forms too."""
    parent_id = to_int(call.query.get("parent_id"), "parent_id")
    kind = to_int(call.query.get("type"), "type")
    if parent_id is None or kind is None:
        raise errors.missing_argument("parent_id" if parent_id is None else "type")
    parent = call.node(parent_id)
    data = {"description": "", "name": "", "parent_id": parent.id, "type": kind}
    schema = {
        "description": {"readonly": False, "required": False, "type": "string"},
        "name": _name(readonly=False),
        "parent_id": {"readonly": True, "type": "integer"},
        "type": {"readonly": True, "type": "integer"},
    }
    forms = [_form(data, schema)]
    for raw in call.query.getlist("category_id"):
        category = categories.definition(call.store, to_int(raw, "category_id") or 0)
        forms.append(form(category, initial_values(category), "") | {"role_name": "categories"})
    return {"forms": forms}


def _template(call: Call) -> Node:
    template_id = to_int(call.query.get("template_id"), "template_id")
    type_id = to_int(call.query.get("bo_type_id"), "bo_type_id")
    if template_id is None:
        if type_id in call.store.bo_types:
            kind_id = call.store.bo_types[type_id].workspace_type_id
        elif call.query.get("ext_system_id") and call.query.get("bo_type"):
            system, name = call.query["ext_system_id"], call.query["bo_type"]
            kind_id = call.store.bo_type(system, name).workspace_type_id
        else:
            raise errors.missing_argument("template_id")
        template_id = call.store.workspace_types[kind_id].template_ids[0]
    node = call.node(template_id)
    if node.workspace is None or not node.workspace.is_template:
        raise errors.ApiError(400, f"The template with the ID {template_id} is invalid.")
    return node


def _name(*, readonly: bool) -> dict[str, Any]:
    return {
        "maxLength": NAME_LIMIT,
        "minLength": 1,
        "readonly": readonly,
        "required": True,
        "title": "Name",
        "type": "string",
    }


def _form(data: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    fields = {name: {"label": name, "hidden": name.endswith("_id")} for name in data}
    return {
        "data": data,
        "options": {"fields": fields, "form": {}},
        "schema": {"properties": schema, "type": "object"},
    }


ENDPOINTS = (
    Endpoint("GET", "/v2/forms/businessworkspaces/create", create_workspace),
    Endpoint("GET", "/v1/forms/nodes/create", create_node),
)
