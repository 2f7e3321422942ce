"""What the node calls do: create, upload, update, move, delete, restore (reference 2.7 and 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.sandbox.content_server import access, categories, errors, records, versions
from app.sandbox.content_server.audit_trail import AuditEvent
from app.sandbox.content_server.bodies import UploadedFile
from app.sandbox.content_server.copying import copy_tree
from app.sandbox.content_server.model import Member, Node, NodeType
from app.sandbox.content_server.store import Store
from app.sandbox.content_server.workspaces import check_name

CREATABLE = (
    NodeType.FOLDER,
    NodeType.SHORTCUT,
    NodeType.COMPOUND_DOCUMENT,
    NodeType.URL,
    NodeType.DOCUMENT,
    NodeType.COLLECTION,
)
FIRST_OWN_ID = 10000
EXTERNAL = (
    "external_create_date",
    "external_modify_date",
    "external_identity",
    "external_identity_type",
    "external_source",
)


@dataclass
class NodeRequest:
    """What a node creation asks for, already typed."""

    type: int
    parent_id: int
    name: str
    description: str = ""
    original_id: int | None = None
    url: str = ""
    external: Mapping[str, Any] = field(default_factory=dict)
    categories: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    file: UploadedFile | None = None
    advanced_versioning: bool = False


def create(store: Store, request: NodeRequest, actor: Member) -> Node:
    """Make a folder, document, URL or shortcut. 500 when the name is taken in the parent."""
    parent = _container(store, request.parent_id, actor)
    check_name(request.name)
    _check_kind(store, request, actor)
    if store.child_by_name(parent.id, request.name) is not None:
        raise errors.name_taken(request.name)
    values = _values(store, parent, request, actor)
    node = store.new_node(
        parent.id,
        request.name,
        request.type,
        actor.id,
        description=request.description,
        original_id=request.original_id or 0,
        url=request.url,
        external=dict(request.external),
        categories=values,
        advanced_versioning=request.advanced_versioning,
    )
    store.record(node, AuditEvent.CREATE, actor.id)
    if request.type == NodeType.SHORTCUT:
        original = store.node(request.original_id or 0)
        store.record(original, AuditEvent.SHORTCUT_CREATED, actor.id, value=str(node.id))
    if request.file is not None:
        versions.first(store, node, request.file, actor)
    return node


def copy(store: Store, original_id: int, parent_id: int, name: str, actor: Member) -> Node:
    """Copy a node, with what the user sees of its subtree, into another container."""
    source, parent = _seen(store, original_id, actor), _container(store, parent_id, actor)
    check_name(name)
    if any(item.workspace is not None for item in store.subtree(source)):
        raise errors.ApiError(400, "A business workspace cannot be copied by this call.")
    if any(ancestor is source for ancestor in ancestors(store, parent)):
        raise errors.ApiError(400, "A container cannot be copied into itself.")
    copied = copy_tree(store, source, parent.id, name, actor)
    store.record(source, AuditEvent.COPY, actor.id, value=str(copied.id))
    return copied


def update(store: Store, node: Node, changes: Mapping[str, Any], actor: Member) -> None:
    """Rename, describe, move and reserve in one step; what ``changes`` leaves out stays."""
    _check_unlocked(node, changes, actor)
    # Releasing and taking a document is a right of its own; anything else changes the item.
    needed = "reserve" if changes.keys() == {"reserved_user_id"} else "modify"
    access.require(store, node, actor, needed)
    records.check_editable(store, node)
    name, parent_id = node.name, node.parent_id
    if changes.get("name"):
        name = str(changes["name"])
        check_name(name)
    if changes.get("parent_id"):
        parent_id = _destination(store, node, int(changes["parent_id"]), actor).id
    if "reserved_user_id" in changes:
        _check_reservation(store, changes["reserved_user_id"])
    _place(store, node, parent_id, name, actor)
    if "description" in changes:
        node.description = str(changes["description"] or "")
    if "url" in changes and node.type == NodeType.URL:
        node.url = str(changes["url"])
    node.external.update({key: changes[key] for key in EXTERNAL if key in changes})
    if "reserved_user_id" in changes:
        _reserve(store, node, changes["reserved_user_id"], actor)
    store.touch(node, actor.id)


def delete(store: Store, node: Node, actor: Member) -> None:
    """Delete a node with what lies beneath; it can be restored from the recycle bin."""
    if node.id < FIRST_OWN_ID or node.parent_id == -1:
        raise errors.ApiError(400, "A volume cannot be deleted.")
    if node.type == NodeType.CATEGORY:
        raise errors.ApiError(400, "The category is in use and cannot be deleted.")
    for item in store.subtree(node):
        access.require(store, item, actor, "delete")
        records.check_deletable(store, item)
        versions.check_free(item, actor)
        if item.workspace is not None and item.workspace.is_template:
            raise errors.ApiError(400, "The template is in use and cannot be deleted.")
    for item in store.subtree(node):
        store.record(item, AuditEvent.DELETE, actor.id, value=item.name)
    store.remove(node)


def restore(store: Store, node_id: int, actor: Member) -> Node:
    """Take a deleted node and what lay beneath it out of the recycle bin."""
    _check_recycled(store, node_id, actor)
    node = store.restore(node_id)
    for item in store.subtree(node):
        store.record(item, AuditEvent.RESTORE, actor.id, value=item.name)
    return node


def purge(store: Store, node_id: int, actor: Member) -> None:
    """Forget a deleted node for good."""
    _check_recycled(store, node_id, actor)
    store.purge(node_id)


def collect(store: Store, node: Node, ids: list[int], actor: Member, *, add: bool) -> None:
    """Put items into a collection or take them out of it; 400 for another kind of node."""
    if node.type != NodeType.COLLECTION:
        raise errors.ApiError(400, "The item is not a collection.")
    access.require(store, node, actor, "modify")
    found = [_seen(store, node_id, actor).id for node_id in ids]
    kept = [node_id for node_id in node.collected if node_id not in found]
    node.collected = (
        [*node.collected, *(i for i in found if i not in node.collected)] if add else kept
    )
    store.touch(node, actor.id)


def set_nickname(store: Store, node: Node, nickname: str) -> None:
    """Give a node its nickname; 500 when another node has it."""
    holder = store.nicknames.get(nickname.casefold())
    if holder is not None and holder != node.id:
        raise errors.ApiError(500, f"The nickname '{nickname}' already exists.")
    store.nicknames.pop(node.nickname.casefold(), None)
    node.nickname = nickname
    store.nicknames[nickname.casefold()] = node.id


def ancestors(store: Store, node: Node) -> list[Node]:
    """From the volume down to the node itself."""
    line = [node]
    while line[0].parent_id in store.nodes:
        line.insert(0, store.nodes[line[0].parent_id])
    return line


def metadata_token(node: Node) -> str:
    """The token that a change of properties may carry against lost updates."""
    return f"{node.id}-{node.revision}"


def _check_recycled(store: Store, node_id: int, actor: Member) -> None:
    """Refuse what is not in the recycle bin, and who could not have deleted it."""
    for item in store.recycled.get(node_id, []):
        if not access.visible(store, item, actor):
            raise errors.not_accessible()
        access.require(store, item, actor, "delete")


def _check_unlocked(node: Node, changes: Mapping[str, Any], actor: Member) -> None:
    token = changes.get("metadata_token")
    if token and token != metadata_token(node):
        raise errors.ApiError(409, errors.EDIT_CONFLICT)
    versions.check_free(node, actor)


def _container(store: Store, node_id: int, actor: Member) -> Node:
    parent = _seen(store, node_id, actor)
    if not parent.is_container or parent.type == NodeType.COLLECTION:
        raise errors.ApiError(400, "The parent is not a container.")
    access.require(store, parent, actor, "add_items")
    return parent


def _seen(store: Store, node_id: int, actor: Member) -> Node:
    node = store.node(node_id)
    if not access.visible(store, node, actor):
        raise errors.not_accessible()
    return node


def _check_kind(store: Store, request: NodeRequest, actor: Member) -> None:
    if request.type not in CREATABLE:
        raise errors.ApiError(400, f"Items of the type {request.type} cannot be created.")
    if request.type == NodeType.DOCUMENT and request.file is None:
        raise errors.ApiError(400, "Could not create a new Document")
    if request.type == NodeType.URL and not request.url:
        raise errors.missing_argument("url")
    if request.type == NodeType.SHORTCUT:
        _seen(store, request.original_id or 0, actor)


def _values(store: Store, parent: Node, request: NodeRequest, actor: Member) -> Any:
    now = store.clock()
    draft = Node(0, 0, "", request.type, 0, now, actor.id, now, actor.id)
    categories.hand_down(parent, draft)
    categories.put_on_new(store, draft, request.categories, actor)
    return draft.categories


def _destination(store: Store, node: Node, parent_id: int, actor: Member) -> Node:
    parent = _container(store, parent_id, actor)
    if parent.id != node.parent_id:
        access.require(store, node, actor, "delete")
    if any(ancestor is node for ancestor in ancestors(store, parent)):
        raise errors.ApiError(400, "A container cannot be moved into itself.")
    return parent


def _place(store: Store, node: Node, parent_id: int, name: str, actor: Member) -> None:
    moved, renamed = parent_id != node.parent_id, name != node.name
    if not (moved or renamed):
        return
    store.place(node, parent_id, name)
    if moved:
        volume = store.nodes[parent_id].volume_id_of_children()
        for item in store.subtree(node):
            item.volume_id = volume if item is node else _volume(store, item)
        store.record(node, AuditEvent.MOVE, actor.id, value=str(parent_id))
    if renamed:
        store.record(node, AuditEvent.RENAME, actor.id, value=name)


def _volume(store: Store, node: Node) -> int:
    return store.nodes[node.parent_id].volume_id_of_children()


def _check_reservation(store: Store, user_id: int | None) -> None:
    if user_id not in (None, 0) and user_id not in store.members:
        raise errors.ApiError(400, f"The user with the ID {user_id} does not exist.")


def _reserve(store: Store, node: Node, user_id: int | None, actor: Member) -> None:
    if user_id in (None, 0):
        if node.reserved_by:
            store.record(node, AuditEvent.UNRESERVE, actor.id)
        node.reserved_by, node.reserved_at = 0, None
        return
    node.reserved_by, node.reserved_at = user_id, store.clock()
    store.record(node, AuditEvent.RESERVE, actor.id)
