"""Workspace roles and their members (reference/extended-ecm.md 3)."""

from __future__ import annotations

from collections.abc import Mapping

from app.sandbox.content_server import errors
from app.sandbox.content_server.model import Member, MemberType, Node, Role
from app.sandbox.content_server.store import Store

READ_PERMISSIONS = 36995


def add(
    store: Store,
    node: Node,
    name: str,
    description: str = "",
    *,
    leader: bool = False,
    perms: int = READ_PERMISSIONS,
    members: list[int] | None = None,
) -> Role:
    """Add a role to a workspace; 500 when it has one of that name."""
    if any(role.name.casefold() == name.casefold() for role in store.roles(node)):
        raise errors.ApiError(500, f"A role with the name '{name}' already exists.")
    role = Role(
        store.new_id(),
        MemberType.ROLE,
        name,
        description=description,
        leader=leader,
        perms=perms,
        members=members or [],
        workspace_id=node.id,
    )
    if leader:
        make_leader(store, node, role)
    store.members[role.id] = role
    assert node.workspace is not None
    node.workspace.role_ids.append(role.id)
    return role


def make_leader(store: Store, node: Node, leader: Role) -> None:
    """A workspace has one lead role: the one before gives it up."""
    for role in store.roles(node):
        role.leader = False
    leader.leader = True


def find(store: Store, node: Node, role_id: int) -> Role:
    """The role of this workspace; 404 when it has none with that id."""
    role = store.members.get(role_id)
    if not isinstance(role, Role) or role.workspace_id != node.id:
        raise errors.ApiError(404, f"The role with the ID {role_id} does not exist.")
    return role


def remove(store: Store, node: Node, role: Role) -> None:
    """Delete a role; the lead role cannot be deleted while others exist."""
    assert node.workspace is not None
    if role.leader and len(node.workspace.role_ids) > 1:
        raise errors.ApiError(400, "The lead role cannot be deleted.")
    node.workspace.role_ids.remove(role.id)
    del store.members[role.id]


def check_member(store: Store, member_id: int) -> Member:
    """The user or group with the id; 400 when there is none."""
    member = store.members.get(member_id)
    if member is None or member.deleted or member.type == MemberType.ROLE:
        raise errors.ApiError(400, f"The member with the ID {member_id} does not exist.")
    return member


def add_member(store: Store, role: Role, member_id: int) -> Member:
    """Put a user or group into a role; a second time is an error."""
    member = check_member(store, member_id)
    if member_id in role.members:
        raise errors.ApiError(500, store.behaviour.member_present_text)
    role.members.append(member_id)
    return member


def remove_member(role: Role, member_id: int) -> None:
    """Take a user or group out of a role; 404 when it is not in it."""
    if member_id not in role.members:
        raise errors.ApiError(404, f"The member with the ID {member_id} is not in the role.")
    role.members.remove(member_id)


def resolve(store: Store, node: Node, wanted: Mapping[str, list[str]]) -> dict[str, list[int]]:
    """Role names to member ids for ``bo_roles_users``; 400 names what is unknown."""
    known = {role.name for role in store.roles(node)}
    resolved: dict[str, list[int]] = {}
    for role, users in wanted.items():
        if role not in known:
            raise errors.ApiError(400, f"The role '{role}' does not exist.")
        resolved[role] = [_member_id(store, user) for user in users]
    return resolved


def replace_users(store: Store, node: Node, users: Mapping[str, list[int]]) -> None:
    """Set the members of the named roles; what was there before is gone."""
    for role in store.roles(node):
        if role.name in users:
            role.members = list(users[role.name])


def add_to_lead(store: Store, node: Node, actor: Member) -> None:
    """Put the creator into the lead role, as types with ``creator_leads`` do."""
    for role in store.roles(node):
        if role.leader and actor.id not in role.members:
            role.members.append(actor.id)


def _member_id(store: Store, name: str) -> int:
    member = store.member_named(name)
    if member is None:
        raise errors.ApiError(400, f"The user '{name}' does not exist.")
    return member.id
