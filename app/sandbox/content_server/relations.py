"""Related workspaces: one relation, seen from both sides (reference/extended-ecm.md 3)."""

from __future__ import annotations

from app.sandbox.content_server import errors
from app.sandbox.content_server.model import BusinessReference, Node
from app.sandbox.content_server.store import Store

RELATION_TYPES = ("child", "parent")
_DIRECTIONS = {
    "Parent": "parent",
    "Child": "child",
    "CompositeParent": "parent",
    "CompositeChild": "child",
}


def relate(store: Store, node: Node, other: Node, rel_type: str) -> None:
    """Make ``other`` a child or parent of ``node``; the reverse side needs no second call."""
    pair = _pair(node, other, rel_type)
    if node is other:
        raise errors.ApiError(400, "A business workspace cannot be related to itself.")
    if pair in store.relations:
        raise errors.ApiError(500, store.behaviour.relation_present_text)
    store.relations[pair] = None


def unrelate(store: Store, node: Node, other: Node, rel_type: str) -> None:
    """Remove a relation; 404 when there is none."""
    pair = _pair(node, other, rel_type)
    if pair not in store.relations:
        raise errors.ApiError(404, "The relationship does not exist.")
    del store.relations[pair]


def related(store: Store, node: Node, rel_types: tuple[str, ...]) -> list[tuple[str, Node]]:
    """``(rel_type, workspace)`` for every relation of the node, in the order they were made."""
    found: list[tuple[str, Node]] = []
    for parent_id, child_id in store.relations:
        # The other end may lie in the recycle bin; a restored workspace has its relations again.
        if parent_id not in store.nodes or child_id not in store.nodes:
            continue
        if parent_id == node.id and "child" in rel_types:
            found.append(("child", store.nodes[child_id]))
        if child_id == node.id and "parent" in rel_types:
            found.append(("parent", store.nodes[parent_id]))
    return found


def relate_objects(store: Store, node: Node, wanted: list[tuple[str, BusinessReference]]) -> None:
    """``bo_relations`` of a create call: relate to the workspaces that these objects have."""
    for relation_type, reference in wanted:
        other = store.linked_workspace(reference)
        direction = _DIRECTIONS.get(relation_type)
        if other is None or direction is None or other is node:
            continue
        store.relations[_pair(node, other, direction)] = None


def _pair(node: Node, other: Node, rel_type: str) -> tuple[int, int]:
    """``(parent, child)``: the one way a relation is kept."""
    if rel_type not in RELATION_TYPES:
        raise errors.ApiError(400, f"Invalid relationship type '{rel_type}'.")
    return (node.id, other.id) if rel_type == "child" else (other.id, node.id)
