"""The server's memory: every node, member, category and audit line, and the ids they get.

The store keeps indexes and invariants (one workspace per business object; names are unique in
their parent by `tree`); the rules of the calls live in the modules beside it. Everything runs in
one event loop without awaiting, so each call is one transaction.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.audit_trail import AuditEvent, AuditRow
from app.sandbox.content_server.behaviour import Behaviour
from app.sandbox.content_server.changes import Clock as Clock
from app.sandbox.content_server.changes import utc_now as utc_now
from app.sandbox.content_server.happenings import Happenings, of_audit
from app.sandbox.content_server.model import (
    BusinessObjectType,
    BusinessReference,
    Category,
    ExternalSystem,
    Member,
    Node,
    Role,
    Version,
    WorkspaceType,
)
from app.sandbox.content_server.permissions import FULL_CONTROL, Acl
from app.sandbox.content_server.records_model import RecordsState
from app.sandbox.content_server.signature_model import SignatureState
from app.sandbox.content_server.tree import Tree
from app.sandbox.content_server.workflow_model import WorkflowState

ENTERPRISE_ID = 2000
CATEGORIES_ID = 2006
ADMIN_ID = 1000
MOST_ACCESSED = 5000
"""How many items each user is remembered to have opened."""


class Store(Tree):
    """All state of one simulated server. ``random`` decides id gaps and tickets."""

    def __init__(self, behaviour: Behaviour, clock: Clock, random_source: random.Random) -> None:
        super().__init__(behaviour, clock, random_source)
        self.recycled: dict[int, list[Node]] = {}
        self.recycled_roles: dict[int, list[Role]] = {}
        self.members: dict[int, Member] = {}
        self.categories: dict[int, Category] = {}
        self.workspace_types: dict[int, WorkspaceType] = {}
        self.bo_types: dict[int, BusinessObjectType] = {}
        self.external_systems: dict[str, ExternalSystem] = {}
        self.relations: dict[tuple[int, int], None] = {}
        self.audit: list[AuditRow] = []
        self.accessed: dict[int, dict[int, None]] = {}
        self.favorites: dict[int, list[int]] = {}
        self.business_objects: dict[tuple[str, str], list[dict[str, str]]] = {}
        self.nicknames: dict[str, int] = {}
        self.workflows = WorkflowState()
        self.records = RecordsState()
        self.signatures = SignatureState()
        self.happenings = Happenings()
        self._by_reference: dict[tuple[str, str, str], int] = {}

    # -- nodes ---------------------------------------------------------------------

    def new_node(
        self, parent_id: int, name: str, node_type: int, user_id: int, **extra: Any
    ) -> Node:
        """Make and file a node beneath ``parent_id``; 500 when the parent has the name."""
        parent = self.nodes.get(parent_id)
        now = self.clock()
        node_id = extra.pop("id", None) or self.new_id()
        volume = parent.volume_id_of_children() if parent else -node_id
        node = Node(
            node_id, parent_id, name, node_type, volume, now, user_id, now, user_id, **extra
        )
        group_id = owner.group_id if (owner := self.members.get(user_id)) else None
        if parent is None:
            node.acl = Acl(user_id, FULL_CONTROL, public=FULL_CONTROL)
        else:
            node.acl = parent.acl.for_child(user_id, group_id)
        self.add(node)
        return node

    def workspace(self, workspace_id: int) -> Node:
        """The workspace or template; 404 for an unknown id or another kind of node."""
        node = self.nodes.get(abs(workspace_id))
        if node is None or node.workspace is None:
            raise errors.no_such_workspace(workspace_id)
        return node

    def touch(self, node: Node, user_id: int) -> None:
        """Mark a change of the node's properties."""
        node.modified, node.modified_by = self.clock(), user_id
        node.revision += 1
        self.changes.notice(node.id)

    def remove(self, node: Node) -> None:
        """Take the node with its subtree, references and relations into the recycle bin."""
        removed = list(self.subtree(node))
        for item in removed:
            self._forget_links(item)
            del self.nodes[item.id]
            self.changes.notice(item.id)
        for item in removed:
            self._children.pop(item.id, None)
        self._children[node.parent_id].pop(node.name.casefold(), None)
        self.recycled[node.id] = removed

    def restore(self, node_id: int) -> Node:
        """Put a deleted node back with its subtree; business objects taken since stay away."""
        removed = self.recycled.get(node_id)
        if removed is None or removed[0].parent_id not in self.nodes:
            raise errors.not_accessible()
        for item in removed:
            self.add(item)
            self._remember_links(item)
        del self.recycled[node_id]
        return removed[0]

    def purge(self, node_id: int) -> None:
        """Forget a deleted node for good; 400 when it is not in the recycle bin."""
        removed = {node.id for node in self.recycled.pop(node_id, [])}
        if not removed:
            raise errors.not_accessible()
        for pair in [pair for pair in self.relations if removed & set(pair)]:
            del self.relations[pair]
        for workspace_id in removed:
            self.recycled_roles.pop(workspace_id, None)

    def enclosing_workspace(self, node: Node) -> Node | None:
        """The workspace that the node is or lies in."""
        current: Node | None = node
        while current is not None and current.workspace is None:
            current = self.nodes.get(current.parent_id)
        return current

    # -- workspaces ------------------------------------------------------------------------

    def workspaces(self) -> list[Node]:
        """Every business workspace, templates left out, oldest first."""
        return [n for n in self.nodes.values() if n.workspace and not n.workspace.is_template]

    def linked_workspace(self, reference: BusinessReference) -> Node | None:
        """The workspace of a business object."""
        found = self._by_reference.get(reference.key())
        return self.nodes[found] if found is not None else None

    def link(self, node: Node, reference: BusinessReference) -> None:
        """Add a business object to a workspace; refused when another workspace has it."""
        holder = self.linked_workspace(reference)
        if holder is node:
            return
        if holder is not None:
            behaviour = self.behaviour
            raise errors.ApiError(behaviour.bo_linked_status, behaviour.bo_linked_text)
        assert node.workspace is not None
        node.workspace.references.append(reference)
        self._by_reference[reference.key()] = node.id

    def unlink(self, node: Node, reference: BusinessReference) -> bool:
        """Take a business object off a workspace; False when it was not there."""
        if node.workspace is None or reference not in node.workspace.references:
            return False
        node.workspace.references.remove(reference)
        del self._by_reference[reference.key()]
        return True

    def bo_type(self, external_system: str, name: str) -> BusinessObjectType:
        """The business object type; 400 names the part that is unknown."""
        if external_system not in self.external_systems:
            raise errors.ApiError(400, f"The external system '{external_system}' does not exist.")
        for bo_type in self.bo_types.values():
            if (bo_type.external_system, bo_type.name) == (external_system, name):
                return bo_type
        raise errors.ApiError(400, f"The business object type '{name}' does not exist.")

    def roles(self, node: Node) -> list[Role]:
        """The roles of a workspace, lead role first."""
        ids = node.workspace.role_ids if node.workspace else []
        found = [role for i in ids if isinstance(role := self.members.get(i), Role)]
        return sorted(found, key=lambda role: not role.leader)

    # -- members, audit ----------------------------------------------------------------------

    def member_named(self, name: str) -> Member | None:
        """A user or group by login or group name."""
        wanted = name.casefold()
        return next(
            (m for m in self.members.values() if m.name.casefold() == wanted and m.type != 848),
            None,
        )

    def record(
        self,
        node: Node,
        event: AuditEvent,
        user_id: int,
        value_key: int | None = None,
        value: str = "",
    ) -> None:
        """Append a line to the audit trail."""
        row = AuditRow(
            len(self.audit) + 1, node.id, node.type, event, self.clock(), user_id, value_key, value
        )
        self.audit.append(row)
        of_audit(self, node, row)
        self.changes.notice(node.id)

    def mark_accessed(self, user_id: int, node_id: int) -> None:
        """Remember that the user opened the item: lists of workspaces show these by default."""
        opened = self.accessed.setdefault(user_id, {})
        opened.pop(node_id, None)
        opened[node_id] = None
        if len(opened) > MOST_ACCESSED:
            del opened[next(iter(opened))]

    def add_version(
        self, node: Node, version: Version, user_id: int, *, first: bool = False
    ) -> Version:
        """Append a version to a document; the number continues from the last one."""
        number = node.versions[-1].number + 1 if node.versions else 1
        filed = replace(version, number=number, id=self.new_id())
        node.versions.append(filed)
        if not first:
            self.touch(node, user_id)
            self.record(node, AuditEvent.VERSION_ADDED, user_id, value=str(number))
        return filed

    def _forget_links(self, node: Node) -> None:
        if node.nickname:
            self.nicknames.pop(node.nickname.casefold(), None)
        if node.workspace is None:
            return
        for reference in list(node.workspace.references):
            del self._by_reference[reference.key()]
        for role in self.roles(node):
            self.recycled_roles.setdefault(node.id, []).append(role)
            del self.members[role.id]

    def _remember_links(self, node: Node) -> None:
        if node.nickname:
            self.nicknames.setdefault(node.nickname.casefold(), node.id)
        if node.workspace is None:
            return
        for reference in list(node.workspace.references):
            if self._by_reference.setdefault(reference.key(), node.id) != node.id:
                node.workspace.references.remove(reference)
        for role in self.recycled_roles.pop(node.id, []):
            self.members[role.id] = role
