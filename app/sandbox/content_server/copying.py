"""Copies: of a template into a new workspace, and of items with what lies beneath them."""

from __future__ import annotations

from app.sandbox.content_server import access, roles
from app.sandbox.content_server.audit_trail import AuditEvent
from app.sandbox.content_server.model import Member, Node
from app.sandbox.content_server.store import Store


def copy_template(store: Store, source: Node, target: Node, actor: Member) -> None:
    """Copy roles with members, folders and documents of a template into a new workspace."""
    for role in store.roles(source):
        roles.add(
            store,
            target,
            role.name,
            role.description,
            leader=role.leader,
            perms=role.perms,
            members=list(role.members),
        )
    for child in store.children(source.id):
        copy_tree(store, child, target.id, child.name, actor)


def copy_tree(store: Store, source: Node, parent_id: int, name: str, actor: Member) -> Node:
    """Copy a node with its categories, bytes and subtree beneath ``parent_id``."""
    copied = store.new_node(
        parent_id,
        name,
        source.type,
        actor.id,
        description=source.description,
        original_id=source.original_id,
        url=source.url,
        categories={key: values.copy() for key, values in source.categories.items()},
    )
    if source.versions:
        store.add_version(copied, source.versions[-1], actor.id, first=True)
    store.record(copied, AuditEvent.CREATE_FROM_COPY, actor.id)
    for child in store.children(source.id):
        if access.visible(store, child, actor):
            copy_tree(store, child, copied.id, child.name, actor)
    return copied
