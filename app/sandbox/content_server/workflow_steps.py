"""The steps of a workflow: who may act on them, and what follows (reference/extended-ecm.md 6).

A workflow walks through the steps of its map. A step ends by one of its dispositions; a rejecting
one ends the workflow, the last step's approves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.attributes import update_values
from app.sandbox.content_server.happenings import Attributes, happened
from app.sandbox.content_server.model import Member, MemberType, Node, NodeType
from app.sandbox.content_server.store import Store
from app.sandbox.content_server.workflow_model import Activity, Process, Task, WorkflowMap

FORM = "WorkflowForm_"


def map_of(store: Store, map_id: int) -> WorkflowMap:
    """The workflow map; 400 for another kind of node or none."""
    found = store.workflows.maps.get(map_id)
    if found is None or map_id not in store.nodes:
        raise errors.not_accessible()
    return found


def assigned_to(store: Store, actor: Member) -> list[tuple[Process, Task]]:
    """The open steps that wait for this user, oldest first."""
    return [
        (process, task)
        for process in store.workflows.processes.values()
        if (task := process.open_task) is not None and is_for(store, task, actor)
    ]


def task_of(store: Store, process: Process, task_id: int, actor: Member) -> Task:
    """The open step, asked for by its assignee; 400 for anybody else and any other step."""
    task = process.open_task
    if task is None or task.id != task_id or not is_for(store, task, actor):
        raise errors.ApiError(400, "Could not get the task. It is not assigned to you.")
    return task


def accept(store: Store, process: Process, task_id: int, actor: Member) -> None:
    """Take a step that waits for a group; who comes second is told so."""
    task = task_of(store, process, task_id, actor)
    if task.accepted_by not in (None, actor.id):
        raise errors.ApiError(400, "The task has been accepted by another member of the group.")
    task.accepted_by = actor.id


def save(
    store: Store, process: Process, task_id: int, values: Mapping[str, Any], actor: Member
) -> None:
    """Keep what the assignee filled in, without ending the step."""
    task_of(store, process, task_id, actor)
    process.values = changed(store, map_of(store, process.map_id), process.values, values)


def decide(
    store: Store,
    process: Process,
    task_id: int,
    disposition: str,
    comment: str,
    actor: Member,
    password: str = "",
) -> None:
    """End a step by one of its dispositions; the next one opens, or the workflow is over."""
    kind = map_of(store, process.map_id)
    task = task_of(store, process, task_id, actor)
    step = kind.steps[task_id - 1]
    _check_taken(store, task)
    if step.signing and password != actor.password:
        raise errors.ApiError(400, "The authentication has failed.", "662306821")
    named = {label.casefold(): label for label in step.dispositions}
    label = named.get(disposition.casefold())
    if label is None:
        raise errors.ApiError(400, f"The action '{disposition}' is not valid for this task.")
    task.ended, task.disposition, task.comment = store.clock(), label, comment
    note(store, process, "disposition", label, comment, actor)
    _go_on(store, process, kind, task, label in step.rejecting, actor)


def send_on(store: Store, process: Process, task_id: int, comment: str, actor: Member) -> None:
    """End a step that has no dispositions."""
    kind = map_of(store, process.map_id)
    task = task_of(store, process, task_id, actor)
    _check_taken(store, task)
    if kind.steps[task_id - 1].dispositions:
        raise errors.ApiError(400, "The action 'SendOn' is not valid for this task.")
    task.ended, task.comment = store.clock(), comment
    note(store, process, "sendon", "", comment, actor)
    _go_on(store, process, kind, task, False, actor)


def forward(
    store: Store,
    process: Process,
    task_id: int,
    assignee_id: int | None,
    comment: str,
    actor: Member,
) -> None:
    """Hand a step to somebody else."""
    task = task_of(store, process, task_id, actor)
    if assignee_id is None or assignee_id not in store.members:
        raise errors.missing_argument("assignee")
    task.assignee_id, task.accepted_by = assignee_id, None
    note(store, process, "forward", "", comment, actor)


def open_step(store: Store, process: Process, kind: WorkflowMap, index: int) -> None:
    """Open the step with this index for whoever is to do it."""
    step = kind.steps[index]
    chosen = process.values.values.get(step.assignee_attribute or 0)
    assignee = chosen if isinstance(chosen, int) and chosen in store.members else step.assignee_id
    process.tasks.append(Task(index + 1, step.name, assignee, store.clock()))


def is_for(store: Store, task: Task, actor: Member) -> bool:
    """Whether the step waits, or waited, for this user."""
    if actor.id in (task.assignee_id, task.accepted_by):
        return True
    assignee = store.members.get(task.assignee_id)
    return assignee is not None and task.accepted_by is None and actor.id in assignee.members


def changed(store: Store, kind: WorkflowMap, held: Any, values: Mapping[str, Any]) -> Any:
    """The attributes after values of a form (``WorkflowForm_2``...)."""
    keys = {
        f"{kind.id}_{name.removeprefix(FORM)}": value
        for name, value in values.items()
        if name.startswith(FORM)
    }
    return update_values(kind.attributes, held, keys, lambda member: member in store.members)


def note(
    store: Store,
    process: Process,
    action: str,
    label: str,
    comment: str,
    actor: Member,
    node_id: int | None = None,
) -> None:
    """Add a line to the workflow's story."""
    process.activities.append(Activity(action, label, comment, store.clock(), actor.id, node_id))


def tell(
    store: Store, process: Process, event: str, actor: Member, told: Mapping[str, Any]
) -> None:
    """Tell of the workflow in the workspace that it belongs to, with its first document."""
    documents = _documents_of(store, process)
    node = documents[0] if documents else store.nodes.get(process.workspace_id or 0)
    if node is None:
        return
    kind = store.workflows.maps[process.map_id]
    attributes = {
        "workflow_id": process.id,
        "workflow_map": kind.name,
        "title": process.title,
        **told,
    }
    happened(store, event, node, actor.id, attributes)


def _go_on(
    store: Store, process: Process, kind: WorkflowMap, task: Task, rejected: bool, actor: Member
) -> None:
    told = {"step": task.name, "disposition": task.disposition, "comment": task.comment}
    if rejected or task.id == len(kind.steps):
        process.state, process.ended = "completed", store.clock()
        outcome = "rejected" if rejected else "approved"
        tell(store, process, f"workflow.{outcome}", actor, told)
        about: Attributes = {"workflow_id": process.id, "comment": task.comment}
        for node in _documents_of(store, process):
            happened(store, f"document.{outcome}", node, actor.id, about)
        return
    open_step(store, process, kind, task.id)
    tell(store, process, "workflow.step", actor, told)


def _check_taken(store: Store, task: Task) -> None:
    group = store.members[task.assignee_id].type == MemberType.GROUP
    if group and task.accepted_by is None:
        raise errors.ApiError(400, "The task has to be accepted first.", "ErrCode_Accept_Task")


def _documents_of(store: Store, process: Process) -> list[Node]:
    """The attached documents that are still there; attached workspaces and folders left out."""
    attached = (store.nodes[i] for i in process.documents if i in store.nodes)
    return [node for node in attached if node.type == NodeType.DOCUMENT]
