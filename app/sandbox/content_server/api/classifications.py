"""Plain classifications of a node (reference/extended-ecm.md 7)."""

from __future__ import annotations

from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.api.call import Call, Endpoint, to_bool, to_int
from app.sandbox.content_server.happenings import happened
from app.sandbox.content_server.model import Node, NodeType


def show(call: Call) -> Any:
    """``GET /v1/nodes/{id}/classifications``."""
    node = call.node()
    volume = next(
        (n.id for n in call.store.nodes.values() if n.type == NodeType.CLASSIFICATIONS_VOLUME), None
    )
    ids = call.store.records.classified.get(node.id, ())
    return {
        "bCanApplyClass": True,
        "bCanRemoveClass": True,
        "canModify": True,
        "classVolumeID": volume,
        "data": [_shown(call.store.nodes[i]) for i in ids if i in call.store.nodes],
        "definitions": {},
        "definitions_map": {"name": ["menu"]},
        "definitions_order": ["name"],
    }


def replace(call: Call) -> Any:
    """``POST .../classifications`` with ``class_id``: these, and no others."""
    node = call.node()
    call.require(node, "edit_attributes")
    given = call.fields.get("class_id")
    ids = [to_int(i, "class_id") for i in (given if isinstance(given, list) else [given])]
    wanted = tuple(dict.fromkeys(i for i in ids if i is not None))
    for class_id in wanted:
        found = call.store.nodes.get(class_id)
        if found is None or found.type != NodeType.CLASSIFICATION:
            raise errors.ApiError(400, f"Could not get node for {class_id}")
    beneath = to_bool(call.fields.get("apply_to_sub_items"))
    for item in call.store.subtree(node) if beneath else (node,):
        _set(call, item, wanted)
    return {}


def clear(call: Call) -> Any:
    """``DELETE .../classifications``: none at all."""
    node = call.node()
    call.require(node, "edit_attributes")
    _set(call, node, ())
    return {}


def _set(call: Call, node: Node, wanted: tuple[int, ...]) -> None:
    records = call.store.records
    if records.classified.get(node.id, ()) == wanted:
        return
    records.classified[node.id] = wanted
    names = ", ".join(call.store.nodes[i].name for i in wanted)
    happened(
        call.store, "classification.changed", node, call.actor.id, {"classification": names or None}
    )


def _shown(node: Node) -> dict[str, Any]:
    return {
        "classvolumeid": None,
        "id": node.id,
        "inherit_flag": False,
        "management_type": "manual",
        "menu": None,
        "name": node.name,
        "parent_managed": None,
        "score": None,
        "selectable": True,
        "type": node.type,
    }


_PATH = "/v1/nodes/{id:int}/classifications"
ENDPOINTS = (
    Endpoint("GET", _PATH, show),
    Endpoint("POST", _PATH, replace, "FB"),
    Endpoint("DELETE", _PATH, clear),
)
