"""What the workflow calls do: draft, start, accept, decide, forward, suspend, stop.

reference/extended-ecm.md 6. A workflow walks through the steps of its map. A step ends by one of
its dispositions; a rejecting one ends the workflow, the last step's approves it. Who may see a
workflow: its initiator, its manager, the assignees of its steps, and Admin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.attributes import initial_values, update_values
from app.sandbox.content_server.happenings import Attributes, happened
from app.sandbox.content_server.model import Member, MemberType, Node, NodeType
from app.sandbox.content_server.store import ADMIN_ID, Store
from app.sandbox.content_server.workflow_model import (
    Activity,
    Draft,
    Process,
    Task,
    WorkflowMap,
)

FORM = "WorkflowForm_"
NO_STATUS = "Could not access task status"
_STATUS_STATES = {"suspend": "suspended", "resume": "running", "stop": "stopped"}


def map_of(store: Store, map_id: int) -> WorkflowMap:
    """The workflow map; 400 for another kind of node or none."""
    found = store.workflows.maps.get(map_id)
    if found is None or map_id not in store.nodes:
        raise errors.not_accessible()
    return found


def draft(store: Store, map_id: int, documents: Sequence[int], actor: Member) -> Draft:
    """Prepare a workflow with its documents; it does not run yet."""
    kind = map_of(store, map_id)
    for document in documents:
        store.node(document)
    made = Draft(
        store.new_id(),
        map_id,
        actor.id,
        tuple(documents),
        kind.name,
        initial_values(kind.attributes),
    )
    store.workflows.drafts[made.id] = made
    return made


def find_draft(store: Store, draft_id: int, actor: Member) -> Draft:
    """The draft of this user; 400 for any other."""
    found = store.workflows.drafts.get(draft_id)
    if found is None or actor.id not in (found.user_id, ADMIN_ID):
        raise errors.ApiError(400, "Could not get the draft process.")
    return found


def fill(store: Store, held: Draft, values: Mapping[str, Any]) -> None:
    """Set title, due date and attributes by their names in the form."""
    rest = dict(values)
    title = rest.pop(f"{FORM}Title", None)
    due = rest.pop(f"{FORM}WorkflowDueDate", None)
    held.values = _changed(store, map_of(store, held.map_id), held.values, rest)
    held.title = str(title) if title else held.title
    held.due = str(due) if due else held.due


def start(store: Store, held: Draft, comment: str, actor: Member) -> Process:
    """Turn a draft into a workflow that runs; the draft is gone."""
    kind = map_of(store, held.map_id)
    process_id = store.new_id()
    workspace = _workspace_of(store, held.documents)
    process = Process(
        process_id,
        kind.id,
        held.title,
        actor.id,
        kind.manager_id,
        _attach(store, process_id, held.documents, actor),
        held.documents,
        workspace.id if workspace else None,
        store.clock(),
        held.values,
        held.due,
    )
    store.workflows.processes[process_id] = process
    del store.workflows.drafts[held.id]
    _note(store, process, "start", "Start", comment, actor)
    for document in held.documents:
        _note(store, process, "attachment", "", "", actor, document)
    _open_step(store, process, kind, 0)
    _tell(store, process, "workflow.started", actor, {"comment": comment})
    return process


def find(store: Store, process_id: int, actor: Member) -> Process:
    """The workflow as far as this user may see it; 400 otherwise."""
    found = store.workflows.processes.get(process_id)
    if found is None or not may_see(store, found, actor):
        raise errors.ApiError(400, NO_STATUS)
    return found


def may_see(store: Store, process: Process, actor: Member) -> bool:
    """Whether the user has a part in the workflow."""
    if actor.id in (process.initiator_id, process.manager_id, ADMIN_ID):
        return True
    return any(_is_for(store, task, actor) for task in process.tasks)


def assigned_to(store: Store, actor: Member) -> list[tuple[Process, Task]]:
    """The open steps that wait for this user, oldest first."""
    return [
        (process, task)
        for process in store.workflows.processes.values()
        if (task := process.open_task) is not None and _is_for(store, task, actor)
    ]


def task_of(store: Store, process: Process, task_id: int, actor: Member) -> Task:
    """The open step, asked for by its assignee; 400 for anybody else and any other step."""
    task = process.open_task
    if task is None or task.id != task_id or not _is_for(store, task, actor):
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
    process.values = _changed(store, map_of(store, process.map_id), process.values, values)


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
    _note(store, process, "disposition", label, comment, actor)
    _go_on(store, process, kind, task, label in step.rejecting, actor)


def send_on(store: Store, process: Process, task_id: int, comment: str, actor: Member) -> None:
    """End a step that has no dispositions."""
    kind = map_of(store, process.map_id)
    task = task_of(store, process, task_id, actor)
    _check_taken(store, task)
    if kind.steps[task_id - 1].dispositions:
        raise errors.ApiError(400, "The action 'SendOn' is not valid for this task.")
    task.ended, task.comment = store.clock(), comment
    _note(store, process, "sendon", "", comment, actor)
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
    _note(store, process, "forward", "", comment, actor)


def set_status(store: Store, process: Process, status: str, actor: Member) -> None:
    """Suspend, resume, stop or archive; only for initiator, manager and Admin."""
    if actor.id not in (process.initiator_id, process.manager_id, ADMIN_ID):
        raise errors.ApiError(400, errors.INSUFFICIENT_PERMISSIONS)
    over = process.state in ("completed", "stopped")
    if status == "archive":
        if not over:
            raise errors.ApiError(400, "Only a workflow that has ended can be archived.")
        process.archived = True
        return
    if status not in _STATUS_STATES:
        raise errors.ApiError(400, f"Invalid status '{status}'.")
    if over:
        raise errors.ApiError(400, f"The workflow is already {process.state}.")
    match status:
        case "suspend":
            process.state = "suspended"
        case "resume":
            process.state = "running"
        case _:
            process.state, process.ended = "stopped", store.clock()
            _note(store, process, "stop", "Stop", "", actor)
            _tell(store, process, "workflow.stopped", actor, {})


def delete(store: Store, process: Process, actor: Member) -> None:
    """Remove a workflow with its attachment folder."""
    if actor.id not in (process.initiator_id, process.manager_id, ADMIN_ID):
        raise errors.ApiError(400, errors.INSUFFICIENT_PERMISSIONS)
    del store.workflows.processes[process.id]
    folder = store.nodes.get(process.attachment_folder_id)
    if folder is not None:
        store.remove(folder)


def _go_on(
    store: Store, process: Process, kind: WorkflowMap, task: Task, rejected: bool, actor: Member
) -> None:
    told = {"step": task.name, "disposition": task.disposition, "comment": task.comment}
    if rejected or task.id == len(kind.steps):
        process.state, process.ended = "completed", store.clock()
        outcome = "rejected" if rejected else "approved"
        _tell(store, process, f"workflow.{outcome}", actor, told)
        about: Attributes = {"workflow_id": process.id, "comment": task.comment}
        for node in _documents_of(store, process):
            happened(store, f"document.{outcome}", node, actor.id, about)
        return
    _open_step(store, process, kind, task.id)
    _tell(store, process, "workflow.step", actor, told)


def _open_step(store: Store, process: Process, kind: WorkflowMap, index: int) -> None:
    step = kind.steps[index]
    chosen = process.values.values.get(step.assignee_attribute or 0)
    assignee = chosen if isinstance(chosen, int) and chosen in store.members else step.assignee_id
    process.tasks.append(Task(index + 1, step.name, assignee, store.clock()))


def _check_taken(store: Store, task: Task) -> None:
    group = store.members[task.assignee_id].type == MemberType.GROUP
    if group and task.accepted_by is None:
        raise errors.ApiError(400, "The task has to be accepted first.", "ErrCode_Accept_Task")


def _is_for(store: Store, task: Task, actor: Member) -> bool:
    if actor.id in (task.assignee_id, task.accepted_by):
        return True
    assignee = store.members.get(task.assignee_id)
    return assignee is not None and task.accepted_by is None and actor.id in assignee.members


def _changed(store: Store, kind: WorkflowMap, held: Any, values: Mapping[str, Any]) -> Any:
    keys = {
        f"{kind.id}_{name.removeprefix(FORM)}": value
        for name, value in values.items()
        if name.startswith(FORM)
    }
    return update_values(kind.attributes, held, keys, lambda member: member in store.members)


def _workspace_of(store: Store, documents: Sequence[int]) -> Node | None:
    found = (store.enclosing_workspace(store.nodes[i]) for i in documents if i in store.nodes)
    return next((node for node in found if node is not None), None)


def _attach(store: Store, process_id: int, documents: Sequence[int], actor: Member) -> int:
    """The attachment folder with a shortcut for each document."""
    folder = store.new_node(-process_id, "Attachments", NodeType.FOLDER, actor.id)
    for document in dict.fromkeys(documents):
        original = store.node(document)
        name = original.name
        if store.child_by_name(folder.id, name) is not None:
            name = f"{name} ({original.id})"
        store.new_node(folder.id, name, NodeType.SHORTCUT, actor.id, original_id=original.id)
    return folder.id


def _note(
    store: Store,
    process: Process,
    action: str,
    label: str,
    comment: str,
    actor: Member,
    node_id: int | None = None,
) -> None:
    process.activities.append(Activity(action, label, comment, store.clock(), actor.id, node_id))


def _documents_of(store: Store, process: Process) -> list[Node]:
    """The attached documents that are still there; attached workspaces and folders left out."""
    attached = (store.nodes[i] for i in process.documents if i in store.nodes)
    return [node for node in attached if node.type == NodeType.DOCUMENT]


def _tell(
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
