"""Versions of a document: add, purge, delete, lock, promote (reference/extended-ecm.md 5)."""

from __future__ import annotations

from dataclasses import replace

from app.sandbox.content_server import access, errors, records
from app.sandbox.content_server.bodies import UploadedFile
from app.sandbox.content_server.model import Member, Node, NodeType, Version
from app.sandbox.content_server.store import Store

LONGEST_DESCRIPTION = 255


def first(store: Store, node: Node, file: UploadedFile, actor: Member) -> Version:
    """The version that a new document begins with."""
    return store.add_version(node, _numbered(store, node, file, "", actor), actor.id, first=True)


def add(
    store: Store,
    node: Node,
    file: UploadedFile,
    description: str,
    actor: Member,
    *,
    major: bool = False,
) -> Version:
    """Append a version; 500 when somebody else has the document reserved.

    ``major`` counts for documents with advanced versioning: 1.0 instead of 0.2.
    """
    if node.type != NodeType.DOCUMENT:
        raise errors.ApiError(400, "Versions can only be added to documents.")
    access.require(store, node, actor, "add_major_version" if major else "modify")
    records.check_editable(store, node)
    check_free(node, actor)
    version = _numbered(store, node, file, description[:LONGEST_DESCRIPTION], actor, major=major)
    return store.add_version(node, version, actor.id)


def find(node: Node, number: int | None) -> Version:
    """The version with the number, or the newest; 400 when there is none."""
    for version in reversed(node.versions):
        if number in (None, version.number):
            return version
    raise errors.ApiError(400, "The version does not exist.")


def purge(store: Store, node: Node, keep: int, actor: Member) -> None:
    """Keep the newest ``keep`` versions; locked ones stay as well."""
    if keep < 1:
        raise errors.ApiError(400, "At least one version has to be kept.")
    access.require(store, node, actor, "delete_versions")
    records.check_deletable(store, node)
    check_free(node, actor)
    old, kept = node.versions[:-keep], node.versions[-keep:]
    node.versions = [version for version in old if version.locked_by] + kept
    store.touch(node, actor.id)


def delete(store: Store, node: Node, version: Version, actor: Member) -> None:
    """Delete one version; 400 when it is locked or the only one."""
    access.require(store, node, actor, "delete_versions")
    records.check_deletable(store, node)
    check_free(node, actor)
    if version.locked_by:
        raise errors.ApiError(400, "The version is locked.")
    if len(node.versions) == 1:
        raise errors.ApiError(400, "The only version of a document cannot be deleted.")
    node.versions.remove(version)
    store.touch(node, actor.id)


def lock(store: Store, node: Node, version: Version, actor: Member, *, locked: bool) -> Version:
    """Lock a version against deletion, or unlock it; 400 when it already is so."""
    access.require(store, node, actor, "modify")
    check_free(node, actor)
    if bool(version.locked_by) == locked:
        state = "already locked" if locked else "not locked"
        raise errors.ApiError(400, f"The version is {state}.")
    return _replaced(node, version, replace(version, locked_by=actor.id if locked else 0))


def promote(store: Store, node: Node, version: Version, actor: Member) -> Version:
    """Make a minor version the next major one; 400 without advanced versioning."""
    access.require(store, node, actor, "add_major_version")
    records.check_editable(store, node)
    check_free(node, actor)
    if not node.advanced_versioning:
        raise errors.ApiError(400, "The document does not have advanced versioning.")
    if version.minor == 0:
        raise errors.ApiError(400, "The version is a major version already.")
    highest = max(other.major for other in node.versions)
    promoted = _replaced(node, version, replace(version, major=highest + 1, minor=0))
    store.touch(node, actor.id)
    return promoted


def check_free(node: Node, actor: Member) -> None:
    """Refuse (500) what somebody else has reserved."""
    if node.reserved_by not in (0, actor.id):
        raise errors.ApiError(500, f"The item '{node.name}' is reserved by another user.")


def _numbered(
    store: Store,
    node: Node,
    file: UploadedFile,
    description: str,
    actor: Member,
    *,
    major: bool = False,
) -> Version:
    last = node.versions[-1] if node.versions else None
    version = Version(
        0, 0, file.name, file.mime_type, file.content, actor.id, store.clock(), description
    )
    if not node.advanced_versioning:
        return version
    highest = max((other.major for other in node.versions), default=0)
    if major:
        return replace(version, major=highest + 1)
    return replace(version, major=highest, minor=last.minor + 1 if last else 1)


def _replaced(node: Node, version: Version, by: Version) -> Version:
    node.versions[node.versions.index(version)] = by
    return by
