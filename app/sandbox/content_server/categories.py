"""Categories on nodes: apply, change, remove, hand down to new children.

reference/extended-ecm.md 4. Each function is one call's effect with its audit line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.sandbox.content_server import access, errors, records
from app.sandbox.content_server.attributes import (
    check_required,
    flat_values,
    initial_values,
    update_values,
)
from app.sandbox.content_server.audit_trail import AuditEvent
from app.sandbox.content_server.model import Category, CategoryValues, Member, Node
from app.sandbox.content_server.store import Store


def applied(store: Store, node: Node, category_id: int) -> tuple[Category, CategoryValues]:
    """The definition and the values on the node; 400 when the node does not carry it."""
    category = store.categories.get(category_id)
    values = node.categories.get(category_id)
    if category is None or values is None:
        raise errors.ApiError(400, f"Category ID '{category_id}' is not a valid category.")
    return category, values


def definition(store: Store, category_id: int) -> Category:
    """The category definition; 400 when there is none with that id."""
    category = store.categories.get(category_id)
    if category is None:
        raise errors.ApiError(400, f"Category ID '{category_id}' is not a valid category.")
    return category


def apply(
    store: Store, node: Node, category_id: int, changes: Mapping[str, Any], actor: Member
) -> None:
    """Put a category on a node with values; 500 when it is there already."""
    access.require(store, node, actor, "edit_attributes")
    records.check_editable(store, node)
    category = definition(store, category_id)
    if category_id in node.categories:
        raise errors.ApiError(500, f"The attribute group '{category.name}' already exists.")
    values = update_values(category, initial_values(category), changes, store.members.__contains__)
    check_required(category, values)
    node.categories[category_id] = values
    _changed(store, node, category_id, actor)


def change(
    store: Store, node: Node, category_id: int, changes: Mapping[str, Any], actor: Member
) -> None:
    """Change some attributes of a category that the node carries; the others stay."""
    access.require(store, node, actor, "edit_attributes")
    records.check_editable(store, node)
    category, current = applied(store, node, category_id)
    updated = update_values(category, current, changes, store.members.__contains__)
    check_required(category, updated)
    node.categories[category_id] = updated
    _changed(store, node, category_id, actor)


def put_on_new(
    store: Store, node: Node, per_category: Mapping[int, Mapping[str, Any]], actor: Member
) -> None:
    """Values that a create call brings: changes what the template gave, applies the rest."""
    for category_id, changes in per_category.items():
        category = definition(store, category_id)
        current = node.categories.get(category_id) or initial_values(category)
        node.categories[category_id] = update_values(
            category, current, changes, store.members.__contains__
        )
    for category_id, values in node.categories.items():
        check_required(store.categories[category_id], values)


def remove(store: Store, node: Node, category_id: int, actor: Member) -> None:
    """Take a category off a node."""
    access.require(store, node, actor, "edit_attributes")
    records.check_editable(store, node)
    applied(store, node, category_id)
    del node.categories[category_id]
    _changed(store, node, category_id, actor)


def push(
    store: Store, source: Node, target: Node, ids: list[int], actor: Member, *, clear: bool
) -> None:
    """Give a node the categories of another that it lacks; ``clear`` takes off the others."""
    access.require(store, target, actor, "edit_attributes")
    kept = {} if clear else dict(target.categories)
    for category_id in ids:
        if category_id not in target.categories:
            kept[category_id] = source.categories[category_id].copy()
            kept[category_id].inherit = False
        else:
            kept[category_id] = target.categories[category_id]
    if kept.keys() != target.categories.keys():
        target.categories = kept
        store.touch(target, actor.id)
        store.record(target, AuditEvent.ATTRIBUTE_CHANGED, actor.id, value_key=ids[0])


def hand_down(parent: Node, child: Node) -> None:
    """Give a new child the categories that its parent passes on."""
    for category_id, values in parent.categories.items():
        if values.inherit and category_id not in child.categories:
            child.categories[category_id] = values.copy()


def nested(roles: Any) -> dict[int, dict[str, Any]]:
    """``roles.categories`` keyed by category id, as workspaces want it; flat keys: HTTP 500."""
    given = _categories_of(roles)
    if not all(key.isdigit() and isinstance(value, dict) for key, value in given.items()):
        raise errors.ApiError(500, errors.CATEGORIES_NOT_NESTED)
    return {int(key): value for key, value in given.items()}


def flat(roles: Any) -> dict[int, dict[str, Any]]:
    """``roles.categories`` with flat attribute keys, as ``POST /v2/nodes`` wants it."""
    per_category: dict[int, dict[str, Any]] = {}
    for key, value in _categories_of(roles).items():
        category_id = key.split("_")[0]
        if "_" not in key or not category_id.isdigit():
            raise errors.ApiError(400, f"The attribute '{key}' is not a valid attribute.")
        per_category.setdefault(int(category_id), {})[key] = value
    return per_category


def token(node: Node, category_id: int) -> str:
    """The metadata token of the category on the node."""
    return f"{node.id}-{category_id}-{node.categories[category_id].revision}"


def all_values(store: Store, node: Node) -> dict[str, Any]:
    """The values of every category on the node under their full keys."""
    merged: dict[str, Any] = {}
    for category_id, values in node.categories.items():
        merged |= flat_values(store.categories[category_id], values)
    return merged


def _categories_of(roles: Any) -> dict[str, Any]:
    if not roles:
        return {}
    given = roles.get("categories") if isinstance(roles, dict) else None
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise errors.ApiError(500, errors.CATEGORIES_NOT_NESTED)
    return {str(key): value for key, value in given.items()}


def _changed(store: Store, node: Node, category_id: int, actor: Member) -> None:
    node.modified, node.modified_by = store.clock(), actor.id
    store.record(node, AuditEvent.ATTRIBUTE_CHANGED, actor.id, value_key=category_id)
