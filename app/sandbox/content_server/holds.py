"""Holds: what they lie on, and everything beneath it, is not deleted (reference 7)."""

from __future__ import annotations

from app.sandbox.content_server import errors
from app.sandbox.content_server.happenings import happened
from app.sandbox.content_server.model import Member, Node
from app.sandbox.content_server.records_model import Hold, HoldOnNode
from app.sandbox.content_server.store import Store


def create(store: Store, made: Hold) -> Hold:
    """Keep a new hold; 400 when one has the name."""
    if by_name(store, made.name) is not None:
        raise errors.ApiError(400, f"A hold with the name '{made.name}' already exists.")
    store.records.holds[made.id] = made
    return made


def find(store: Store, hold_id: int) -> Hold:
    """The hold; 404 when there is none with the id."""
    found = store.records.holds.get(hold_id)
    if found is None:
        raise errors.ApiError(404, f"The hold with the ID {hold_id} does not exist.")
    return found


def by_name(store: Store, name: str) -> Hold | None:
    """The hold of that name, case aside."""
    wanted = name.casefold()
    return next((h for h in store.records.holds.values() if h.name.casefold() == wanted), None)


def apply(store: Store, node: Node, hold: Hold, actor: Member) -> None:
    """Put a hold on an item; a second time changes nothing."""
    lying = store.records.holds_on.setdefault(node.id, [])
    if any(one.hold_id == hold.id for one in lying):
        return
    lying.append(HoldOnNode(hold.id, actor.id, store.clock()))
    happened(store, "hold.applied", node, actor.id, {"hold": hold.name, "hold_id": hold.id})


def release(store: Store, node: Node, hold: Hold, actor: Member) -> None:
    """Take a hold off an item; 404 when it does not lie on the item itself."""
    found, lying = check_lying(store, node, hold), store.records.holds_on[node.id]
    lying.remove(found)
    if not lying:
        del store.records.holds_on[node.id]
    happened(store, "hold.released", node, actor.id, {"hold": hold.name, "hold_id": hold.id})


def check_lying(store: Store, node: Node, hold: Hold) -> HoldOnNode:
    """How the hold came to lie on the item itself; 404 when it does not."""
    for one in store.records.holds_on.get(node.id, []):
        if one.hold_id == hold.id:
            return one
    raise errors.ApiError(404, f"The hold '{hold.name}' does not exist on this item.")


def lying_on(store: Store, node: Node) -> list[tuple[Hold, HoldOnNode, bool]]:
    """The holds on an item with how they came there; True for those of a container above."""
    found: list[tuple[Hold, HoldOnNode, bool]] = []
    current: Node | None = node
    while current is not None:
        for one in store.records.holds_on.get(current.id, []):
            found.append((store.records.holds[one.hold_id], one, current is not node))
        current = store.nodes.get(current.parent_id)
    return found


def active_on(store: Store, node: Node) -> bool:
    """Whether a hold that is in force keeps the item from being deleted."""
    return bool(store.records.holds_on) and any(hold.active for hold, _, _ in lying_on(store, node))


def items(store: Store, hold: Hold) -> list[Node]:
    """What the hold was put on, as far as it is still there."""
    return [
        store.nodes[node_id]
        for node_id, lying in store.records.holds_on.items()
        if node_id in store.nodes and any(one.hold_id == hold.id for one in lying)
    ]
