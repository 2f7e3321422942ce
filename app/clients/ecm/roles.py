"""The members of a workspace's roles (reference/extended-ecm.md 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.clients.ecm.answers import Properties, all_pages, number
from app.clients.ecm.members import Members, unknown_members
from app.clients.http import Endpoint
from streams.errors import Refused


@dataclass(frozen=True, slots=True)
class RolePermissions:
    """A role with its permission bits; 0 where the server does not tell them."""

    id: int
    name: str
    bits: int


class WorkspaceRoles:
    """Brings roles to the members that they should have; calls only for what differs."""

    def __init__(self, endpoint: Endpoint, members: Members) -> None:
        self._endpoint = endpoint
        self._members = members

    async def set_members(self, workspace_id: int, role: str, members: Sequence[str]) -> None:
        """Add who is missing, then take out who is not named.

        Members that Content Server does not know keep nobody else from the role, and who is not
        named loses it all the same: it may be what opens the workspace. Raises Refused:
        ``workspace_missing``, ``role_unknown``, and ``member_unknown`` when the rest is done.
        """
        wanted, unknown = await self._members.ids(members)
        path = f"/v2/businessworkspaces/{workspace_id}/roles"
        path = f"{path}/{await self._role_id(path, workspace_id, role)}/members"
        present = await self._ids(path)
        for member in sorted(wanted - present):
            await self._add(path, member)
        for member in sorted(present - wanted):
            await self._take_out(path, member)
        if unknown:
            raise unknown_members(unknown)

    async def names(self, workspace_id: int) -> tuple[str, ...]:
        """The names of the workspace's (or template's) roles."""
        path = f"/v2/businessworkspaces/{workspace_id}/roles"
        roles = await all_pages(self._endpoint, "list_roles", path)
        return tuple(str(item.get("name", "")) for item in roles)

    async def permissions(self, workspace_id: int) -> tuple[RolePermissions, ...]:
        """All roles of the workspace; Refused (``workspace_missing``) when it is not there."""
        path = f"/v2/businessworkspaces/{workspace_id}/roles"
        return tuple(
            RolePermissions(
                number(item["id"]) or 0, str(item.get("name", "")), number(item.get("perms")) or 0
            )
            for item in await self._roles(path, workspace_id)
        )

    def among(
        self, present: Sequence[RolePermissions], workspace_id: int, names: Sequence[str]
    ) -> frozenset[int]:
        """The ids of the roles with these names; Refused (``role_unknown``) for another."""
        by_name = [{"name": role.name, "id": role.id} for role in present]
        return frozenset(_role_named(by_name, workspace_id, name)["id"] for name in names)

    async def _role_id(self, path: str, workspace_id: int, role: str) -> int:
        found = _role_named(await self._roles(path, workspace_id), workspace_id, role)
        return number(found["id"]) or 0

    async def _roles(self, path: str, workspace_id: int) -> list[Properties]:
        try:
            found = await all_pages(self._endpoint, "list_roles", path)
        except Refused as refused:
            raise missing_workspace(workspace_id, refused) from refused
        return [item for item in found if number(item.get("id")) is not None]

    async def _ids(self, path: str) -> set[int]:
        items = await all_pages(self._endpoint, "list_role_members", path)
        numbered = (number(item.get("id")) for item in items)
        return {member for member in numbered if member is not None}

    async def _add(self, path: str, member: int) -> None:
        try:
            await self._endpoint.call("add_role_member", "POST", path, form={"id": str(member)})
        except Refused as refused:
            # The text of "is in it already" is undocumented: what counts is that the member is.
            if refused.code == "already_there" or member in await self._ids(path):
                return
            raise

    async def _take_out(self, path: str, member: int) -> None:
        try:
            await self._endpoint.call("remove_role_member", "DELETE", f"{path}/{member}")
        except Refused as refused:
            if refused.code == "not_found" and member not in await self._ids(path):
                return
            raise


def _role_named(present: Sequence[Properties], workspace_id: int, role: str) -> Properties:
    wanted = role.casefold()
    found = next((r for r in present if str(r.get("name", "")).casefold() == wanted), None)
    if found is None:
        raise Refused(
            f"The workspace {workspace_id} has no role {role!r}; "
            f"it has {', '.join(sorted(str(item.get('name')) for item in present)) or 'none'}.",
            code="role_unknown",
            advice="Add the role to the workspace and its template, or correct the rule.",
        )
    return found


def missing_workspace(workspace_id: int, refused: Refused) -> Refused:
    """The error to raise when a call on a workspace was refused: "not found" is about it."""
    if refused.code != "not_found":
        return refused
    return Refused(
        f"The workspace {workspace_id} is not there, or our user may not see it: {refused.message}",
        code="workspace_missing",
    )
