"""Users, groups and roles as members (reference/extended-ecm.md 3)."""

from __future__ import annotations

from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.api.call import Call, Endpoint, to_int
from app.sandbox.content_server.model import Member, MemberType
from app.sandbox.content_server.render import (
    collection,
    links,
    member_properties,
    narrowed,
    paginate,
    selection,
)

LARGEST_PAGE = 20
"""OpenText's own client never asks for more members in one page."""
_STARTS_WITH = ("where_name", "where_first_name", "where_last_name", "where_business_email")


def list_members(call: Call) -> Any:
    """``GET /v2/members``: ``where_type`` with ``where_...`` (starts with) or ``query``."""
    wanted = to_int(call.query.get("where_type"), "where_type")
    filters = _filters(call)
    query = call.query.get("query", "").casefold()
    if query and filters:
        raise errors.ApiError(400, "'query' cannot be combined with the 'where_' arguments.")
    found = [
        member
        for member in call.store.members.values()
        if _listed(member, wanted) and _matches(member, filters) and _mentions(member, query)
    ]
    return _page(call, sorted(found, key=lambda member: member.name.casefold()), "/v2/members")


def get_member(call: Call) -> Any:
    """``GET /v2/members/{id}``."""
    member = _member(call)
    wanted = selection(call.query.getlist("fields")).get("properties", ((), None))[0]
    shown = narrowed(member_properties(member, call.store), wanted)
    return {
        "links": links(f"/v2/members/{member.id}"),
        "results": {"data": {"properties": shown}},
    }


def member_of(call: Call) -> Any:
    """``GET /v2/members/{id}/memberof``, without an id the caller: the groups of a member."""
    member = _member(call) if "id" in call.path else call.actor
    groups = [
        group
        for group in call.store.members.values()
        if group.type == MemberType.GROUP and member.id in group.members
    ]
    return _page(call, groups, f"/v2/members/{member.id}/memberof")


def members_of(call: Call) -> Any:
    """``GET /v2/members/{id}/members``: who is in a group."""
    member = _member(call)
    wanted = to_int(call.query.get("where_type"), "where_type")
    inside = [call.store.members[i] for i in member.members if i in call.store.members]
    found = [one for one in inside if _listed(one, wanted) and _matches(one, _filters(call))]
    return _page(call, found, f"/v2/members/{member.id}/members")


def _page(call: Call, found: list[Member], path: str) -> Any:
    page = paginate(
        found, call.query_number("limit", LARGEST_PAGE), call.query_number("page", 1), LARGEST_PAGE
    )
    wanted = selection(call.query.getlist("fields")).get("properties", ((), None))[0]
    page.items[:] = [
        {"data": {"properties": narrowed(member_properties(m, call.store), wanted)}}
        for m in page.items
    ]
    return collection(page, path, call.query.multi_items(), "asc_name")


def _member(call: Call) -> Member:
    member = call.store.members.get(call.path["id"])
    if member is None:
        raise errors.not_accessible()
    return member


def _filters(call: Call) -> dict[str, str]:
    return {name: call.query[name].casefold() for name in _STARTS_WITH if call.query.get(name)}


def _listed(member: Member, wanted: int | None) -> bool:
    if member.deleted:
        return False
    return member.type == wanted if wanted is not None else member.type != MemberType.ROLE


def _matches(member: Member, filters: dict[str, str]) -> bool:
    return all(
        str(getattr(member, name.removeprefix("where_"))).casefold().startswith(value)
        for name, value in filters.items()
    )


def _mentions(member: Member, query: str) -> bool:
    texts = (member.name, member.first_name, member.last_name, member.business_email)
    return any(text.casefold().startswith(query) for text in texts)


ENDPOINTS = (
    Endpoint("GET", "/v2/members", list_members),
    Endpoint("GET", "/v2/members/{id:int}", get_member),
    Endpoint("GET", "/v2/members/memberof", member_of),
    Endpoint("GET", "/v2/members/{id:int}/memberof", member_of),
    Endpoint("GET", "/v2/members/{id:int}/members", members_of),
)
