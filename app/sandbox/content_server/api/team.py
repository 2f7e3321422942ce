"""Related workspaces, roles and role members (reference/extended-ecm.md 3)."""

from __future__ import annotations

from typing import Any

from app.sandbox.content_server import errors, relations, roles
from app.sandbox.content_server.api.call import Call, Endpoint, to_bool, to_int
from app.sandbox.content_server.api.workspace_lists import braced, list_answer, sort_key
from app.sandbox.content_server.audit_trail import AuditEvent
from app.sandbox.content_server.model import MemberType, Node, Role
from app.sandbox.content_server.permissions import bits
from app.sandbox.content_server.render import links, member_properties, paginate, workspace_list


def list_related(call: Call) -> Any:
    """``GET .../relateditems``: children and parents unless ``where_rel_types`` says which."""
    node = _workspace(call)
    types = tuple(braced(call.query.get("where_rel_types", "")) or relations.RELATION_TYPES)
    wanted = {to_int(i, "where_workspace_type_ids") for i in _type_ids(call)}
    name = call.query.get("where_name", "").casefold()
    pairs = [
        (rel_type, other)
        for rel_type, other in relations.related(call.store, node, types)
        if call.visible([other])
        and other.name.casefold().startswith(name)
        and (not wanted or (other.workspace and other.workspace.type_id in wanted))
    ]
    key, descending = sort_key(call.query.get("sort", ""))
    if key is not None:
        pairs.sort(key=lambda pair: key(pair[1]), reverse=descending)
    path = f"/v2/businessworkspaces/{node.id}/relateditems"
    return list_answer(call, [(other, {"rel_type": kind}) for kind, other in pairs], path)


def relate(call: Call) -> Any:
    """``POST .../relateditems`` with ``rel_bw_id`` and ``rel_type`` (child when missing)."""
    node = _workspace(call)
    call.require(node, "modify")
    other_id = call.number("rel_bw_id")
    if other_id is None:
        raise errors.missing_argument("rel_bw_id")
    other = call.workspace(other_id)
    relations.relate(call.store, node, other, call.text("rel_type") or "child")
    path = f"/v2/businessworkspaces/{node.id}/relateditems"
    return {"links": links(path, "POST"), "results": {}}


def unrelate(call: Call) -> Any:
    """``DELETE .../relateditems/{rel_id}?rel_type=child``."""
    node, other = _workspace(call), call.workspace(call.path["rel_id"])
    call.require(node, "modify")
    relations.unrelate(call.store, node, other, call.query.get("rel_type", "child"))
    return {"results": {}}


def pick_related(call: Call) -> Any:
    """``GET .../relateditemspicklist``: the workspaces that could be related, by their name."""
    node = _workspace(call)
    taken = {other.id for _, other in relations.related(call.store, node, relations.RELATION_TYPES)}
    name = call.query.get("where_name", "").casefold()
    found: list[tuple[Node, dict[str, Any]]] = [
        (other, {})
        for other in call.visible(call.store.workspaces())
        if other is not node and other.id not in taken and other.name.casefold().startswith(name)
    ]
    return list_answer(call, found, f"/v2/businessworkspaces/{node.id}/relateditemspicklist")


def list_roles(call: Call) -> Any:
    """``GET .../roles``, lead role first; ``fields=members`` adds who is in them."""
    node = _workspace(call)
    members = any("members" in item for item in call.query.getlist("fields"))
    results = [_role_result(call, role, members) for role in call.store.roles(node)]
    return {"links": links(f"/v2/businessworkspaces/{node.id}/roles"), "results": results}


def add_role(call: Call) -> Any:
    """``POST .../roles``."""
    node = _workspace(call)
    call.require(node, "edit_permissions")
    wanted = [_member_id(member) for member in call.fields.get("members") or []]
    members = dict.fromkeys(roles.check_member(call.store, member).id for member in wanted)
    role = roles.add(
        call.store,
        node,
        call.required("name"),
        call.text("description"),
        leader=to_bool(call.fields.get("leader")),
        perms=bits(call.fields.get("permissions"), roles.READ_PERMISSIONS),
        members=list(members),
    )
    call.store.record(node, AuditEvent.PERMISSION_CHANGED, call.actor.id)
    return {"links": links(_role_path(node, role), "POST"), "results": _role_result(call, role)}


def get_role(call: Call) -> Any:
    """``GET .../roles/{rid}``."""
    node, role = _role(call)
    return {"links": links(_role_path(node, role)), "results": _role_result(call, role)}


def change_role(call: Call) -> Any:
    """``PUT .../roles/{rid}``: name, description, leader, permissions; what is left out stays."""
    node, role = _role(call)
    call.require(node, "edit_permissions")
    name = call.text("name", role.name)
    if any(r is not role and r.name.casefold() == name.casefold() for r in call.store.roles(node)):
        raise errors.ApiError(500, f"A role with the name '{name}' already exists.")
    role.name, role.description = name, call.text("description", role.description)
    role.perms = bits(call.fields.get("permissions"), role.perms)
    if to_bool(call.fields.get("leader")):
        roles.make_leader(call.store, node, role)
    call.store.record(node, AuditEvent.PERMISSION_CHANGED, call.actor.id)
    return {"links": links(_role_path(node, role), "PUT"), "results": _role_result(call, role)}


def delete_role(call: Call) -> Any:
    """``DELETE .../roles/{rid}``."""
    node, role = _role(call)
    call.require(node, "edit_permissions")
    roles.remove(call.store, node, role)
    return {"results": {}}


def list_role_members(call: Call) -> Any:
    """``GET .../roles/{rid}/members``."""
    node, role = _role(call)
    return _members_page(call, role.members, f"{_role_path(node, role)}/members")


def add_role_member(call: Call) -> Any:
    """``POST .../roles/{rid}/members`` with ``id``; a second time is an error."""
    node, role = _role(call)
    call.require(node, "edit_permissions")
    member_id = call.number("id")
    if member_id is None:
        raise errors.missing_argument("id")
    member = roles.add_member(call.store, role, member_id)
    call.store.record(node, AuditEvent.PERMISSION_CHANGED, call.actor.id)
    path = f"{_role_path(node, role)}/members"
    shown = member_properties(member, call.store)
    return {"links": links(path, "POST"), "results": {"data": {"properties": shown}}}


def remove_role_member(call: Call) -> Any:
    """``DELETE .../roles/{rid}/members/{mid}``."""
    node, role = _role(call)
    call.require(node, "edit_permissions")
    roles.remove_member(role, call.path["member_id"])
    call.store.record(node, AuditEvent.PERMISSION_CHANGED, call.actor.id)
    return {"results": {}}


def list_team(call: Call) -> Any:
    """``GET .../members``: everybody in any role, the lead role's people first.

    Groups only with ``include_groups``, at most ``limit_members`` of all.
    """
    node, members = _workspace(call), call.store.members
    everybody = dict.fromkeys(i for role in call.store.roles(node) for i in role.members)
    wanted = [i for i in everybody if i in members]
    if "include_groups" in call.query and not call.flag("include_groups"):
        wanted = [i for i in wanted if members[i].type != MemberType.GROUP]
    most = call.query_number("limit_members", 0)
    path = f"/v2/businessworkspaces/{node.id}/members"
    return _members_page(call, wanted[:most] if most > 0 else wanted, path)


def list_members_of(call: Call) -> Any:
    """``GET .../members/{mid}/members``: who is in a role or group of the team."""
    node, wanted = _workspace(call), call.path["member_id"]
    team = {role.id: role.members for role in call.store.roles(node)}
    inside = {i for members in team.values() for i in members}
    member = call.store.members.get(wanted)
    if member is None or (wanted not in team and wanted not in inside):
        raise errors.ApiError(404, f"The member with the ID {wanted} is not in the team.")
    path = f"/v2/businessworkspaces/{node.id}/members/{wanted}/members"
    return _members_page(call, team.get(wanted, list(member.members)), path)


def _members_page(call: Call, ids: list[int], path: str) -> Any:
    store = call.store
    found = [
        {"data": {"properties": member_properties(store.members[i], store)}}
        for i in ids
        if i in store.members
    ]
    page = paginate(found, call.query_number("limit", 500), call.query_number("page", 1), 500)
    return workspace_list(page, path, call.query.multi_items())


def _type_ids(call: Call) -> list[str]:
    given = call.query.get("where_workspace_type_ids") or call.query.get("where_workspace_type_id")
    return braced(given or "")


def _workspace(call: Call) -> Node:
    return call.workspace()


def _role(call: Call) -> tuple[Node, Role]:
    node = _workspace(call)
    return node, roles.find(call.store, node, call.path["role_id"])


def _role_path(node: Node, role: Role) -> str:
    return f"/v2/businessworkspaces/{node.id}/roles/{role.id}"


def _role_result(call: Call, role: Role, members: bool = False) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "description": role.description,
        "id": role.id,
        "inherited_from_id": role.inherited_from_id,
        "leader": role.leader,
        "name": role.name,
        "perms": role.perms,
    }
    data: dict[str, Any] = {"properties": shown}
    if members:
        store = call.store
        data["members"] = [member_properties(store.members[i], store) for i in role.members]
    return {"data": data}


def _member_id(given: Any) -> int:
    found = to_int(given.get("id") if isinstance(given, dict) else given, "members")
    if found is None:
        raise errors.missing_argument("members")
    return found


_WORKSPACE = "/v2/businessworkspaces/{id:int}"
_ROLE = f"{_WORKSPACE}/roles/{{role_id:int}}"
ENDPOINTS = (
    Endpoint("GET", f"{_WORKSPACE}/relateditems", list_related),
    Endpoint("POST", f"{_WORKSPACE}/relateditems", relate, "F"),
    Endpoint("DELETE", f"{_WORKSPACE}/relateditems/{{rel_id:int}}", unrelate),
    Endpoint("GET", f"{_WORKSPACE}/roles", list_roles),
    Endpoint("POST", f"{_WORKSPACE}/roles", add_role, "B"),
    Endpoint("GET", _ROLE, get_role),
    Endpoint("PUT", _ROLE, change_role, "B"),
    Endpoint("DELETE", _ROLE, delete_role),
    Endpoint("GET", f"{_ROLE}/members", list_role_members),
    Endpoint("POST", f"{_ROLE}/members", add_role_member, "F"),
    Endpoint("DELETE", f"{_ROLE}/members/{{member_id:int}}", remove_role_member),
    Endpoint("GET", f"{_WORKSPACE}/members", list_team),
    Endpoint("GET", f"{_WORKSPACE}/members/{{member_id:int}}/members", list_members_of),
    Endpoint("GET", f"{_WORKSPACE}/relateditemspicklist", pick_related),
)
