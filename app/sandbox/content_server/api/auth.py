"""Signing in to Content Server and asking how it is (reference/extended-ecm.md 1.2)."""

from __future__ import annotations

from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.api.call import Call, Endpoint
from app.sandbox.content_server.render import links, member_properties, stamp
from app.sandbox.content_server.store import ADMIN_ID


def sign_in(call: Call) -> Any:
    """``POST /v1/auth`` with ``username`` and ``password`` -> ``{"ticket": ...}``."""
    for name in ("username", "password"):
        if not call.text(name):
            raise errors.ApiError(500, f"Argument {name} is required")
    member = call.sessions.sign_in(call.text("username"), call.text("password"))
    if member is None:
        raise errors.ApiError(401, "Invalid username/password specified")
    session = call.sessions.open(member.id)
    return {"ticket": call.sessions.fresh_ticket(session)}


def current_user(call: Call) -> Any:
    """``GET /v1/auth``: who the caller is; the ticket is in the answer's header."""
    shown = member_properties(call.actor, call.store)
    return {"data": shown, "type": shown["type"], "type_name": shown["type_name"]}


def sign_out(call: Call) -> Any:
    """``DELETE /v1/auth`` ends the session with all its tickets."""
    if call.session is not None:
        call.sessions.close(call.session)
        call.session = None
    return {}


def my_session(call: Call) -> Any:
    """``GET /v2/members/sessions``: how long the caller's session lasts."""
    assert call.session is not None
    shown = {
        "expires": call.sessions.expires_at(call.session),
        "session_timeout": int(call.store.behaviour.session_idle_seconds * 1000),
        "user_id": call.session.user_id,
    }
    return {"links": links("/v2/members/sessions"), "results": {"data": {"session": shown}}}


def end_sessions(call: Call) -> Any:
    """``DELETE /v2/members/{id}/sessions``: all of a user's; others' only by Admin."""
    user_id = call.path["id"]
    if user_id not in call.store.members:
        raise errors.not_accessible()
    if call.actor.id not in (user_id, ADMIN_ID):
        raise errors.ApiError(400, errors.INSUFFICIENT_PERMISSIONS)
    for session in call.sessions.of(user_id):
        call.sessions.close(session)
    if call.actor.id == user_id:
        call.session = None
    return {"results": {}}


def ping(_: Call) -> Any:
    """``GET /v1/ping``, without login."""
    return {"build": 1216, "href": "/api/v1/ping", "version": 1}


def server_info(call: Call) -> Any:
    """``GET /v1/serverinfo``: version and the rules by which tickets expire (milliseconds)."""
    behaviour = call.store.behaviour
    timeout = int(behaviour.session_idle_seconds * 1000)
    from_login = behaviour.session_from == "last_login"
    return {
        "server": {
            "advanced_versioning": True,
            "character_encoding": 1,
            "current_date": stamp(call.store.clock(), ""),
            "language_code": "USA",
            "metadata_languages": [{"language_code": "en", "default": True}],
            "url": str(call.request.base_url).rstrip("/") + "/cs/cs",
            "version": behaviour.version,
        },
        "sessions": {
            "enabled": True,
            "expire_after_last_login": from_login,
            "expire_after_last_request": not from_login,
            "session_inactivity": max(timeout - 180000, 0),
            "session_reaction_time": 180000,
            "session_timeout": timeout,
        },
    }


ENDPOINTS = (
    Endpoint("POST", "/v1/auth", sign_in, "F", open=True),
    Endpoint("GET", "/v1/auth", current_user),
    Endpoint("DELETE", "/v1/auth", sign_out),
    Endpoint("GET", "/v2/members/sessions", my_session),
    Endpoint("DELETE", "/v2/members/{id:int}/sessions", end_sessions),
    Endpoint("GET", "/v1/ping", ping, open=True),
    Endpoint("GET", "/v1/serverinfo", server_info),
)
