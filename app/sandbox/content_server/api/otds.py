"""The directory service: SSO tickets and OAuth tokens (reference/extended-ecm.md 1.1)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from starlette.responses import Response

from app.sandbox.content_server.api.call import Call, Endpoint, json_response
from app.sandbox.content_server.model import Member, MemberType

IMPERSONATION = "urn:ietf:params:oauth:grant-type:token-exchange"


def credentials(call: Call) -> Any:
    """``POST /otdsws/rest/authentication/credentials`` -> an SSO ticket for a password."""
    login = str(call.fields.get("userName") or call.fields.get("user_name") or "")
    member = call.sessions.sign_in(login, call.text("password"))
    if member is None:
        return _refused(401, 1002, "Authentication failed: invalid user name or password.")
    return {
        "token": call.sessions.issue_token(member, "otds"),
        "userId": f"{member.name}@Content Server Members",
        "ticket": call.sessions.issue_ticket(member),
        "resourceID": None,
        "failureReason": None,
        "passwordExpirationTime": 0,
        "continuation": False,
        "continuationContext": None,
        "continuationData": None,
    }


def ticket_for_user(call: Call) -> Any:
    """``POST .../ticketforuser`` with one's own ``ticket``: an SSO ticket of ``userName``."""
    if call.sessions.by_grant(call.text("ticket"), "ticket") is None:
        return _refused(400, 1034, "Expired OTDS SSO ticket")
    login = call.text("userName")
    member = call.store.member_named(login) or call.store.member_named(login.rpartition("@")[0])
    if member is None or member.type != MemberType.USER:
        return _refused(400, 1003, f"The user '{login}' does not exist.")
    return {"ticket": call.sessions.issue_ticket(member), "userId": login}


def ticket_for_resource(call: Call) -> Any:
    """``POST .../ticketforresource`` with one's ``ticket``: another one of the same user."""
    session = call.sessions.by_grant(call.text("ticket"), "ticket")
    if session is None:
        return _refused(400, 1034, "Expired OTDS SSO ticket")
    member = call.store.members[session.user_id]
    return {"ticket": call.sessions.issue_ticket(member), "resourceID": call.text("resourceID")}


def token(call: Call) -> Any:
    """``POST /otdsws/oauth2/token``: client credentials, password, refresh, token exchange."""
    client_id, client_secret = _client(call)
    client = call.clients.get(client_id)
    if client is None or client.client_secret != client_secret:
        return _oauth_error(401, "invalid_client", "Unknown client or wrong client secret.")
    grant = call.text("grant_type")
    if grant not in _GRANTS:
        return _oauth_error(400, "unsupported_grant_type", f"The grant type '{grant}' is unknown.")
    member = _GRANTS[grant](call, client.login)
    if member is None:
        return _oauth_error(400, "invalid_grant", "The user could not be authenticated.")
    answer = {
        "access_token": call.sessions.issue_token(member, client_id),
        "token_type": "Bearer",
        "expires_in": int(call.store.behaviour.token_lifetime_seconds),
        "scope": call.text("scope"),
    }
    if grant in ("password", "refresh_token"):
        answer["refresh_token"] = call.sessions.issue_refresh(member)
    return answer


def _by_client(call: Call, login: str) -> Member | None:
    return call.store.member_named(login)


def _by_password(call: Call, _: str) -> Member | None:
    return call.sessions.sign_in(call.text("username"), call.text("password"))


def _by_refresh(call: Call, _: str) -> Member | None:
    return call.sessions.refresh(call.text("refresh_token"))


def _by_exchange(call: Call, _: str) -> Member | None:
    subject = call.text("subject_token")
    return call.store.member_named(subject) or call.store.member_named(subject.rpartition("@")[0])


_GRANTS = {
    "client_credentials": _by_client,
    "password": _by_password,
    "refresh_token": _by_refresh,
    IMPERSONATION: _by_exchange,
}


def _client(call: Call) -> tuple[str, str]:
    """The client pair from the form or from HTTP Basic."""
    scheme, _, encoded = call.request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, secret = base64.b64decode(encoded).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return name, secret
    return call.text("client_id"), call.text("client_secret")


def _refused(status: int, code: int, text: str) -> Response:
    return json_response({"status": code, "error": text, "errorDetails": None}, status)


def _oauth_error(status: int, code: str, text: str) -> Response:
    return json_response({"error": code, "error_description": text}, status)


ENDPOINTS = (
    Endpoint("POST", "/rest/authentication/credentials", credentials, "J", open=True),
    Endpoint("POST", "/v1/authentication/credentials", credentials, "J", open=True),
    Endpoint("POST", "/rest/authentication/ticketforuser", ticket_for_user, "J", open=True),
    Endpoint("POST", "/rest/authentication/ticketforresource", ticket_for_resource, "J", open=True),
    Endpoint("POST", "/oauth2/token", token, "F", open=True),
)
