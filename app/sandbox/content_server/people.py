"""What people outside do on the server, for tests, the demo and its oracle.

Approvers decide steps, signers sign, without a sign-in of their own; everything goes through the
same rules as their calls would.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from app.sandbox.content_server import (
    access,
    happenings,
    nodes,
    records,
    signatures,
    workflow_steps,
    workflows,
)
from app.sandbox.content_server.attributes import labelled_values
from app.sandbox.content_server.bodies import UploadedFile
from app.sandbox.content_server.model import AttributeValue, Member, MemberType, NodeType
from app.sandbox.content_server.store import ADMIN_ID, Store
from app.sandbox.content_server.workflow_model import Process


@dataclass(frozen=True)
class WorkflowView:
    """One workflow as it is now; ``waits_for`` is the login or group of the open step.

    ``outcome`` is the last disposition of a workflow that is over, e.g. ``Approve``.
    """

    id: int
    map: str
    title: str
    workspace_id: int | None
    state: str
    waits_for: str | None
    outcome: str | None
    comments: tuple[str, ...]
    attributes: dict[str, AttributeValue]
    documents: tuple[int, ...]


@dataclass(frozen=True)
class RecordView:
    """Records details of an item: where it is in the file plan, since when, and its status.

    ``kept_until`` is None while its retention does not run.
    """

    classification: str
    rsi: str
    status: str
    record_date: date
    status_date: date
    finalized: bool
    kept_until: date | None


class People:
    """The people of one server."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def workflows(self, workspace_id: int | None = None) -> list[WorkflowView]:
        """Every workflow, of one workspace where it is named; oldest first."""
        return [
            self.workflow(process.id)
            for process in self._store.workflows.processes.values()
            if workspace_id in (None, process.workspace_id)
        ]

    def workflow(self, process_id: int) -> WorkflowView:
        """One workflow; ApiError when there is none with the id."""
        process = self._process(process_id)
        kind = self._store.workflows.maps[process.map_id]
        task = process.open_task
        dispositions = [task.disposition for task in process.tasks if task.disposition]
        return WorkflowView(
            process.id,
            kind.name,
            process.title,
            process.workspace_id,
            process.state,
            self._store.members[task.assignee_id].name if task else None,
            dispositions[-1] if dispositions and process.state == "completed" else None,
            tuple(a.comment for a in process.activities if a.comment),
            labelled_values(kind.attributes, process.values),
            process.documents,
        )

    def decide(
        self, process_id: int, disposition: str = "Approve", comment: str = "", by: str = ""
    ) -> WorkflowView:
        """End the open step as its assignee, or as the member ``by`` of the assigned group."""
        process = self._process(process_id)
        task = process.open_task
        number = task.id if task else 0
        actor = self._approver(process, by)
        if task and self._store.members[task.assignee_id].type == MemberType.GROUP:
            workflow_steps.accept(self._store, process, number, actor)
        workflow_steps.decide(
            self._store, process, number, disposition, comment, actor, actor.password
        )
        return self.workflow(process_id)

    def file(self, container_id: int, name: str, content: bytes) -> int:
        """Somebody with every right puts a document there; its node id."""
        file = UploadedFile(name, "application/pdf", content)
        request = nodes.NodeRequest(NodeType.DOCUMENT, container_id, name, file=file)
        return nodes.create(self._store, request, self._store.members[ADMIN_ID]).id

    def send_for_signature(self, request_id: int) -> None:
        """The provider sends a request to its first signers."""
        signatures.send(self._store, signatures.find(self._store, request_id))

    def sign(self, request_id: int, email: str = "") -> str:
        """Somebody whose turn it is signs; the request's status afterwards."""
        request = signatures.find(self._store, request_id)
        signatures.sign(self._store, request, email)
        return request.status

    def expire_documents(self) -> int:
        """Tell of documents whose ``Expires On`` has passed, once for each date; how many."""
        return happenings.expire_documents(self._store)

    def readers(self, workspace_id: int) -> tuple[str, ...]:
        """The roles that may open the workspace, and ``everybody`` where the public may."""
        node = self._store.workspace(workspace_id)
        roles = [
            role.name
            for role in self._store.roles(node)
            if access.holds(role.perms | node.acl.custom.get(role.id, 0), "see_contents")
        ]
        public = access.holds(node.acl.public or 0, "see_contents")
        return (*roles, *(["everybody"] if public else []))

    def record(self, node_id: int) -> RecordView | None:
        """The records details of an item, its own or inherited; None without any."""
        found = records.details_of(self._store, self._store.node(node_id))
        if found is None:
            return None
        held = found[0]
        kind = self._store.nodes[held.class_id]
        path = [kind.name]
        while (kind := self._store.nodes[kind.parent_id]).type == NodeType.RM_CLASSIFICATION:
            path.insert(0, kind.name)
        return RecordView(
            "/".join(path),
            held.rsi,
            held.file_status,
            held.record_date,
            held.status_date,
            held.finalized,
            records.kept_until(self._store, held),
        )

    def _approver(self, process: Process, login: str) -> Member:
        members = self._store.members
        if login:
            found = self._store.member_named(login)
            if found is None:
                raise KeyError(login)
            return found
        task = process.open_task
        assignee = members[task.assignee_id] if task else members[ADMIN_ID]
        if assignee.type != MemberType.GROUP:
            return assignee
        return members[assignee.members[0]] if assignee.members else members[ADMIN_ID]

    def _process(self, process_id: int) -> Process:
        return workflows.find(self._store, process_id, self._store.members[ADMIN_ID])
