"""Who may see and do what: node permissions of owner, group, public, members and roles.

reference/extended-ecm.md 3 and 7. What somebody may not see looks as if it did not exist; what he
may see but not do is refused with a text that says so. ``Admin`` may do everything.
"""

from __future__ import annotations

from app.sandbox.content_server import clearance, errors
from app.sandbox.content_server.model import Member, MemberType, Node
from app.sandbox.content_server.permissions import BITS, FULL_CONTROL
from app.sandbox.content_server.store import ADMIN_ID, Store


def visible(store: Store, node: Node, member: Member) -> bool:
    """Whether the member sees the node at all: permitted to, and cleared for it."""
    return may(store, node, member, "see") and clearance.cleared(store, node, member)


def may(store: Store, node: Node, member: Member, permission: str) -> bool:
    """Whether the member has the named permission on the node."""
    wanted = BITS[permission]
    # Most nodes are open to everybody: then nobody's groups have to be looked up.
    if node.acl.public is not None and node.acl.public & wanted == wanted:
        return True
    return holds(effective(store, node, member), permission)


def holds(granted: int, permission: str) -> bool:
    """Whether the bits hold the named permission whole."""
    return granted & BITS[permission] == BITS[permission]


def require(store: Store, node: Node, member: Member, *permissions: str) -> None:
    """Refuse what the member may not do on the node (status as ``Behaviour.denied_status``)."""
    if not all(may(store, node, member, permission) for permission in permissions):
        raise errors.ApiError(store.behaviour.denied_status, errors.INSUFFICIENT_PERMISSIONS)


def require_records(store: Store, node: Node, member: Member) -> None:
    """Refuse (400, in records management's own words) who may not change the item's attributes."""
    if not may(store, node, member, "edit_attributes"):
        raise errors.ApiError(400, errors.NOT_ENOUGH_PERMISSIONS)


def effective(store: Store, node: Node, member: Member) -> int:
    """All permission bits that the member has on the node, by whatever right."""
    if member.id == ADMIN_ID:
        return FULL_CONTROL
    acl = node.acl
    rights = {member.id, *groups_of(store, member.id)}
    granted = acl.public or 0
    if acl.owner_id in rights:
        granted |= acl.owner or 0
    if acl.group_id in rights:
        granted |= acl.group or 0
    for right_id in rights & acl.custom.keys():
        granted |= acl.custom[right_id]
    workspace = store.enclosing_workspace(node)
    for role in store.roles(workspace) if workspace is not None else []:
        if role.id in rights or rights & set(role.members):
            granted |= role.perms | acl.custom.get(role.id, 0)
    return granted


def groups_of(store: Store, member_id: int) -> set[int]:
    """The groups that the member is in, also through other groups."""
    groups = [m for m in store.members.values() if m.type == MemberType.GROUP and not m.deleted]
    found: set[int] = set()
    waiting = [member_id]
    while waiting:
        inner = waiting.pop()
        for group in groups:
            if inner in group.members and group.id not in found:
                found.add(group.id)
                waiting.append(group.id)
    return found
