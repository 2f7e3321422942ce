"""What became of workflows: lists, one workflow, its activities (reference/extended-ecm.md 6)."""

from __future__ import annotations

from datetime import date
from typing import Any

from app.sandbox.content_server import errors, workflow_steps, workflows
from app.sandbox.content_server.api.call import Call, Endpoint
from app.sandbox.content_server.model import Member
from app.sandbox.content_server.render import links, stamp
from app.sandbox.content_server.store import ADMIN_ID
from app.sandbox.content_server.workflow_model import Process, Task

_KINDS = ("managed", "initiated", "both")
#: The integers of ``Work_Status`` by state.
_WORK_STATUS = {"running": 1, "suspended": 2, "completed": 3, "stopped": 4}


def mine(call: Call) -> Any:
    """``GET /v2/workflows/status``: only what the caller initiated or manages."""
    wanted = {state for given in call.query.getlist("wstatus") for state in given.split(",")}
    found = [
        process
        for process in call.store.workflows.processes.values()
        if _is_of_kind(call, process)
        and not process.archived
        and (not wanted or status_key(process) in wanted)
    ]
    descending = call.query.get("sort", "date_initiated desc").endswith("desc")
    found.sort(key=lambda process: (process.started, process.id), reverse=descending)
    results = [
        {"data": {"wfstatus": _status(call, process)}, "permissions": _PERMISSIONS}
        for process in found
    ]
    return {"links": links("/v2/workflows/status"), "results": results}


def active(call: Call) -> Any:
    """``GET /v2/workflows/status/active``: by map, workspace and day of the start; no outcome."""
    map_id = call.query_number("mapObjId", 0)
    workspace_id = call.query_number("businessWorkspaceID", 0)
    first, last = _day(call, "fromDate", date.min), _day(call, "toDate", date.max)
    archived = call.query.get("status", "NOARCHIVE").upper() == "ARCHIVED"
    rows = [
        _row(process)
        for process in call.store.workflows.processes.values()
        if map_id in (0, process.map_id)
        and workspace_id in (0, process.workspace_id)
        and first <= process.started.date() <= last
        and process.archived == archived
        and _is_of_kind(call, process)
    ]
    return {"links": links("/v2/workflows/status/active"), "results": {"data": rows}}


def one(call: Call) -> Any:
    """``GET /v2/workflows/status/processes/{p}``: steps and details of one workflow."""
    process = workflows.find(call.store, call.path["id"], call.actor)
    kind = workflow_steps.map_of(call.store, process.map_id)
    done = [task for task in process.tasks if task.ended is not None]
    waiting = [task for task in process.tasks if task is process.open_task]
    following = kind.steps[len(process.tasks) :] if process.ended is None else ()
    initiator = call.store.members[process.initiator_id]
    results = {
        "attachments": {"attachment_folder_id": process.attachment_folder_id},
        "data_packages": [
            {"TYPE": 1, "SUBTYPE": 1, "USERDATA": process.attachment_folder_id, "DESCRIPTION": ""},
            {"TYPE": 1, "SUBTYPE": 2, "USERDATA": process.id, "DESCRIPTION": ""},
        ],
        "permissions": _PERMISSIONS,
        "step_list": {
            "completed": [_step(call, process, task) for task in done],
            "current": [_step(call, process, task) for task in waiting],
            "next": [{"task_name": step.name} for step in following],
        },
        "wf_details": {
            "date_initiated": stamp(process.started, ""),
            "date_completed": stamp(process.ended, ""),
            "due_date": process.due,
            "initiator": {
                "firstName": initiator.first_name,
                "lastName": initiator.last_name,
                "loginName": initiator.name,
                "userId": initiator.id,
            },
            "status": status_key(process),
            "wf_name": process.title,
            "work_workID": process.id,
        },
    }
    return {"links": links(f"/v2/workflows/status/processes/{process.id}"), "results": results}


def info(call: Call) -> Any:
    """``GET /v2/workflows/status/info?workid=``: everything of one workflow, with its audit."""
    process = workflows.find(call.store, call.query_number("workid", 0), call.actor)
    members = call.store.members
    results = {
        "generalInfo": {"Title": process.title, "Status": status_key(process)},
        "stepList": [
            {"TaskTitle": task.name, "Status": "Done" if task.ended else "Ready",
             "DateDone": stamp(task.ended, "")}
            for task in process.tasks
        ],
        "Comments": [
            {"Comment": a.comment, "User": members[a.user_id].name}
            for a in process.activities
            if a.comment
        ],
        "auditInfo": [
            {
                "AUDIT_DATE": stamp(a.at, ""),
                "USER_NAME": members[a.user_id].name,
                "AUDIT_MSG": f"{a.action} {a.label}".strip(),
            }
            for a in process.activities
        ],
    }  # fmt: skip
    return {"links": links("/v2/workflows/status/info"), "results": results}


def activities(call: Call) -> Any:
    """``GET /v2/processes/{p}/subprocesses/{s}/activities``: the newest first."""
    part_id = call.path["subprocess_id"]
    process = workflows.find_part(call.store, call.path["id"], part_id, call.actor)
    limit = call.query_number("limit", len(process.activities)) or None
    shown = [
        {
            "action": activity.action,
            "action_properties": {
                "label": activity.label,
                "event": activity.action,
                **({"node": {"id": activity.node_id}} if activity.node_id else {}),
            },
            "comment": activity.comment,
            "date": stamp(activity.at, ""),
            "user_id": activity.user_id,
        }
        for activity in reversed(process.activities)
    ]
    path = f"/v2/processes/{process.id}/subprocesses/{process.id}/activities"
    return {"links": links(path), "results": {"data": shown[:limit]}}


def set_status(call: Call) -> Any:
    """``PUT /v2/processes/{p}/status`` with ``status``: suspend, resume, stop or archive."""
    process = workflows.find(call.store, call.path["id"], call.actor)
    workflows.set_status(call.store, process, call.required("status"), call.actor)
    return {"links": links(f"/v2/processes/{process.id}/status", "PUT"), "results": {}}


def delete(call: Call) -> Any:
    """``DELETE /v2/processes/{p}``."""
    process = workflows.find(call.store, call.path["id"], call.actor)
    workflows.delete(call.store, process, call.actor)
    return {"results": {}}


def status_key(process: Process) -> str:
    """The state of a workflow in the product's words."""
    if process.archived:
        return "archived"
    return "ontime" if process.state == "running" else process.state


def _is_of_kind(call: Call, process: Process) -> bool:
    """Personal scope: managed or initiated by the caller; Admin sees all."""
    query = call.query
    kind = (query.get("Kind") or query.get("kind") or "Both").lower()
    if kind not in _KINDS:
        raise errors.ApiError(400, f"Invalid kind '{kind}'.")
    if call.actor.id == ADMIN_ID:
        return True
    managed = process.manager_id == call.actor.id and kind != "initiated"
    return managed or (process.initiator_id == call.actor.id and kind != "managed")


def _status(call: Call, process: Process) -> dict[str, Any]:
    task = process.open_task
    assignee = call.store.members[task.assignee_id] if task else None
    return {
        "assignee": [_person(assignee)] if assignee else [],
        "assignee_count": 1 if assignee else 0,
        "comments_on": True,
        "current_assignee": assignee.display_name if assignee else "",
        "date_initiated": stamp(process.started, ""),
        "due_date": process.due,
        "parallel_steps": [_step(call, process, task)] if task else [],
        "process_id": process.id,
        "status_key": status_key(process),
        "step_name": task.name if task else "",
        "steps_count": 1 if task else 0,
        "subprocess_id": process.id,
        "task_id": task.id if task else 0,
        "wf_name": process.title,
    }


def _row(process: Process) -> dict[str, Any]:
    return {
        "Map_MapObjID": process.map_id,
        "SubWork_DateInitiated": stamp(process.started, ""),
        "SubWork_Status": _WORK_STATUS[process.state],
        "SubWork_SubWorkID": process.id,
        "SubWork_Title": process.title,
        "Work_ManagerID": process.manager_id,
        "Work_OwnerID": process.initiator_id,
        "Work_Status": _WORK_STATUS[process.state],
        "Work_WorkID": process.id,
    }


def _step(call: Call, process: Process, task: Task) -> dict[str, Any]:
    assignee = call.store.members[task.assignee_id]
    return {
        "process_id": process.id,
        "subprocess_id": process.id,
        "task_assignees": {
            "assignee": [_person(assignee)],
            "assigneeCount": 1,
            "currentAssignee": assignee.display_name,
        },
        "task_due_date": process.due,
        "task_id": task.id,
        "task_name": task.name,
        "task_start_date": stamp(task.started, ""),
        "task_status": "completed" if task.ended else status_key(process),
    }


def _person(member: Member) -> dict[str, Any]:
    return {
        "emailAddress": member.business_email,
        "firstName": member.first_name,
        "lastName": member.last_name,
        "loginName": member.name,
        "phone": "",
        "userId": member.id,
    }


def _day(call: Call, name: str, default: date) -> date:
    given = call.query.get(name)
    if not given:
        return default
    try:
        return date.fromisoformat(given)
    except ValueError as wrong:
        raise errors.invalid_datatype(name) from wrong


_PERMISSIONS = {
    "Archive": True,
    "ChangeAttr": True,
    "ChangeRoute": True,
    "Delete": True,
    "ManagerPerms": True,
    "SeeDetail": True,
    "Stop": True,
    "Suspend": True,
}
ENDPOINTS = (
    Endpoint("GET", "/v2/workflows/status", mine),
    Endpoint("GET", "/v2/workflows/status/active", active),
    Endpoint("GET", "/v2/workflows/status/info", info),
    Endpoint("GET", "/v2/workflows/status/processes/{id:int}", one),
    Endpoint(
        "GET", "/v2/processes/{id:int}/subprocesses/{subprocess_id:int}/activities", activities
    ),
    Endpoint("PUT", "/v2/processes/{id:int}/status", set_status, "F"),
    Endpoint("DELETE", "/v2/processes/{id:int}", delete),
)
