"""What has happened on the server, in the form in which Dovetail hears of it.

The product has no outbound events (reference/extended-ecm.md 8.3); workflow steps, WebReports and
webhooks send what section 8.5 suggests. The simulator keeps each as an `EcmHappening` of
`app.sandbox.events.ecm`, in order, and tells those who listen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from app.sandbox.content_server.attributes import labelled_values
from app.sandbox.content_server.audit_trail import AuditEvent, AuditRow
from app.sandbox.content_server.changes import Clock
from app.sandbox.content_server.model import Category, Member, Node, NodeType
from app.sandbox.content_server.tellings import Tellings, snake
from app.sandbox.events.ecm import EcmHappening

Listener = Callable[[EcmHappening], None]
Value = str | int | bool | None
Attributes = Mapping[str, Value]
REMEMBERED = 10_000

_DOCUMENT_EVENTS: Mapping[AuditEvent, str] = {
    AuditEvent.CREATE: "document.added",
    AuditEvent.CREATE_FROM_COPY: "document.added",
    AuditEvent.VERSION_ADDED: "document.version_added",
    AuditEvent.RENAME: "document.renamed",
    AuditEvent.MOVE: "document.moved",
    AuditEvent.DELETE: "document.deleted",
    AuditEvent.ATTRIBUTE_CHANGED: "attribute.changed",
}
_WORKSPACE_EVENTS: Mapping[AuditEvent, str] = {
    AuditEvent.CREATE: "workspace.created",
    AuditEvent.RENAME: "workspace.updated",
    AuditEvent.MOVE: "workspace.updated",
    AuditEvent.DELETE: "workspace.deleted",
    AuditEvent.ATTRIBUTE_CHANGED: "attribute.changed",
    AuditEvent.PERMISSION_CHANGED: "permission.changed",
}


@dataclass
class Happenings:
    """The newest events, oldest first; ``cs_url`` is the address that their links begin with."""

    items: deque[EcmHappening] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    listeners: list[Listener] = field(default_factory=list)
    tellings: Tellings = field(default_factory=Tellings)
    expired: set[tuple[int, str]] = field(default_factory=set)
    cs_url: str = ""
    told: int = 0

    def tell(self, happening: EcmHappening) -> None:
        """Keep the event and let everybody know who listens."""
        self.items.append(happening)
        for listener in list(self.listeners):
            listener(happening)


class Server(Protocol):
    """What is told of: the `Store`."""

    nodes: dict[int, Node]
    members: dict[int, Member]
    categories: dict[int, Category]
    happenings: Happenings
    clock: Clock

    def enclosing_workspace(self, node: Node) -> Node | None:
        """The workspace that the node is or lies in."""


def happened(server: Server, event: str, node: Node, user_id: int, attributes: Attributes) -> None:
    """Tell of an event about a node, and of what it means for the workspace's subject.

    One that lies in no workspace is nobody's business.
    """
    workspace = server.enclosing_workspace(node)
    if workspace is None or workspace.workspace is None or workspace.workspace.is_template:
        return
    _tell(server, event, node, workspace, user_id, attributes)
    tellings = server.happenings.tellings
    workflow_map = attributes.get("workflow_map")
    subject = tellings.follows(server.nodes, event, node, workspace, user_id, workflow_map)
    if subject is not None:
        category = tellings.attributes(workspace)
        about = _labelled(server, workspace, category) if category is not None else {}
        _tell(server, subject, node, workspace, user_id, {**about, **attributes})


def expire_documents(server: Server) -> int:
    """Tell of each document whose ``Expires On`` is before today, once per date; how many."""
    today, count = server.clock().date().isoformat(), 0
    for node in [node for node in server.nodes.values() if node.type == NodeType.DOCUMENT]:
        attributes = _labelled(server, node)
        date = str(attributes.get("expires_on") or "")[:10]
        if date and date < today and (node.id, date) not in server.happenings.expired:
            server.happenings.expired.add((node.id, date))
            happened(server, "document.expired", node, node.modified_by, attributes)
            count += 1
    return count


def _tell(
    server: Server, event: str, node: Node, workspace: Node, user_id: int, attributes: Attributes
) -> None:
    assert workspace.workspace is not None
    happenings = server.happenings
    happenings.told += 1
    references = workspace.workspace.references
    actor = server.members.get(user_id)
    happenings.tell(
        EcmHappening(
            f"cs-{happenings.told:08d}",
            event,
            int(server.clock().timestamp() * 1000),
            workspace.id,
            references[0].key() if references else None,
            _document(server, node),
            actor.name if actor else None,
            {**_place(server, node, workspace), **attributes},
        )
    )


def _place(server: Server, node: Node, workspace: Node) -> Attributes:
    """The folder that a document is in; in a folder below one that stands for something, that."""
    above: list[Node] = []
    parent = server.nodes.get(node.parent_id)
    while parent is not None and parent is not workspace:
        above.append(parent)
        parent = server.nodes.get(parent.parent_id)
    if node.type != NodeType.DOCUMENT or not above:
        return {}
    named = (folder for folder in above if folder.external.get("external_identity"))
    return {"folder_id": next(named, above[0]).id}


def of_audit(server: Server, node: Node, row: AuditRow) -> None:
    """Tell what a line of the audit trail means, if anything."""
    if node.type == NodeType.DOCUMENT:
        event = _DOCUMENT_EVENTS.get(row.event)
    else:
        event = _WORKSPACE_EVENTS.get(row.event) if node.workspace is not None else None
    if event is not None:
        happened(server, event, node, row.user_id, _labelled(server, node))


def _document(server: Server, node: Node) -> tuple[int, int, str, str] | None:
    if node.type != NodeType.DOCUMENT:
        return None
    version = node.versions[-1].number if node.versions else 1
    return node.id, version, node.name, f"{server.happenings.cs_url}/app/nodes/{node.id}"


def _labelled(server: Server, node: Node, only: int | None = None) -> dict[str, Value]:
    """The node's attributes outside sets, of one category or all, their labels in snake case."""
    found: dict[str, Value] = {}
    for category_id, values in node.categories.items():
        if only not in (None, category_id):
            continue
        for label, value in labelled_values(server.categories[category_id], values).items():
            if value is None or isinstance(value, str | int | bool):
                found[snake(label)] = value
            elif isinstance(value, float):
                found[snake(label)] = repr(value)
    return found
