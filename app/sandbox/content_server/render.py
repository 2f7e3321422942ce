"""The shapes of answers: envelopes, node properties, the two paging blocks, ``fields=``.

reference/extended-ecm.md 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from app.sandbox.content_server.attributes import LANGUAGE
from app.sandbox.content_server.model import TYPE_NAMES, Member, MemberType, Node, Role, Version
from app.sandbox.content_server.store import Store

Query = Sequence[tuple[str, str]]
_GROUP = re.compile(r"^([a-z_]+)(?:\{([^}]*)\})?(?:\.[a-z]+\((\d+)\))?$")


@dataclass(frozen=True)
class Page:
    """A slice of a list: ``items`` of it, and where it lies (1-based, both ends included)."""

    items: list[Any]
    limit: int
    number: int
    total: int

    @property
    def first(self) -> int:
        return (self.number - 1) * self.limit + 1

    @property
    def last(self) -> int:
        return self.first + len(self.items) - 1

    @property
    def pages(self) -> int:
        return max(1, math.ceil(self.total / self.limit))

    def block(self) -> dict[str, int]:
        """The numbers that both paging shapes share."""
        return {
            "limit": self.limit,
            "page": self.number,
            "page_total": self.pages,
            "range_max": self.last,
            "range_min": self.first,
            "total_count": self.total,
        }


def paginate(items: Sequence[Any], limit: int, number: int, largest: int) -> Page:
    """Page ``number`` (from 1) of ``items``; a limit outside 1..``largest`` is clamped."""
    limit = min(max(limit, 1), largest)
    number = max(number, 1)
    start = (number - 1) * limit
    return Page(list(items[start : start + limit]), limit, number, len(items))


def links(path: str, method: str = "GET") -> dict[str, Any]:
    """The ``links`` block that v2 answers carry."""
    return {"data": {"self": _link(path, method)}}


def collection(page: Page, path: str, query: Query, sort: str) -> dict[str, Any]:
    """A list with ``collection.paging``: nodes, members, audit."""
    paging: dict[str, Any] = page.block()
    if page.number < page.pages:
        paging["links"] = {"data": {"next": _link(_next_url(page, path, query), "GET")}}
    sorting = {"sort": [{"key": "sort", "value": sort}]}
    return {
        "collection": {"paging": paging, "sorting": sorting},
        "links": links(path),
        "results": page.items,
    }


def workspace_list(page: Page, path: str, query: Query) -> dict[str, Any]:
    """A list with ``paging`` at the top: workspaces, related items, business objects."""
    actions: dict[str, Any] = {}
    if page.number < page.pages:
        actions["next"] = _link(_next_url(page, path, query), "GET")
    return {
        "links": links(path),
        "paging": {"actions": actions, **page.block()},
        "results": page.items,
        "wksp_info": {"wksp_type_icon": None},
    }


def node_properties(store: Store, node: Node) -> dict[str, Any]:
    """The properties of a node as the node calls show them."""
    zone = "Z" if store.behaviour.zulu_dates else ""
    size = len(store.children(node.id)) + len(node.collected)
    if not node.is_container:
        size = _bytes(node)
    return {
        "container": node.is_container,
        "container_size": size if node.is_container else 0,
        "create_date": stamp(node.created, zone),
        "create_user_id": node.created_by,
        "description": node.description,
        "description_multilingual": {LANGUAGE: node.description},
        "external_create_date": node.external.get("external_create_date"),
        "external_identity": node.external.get("external_identity", ""),
        "external_identity_type": node.external.get("external_identity_type", ""),
        "external_modify_date": node.external.get("external_modify_date"),
        "external_source": node.external.get("external_source", ""),
        "favorite": False,
        "hidden": False,
        "icon": "/cssupport/webdoc/folder.gif",
        "id": node.id,
        "mime_type": node.versions[-1].mime_type if node.versions else None,
        "modify_date": stamp(node.modified, zone),
        "modify_user_id": node.modified_by,
        "name": node.name,
        "name_multilingual": {LANGUAGE: node.name},
        "original_id": node.original_id,
        "owner_group_id": node.acl.group_id or 999,
        "owner_user_id": node.acl.owner_id,
        "parent_id": shown_parent(store, node),
        "permissions_model": "advanced",
        "reserved": node.reserved_by != 0,
        "reserved_date": stamp(node.reserved_at, zone),
        "reserved_user_id": node.reserved_by,
        "size": size,
        "size_formatted": f"{size} Items" if node.is_container else f"{math.ceil(size / 1024)} KB",
        "type": node.type,
        "type_name": TYPE_NAMES[node.type],
        "url": node.url or None,
        "versions_control_advanced": node.advanced_versioning,
        "volume_id": node.volume_id,
    }


def workspace_row(store: Store, node: Node) -> dict[str, Any]:
    """A workspace as lists show it: zone-less dates, type and template ids, published columns."""
    assert node.workspace is not None
    properties = node_properties(store, node)
    properties |= {
        "create_date": stamp(node.created, ""),
        "modify_date": stamp(node.modified, ""),
        "wnf_wksp_type_id": node.workspace.type_id,
        "wnf_wksp_template_id": node.workspace.template_id,
    }
    return properties | columns(store, node)


def columns(store: Store, node: Node) -> dict[str, Any]:
    """The attributes of the node that are published as list columns."""
    found: dict[str, Any] = {}
    for category_id, values in node.categories.items():
        for attribute in store.categories[category_id].attributes():
            if attribute.column:
                found[attribute.column] = values.values.get(attribute.id)
    return found


def shown_parent(store: Store, node: Node) -> int:
    """The parent id; children of a workspace may show it negative (reference 0)."""
    parent = store.nodes.get(node.parent_id)
    if store.behaviour.negative_parents and parent is not None and parent.workspace is not None:
        return -parent.id
    return node.parent_id


def member_properties(member: Member, store: Store) -> dict[str, Any]:
    """A user, group or role as the member calls show it."""
    shown: dict[str, Any] = {
        "deleted": member.deleted,
        "id": member.id,
        "initials": member.display_name[:1],
        "name": member.name,
        "name_formatted": member.display_name,
        "type": int(member.type),
        "type_name": _MEMBER_TYPES[member.type],
    }
    if isinstance(member, Role):
        shown |= {"leader_id": member.id if member.leader else None, "node_id": member.workspace_id}
    elif member.type == MemberType.GROUP:
        shown |= {"leader_id": None}
    else:
        group = store.members.get(member.group_id or 0)
        shown |= {
            "business_email": member.business_email or None,
            "display_name": member.display_name,
            "first_name": member.first_name,
            "group_id": member.group_id,
            "group_name": group.name if group else None,
            "last_name": member.last_name,
            "title": member.title or None,
        }
    return shown


def version_properties(version: Version, zone: str) -> dict[str, Any]:
    """One version of a document; 1.2 or, without advanced versioning, its plain number."""
    advanced = bool(version.major or version.minor)
    return {
        "create_date": stamp(version.created, zone),
        "description": version.description,
        "file_name": version.file_name,
        "file_size": len(version.content),
        "file_type": version.file_name.rpartition(".")[2],
        "locked": version.locked_by != 0,
        "locked_user_id": version.locked_by or None,
        "mime_type": version.mime_type,
        "modify_date": stamp(version.created, zone),
        "name": version.file_name,
        "owner_id": version.owner_id,
        "version_id": version.id,
        "version_number": version.number,
        "version_number_major": version.major,
        "version_number_minor": version.minor if advanced else version.number,
        "version_number_name": f"{version.major}.{version.minor}"
        if advanced
        else str(version.number),
    }


def stamp(moment: datetime | None, zone: str) -> str | None:
    """A date as the product writes it, to the second; ``zone`` is ``Z`` or nothing."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S") + zone


def selection(given: Sequence[str]) -> dict[str, tuple[tuple[str, ...], int | None]]:
    """``fields=`` parsed: group -> (wanted sub-fields, element or limit); empty when not given."""
    chosen: dict[str, tuple[tuple[str, ...], int | None]] = {}
    for item in given:
        match = _GROUP.match(item.strip())
        if match:
            inner = tuple(name.strip() for name in (match[2] or "").split(",") if name.strip())
            chosen[match[1]] = (inner, int(match[3]) if match[3] else None)
    return chosen


def narrowed(properties: dict[str, Any], wanted: tuple[str, ...]) -> dict[str, Any]:
    """Only the wanted properties; all of them when none are named."""
    if not wanted:
        return properties
    return {name: properties[name] for name in wanted if name in properties}


def expanded(store: Store, node: Node, given: Sequence[str]) -> dict[str, Any]:
    """``expand=properties{parent_id,...}``: ``<name>_expand`` for each id that is resolved."""
    wanted = selection(given).get("properties", ((), None))[0]
    found: dict[str, Any] = {}
    if "parent_id" in wanted and node.parent_id in store.nodes:
        found["parent_id_expand"] = node_properties(store, store.nodes[node.parent_id])
    for name in _USERS:
        user_id = _USERS[name](node)
        if name in wanted and user_id in store.members:
            found[f"{name}_expand"] = member_properties(store.members[user_id], store)
    return found


_USERS: Mapping[str, Callable[[Node], int]] = {
    "create_user_id": lambda node: node.created_by,
    "modify_user_id": lambda node: node.modified_by,
    "owner_user_id": lambda node: node.acl.owner_id,
    "reserved_user_id": lambda node: node.reserved_by,
}
_MEMBER_TYPES = {
    MemberType.USER: "User",
    MemberType.GROUP: "Group",
    MemberType.ROLE: "Business Workspace Role",
}


def _bytes(node: Node) -> int:
    return len(node.versions[-1].content) if node.versions else 0


def _link(href: str, method: str) -> dict[str, str]:
    return {"body": "", "content_type": "", "href": f"/api{href}", "method": method, "name": ""}


def _next_url(page: Page, path: str, query: Query) -> str:
    asked = [(name, value) for name, value in query if name not in ("page", "limit")]
    asked += [("page", str(page.number + 1)), ("limit", str(page.limit))]
    return f"{path}?{urlencode(asked)}"
