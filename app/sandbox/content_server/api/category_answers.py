"""Category definitions as answers describe them: ``metadata`` blocks and forms (reference 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.sandbox.content_server.attributes import flat_values
from app.sandbox.content_server.model import (
    Attribute,
    AttributeSet,
    Category,
    CategoryValues,
    Node,
)
from app.sandbox.content_server.store import Store

TYPE_CODES: Mapping[str, int] = {
    "String": -1,
    "Integer": 2,
    "Real": -4,
    "Date": -7,
    "Boolean": 5,
    "User": 14,
}
_SCHEMA_TYPES: Mapping[str, str] = {
    "String": "string",
    "Integer": "integer",
    "Real": "number",
    "Date": "string",
    "Boolean": "boolean",
    "User": "integer",
}


def metadata(store: Store, node: Node) -> dict[str, Any]:
    """The three metadata blocks for every category of a node."""
    described: dict[str, Any] = {}
    for category_id in node.categories:
        described |= describe(store.categories[category_id])
    ids = [str(category_id) for category_id in node.categories]
    return {
        "metadata": {"categories": described},
        "metadata_map": {
            "categories": {
                category: [key for key in described if key.startswith(f"{category}_")]
                for category in ids
            }
        },
        "metadata_order": {"categories": ids},
    }


def describe(category: Category) -> dict[str, Any]:
    """Key to description; the category itself first, a set right before its attributes."""
    described = {str(category.id): _entry(str(category.id), category.name, "category", "", 0)}
    for item in category.items:
        key = f"{category.id}_{item.id}"
        if isinstance(item, Attribute):
            described[key] = _attribute_entry(key, item)
            continue
        described[key] = _entry(key, item.label, "set", "Assoc", -18) | {
            "multi_value": True,
            "multi_value_length_max": item.max_rows,
        }
        for attribute in item.attributes:
            inner = f"{key}_x_{attribute.id}"
            described[inner] = _attribute_entry(inner, attribute)
    return described


def form(category: Category, values: CategoryValues, token: str) -> dict[str, Any]:
    """One form of ``/v1/forms/nodes/categories``: data, options and a JSON schema."""
    own = f"{category.id}_1"
    data: dict[str, Any] = {own: {"metadata_token": token}}
    schema: dict[str, Any] = {own: {"readonly": True, "required": False, "type": "object"}}
    options: dict[str, Any] = {own: {"hidden": True, "type": "object"}}
    flat = flat_values(category, values)
    for item in category.items:
        key = f"{category.id}_{item.id}"
        if isinstance(item, Attribute):
            data[key] = flat[key]
            schema[key] = _schema(item)
            options[key] = {"label": item.label, "type": _SCHEMA_TYPES[item.type]}
            continue
        data[key] = _set_data(key, item, values)
        schema[key] = _set_schema(key, item)
        options[key] = {"label": item.label, "type": "array"}
    return {
        "data": data,
        "options": {"fields": options, "form": {}},
        "schema": {"properties": schema, "type": "object"},
    }


def _set_data(key: str, group: AttributeSet, values: CategoryValues) -> list[dict[str, Any]]:
    rows = values.rows.get(group.id) or [{}]
    return [{f"{key}_x_{a.id}": row.get(a.id) for a in group.attributes} for row in rows]


def _set_schema(key: str, group: AttributeSet) -> dict[str, Any]:
    inner = {f"{key}_x_{attribute.id}": _schema(attribute) for attribute in group.attributes}
    return {
        "items": {"properties": inner, "type": "object"},
        "maxItems": group.max_rows,
        "readonly": False,
        "required": False,
        "title": group.label,
        "type": "array",
    }


def _schema(attribute: Attribute) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "multilingual": None,
        "readonly": False,
        "required": attribute.required,
        "title": attribute.label,
        "type": _SCHEMA_TYPES[attribute.type],
    }
    if attribute.type == "String":
        shape["maxLength"] = attribute.max_length
    if attribute.type == "Date":
        shape["format"] = "date"
    if attribute.choices:
        shape["enum"] = list(attribute.choices)
    return shape


def _attribute_entry(key: str, attribute: Attribute) -> dict[str, Any]:
    entry = _entry(
        key, attribute.label, "categoryattribute", attribute.type, TYPE_CODES[attribute.type]
    )
    entry |= {
        "max_length": attribute.max_length if attribute.type == "String" else None,
        "min_length": None,
        "multi_value": attribute.multi_value,
        "required": attribute.required,
        "valid_values": list(attribute.choices),
    }
    if attribute.type == "User":
        entry["persona"] = "user"
    return entry


def _entry(key: str, name: str, persona: str, type_name: str, type_code: int) -> dict[str, Any]:
    return {
        "allow_undefined": False,
        "default_value": None,
        "description": None,
        "hidden": False,
        "key": key,
        "multi_value": False,
        "name": name,
        "persona": persona,
        "read_only": False,
        "required": False,
        "type": type_code,
        "type_name": type_name,
    }
