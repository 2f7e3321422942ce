"""Relations between workspaces (reference/extended-ecm.md 3).

Content Server keeps both sides of a relation, so it is looked for from the child: it has few
parents, while a parent may have thousands of children.
"""

from __future__ import annotations

from typing import Literal

from app.clients.ecm.answers import all_pages, number
from app.clients.ecm.roles import missing_workspace
from app.clients.http import Endpoint
from streams.errors import Refused

Relation = Literal["parent", "child"]


class WorkspaceRelations:
    """Makes and takes away relations, each only when needed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def relate(self, workspace_id: int, related_id: int, relation: Relation) -> None:
        """Make ``related_id`` a parent or child of the workspace.

        Raises Refused (``workspace_missing``) when one of the two is not there.
        """
        try:
            if not await self._are_related(workspace_id, related_id, relation):
                await self._add(workspace_id, related_id, relation)
        except Refused as refused:
            raise missing_workspace(workspace_id, refused) from refused

    async def _add(self, workspace_id: int, related_id: int, relation: Relation) -> None:
        path = f"/v2/businessworkspaces/{workspace_id}/relateditems"
        form = {"rel_bw_id": str(related_id), "rel_type": relation}
        try:
            await self._endpoint.call("relate", "POST", path, form=form)
        except Refused as refused:
            # The text of "they are" is undocumented: what counts is that they are.
            if refused.code != "already_there" and not await self._are_related(
                workspace_id, related_id, relation
            ):
                raise

    async def unrelate(self, workspace_id: int, related_id: int, relation: Relation) -> None:
        """Take the relation away; nothing to do when it, or one of the workspaces, is gone."""
        path = f"/v2/businessworkspaces/{workspace_id}/relateditems/{related_id}"
        try:
            if await self._are_related(workspace_id, related_id, relation):
                await self._endpoint.call("unrelate", "DELETE", f"{path}?rel_type={relation}")
        except Refused as refused:
            if refused.code != "not_found":
                raise

    async def _are_related(self, workspace_id: int, related_id: int, relation: Relation) -> bool:
        child, parent = (
            (workspace_id, related_id) if relation == "parent" else (related_id, workspace_id)
        )
        parents = await all_pages(
            self._endpoint,
            "list_relations",
            f"/v2/businessworkspaces/{child}/relateditems",
            where_rel_types="{'parent'}",
        )
        return any(
            number(item.get("id")) == parent and item.get("rel_type", "parent") == "parent"
            for item in parents
        )
