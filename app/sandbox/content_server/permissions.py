"""Permission names and their bits (reference/extended-ecm.md 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.sandbox.content_server import errors

BITS: Mapping[str, int] = {
    "see": 130,
    "see_contents": 36865,
    "modify": 65536,
    "edit_attributes": 131072,
    "add_items": 4,
    "reserve": 8192,
    "add_major_version": 4194304,
    "delete_versions": 16384,
    "delete": 8,
    "edit_permissions": 16,
    # Business workspace roles name the last one differently (reference 9, quirks).
    "edit": 16,
}
FULL_CONTROL = 16777215


@dataclass
class Acl:
    """Permissions of a node as bits; None where a right was taken off the node."""

    owner_id: int = 0
    owner: int | None = None
    group_id: int = 0
    group: int | None = None
    public: int | None = None
    custom: dict[int, int] = field(default_factory=dict)

    def copy(self) -> Acl:
        """An independent copy, as a new child gets it."""
        return replace(self, custom=dict(self.custom))

    def for_child(self, owner_id: int, group_id: int | None) -> Acl:
        """What a new child gets: the same rights, with its creator as the owner."""
        own = self.copy()
        own.owner_id, own.group_id = owner_id, group_id or self.group_id
        return own


def bits(names: Any, default: int) -> int:
    """The sum of the named permissions; ``default`` when none are given; 400 for a wrong name."""
    if names is None:
        return default
    if not isinstance(names, list):
        raise errors.invalid_datatype("permissions")
    unknown = [name for name in names if not isinstance(name, str) or name not in BITS]
    if unknown:
        raise errors.ApiError(400, f"Invalid permission '{unknown[0]}'.")
    total = 0
    for name in names:
        total |= BITS[name]
    return total


def names(granted: int) -> list[str]:
    """The names of the permissions that the bits hold whole."""
    return [name for name, bit in BITS.items() if name != "edit" and granted & bit == bit]
