"""``workspace_links``: which workspaces a record has, one per rule."""

from __future__ import annotations

from collections.abc import Mapping

from tables.rows import Row


class Link(Row):
    """One workspace of a record: node id, name at creation, address, and when it was linked."""

    workspace_id: int = 0
    name: str = ""
    url: str = ""
    linked_ms: int = 0
    created: bool = False


class LinksRow(Row):
    """The workspaces of a record by rule."""

    links: Mapping[str, Link] = {}

    def get(self, rule: str) -> Link | None:
        return self.links.get(rule)

    def linked(self, rule: str, link: Link) -> LinksRow:
        """Return the row with this workspace; telling it again changes nothing."""
        before = self.links.get(rule)
        if before is not None and before.workspace_id == link.workspace_id:
            return self
        return self.model_copy(update={"links": {**self.links, rule: link}})
