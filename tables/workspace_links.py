"""``workspace_links``: a record's workspaces, one per rule, and its folders in those of others."""

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


class FolderLink(Row):
    """A folder that stands for the record in another record's workspace."""

    folder_id: int = 0
    name: str = ""
    url: str = ""


class LinksRow(Row):
    """The workspaces of a record by rule; its folders by ``rule/workspace id``."""

    links: Mapping[str, Link] = {}
    folders: Mapping[str, FolderLink] = {}

    def get(self, rule: str) -> Link | None:
        return self.links.get(rule)

    def linked(self, rule: str, link: Link) -> LinksRow:
        """Return the row with this workspace; telling it again changes nothing."""
        before = self.links.get(rule)
        if before is not None and before.workspace_id == link.workspace_id:
            return self
        return self.model_copy(update={"links": {**self.links, rule: link}})

    def folder(self, rule: str, workspace_id: int) -> FolderLink | None:
        return self.folders.get(f"{rule}/{workspace_id}")

    def folders_of(self, rule: str) -> dict[int, FolderLink]:
        """The folders of a rule by the workspace that each is in."""
        start = f"{rule}/"
        return {
            int(name.removeprefix(start)): folder
            for name, folder in sorted(self.folders.items())
            if name.startswith(start)
        }

    def with_folder(self, rule: str, workspace_id: int, folder: FolderLink) -> LinksRow:
        """Return the row with this folder; the newest told counts."""
        folders = {**self.folders, f"{rule}/{workspace_id}": folder}
        return self.model_copy(update={"folders": folders})
