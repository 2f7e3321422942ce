"""Bringing the name of a workspace to what it should be, where that is ours to say.

A workspace type may generate its workspaces' names and overwrite ours (reference/extended-ecm.md
2.5). That is told by the type (26.x), or learned: from a name that comes back unlike what we sent.
Such names are left alone, once and for all; to write them again at each update would fight the
server. A name with the suffix that once made it unique counts as the wanted name, so that it does
not change back and forth with what else is in the folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.clients.ecm.answers import body_form, number, one
from app.clients.ecm.lookup import references
from app.clients.ecm.names import is_same_name, names_to_try
from app.clients.ecm.types import WorkspaceTypes
from app.clients.http import Endpoint
from streams.errors import Refused


class WorkspaceNames:
    """Reads and writes names; remembers which types make their own."""

    def __init__(self, endpoint: Endpoint, types: WorkspaceTypes) -> None:
        self._endpoint = endpoint
        self._types = types
        self._makers: set[int] = set()

    def are_made_by(self, type_id: int) -> None:
        """The server generates the names of this type."""
        self._makers.add(type_id)

    async def read(self, node_id: int) -> str:
        """The node's name as it is now."""
        path = f"/v2/nodes/{node_id}?fields=properties{{id,name}}"
        body = (await self._endpoint.call("read_node", "GET", path)).body
        return str((one(body, "the node").get("properties") or {}).get("name", ""))

    async def bring(self, workspace_id: int, present: Mapping[str, Any], wanted: str) -> None:
        """Rename unless the name is right or generated. ``present``: the read of the workspace.

        Raises Refused (``name_taken``) when the name is taken with every suffix.
        """
        properties = one(present, "the workspace").get("properties") or {}
        linked = references(present)
        object_id = str(linked[0].get("business_object_id", "")) if linked else str(workspace_id)
        type_id = _type_id(properties, linked)
        if is_same_name(str(properties.get("name", "")), wanted, object_id):
            return
        if await self._is_generated(type_id, str(properties.get("wksp_type_name", ""))):
            return
        taken: Refused | None = None
        for candidate in names_to_try(wanted, object_id):
            try:
                await self._write(workspace_id, candidate, type_id)
                return
            except Refused as refused:
                if refused.code != "name_taken":
                    raise
                taken = refused
        raise taken or ValueError("there is always a name to try")

    async def _write(self, workspace_id: int, name: str, type_id: int | None) -> None:
        form = body_form({"name": name})
        await self._endpoint.call("rename", "PUT", f"/v2/nodes/{workspace_id}", form=form)
        if type_id is not None and await self.read(workspace_id) != name:
            self.are_made_by(type_id)

    async def _is_generated(self, type_id: int | None, type_name: str) -> bool:
        for kind in await self._types.all():
            if kind.id == type_id or (type_id is None and kind.name == type_name):
                return kind.generates_names or kind.id in self._makers
        return False


def _type_id(properties: Mapping[str, Any], linked: Sequence[Mapping[str, Any]]) -> int | None:
    named = number(properties.get("wnf_wksp_type_id"))
    if named is None and linked:
        named = number(linked[0].get("workspace_type_id"))
    return named
