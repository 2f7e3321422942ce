"""Workflows from the draft to the end: draft, start, look, suspend, stop, delete.

reference/extended-ecm.md 6; what happens on the way is in `workflow_steps`. Who may see a workflow:
its initiator, its manager, the assignees of its steps, and Admin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.sandbox.content_server import access, errors
from app.sandbox.content_server.attributes import initial_values
from app.sandbox.content_server.model import Member, Node, NodeType
from app.sandbox.content_server.store import ADMIN_ID, Store
from app.sandbox.content_server.workflow_model import Draft, Process
from app.sandbox.content_server.workflow_steps import (
    FORM,
    changed,
    is_for,
    map_of,
    note,
    open_step,
    tell,
)

NO_STATUS = "Could not access task status"


def draft(store: Store, map_id: int, documents: Sequence[int], actor: Member) -> Draft:
    """Prepare a workflow with its documents; it does not run yet."""
    kind = map_of(store, map_id)
    for document in documents:
        if not access.visible(store, store.node(document), actor):
            raise errors.not_accessible()
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
    held.values = changed(store, map_of(store, held.map_id), held.values, rest)
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
    note(store, process, "start", "Start", comment, actor)
    for document in held.documents:
        note(store, process, "attachment", "", "", actor, document)
    open_step(store, process, kind, 0)
    tell(store, process, "workflow.started", actor, {"comment": comment})
    return process


def find(store: Store, process_id: int, actor: Member) -> Process:
    """The workflow as far as this user may see it; 400 otherwise."""
    found = store.workflows.processes.get(process_id)
    if found is None or not may_see(store, found, actor):
        raise errors.ApiError(400, NO_STATUS)
    return found


def find_part(store: Store, process_id: int, part_id: int, actor: Member) -> Process:
    """The workflow by id and subprocess, which have the same number in maps without sub-maps."""
    found = find(store, process_id, actor)
    if part_id != found.id:
        raise errors.ApiError(400, NO_STATUS)
    return found


def may_see(store: Store, process: Process, actor: Member) -> bool:
    """Whether the user has a part in the workflow."""
    if actor.id in (process.initiator_id, process.manager_id, ADMIN_ID):
        return True
    return any(is_for(store, task, actor) for task in process.tasks)


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
    if status not in ("suspend", "resume", "stop"):
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
            note(store, process, "stop", "Stop", "", actor)
            tell(store, process, "workflow.stopped", actor, {})


def delete(store: Store, process: Process, actor: Member) -> None:
    """Remove a workflow with its attachment folder."""
    if actor.id not in (process.initiator_id, process.manager_id, ADMIN_ID):
        raise errors.ApiError(400, errors.INSUFFICIENT_PERMISSIONS)
    del store.workflows.processes[process.id]
    folder = store.nodes.get(process.attachment_folder_id)
    if folder is not None:
        store.remove(folder)


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
