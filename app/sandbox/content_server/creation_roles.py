"""What a create call says of a new item beside its categories (reference/extended-ecm.md 2.5, 5).

``roles`` may bring ``classifications`` (``create_id`` and ``id``), ``rmclassifications``
(``class_id`` and details) and ``securityclearances``. Everything is read and checked before
anything is made, so a refused call leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.sandbox.content_server import clearance, errors, records
from app.sandbox.content_server.model import Member, Node, NodeType
from app.sandbox.content_server.records_model import Clearance
from app.sandbox.content_server.store import Store


@dataclass(frozen=True)
class CreationRoles:
    """What to put on the new item; empty where the call says nothing."""

    classes: tuple[int, ...] = ()
    rm_class: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    clearance: Clearance | None = None


def read(store: Store, roles: Any, actor: Member) -> CreationRoles:
    """The roles of a create call; 400 for what is none or is not there."""
    if not isinstance(roles, Mapping):
        return CreationRoles()
    given = _part(roles, "rmclassifications")
    rm_class = _number(given.get("class_id"), "class_id")
    if rm_class is not None:
        records.check(store, rm_class, given)
    return CreationRoles(
        _classes(store, _part(roles, "classifications")),
        rm_class,
        given,
        _clearance(store, _part(roles, "securityclearances"), actor),
    )


def put(store: Store, node: Node, wanted: CreationRoles, actor: Member) -> None:
    """Put them on the item that was just made."""
    if wanted.classes:
        store.records.classified[node.id] = wanted.classes
    if wanted.rm_class is not None:
        records.classify(store, node, wanted.rm_class, wanted.details, actor)
    if wanted.clearance is not None:
        store.records.node_clearances[node.id] = wanted.clearance


def _classes(store: Store, given: Mapping[str, Any]) -> tuple[int, ...]:
    found: dict[int, None] = {}
    for name in ("create_id", "id"):
        listed = given.get(name) or []
        for item in listed if isinstance(listed, list) else [listed]:
            class_id = _number(item, name)
            node = store.nodes.get(class_id or 0)
            if node is None or node.type != NodeType.CLASSIFICATION:
                raise errors.ApiError(400, f"Could not get node for {class_id}")
            found[node.id] = None
    return tuple(found)


def _clearance(store: Store, given: Mapping[str, Any], actor: Member) -> Clearance | None:
    if not given:
        return None
    markings = given.get("supplemental_markings")
    if markings is not None and not isinstance(markings, list):
        raise errors.invalid_datatype("supplemental_markings")
    level = _number(given.get("clearance_level"), "clearance_level")
    wanted = clearance.checked(store, clearance.OPEN, level, markings)
    clearance.require_own(store, wanted, actor)
    return wanted


def _part(roles: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    given = roles.get(name) or {}
    if not isinstance(given, Mapping):
        raise errors.ApiError(400, f"The role '{name}' of the parameter 'roles' cannot be parsed.")
    return given


def _number(value: Any, name: str) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool | float | list | dict):
        raise errors.invalid_datatype(name)
    try:
        return int(value)
    except ValueError as wrong:
        raise errors.invalid_datatype(name) from wrong
