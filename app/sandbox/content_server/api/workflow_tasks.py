"""The steps of workflows that wait for people (reference/extended-ecm.md 6)."""

from __future__ import annotations

from typing import Any

from app.sandbox.content_server import errors, workflow_steps, workflows
from app.sandbox.content_server.api.call import Call, Endpoint
from app.sandbox.content_server.api.workflows import attribute_form, data_packages, values_of
from app.sandbox.content_server.model import MemberType, NodeType
from app.sandbox.content_server.render import collection, links, paginate, stamp
from app.sandbox.content_server.workflow_model import Process, Task

_LARGEST_PAGE = 500


def my_tasks(call: Call) -> Any:
    """``GET /v2/members/assignments``: the steps that wait for the caller."""
    found = workflow_steps.assigned_to(call.store, call.actor)
    limit, number = call.query_number("limit", 25), call.query_number("page", 1)
    page = paginate(found, limit, number, _LARGEST_PAGE)
    page.items[:] = [{"data": {"assignments": _assignment(call, *one)}} for one in page.items]
    return collection(page, "/v2/members/assignments", call.query.multi_items(), "asc_name")


def my_workflow_tasks(call: Call) -> Any:
    """``GET .../moduleassignments/ExpandAssignments/workflow``: the same since version 24."""
    found = [_assignment(call, *one) for one in workflow_steps.assigned_to(call.store, call.actor)]
    path = "/v2/members/moduleassignments/ExpandAssignments/workflow"
    return {"links": links(path), "results": {"data": found}}


def task_form(call: Call) -> Any:
    """``GET /v1/forms/processes/tasks/update`` for the assignee."""
    process_id = call.query_number("process_id", 0)
    part_id = call.query_number("subprocess_id", process_id)
    process = workflows.find_part(call.store, process_id, part_id, call.actor)
    task = workflow_steps.task_of(call.store, process, call.query_number("task_id", 1), call.actor)
    kind = workflow_steps.map_of(call.store, process.map_id)
    step = kind.steps[task.id - 1]
    actions = [{"key": "Delegate", "label": "Forward"}]
    if not step.dispositions:
        actions.insert(0, {"key": "SendOn", "label": "Send On"})
    group = call.store.members[task.assignee_id].type == MemberType.GROUP
    data = {
        "actions": actions,
        "attachments_on": True,
        "authentication": step.signing,
        "comments_on": True,
        "custom_actions": [{"key": label, "label": label} for label in step.dispositions],
        "data_packages": data_packages(kind, process.values, process.attachment_folder_id),
        "instructions": step.instructions,
        "member_accept": group and task.accepted_by is None,
        "message": None,
        "process_id": process.id,
        "subprocess_id": process.id,
        "task_id": task.id,
        "title": step.name,
    }
    return {"data": data, "forms": [attribute_form(kind, process.values, {})]}


def act(call: Call) -> Any:
    """``PUT /v2/processes/{p}/subprocesses/{s}/tasks/{t}``: an action or a custom action."""
    process = _process(call)
    action, custom = call.text("action"), call.text("custom_action")
    comment, task_id = call.text("comment"), call.path["task_id"]
    if bool(action) == bool(custom):
        raise errors.ApiError(400, "Either 'action' or 'custom_action' is required, not both.")
    if custom:
        password = _password(call)
        workflow_steps.decide(call.store, process, task_id, custom, comment, call.actor, password)
    elif action == "formUpdate":
        workflow_steps.save(call.store, process, task_id, values_of(call), call.actor)
    elif action == "SendOn":
        workflow_steps.send_on(call.store, process, task_id, comment, call.actor)
    elif action == "Delegate":
        assignee = call.number("assignee")
        workflow_steps.forward(call.store, process, task_id, assignee, comment, call.actor)
    else:
        raise errors.ApiError(400, f"Invalid action '{action}'.")
    path = f"/v2/processes/{process.id}/subprocesses/{process.id}/tasks/{task_id}"
    return {"links": links(path, "PUT"), "results": {}}


def check_group_task(call: Call) -> Any:
    """``GET /v2/mobilegroupassignment/check/...``: whether the step still has to be accepted."""
    process = _process(call)
    task = workflow_steps.task_of(call.store, process, call.path["task_id"], call.actor)
    group = call.store.members[task.assignee_id].type == MemberType.GROUP
    return {"results": {"data": {"needs_accept": group and task.accepted_by is None}}}


def accept(call: Call) -> Any:
    """``POST /v2/mobilegroupassignment/accept/...``: take a step that waits for a group."""
    workflow_steps.accept(call.store, _process(call), call.path["task_id"], call.actor)
    return {"results": {}}


def _password(call: Call) -> str:
    given = call.fields.get("authentication_info")
    return str(given.get("password", "")) if isinstance(given, dict) else ""


def _process(call: Call) -> Process:
    part_id = call.path["subprocess_id"]
    return workflows.find_part(call.store, call.path["id"], part_id, call.actor)


def _assignment(call: Call, process: Process, task: Task) -> dict[str, Any]:
    kind = workflow_steps.map_of(call.store, process.map_id)
    return {
        "date_due": process.due or None,
        "favorite": False,
        "from_user_id": process.initiator_id,
        "id": process.id,
        "instructions": kind.steps[task.id - 1].instructions,
        "location_id": process.attachment_folder_id,
        "maximum_priority": False,
        "name": f"{process.title}: {task.name}",
        "priority": 50,
        "priority_name": "Medium",
        "start_date": stamp(task.started, ""),
        "status": 0,
        "status_name": "ontime",
        "type": int(NodeType.WORKFLOW_STEP),
        "type_name": "Workflow Step",
        "workflow_id": process.id,
        "workflow_subworkflow_id": process.id,
        "workflow_subworkflow_task_id": task.id,
    }


_TASK = "taskid/{task_id:int}/processid/{id:int}/subprocessid/{subprocess_id:int}"
ENDPOINTS = (
    Endpoint("GET", "/v2/members/assignments", my_tasks),
    Endpoint("GET", "/v2/members/moduleassignments/ExpandAssignments/workflow", my_workflow_tasks),
    Endpoint("GET", "/v1/forms/processes/tasks/update", task_form),
    Endpoint(
        "PUT",
        "/v2/processes/{id:int}/subprocesses/{subprocess_id:int}/tasks/{task_id:int}",
        act,
        "B",
    ),
    Endpoint("GET", f"/v2/mobilegroupassignment/check/{_TASK}", check_group_task),
    Endpoint("POST", f"/v2/mobilegroupassignment/accept/{_TASK}", accept, "FB"),
)
