"""What the workspaces of a type tell of their subject, as customers' own steps and scripts do.

`definition.TellingSpec` says what is configured; here is what a general event comes to. A status
that the integration's own user sets is not told: a connector must not hear itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.sandbox.content_server.model import Node, NodeType

Nodes = Mapping[int, Node]
_FILED = ("document.added", "document.version_added", "document.moved")
_STATES: Mapping[str, str] = {
    "workflow.started": "in_approval",
    "workflow.approved": "approved",
    "workflow.rejected": "rejected",
    "signature.signed": "signed",
}


@dataclass(frozen=True)
class Telling:
    """What a workspace type is set up to tell; ``status`` is (category id, attribute id)."""

    subject: str
    folders: Mapping[str, str] = field(default_factory=dict)
    status: tuple[int, int] | None = None
    workflow: str = ""


@dataclass
class Tellings:
    """The set-up by workspace type, the integrations' users, and the last known statuses."""

    by_type: dict[int, Telling] = field(default_factory=dict)
    integrations: set[int] = field(default_factory=set)
    statuses: dict[int, str] = field(default_factory=dict)

    def follows(
        self,
        nodes: Nodes,
        event: str,
        node: Node,
        workspace: Node,
        user_id: int,
        workflow_map: object = None,
    ) -> str | None:
        """The event of the subject that this general one comes to, e.g. ``contract.signed``."""
        assert workspace.workspace is not None
        telling = self.by_type.get(workspace.workspace.type_id)
        if telling is None:
            return None
        state = _STATES.get(event)
        if event.startswith("workflow.") and telling.workflow not in ("", workflow_map):
            return None
        if event in _FILED:
            state = telling.folders.get(_folder(nodes, node, workspace))
        elif event == "attribute.changed" and telling.status is not None:
            state = self._status(nodes, telling.status, node, workspace, user_id)
        return f"{telling.subject}.{state}" if state else None

    def attributes(self, workspace: Node) -> int | None:
        """The category whose values go along with the subject's events."""
        assert workspace.workspace is not None
        telling = self.by_type.get(workspace.workspace.type_id)
        return telling.status[0] if telling and telling.status else None

    def _status(
        self, nodes: Nodes, path: tuple[int, int], node: Node, workspace: Node, user_id: int
    ) -> str | None:
        """The workspace's status in snake case, where a person has just changed it."""
        assert workspace.workspace is not None
        if node is not workspace:
            return None
        status = _value(node, path)
        template = nodes.get(workspace.workspace.template_id)
        before = self.statuses.get(node.id, _value(template, path) if template else "")
        self.statuses[node.id] = status
        if status in ("", before) or user_id in self.integrations:
            return None
        return snake(status)


def snake(label: str) -> str:
    """``Expires On`` becomes ``expires_on``."""
    return re.sub(r"\W+", "_", label.strip()).lower()


def _folder(nodes: Nodes, node: Node, workspace: Node) -> str:
    """The name of the workspace's own folder that the document lies in, at any depth."""
    current = node
    while current.parent_id != workspace.id and current.parent_id in nodes:
        current = nodes[current.parent_id]
    return current.name if current.type == NodeType.FOLDER else ""


def _value(node: Node, path: tuple[int, int]) -> str:
    values = node.categories.get(path[0])
    found = values.values.get(path[1]) if values is not None else None
    return str(found) if found is not None else ""
