"""Who may open a workspace: its permissions brought to some of its roles (reference 3).

``reference/extended-ecm.md`` 3: an item has one entry for its owner, its owner group and the
public, and custom entries for users, groups and roles. Whoever may edit permissions administers
the item and keeps the access; the public never does. The roles of a workspace have permissions of
their own, which servers may also show among the item's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.clients.ecm.answers import body_form, number, rows
from app.clients.ecm.roles import WorkspaceRoles, missing_workspace
from app.clients.http import Endpoint
from streams.errors import Refused

_READ = frozenset({"see", "see_contents"})
_ADMINISTERS = "edit_permissions"
#: The item and everything beneath it.
_WITH_CONTENT = 2
#: Names of role permissions by their bits.
_BITS: Mapping[str, int] = {
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
}


class WorkspaceAccess:
    """Restricts access; calls only for what differs."""

    def __init__(self, endpoint: Endpoint, roles: WorkspaceRoles) -> None:
        self._endpoint = endpoint
        self._roles = roles

    async def restrict(self, workspace_id: int, roles: Sequence[str]) -> None:
        """Let only these roles, and whoever administers the workspace, open it.

        Access is given before it is taken, so an interruption locks nobody out; the same call
        again completes it. A role that had no access gets to read. Raises Refused:
        ``workspace_missing``, ``role_unknown``.
        """
        present = await self._roles.permissions(workspace_id)
        wanted = self._roles.among(present, workspace_id, roles)
        held = {role.id: _named(role.bits) for role in present}
        for role_id in sorted(wanted):
            if not held[role_id].issuperset(_READ):
                await self._set_role(workspace_id, role_id, held[role_id] | _READ)
        for role_id, names in held.items():
            if names and role_id not in wanted and _ADMINISTERS not in names:
                await self._set_role(workspace_id, role_id, frozenset())
        for entry in await self._entries(workspace_id):
            if _is_in_the_way(entry, wanted):
                await self._take(workspace_id, _type_of(entry), number(entry.get("right_id")))

    async def _set_role(self, workspace_id: int, role_id: int, names: frozenset[str]) -> None:
        form = body_form({"permissions": sorted(names), "apply_to": _WITH_CONTENT})
        path = f"/v2/businessworkspaces/{workspace_id}/roles/{role_id}"
        await self._endpoint.call("set_role_permissions", "PUT", path, form=form)

    async def _entries(self, workspace_id: int) -> list[Mapping[str, Any]]:
        path = f"/v2/nodes/{workspace_id}/permissions"
        try:
            body = (await self._endpoint.call("read_permissions", "GET", path)).body
        except Refused as refused:
            raise missing_workspace(workspace_id, refused) from refused
        return [
            row["permissions"] for row in rows(body) if isinstance(row.get("permissions"), dict)
        ]

    async def _take(self, workspace_id: int, kind: str, right_id: int | None) -> None:
        path = f"/v2/nodes/{workspace_id}/permissions/{kind}"
        if kind == "custom":
            path = f"{path}/{right_id}"
        form = body_form({"apply_to": _WITH_CONTENT})
        try:
            await self._endpoint.call("take_access", "DELETE", path, form=form)
        except Refused as refused:
            # Somebody took it meanwhile.
            if refused.code != "not_found" or any(
                _names(entry)
                for entry in await self._entries(workspace_id)
                if (_type_of(entry), number(entry.get("right_id"))) == (kind, right_id)
            ):
                raise


def _type_of(entry: Mapping[str, Any]) -> str:
    return str(entry.get("type", "custom"))


def _names(entry: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(str(name) for name in entry.get("permissions") or ())


def _is_in_the_way(entry: Mapping[str, Any], wanted: frozenset[int]) -> bool:
    kind, names = _type_of(entry), _names(entry)
    administers = kind == "owner" or (kind != "public" and _ADMINISTERS in names)
    return bool(names) and not administers and number(entry.get("right_id")) not in wanted


def _named(bits: int) -> frozenset[str]:
    return frozenset(name for name, value in _BITS.items() if bits & value == value)
