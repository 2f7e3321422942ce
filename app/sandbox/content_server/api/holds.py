"""Holds, and putting them on nodes (reference/extended-ecm.md 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.sandbox.content_server import access, errors, holds
from app.sandbox.content_server.api.call import Call, Endpoint, to_bool, to_int
from app.sandbox.content_server.model import Member, Node
from app.sandbox.content_server.records_model import Hold, HoldOnNode
from app.sandbox.content_server.render import links, paginate, stamp
from app.sandbox.content_server.store import Store

MISSING_PARAMETERS = "Missing LLPARAMS_LIST"


def list_all(call: Call) -> Any:
    """``GET /v1/holds`` and ``GET /v2/holds``."""
    found = [_shown(hold) for hold in call.store.records.holds.values()]
    page = paginate(found, call.query_number("limit", 25), call.query_number("page", 1), 500)
    return {
        "collection": {"paging": page.block()},
        "links": links("/v2/holds"),
        "results": {"data": {"holds": page.items}},
    }


def create(call: Call) -> Any:
    """``POST /v1/holds`` → ``{"holdID": …}``."""
    made = Hold(
        call.store.new_id(),
        call.required("name"),
        call.required("type"),
        call.text("comment"),
        call.text("alternate_id"),
        call.number("parent_id"),
        call.text("date_applied") or stamp(call.store.clock(), "") or "",
        call.text("date_to_remove"),
        call.actor.name,
    )
    return {"holdID": holds.create(call.store, made).id}


def change(call: Call) -> Any:
    """``PUT /v1/holds`` with ``id``: comment, dates, whether it is in force."""
    hold = holds.find(call.store, call.number("id") or 0)
    hold.comment = call.text("comment", hold.comment)
    hold.alternate_id = call.text("alternate_id", hold.alternate_id)
    hold.remove_on = call.text("date_to_remove", hold.remove_on)
    hold.active = to_bool(call.fields.get("active"), hold.active)
    return {"holdID": hold.id}


def get(call: Call) -> Any:
    """``GET /v2/hold?id=`` or ``?holdname=``."""
    hold_id = call.query_number("id", 0)
    named = holds.by_name(call.store, call.query.get("holdname", ""))
    hold = holds.find(call.store, hold_id) if hold_id else named
    if hold is None:
        raise errors.ApiError(404, f"The hold '{call.query.get('holdname', '')}' does not exist.")
    return {"links": links("/v2/hold"), "results": {"data": {"hold": _shown(hold)}}}


def get_by_path(call: Call) -> Any:
    """``GET /v2/holds/{id}``."""
    hold = holds.find(call.store, call.path["id"])
    return {"links": links(f"/v2/holds/{hold.id}"), "results": {"data": {"hold": _shown(hold)}}}


def items(call: Call) -> Any:
    """``GET /v2/holditems/{id}``: what the hold lies on, 25 at a time unless told."""
    hold = holds.find(call.store, call.path["id"])
    found = call.visible(holds.items(call.store, hold))
    page = paginate(found, call.query_number("limit", 25), call.query_number("page", 1), 500)
    shown = [{"DataID": n.id, "Name": n.name, "SubType": n.type} for n in page.items]
    return {
        "collection": {"paging": page.block()},
        "links": links(f"/v2/holditems/{hold.id}"),
        "results": {"data": {"holditems": shown}},
    }


def on_node(call: Call) -> Any:
    """``GET /v1/nodes/{id}/holds``: those on the node itself and those from above."""
    found = holds.lying_on(call.store, call.node())
    return {"data": [_on_node(call, *one) for one in found]}


def apply(call: Call) -> Any:
    """``POST /v1/nodes/{id}/holds`` with ``hold_id``."""
    node = _held(call)
    hold_id = call.number("hold_id")
    if hold_id is None:
        raise errors.ApiError(400, MISSING_PARAMETERS)
    holds.apply(call.store, node, holds.find(call.store, hold_id), call.actor)
    return {}


def release(call: Call) -> Any:
    """``DELETE /v1/nodes/{id}/holds/{hold_id}``."""
    hold = holds.find(call.store, call.path["hold_id"])
    holds.release(call.store, _held(call), hold, call.actor)
    return {}


def apply_to_many(call: Call) -> Any:
    """``POST /v1/rmclassifications/applyhold`` with ``ids`` and ``holdID``."""
    return _many(call, holds.apply)


def release_many(call: Call) -> Any:
    """``POST /v1/rmclassifications/removehold`` with ``ids`` and ``holdID``."""
    return _many(call, holds.release, holds.check_lying)


def _many(
    call: Call,
    action: Callable[[Store, Node, Hold, Member], None],
    check: Callable[[Store, Node, Hold], object] = lambda *_: None,
) -> Any:
    """All of them, or none."""
    given = call.fields.get("ids")
    ids = [to_int(i, "ids") for i in (given if isinstance(given, list) else [given])]
    hold_id = call.number("holdID")
    if hold_id is None or not any(ids):
        raise errors.ApiError(400, MISSING_PARAMETERS)
    hold = holds.find(call.store, hold_id)
    nodes = [_held(call, i) for i in dict.fromkeys(ids) if i is not None]
    for node in nodes:
        check(call.store, node, hold)
    for node in nodes:
        action(call.store, node, hold, call.actor)
    return {}


def _held(call: Call, node_id: int | None = None) -> Node:
    """The node of the path (or with the id), whose holds the caller may change; 400 else."""
    node = call.node(node_id)
    access.require_records(call.store, node, call.actor)
    return node


def _shown(hold: Hold) -> dict[str, Any]:
    return {
        "ActiveHold": int(hold.active),
        "AlternateHoldID": hold.alternate_id,
        "ApplyPatron": hold.patron,
        "DateApplied": hold.applied or None,
        "DateRemoved": None,
        "DateToRemove": hold.remove_on or None,
        "EditDate": None,
        "EditPatron": None,
        "HoldComment": hold.comment,
        "HoldID": hold.id,
        "HoldName": hold.name,
        "HoldType": hold.type,
        "OBJECT": None,
        "ParentID": hold.parent_id,
        "RemovalComment": None,
        "RemovalPatron": None,
    }


def _on_node(call: Call, hold: Hold, lying: HoldOnNode, inherited: bool) -> dict[str, Any]:
    return {
        "active": hold.active,
        "applied_by": call.store.members[lying.user_id].name,
        "date_applied": stamp(lying.at, ""),
        "hold_appliedmethod": "Inherited" if inherited else "Direct",
        "hold_id": hold.id,
        "hold_name": hold.name,
        "hold_type": hold.type,
        "removable": not inherited,
    }


ENDPOINTS = (
    Endpoint("GET", "/v1/holds", list_all),
    Endpoint("POST", "/v1/holds", create, "F"),
    Endpoint("PUT", "/v1/holds", change, "F"),
    Endpoint("GET", "/v2/holds", list_all),
    Endpoint("GET", "/v2/hold", get),
    Endpoint("GET", "/v2/holds/{id:int}", get_by_path),
    Endpoint("GET", "/v2/holditems/{id:int}", items),
    Endpoint("GET", "/v1/nodes/{id:int}/holds", on_node),
    Endpoint("POST", "/v1/nodes/{id:int}/holds", apply, "FB"),
    Endpoint("DELETE", "/v1/nodes/{id:int}/holds/{hold_id:int}", release, "FB"),
    Endpoint("POST", "/v1/rmclassifications/applyhold", apply_to_many, "F"),
    Endpoint("POST", "/v1/rmclassifications/removehold", release_many, "F"),
)
