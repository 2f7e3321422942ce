"""Security clearance of nodes and people (reference/extended-ecm.md 7)."""

from __future__ import annotations

from typing import Any

from app.sandbox.content_server import clearance, errors
from app.sandbox.content_server.api.call import Call, Endpoint
from app.sandbox.content_server.model import Member
from app.sandbox.content_server.records_model import Clearance
from app.sandbox.content_server.render import links


def of_node(call: Call) -> Any:
    """``GET /v1/nodes/{id}/securityclearances``."""
    needed, inherited_from = clearance.needed(call.store, call.node())
    texts = call.store.records.markings
    return {
        "data": {
            "can_user_edit_security": True,
            "clearance_level": needed.level,
            "inherit_from": inherited_from,
            "supplemental_markings": [
                {"supplemental_marking": marking, "desc": texts.get(marking, "")}
                for marking in needed.markings
            ],
        }
    }


def set_of_node(call: Call) -> Any:
    """``PUT`` the same with ``clearance_level`` and ``supplemental_markings``.

    Nobody sets more than he is cleared for himself, or he would lose sight of the item.
    """
    node = call.node()
    call.require(node, "edit_permissions")
    records = call.store.records
    present = records.node_clearances.get(node.id, clearance.OPEN)
    given = call.fields.get("supplemental_markings")
    wanted = clearance.checked(
        call.store,
        present,
        call.number("clearance_level"),
        None if given is None else _texts(given),
    )
    clearance.require_own(call.store, wanted, call.actor)
    records.node_clearances[node.id] = wanted
    return {}


def known(call: Call) -> Any:
    """``GET /v1/securityclearances``: all levels and markings, and what the caller holds."""
    records, held = call.store.records, clearance.held(call.store, call.actor)
    return {
        "data": {
            "security_clearances": [
                {"level": level, "name": name} for level, name in sorted(records.levels.items())
            ],
            "supplemental_markings": [
                {"supplemental_marking": marking, "desc": text}
                for marking, text in records.markings.items()
            ],
            "user_clearance_level": held.level,
            "user_supplemental_markings": list(held.markings),
        }
    }


def level_of_user(call: Call) -> Any:
    """``GET /v2/members/usersecurity/{id}/securityclearancelevel``."""
    held = clearance.held(call.store, _user(call))
    return {"results": {"data": {"securityLevel": held.level}}}


def set_level_of_user(call: Call) -> Any:
    """``POST`` the same with ``securityLevel``."""
    user = _user(call)
    level = call.number("securityLevel")
    if level is None:
        raise errors.missing_argument("securityLevel")
    return _set(call, user, clearance.checked(call.store, _held(call, user), level, None))


def markings_of_user(call: Call) -> Any:
    """``GET /v2/members/usersecurity/{id}/supplementalmarkings``."""
    held = clearance.held(call.store, _user(call))
    return {"results": {"data": {"suppMarks": list(held.markings)}}}


def set_markings_of_user(call: Call) -> Any:
    """``POST`` the same with ``suppMarks``."""
    user = _user(call)
    markings = _texts(call.fields.get("suppMarks", []))
    return _set(call, user, clearance.checked(call.store, _held(call, user), None, markings))


def _set(call: Call, user: Member, wanted: Clearance) -> Any:
    call.store.records.user_clearances[user.id] = wanted
    shown = {"securityLevel": wanted.level, "suppMarks": list(wanted.markings)}
    return {"links": links(call.request.url.path, "POST"), "results": {"data": shown}}


def _held(call: Call, user: Member) -> Clearance:
    return clearance.held(call.store, user)


def _user(call: Call) -> Member:
    user = call.store.members.get(call.path["id"])
    if user is None:
        raise errors.not_accessible()
    return user


def _texts(given: Any) -> list[str]:
    items = given if isinstance(given, list) else [given]
    if not all(isinstance(item, str) for item in items):
        raise errors.invalid_datatype("supplemental_markings")
    return [item for item in items if item]


_NODE = "/v1/nodes/{id:int}/securityclearances"
_USER = "/v2/members/usersecurity/{id:int}"
ENDPOINTS = (
    Endpoint("GET", _NODE, of_node),
    Endpoint("PUT", _NODE, set_of_node, "FB"),
    Endpoint("GET", "/v1/securityclearances", known),
    Endpoint("GET", f"{_USER}/securityclearancelevel", level_of_user),
    Endpoint("POST", f"{_USER}/securityclearancelevel", set_level_of_user, "F"),
    Endpoint("GET", f"{_USER}/supplementalmarkings", markings_of_user),
    Endpoint("POST", f"{_USER}/supplementalmarkings", set_markings_of_user, "F"),
)
