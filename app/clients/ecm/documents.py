"""The documents of a workspace, with their newest version (reference/extended-ecm.md 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from app.clients.ecm.answers import PAGE_SIZE, number, query, rows
from app.clients.ecm.roles import missing_workspace
from app.clients.http import Endpoint
from streams.errors import Refused

#: Documents and e-mails; folders, compound documents and e-mail folders to look into.
_DOCUMENTS = frozenset({144, 749})
_CONTAINERS = frozenset({0, 136, 751})
_FIELDS = "fields=properties{id,name,type,modify_date}&fields=versions.element(0)"
_MOST_PAGES = 200


@dataclass(frozen=True, slots=True)
class WorkspaceDocument:
    """A document; ``path`` leads to it within the workspace, ``url`` opens it for a person.

    ``modified`` is the date as Content Server writes it, with or without its zone.
    """

    id: int
    name: str
    path: str
    version: int
    modified: str
    url: str


class WorkspaceDocuments:
    """Reads documents; ``url_of`` gives a node's address for people."""

    def __init__(self, endpoint: Endpoint, url_of: Callable[[int], str]) -> None:
        self._endpoint = endpoint
        self._url_of = url_of

    async def all(self, workspace_id: int) -> tuple[WorkspaceDocument, ...]:
        """Every document in the workspace and its folders, in the order of the folders.

        Workspaces inside it are left out. Raises Refused (``workspace_missing``).
        """
        try:
            return tuple([document async for document in self._walk(workspace_id)])
        except Refused as refused:
            raise missing_workspace(workspace_id, refused) from refused

    async def named(self, workspace_id: int, name: str) -> WorkspaceDocument | None:
        """The document of this name or path, case aside; of several the one changed last."""
        wanted = name.casefold()
        found = [
            document
            for document in await self.all(workspace_id)
            if wanted in (document.name.casefold(), document.path.casefold())
        ]
        return max(found, key=lambda document: document.modified, default=None)

    async def latest_version(self, document_id: int) -> int:
        """The number of the newest version; Refused (``not_found``) when there is no document."""
        path = f"/v1/nodes/{document_id}/versions/latest"
        body = (await self._endpoint.call("read_version", "GET", path)).body
        data = body.get("data") if isinstance(body, dict) else None
        return (number(data.get("version_number")) if isinstance(data, dict) else None) or 0

    async def _walk(self, workspace_id: int) -> AsyncIterator[WorkspaceDocument]:
        waiting = [(workspace_id, "")]
        while waiting:
            container, prefix = waiting.pop(0)
            async for row in self._children(container):
                item = row.get("properties") or {}
                node_id, kind = number(item.get("id")), number(item.get("type"))
                path = f"{prefix}{item.get('name', '')}"
                if node_id is None:
                    continue
                if kind in _CONTAINERS:
                    waiting.append((node_id, f"{path}/"))
                elif kind in _DOCUMENTS:
                    yield WorkspaceDocument(
                        node_id,
                        str(item.get("name", "")),
                        path,
                        await self._version(node_id, row.get("versions")),
                        str(item.get("modify_date") or ""),
                        self._url_of(node_id),
                    )

    async def _version(self, document_id: int, shown: Any) -> int:
        """The version's number; servers that do not narrow lists are asked for it."""
        if isinstance(shown, list):
            numbers = [number(item.get("version_number")) for item in shown]
            return max((found for found in numbers if found is not None), default=0)
        found = number(shown.get("version_number")) if isinstance(shown, dict) else None
        return await self.latest_version(document_id) if found is None else found

    async def _children(self, container: int) -> AsyncIterator[dict[str, Any]]:
        seen: set[int | None] = set()
        for page in range(1, _MOST_PAGES + 1):
            asked = query(limit=PAGE_SIZE, page=page, sort="asc_name")
            path = f"/v2/nodes/{container}/nodes{asked}&{_FIELDS}"
            body = (await self._endpoint.call("list_documents", "GET", path)).body
            items = {number((row.get("properties") or {}).get("id")): row for row in rows(body)}
            # Pages out of range may repeat the last one.
            fresh = {node_id: row for node_id, row in items.items() if node_id not in seen}
            for row in fresh.values():
                yield dict(row)
            seen |= fresh.keys()
            if not fresh or len(items) < PAGE_SIZE:
                return
