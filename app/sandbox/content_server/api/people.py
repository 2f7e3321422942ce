"""Making and changing users and groups (reference/extended-ecm.md 3 and 9.1)."""

from __future__ import annotations

from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.api.call import Call, Endpoint, to_int
from app.sandbox.content_server.model import Member, MemberType
from app.sandbox.content_server.render import links, member_properties
from app.sandbox.content_server.store import ADMIN_ID

_CHANGEABLE = ("name", "first_name", "last_name", "business_email", "password", "title")


def create(call: Call) -> Any:
    """``POST /v2/members``: type 0 a user, 1 a group; 500 when the name is taken."""
    _administrator(call)
    kind = call.number("type")
    if kind not in (MemberType.USER, MemberType.GROUP):
        raise errors.invalid_datatype("type")
    name = call.required("name")
    _check_name(call, name)
    member = Member(
        call.store.new_id(),
        MemberType(kind),
        name,
        first_name=call.text("first_name"),
        last_name=call.text("last_name"),
        business_email=call.text("business_email"),
        title=call.text("title"),
        password=call.text("password"),
    )
    if group := call.number("group_id"):
        member.group_id = _group(call, group).id
        _group(call, group).members.append(member.id)
    call.store.members[member.id] = member
    return _answer(call, member, "POST")


def change(call: Call) -> Any:
    """``PUT /v2/members/{id}``: the fields that are sent; what is left out stays."""
    _administrator(call)
    member = _person(call, call.path["id"])
    given = {name: call.text(name) for name in _CHANGEABLE if name in call.fields}
    if given.get("name") and given["name"].casefold() != member.name.casefold():
        _check_name(call, given["name"])
    for name, value in given.items():
        setattr(member, name, value)
    return _answer(call, member, "PUT")


def delete(call: Call) -> Any:
    """``DELETE /v2/members/{id}``: the member stays known as deleted."""
    _administrator(call)
    member = _person(call, call.path["id"])
    if member.id == ADMIN_ID:
        raise errors.ApiError(400, "The administrator cannot be deleted.")
    member.deleted = True
    for other in call.store.members.values():
        if member.id in other.members:
            other.members.remove(member.id)
    return {"links": links(f"/v2/members/{member.id}", "DELETE"), "results": {}}


def add_to_group(call: Call) -> Any:
    """``POST /v2/members/{id}/members`` with ``member_id``, one or several."""
    _administrator(call)
    group = _group(call, call.path["id"])
    given = call.fields.get("member_id")
    ids = [to_int(item, "member_id") for item in (given if isinstance(given, list) else [given])]
    if None in ids:
        raise errors.missing_argument("member_id")
    members = [_person(call, i) for i in ids if i is not None]
    if any(member.id in group.members for member in members):
        raise errors.ApiError(500, "The member already exists in the group.")
    group.members += [member.id for member in members]
    return _answer(call, group, "POST")


def remove_from_group(call: Call) -> Any:
    """``DELETE /v2/members/{id}/members/{member_id}``."""
    _administrator(call)
    group = _group(call, call.path["id"])
    if call.path["member_id"] not in group.members:
        raise errors.ApiError(400, "The member is not in the group.")
    group.members.remove(call.path["member_id"])
    return {"results": {}}


def _administrator(call: Call) -> None:
    """Only those who may modify users: the administrator and the integration's own user."""
    trusted = {client.login for client in call.clients.values()}
    if call.actor.id != ADMIN_ID and call.actor.name not in trusted:
        raise errors.ApiError(403, errors.INSUFFICIENT_PERMISSIONS)


def _check_name(call: Call, name: str) -> None:
    if call.store.member_named(name) is not None:
        raise errors.ApiError(500, f"A user or group with the name '{name}' already exists.")


def _person(call: Call, member_id: int) -> Member:
    member = call.store.members.get(member_id)
    if member is None or member.deleted or member.type == MemberType.ROLE:
        raise errors.not_accessible()
    return member


def _group(call: Call, member_id: int) -> Member:
    group = _person(call, member_id)
    if group.type != MemberType.GROUP:
        raise errors.ApiError(400, f"The member with the ID {member_id} is not a group.")
    return group


def _answer(call: Call, member: Member, method: str) -> dict[str, Any]:
    shown = member_properties(member, call.store)
    path = f"/v2/members/{member.id}"
    return {"links": links(path, method), "results": {"data": {"properties": shown}}}


ENDPOINTS = (
    Endpoint("POST", "/v2/members", create, "FB"),
    Endpoint("PUT", "/v2/members/{id:int}", change, "FB"),
    Endpoint("DELETE", "/v2/members/{id:int}", delete),
    Endpoint("POST", "/v2/members/{id:int}/members", add_to_group, "FB"),
    Endpoint("DELETE", "/v2/members/{id:int}/members/{member_id:int}", remove_from_group),
)
