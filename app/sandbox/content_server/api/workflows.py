"""Workflow maps, drafts and starting (reference/extended-ecm.md 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.sandbox.content_server import errors, workflow_steps, workflows
from app.sandbox.content_server.access import visible
from app.sandbox.content_server.api.call import Call, Endpoint, to_int
from app.sandbox.content_server.api.category_answers import describe, form
from app.sandbox.content_server.attributes import flat_values, initial_values
from app.sandbox.content_server.model import CategoryValues
from app.sandbox.content_server.render import links
from app.sandbox.content_server.workflow_model import Process, WorkflowMap

ATTACHMENTS, COMMENTS, ATTRIBUTES = 1, 2, 3
_MAP_TYPE = 100


def list_for_documents(call: Call) -> Any:
    """``GET /v2/docworkflows``: HTTP 200 whatever happens, with ``fError`` where it failed."""
    failure = ""
    try:
        for given in (*call.query.getlist("doc_id"), call.query.get("parent_id")):
            node_id = to_int(given, "doc_id")
            if node_id is not None:
                call.node(node_id)
    except errors.ApiError as refusal:
        failure = refusal.text
    offered = [
        {"DataID": kind.id, "Name": kind.name, "WorkflowType": _MAP_TYPE}
        for kind in call.store.workflows.maps.values()
        if kind.offered
        and kind.id in call.store.nodes
        and visible(call.store, call.store.nodes[kind.id], call.actor)
    ]
    results = {
        "data": [] if failure else offered,
        "fError": failure,
        "fErrorDetail": "",
        "statusMsg": None,
    }
    return {"links": links("/v2/docworkflows"), "results": results}


def definition(call: Call) -> Any:
    """``GET /v2/workflows/{map}/definition``, also under ``/v2/processes``."""
    kind = workflow_steps.map_of(call.store, call.path["id"])
    tasks = [
        {"task_id": number, "title": step.name, "instructions": step.instructions, "type": 1}
        for number, step in enumerate(kind.steps, start=1)
    ]
    packages = data_packages(kind, initial_values(kind.attributes), None)
    shown = {
        "data_packages": packages,
        "tasks": tasks,
        "workflow_id": kind.id,
        "workflow_roles": [],
    }
    path = f"/v2/workflows/{kind.id}/definition"
    return {"links": links(path), "results": {"definition": shown}}


def data_packages(
    kind: WorkflowMap, values: CategoryValues, folder_id: int | None
) -> list[dict[str, Any]]:
    """Attachments, comments and attributes of a map or workflow."""
    attachments: dict[str, Any] = {} if folder_id is None else {"attachment_folder_id": folder_id}
    own = str(kind.attributes.id)
    described = {
        key: entry | {"type_name": entry["type_name"] if key != own else "Assoc"}
        for key, entry in describe(kind.attributes).items()
    }
    attributes = {
        "data": {"data": flat_values(kind.attributes, values), "definitions": described},
        "definitions": described,
        "definitions_map": {own: [key for key in described if key != own]},
        "definitions_order": [own],
    }
    packages: tuple[tuple[int, dict[str, Any]], ...] = (
        (ATTACHMENTS, attachments),
        (COMMENTS, {}),
        (ATTRIBUTES, attributes),
    )
    return [
        {"data": data, "description": None, "sub_type": sub_type, "type": 1}
        for sub_type, data in packages
    ]


def create_draft(call: Call) -> Any:
    """``POST /v2/draftprocesses`` with ``workflow_id`` and ``doc_ids`` ("1,2")."""
    draft = workflows.draft(call.store, _map_id(call), _documents(call), call.actor)
    results = {"draftprocess_id": draft.id, "workflow_type": "1_1"}
    return {"links": links("/v2/draftprocesses", "POST"), "results": results}


def start_at_once(call: Call) -> Any:
    """``POST /v2/draftprocesses/startwf``: for maps whose start step is disabled."""
    kind = workflow_steps.map_of(call.store, _map_id(call))
    if not kind.skips_start:
        raise errors.ApiError(400, f"The start step of the workflow '{kind.name}' is not disabled.")
    draft = workflows.draft(call.store, kind.id, _documents(call), call.actor)
    process = workflows.start(call.store, draft, call.text("comment"), call.actor)
    return _started(process, "/v2/draftprocesses/startwf", "POST")


def start_directly(call: Call) -> Any:
    """``POST /v2/processes`` with ``definition.workflow_id``: no attachments."""
    given = call.fields.get("definition")
    if not isinstance(given, Mapping):
        raise errors.missing_argument("definition")
    map_id = to_int(given.get("workflow_id"), "workflow_id")
    if map_id is None:
        raise errors.missing_argument("workflow_id")
    draft = workflows.draft(call.store, map_id, (), call.actor)
    return _started(workflows.start(call.store, draft, "", call.actor), "/v2/processes", "POST")


def draft_form(call: Call) -> Any:
    """``GET /v1/forms/draftprocesses/update?draftprocess_id=``."""
    draft_id = call.query_number("draftprocess_id", 0)
    draft = workflows.find_draft(call.store, draft_id, call.actor)
    kind = workflow_steps.map_of(call.store, draft.map_id)
    data = {
        "actions": [{"key": "Initiate", "label": "Start"}],
        "attachment_centric_default_mode": "properties",
        "attachments_on": True,
        "authentication": False,
        "comments_on": True,
        "data_packages": data_packages(kind, draft.values, None),
        "instructions": kind.steps[0].instructions,
        "process_id": draft.id,
        "title": kind.name,
        "workflow_type": "1_1",
    }
    fields = {"Title": draft.title, "WorkflowDueDate": draft.due or None}
    return {"data": data, "forms": [attribute_form(kind, draft.values, fields)]}


def attribute_form(
    kind: WorkflowMap, values: CategoryValues, more: Mapping[str, Any]
) -> dict[str, Any]:
    """The map's attributes as a form, under the names that ``formUpdate`` takes."""
    made = form(kind.attributes, values, "")
    own = f"{kind.id}_"
    blocks = (made["data"], made["schema"]["properties"], made["options"]["fields"])
    data, schema, options = (
        {
            f"{workflow_steps.FORM}{key.removeprefix(own)}": entry
            for key, entry in block.items()
            if key != f"{own}1"
        }
        for block in blocks
    )
    data |= {f"{workflow_steps.FORM}{name}": value for name, value in more.items()}
    return {
        "data": data,
        "options": {"fields": options, "form": {}},
        "schema": {"properties": schema, "type": "object"},
    }


def change_draft(call: Call) -> Any:
    """``PUT /v2/draftprocesses/{id}``: ``formUpdate`` with values, or ``Initiate``."""
    draft = workflows.find_draft(call.store, call.path["id"], call.actor)
    action = call.required("action")
    path = f"/v2/draftprocesses/{draft.id}"
    if action == "formUpdate":
        workflows.fill(
            call.store,
            draft,
            values_of(call),
        )
        return {"links": links(path, "PUT"), "results": {}}
    if action != "Initiate":
        raise errors.ApiError(400, f"Invalid action '{action}'.")
    process = workflows.start(call.store, draft, call.text("comment"), call.actor)
    return _started(process, path, "PUT")


def values_of(call: Call) -> dict[str, Any]:
    """The ``values`` of a form call."""
    values = call.fields.get("values", {})
    if not isinstance(values, dict):
        raise errors.invalid_datatype("values")
    return values


def _started(process: Process, path: str, method: str) -> dict[str, Any]:
    results = {
        "custom_message": f"{process.title} was initiated successfully.",
        "process_id": process.id,
        "WorkID": None,
        "WRID": None,
    }
    return {"links": links(path, method), "results": results}


def _map_id(call: Call) -> int:
    found = call.number("workflow_id")
    if found is None:
        raise errors.missing_argument("workflow_id")
    return found


def _documents(call: Call) -> list[int]:
    given = (part.strip() for part in call.text("doc_ids").split(","))
    found = [to_int(part, "doc_ids") for part in given]
    return [number for number in found if number is not None]


ENDPOINTS = (
    Endpoint("GET", "/v2/docworkflows", list_for_documents),
    Endpoint("GET", "/v2/workflows/{id:int}/definition", definition),
    Endpoint("GET", "/v2/processes/{id:int}/definition", definition),
    Endpoint("POST", "/v2/draftprocesses", create_draft, "B"),
    Endpoint("POST", "/v2/draftprocesses/startwf", start_at_once, "B"),
    Endpoint("PUT", "/v2/draftprocesses/{id:int}", change_draft, "B"),
    Endpoint("GET", "/v1/forms/draftprocesses/update", draft_form),
    Endpoint("POST", "/v2/processes", start_directly, "B"),
)
