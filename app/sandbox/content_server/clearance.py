"""Security clearance: who is not cleared for an item does not see that it exists (reference 7).

An item needs a level and markings, its own or those of the nearest container that has some; a
person needs at least that level and every marking. Admin is cleared for everything.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.sandbox.content_server import errors
from app.sandbox.content_server.model import Member, Node
from app.sandbox.content_server.records_model import Clearance
from app.sandbox.content_server.store import ADMIN_ID, Store

OPEN = Clearance()


def needed(store: Store, node: Node) -> tuple[Clearance, int | None]:
    """What the item needs, and the container that says so (None: the item itself, or nobody)."""
    current: Node | None = node
    while current is not None:
        found = store.records.node_clearances.get(current.id)
        if found is not None:
            return found, None if current is node else current.id
        current = store.nodes.get(current.parent_id)
    return OPEN, None


def held(store: Store, member: Member) -> Clearance:
    """What the person is cleared for."""
    return store.records.user_clearances.get(member.id, OPEN)


def cleared(store: Store, node: Node, member: Member) -> bool:
    """Whether the person may know of the item at all."""
    if not store.records.node_clearances or member.id == ADMIN_ID:
        return True
    wanted, _ = needed(store, node)
    given = held(store, member)
    return given.level >= wanted.level and set(wanted.markings) <= set(given.markings)


def require_own(store: Store, wanted: Clearance, member: Member) -> None:
    """Refuse (400) to ask for more than the member is cleared for: he would not see the item."""
    own = held(store, member)
    beyond = wanted.level > own.level or not set(wanted.markings) <= set(own.markings)
    if beyond and member.id != ADMIN_ID:
        raise errors.ApiError(400, errors.INSUFFICIENT_PERMISSIONS)


def checked(
    store: Store, present: Clearance, level: int | None, markings: Sequence[str] | None
) -> Clearance:
    """The clearance after a change; what is None stays. 400 for unknown levels and markings."""
    records = store.records
    if level is not None and level not in records.levels:
        raise errors.ApiError(400, f"The security clearance level {level} does not exist.")
    known = records.markings
    unknown = [m for m in markings or () if not isinstance(m, str) or m not in known]
    if unknown:
        raise errors.ApiError(400, f"The supplemental marking '{unknown[0]}' does not exist.")
    return Clearance(
        present.level if level is None else level,
        present.markings if markings is None else tuple(dict.fromkeys(markings)),
    )
