"""Node permissions (reference/extended-ecm.md 3): read, set, take off, and what a member may."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from app.sandbox.content_server import access, errors
from app.sandbox.content_server.api.call import Call, Endpoint, to_int
from app.sandbox.content_server.audit_trail import AuditEvent
from app.sandbox.content_server.model import Node
from app.sandbox.content_server.permissions import Acl, bits, names
from app.sandbox.content_server.render import links

Kind = Literal["owner", "group", "public"]


def list_permissions(call: Call) -> Any:
    """``GET /v2/nodes/{id}/permissions``: owner, group, public, then every member of its own."""
    node = call.node()
    acl = node.acl
    rows = [
        _row("owner", acl.owner_id, acl.owner),
        _row("group", acl.group_id or None, acl.group),
        _row("public", None, acl.public),
        *(_row("custom", right_id, granted) for right_id, granted in acl.custom.items()),
    ]
    return {"links": links(_path(node)), "results": rows}


def get_custom(call: Call) -> Any:
    """``GET .../permissions/custom/{right_id}``."""
    node, right_id = call.node(), call.path["right_id"]
    if right_id not in node.acl.custom:
        raise errors.ApiError(400, f"The item has no permissions for the member {right_id}.")
    row = _row("custom", right_id, node.acl.custom[right_id])
    return {"links": links(f"{_path(node)}/custom/{right_id}"), "results": row}


def get_effective(call: Call) -> Any:
    """``GET .../permissions/effective/{right_id}``: what a member really gets."""
    node, right_id = call.node(), call.path["right_id"]
    member = call.store.members.get(right_id)
    if member is None:
        raise errors.ApiError(400, f"The member with the ID {right_id} does not exist.")
    row = _row("", right_id, access.effective(call.store, node, member))
    del row["data"]["permissions"]["type"]
    return {"links": links(f"{_path(node)}/effective/{right_id}"), "results": row}


def set_standard(kind: Kind) -> Callable[[Call], Any]:
    """``PUT .../permissions/owner``, ``/group``, ``/public``; ``right_id`` is the new holder."""

    def handler(call: Call) -> Any:
        granted = _granted(call)
        right_id = _member(call) if call.fields.get("right_id") else None

        def change(acl: Acl) -> None:
            setattr(acl, kind, granted)
            if right_id is not None and kind != "public":
                setattr(acl, f"{kind}_id", right_id)

        return _apply(call, change, kind)

    return handler


def remove_standard(kind: Kind) -> Callable[[Call], Any]:
    """``DELETE .../permissions/owner``, ``/group`` and ``/public``."""

    def handler(call: Call) -> Any:
        return _apply(call, lambda acl: setattr(acl, kind, None), kind)

    return handler


def add_custom(call: Call) -> Any:
    """``POST .../permissions/custom`` with ``right_id``; 500 when the member has them already."""
    right_id, granted = _known(call, _member(call), call.node()), _granted(call)
    return _apply(call, lambda acl: acl.custom.update({right_id: granted}), "custom")


def add_customs(call: Call) -> Any:
    """``POST .../permissions/custom/bulk``: ``permissions_array`` of several members, or none."""
    given, node = call.fields.get("permissions_array"), call.node()
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise errors.invalid_datatype("permissions_array")
    granted: dict[int, int] = {}
    for item in given:
        right_id = to_int(item.get("right_id"), "right_id")
        granted[_known(call, right_id, node)] = bits(item.get("permissions") or [], 0)
    return _apply(call, lambda acl: acl.custom.update(granted), "custom")


def change_custom(call: Call) -> Any:
    """``PUT .../permissions/custom/{right_id}``."""
    get_custom(call)
    right_id, granted = call.path["right_id"], _granted(call)
    return _apply(call, lambda acl: acl.custom.update({right_id: granted}), "custom")


def remove_custom(call: Call) -> Any:
    """``DELETE .../permissions/custom/{right_id}``."""
    get_custom(call)
    right_id = call.path["right_id"]
    return _apply(call, lambda acl: acl.custom.pop(right_id, None), "custom")


def check_many(call: Call) -> Any:
    """``POST /v2/nodes/permissions/check``: which of ``ids`` the member ``right_id`` may see."""
    member = call.store.members.get(_member(call))
    found = [node for node in listed(call, "ids") if member is not None]
    seen = [node.id for node in found if member and access.visible(call.store, node, member)]
    return {"links": links("/v2/nodes/permissions/check", "POST"), "results": {"ids": seen}}


def listed(call: Call, name: str) -> list[Node]:
    """The nodes named by a list of ids in the body that the caller may see."""
    given = call.fields.get(name, [])
    ids = [to_int(item, name) for item in (given if isinstance(given, list) else [given])]
    if not ids or None in ids:
        raise errors.missing_argument(name)
    return call.visible(call.store.nodes[i] for i in ids if i in call.store.nodes)


def _apply(call: Call, change: Callable[[Acl], object], kind: str) -> Any:
    node = call.node()
    call.require(node, "edit_permissions")
    for item in _reached(call, node):
        change(item.acl)
        call.store.record(item, AuditEvent.PERMISSION_CHANGED, call.actor.id, value=kind)
    return {"links": links(f"{_path(node)}/{kind}", call.request.method), "results": {}}


def _reached(call: Call, node: Node) -> Iterable[Node]:
    """``apply_to``: 0 this item, 1 what lies beneath, 2 both, 3 this and its direct children."""
    reach = call.number("apply_to") or 0
    if reach not in (0, 1, 2, 3):
        raise errors.invalid_datatype("apply_to")
    if reach and not node.is_container:
        raise errors.ApiError(400, "Permissions can only be applied to the items of a container.")
    if reach == 0:
        return [node]
    if reach == 3:
        return [node, *call.store.children(node.id)]
    beneath = list(call.store.subtree(node))
    return beneath if reach == 2 else beneath[1:]


def _granted(call: Call) -> int:
    return bits(call.fields.get("permissions") or [], 0)


def _member(call: Call) -> int:
    return _there(call, call.number("right_id"))


def _known(call: Call, right_id: int | None, node: Node) -> int:
    """A member that has no custom entry yet."""
    if _there(call, right_id) in node.acl.custom:
        raise errors.ApiError(500, f"The member {right_id} already exists in the access list.")
    return _there(call, right_id)


def _there(call: Call, right_id: int | None) -> int:
    if right_id is None:
        raise errors.missing_argument("right_id")
    if right_id not in call.store.members:
        raise errors.ApiError(400, f"The member with the ID {right_id} does not exist.")
    return right_id


def _row(kind: str, right_id: int | None, granted: int | None) -> dict[str, Any]:
    held = None if granted is None else names(granted)
    return {"data": {"permissions": {"permissions": held, "right_id": right_id, "type": kind}}}


def _path(node: Node) -> str:
    return f"/v2/nodes/{node.id}/permissions"


_ALL = "/v2/nodes/{id:int}/permissions"
_ONE = f"{_ALL}/custom/{{right_id:int}}"
_KINDS: tuple[Kind, ...] = ("owner", "group", "public")
ENDPOINTS = (
    Endpoint("GET", _ALL, list_permissions),
    *(Endpoint("PUT", f"{_ALL}/{kind}", set_standard(kind), "B") for kind in _KINDS),
    *(Endpoint("DELETE", f"{_ALL}/{kind}", remove_standard(kind), "B") for kind in _KINDS),
    Endpoint("POST", f"{_ALL}/custom", add_custom, "B"),
    Endpoint("POST", f"{_ALL}/custom/bulk", add_customs, "B"),
    Endpoint("GET", _ONE, get_custom),
    Endpoint("PUT", _ONE, change_custom, "B"),
    Endpoint("DELETE", _ONE, remove_custom, "B"),
    Endpoint("GET", f"{_ALL}/effective/{{right_id:int}}", get_effective),
    Endpoint("POST", "/v2/nodes/permissions/check", check_many, "F"),
)
