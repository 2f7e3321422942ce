"""Categories of a node, and the forms that tell attribute ids by label (reference 4)."""

from __future__ import annotations

from typing import Any

from app.sandbox.content_server import categories, errors
from app.sandbox.content_server.api.call import Call, Endpoint, to_bool, to_int
from app.sandbox.content_server.api.category_answers import describe, form
from app.sandbox.content_server.attributes import flat_values, initial_values
from app.sandbox.content_server.model import Node
from app.sandbox.content_server.render import links


def list_categories(call: Call) -> Any:
    """``GET /v2/nodes/{id}/categories[?metadata]``: one result per category."""
    store, node = call.store, _node(call)
    results = []
    for category_id, values in node.categories.items():
        category = store.categories[category_id]
        result: dict[str, Any] = {"data": {"categories": flat_values(category, values)}}
        if call.flag("metadata"):
            described = describe(category)
            keys = [key for key in described if "_" in key]
            result |= {
                "metadata": {"categories": described},
                "metadata_map": {"categories": {str(category_id): keys}},
                "metadata_order": {"categories": [str(category_id)]},
            }
        if call.flag("state"):
            result["state"] = {"categories": _state(node, category_id)}
        results.append(result)
    return {"links": links(f"/v2/nodes/{node.id}/categories"), "results": results}


def get_category(call: Call) -> Any:
    """``GET /v2/nodes/{id}/categories/{cat}``."""
    store, node = call.store, _node(call)
    category, values = categories.applied(store, node, call.path["category_id"])
    results: dict[str, Any] = {"data": {"categories": flat_values(category, values)}}
    if call.flag("metadata"):
        results["metadata"] = {"categories": describe(category)}
    if call.flag("state"):
        results["state"] = {"categories": _state(node, category.id)}
    return {"links": links(f"/v2/nodes/{node.id}/categories/{category.id}"), "results": results}


def apply_category(call: Call) -> Any:
    """``POST /v2/nodes/{id}/categories`` with ``category_id`` and attribute keys."""
    node = _node(call)
    category_id = call.number("category_id")
    if category_id is None:
        raise errors.missing_argument("category_id")
    categories.apply(call.store, node, category_id, _attributes(call), call.actor)
    return {"links": links(f"/v2/nodes/{node.id}/categories", "POST"), "results": {}}


def change_category(call: Call) -> Any:
    """``PUT /v2/nodes/{id}/categories/{cat}``: partial; 409 for a stale ``metadata_token``."""
    store, node = call.store, _node(call)
    category, _ = categories.applied(store, node, call.path["category_id"])
    token = call.text("metadata_token")
    if token and token != categories.token(node, category.id):
        raise errors.ApiError(409, errors.EDIT_CONFLICT)
    path = f"/v2/nodes/{node.id}/categories/{category.id}"
    changes, behaviour = _attributes(call), store.behaviour
    if call.body.wrapped and behaviour.category_bodies == "refused":
        raise errors.ApiError(400, "The attribute 'body' is not a valid attribute.")
    if behaviour.empty_numbers:
        changes = {key: None if value == "" else value for key, value in changes.items()}
    if not (call.body.wrapped and behaviour.category_bodies == "ignored"):
        categories.change(store, node, category.id, changes, call.actor)
    return {"links": links(path, "PUT"), "results": {}}


def remove_category(call: Call) -> Any:
    """``DELETE /v2/nodes/{id}/categories/{cat}``."""
    categories.remove(call.store, _node(call), call.path["category_id"], call.actor)
    return {"results": {}}


def pass_down(call: Call) -> Any:
    """``POST .../inheritance``: new children get the category."""
    return _inheritance(call, True)


def keep(call: Call) -> Any:
    """``DELETE .../inheritance``: new children no longer get the category."""
    return _inheritance(call, False)


def apply_beneath(call: Call) -> Any:
    """``POST .../categories/apply``: push categories of a container to all that lies beneath.

    ``categories`` is ``[{id, action}]``; ``clear_existing_categories`` takes off all others.
    """
    node = _node(call)
    if not node.is_container:
        raise errors.ApiError(400, "Only a container can pass a category on.")
    given = call.fields.get("categories")
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise errors.invalid_datatype("categories")
    ids = [to_int(item.get("id"), "categories") or 0 for item in given]
    if not ids:
        raise errors.missing_argument("categories")
    clear = to_bool(call.fields.get("clear_existing_categories"))
    for category_id in ids:
        categories.applied(call.store, node, category_id)
    for item in call.visible(list(call.store.subtree(node))[1:]):
        categories.push(call.store, node, item, ids, call.actor, clear=clear)
    return {"links": links(f"/v2/nodes/{node.id}/categories/apply", "POST"), "results": {}}


def upgrade(call: Call) -> Any:
    """``PUT .../categories/upgrade``: to the newest definition, which every category has here."""
    node = _node(call)
    call.require(node, "edit_attributes")
    return {"links": links(f"/v2/nodes/{node.id}/categories/upgrade", "PUT"), "results": {}}


def create_form(call: Call) -> Any:
    """``GET /v1/forms/nodes/categories/create?id=&category_id=``: the empty form."""
    _node_of_query(call)
    category = categories.definition(call.store, _category_of_query(call))
    return {"forms": [form(category, initial_values(category), "")]}


def update_form(call: Call) -> Any:
    """``GET /v1/forms/nodes/categories/update?id=&category_id=``: the form with its values."""
    node = _node_of_query(call)
    category, values = categories.applied(call.store, node, _category_of_query(call))
    return {"forms": [form(category, values, categories.token(node, category.id))]}


def _inheritance(call: Call, inherit: bool) -> Any:
    node = _node(call)
    _, values = categories.applied(call.store, node, call.path["category_id"])
    if not node.is_container:
        raise errors.ApiError(400, "Only a container can pass a category on.")
    values.inherit = inherit
    return {"results": {}}


def _node(call: Call) -> Node:
    return call.node()


def _node_of_query(call: Call) -> Node:
    node_id = to_int(call.query.get("id"), "id")
    if node_id is None:
        raise errors.missing_argument("id")
    return call.node(node_id)


def _category_of_query(call: Call) -> int:
    category_id = to_int(call.query.get("category_id"), "category_id")
    if category_id is None:
        raise errors.missing_argument("category_id")
    return category_id


def _attributes(call: Call) -> dict[str, Any]:
    """The attribute keys of the form; ``category_id`` may come along with them."""
    others = ("category_id", "metadata_token")
    return {name: value for name, value in call.fields.items() if name not in others}


def _state(node: Node, category_id: int) -> dict[str, Any]:
    return {f"{category_id}_1": {"metadata_token": categories.token(node, category_id)}}


_ONE = "/v2/nodes/{id:int}/categories/{category_id:int}"
ENDPOINTS = (
    Endpoint("GET", "/v2/nodes/{id:int}/categories", list_categories),
    Endpoint("POST", "/v2/nodes/{id:int}/categories", apply_category, "F"),
    Endpoint("GET", _ONE, get_category),
    # A form cannot say null, which alone empties a number: that comes as JSON in ``body``.
    Endpoint("PUT", _ONE, change_category, "FB"),
    Endpoint("POST", "/v2/nodes/{id:int}/categories/apply", apply_beneath, "B"),
    Endpoint("PUT", "/v2/nodes/{id:int}/categories/upgrade", upgrade, "B"),
    Endpoint("DELETE", _ONE, remove_category),
    Endpoint("POST", f"{_ONE}/inheritance", pass_down),
    Endpoint("DELETE", f"{_ONE}/inheritance", keep),
    Endpoint("GET", "/v1/forms/nodes/categories/create", create_form),
    Endpoint("GET", "/v1/forms/nodes/categories/update", update_form),
)
