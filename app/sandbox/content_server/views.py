"""What a test, the demo and its oracle see of a workspace: labels and names instead of ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.sandbox.content_server.attributes import labelled_values
from app.sandbox.content_server.model import BusinessReference, Node, NodeType
from app.sandbox.content_server.relations import related
from app.sandbox.content_server.store import Store


@dataclass(frozen=True)
class DocumentView:
    """A document with its newest bytes; ``path`` is relative to the workspace."""

    id: int
    path: str
    versions: int
    content: bytes


@dataclass(frozen=True)
class FolderView:
    """A folder of a workspace; ``categories`` as those of workspaces."""

    id: int
    categories: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class WorkspaceView:
    """One business workspace as it is now.

    ``categories`` holds values by category and attribute label, sets as lists of rows; ``roles``
    member names (logins or group names) by role name; ``relations`` pairs of relation type and
    workspace id; ``path`` the names from the volume down to the parent.
    """

    id: int
    name: str
    type: str
    description: str
    parent_id: int
    path: tuple[str, ...]
    business_objects: tuple[BusinessReference, ...]
    categories: Mapping[str, Mapping[str, Any]]
    roles: Mapping[str, tuple[str, ...]]
    relations: tuple[tuple[str, int], ...]
    folders: tuple[str, ...]
    documents: tuple[DocumentView, ...]
    folder_views: Mapping[str, FolderView]


def workspace_view(store: Store, node: Node) -> WorkspaceView:
    """Take the picture of a workspace."""
    assert node.workspace is not None
    beneath = [(path, item) for path, item in _beneath(store, node, "")]
    return WorkspaceView(
        node.id,
        node.name,
        store.workspace_types[node.workspace.type_id].name,
        node.description,
        node.parent_id,
        _path(store, node),
        tuple(node.workspace.references),
        _categories(store, node),
        {
            role.name: tuple(store.members[i].name for i in role.members if i in store.members)
            for role in store.roles(node)
        },
        tuple((kind, other.id) for kind, other in related(store, node, ("child", "parent"))),
        tuple(path for path, item in beneath if item.type == NodeType.FOLDER),
        tuple(
            DocumentView(item.id, path, len(item.versions), item.versions[-1].content)
            for path, item in beneath
            if item.versions
        ),
        {
            path: FolderView(item.id, _categories(store, item))
            for path, item in beneath
            if item.type == NodeType.FOLDER
        },
    )


def _categories(store: Store, node: Node) -> dict[str, Mapping[str, Any]]:
    return {
        store.categories[category_id].name: labelled_values(store.categories[category_id], values)
        for category_id, values in node.categories.items()
    }


def _beneath(store: Store, node: Node, prefix: str) -> list[tuple[str, Node]]:
    found: list[tuple[str, Node]] = []
    for child in store.children(node.id):
        path = f"{prefix}{child.name}"
        found.append((path, child))
        found += _beneath(store, child, f"{path}/")
    return found


def _path(store: Store, node: Node) -> tuple[str, ...]:
    names: list[str] = []
    while node.parent_id in store.nodes:
        node = store.nodes[node.parent_id]
        names.insert(0, node.name)
    return tuple(names)
