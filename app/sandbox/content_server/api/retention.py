"""Retention schedules (RSIs) and the codes of records management (reference/extended-ecm.md 7)."""

from __future__ import annotations

from typing import Any

from app.sandbox.content_server import errors, records
from app.sandbox.content_server.api.call import Call, Endpoint, to_bool
from app.sandbox.content_server.records_model import Rsi
from app.sandbox.content_server.render import links, paginate, stamp

#: What a stage is made of: the name in the call, and the name in answers.
_STAGE = {
    "stage": "RetStage",
    "objectType": "ObjectType",
    "eventType": "EventType",
    "ruleCode": "RSIRuleCode",
    "ruleComment": "EventComment",
    "dateToUse": "DateToUse",
    "retentionYears": "RetYears",
    "retentionMonths": "RetMonths",
    "retentionDays": "RetDays",
    "yearEndMonth": "YearEndMonth",
    "yearEndDay": "YearEndDay",
    "retentionIntervals": "RetIntervals",
    "fixedRetention": "FixedRet",
    "maximumRetention": "MaximumRet",
    "fixedDate": "EventRuleDate",
    "eventCondition": "EventRule",
    "disposition": "Disposition",
    "actionCode": "ActionCode",
    "description": "ActionDescription",
    "newStatus": "NewStatus",
}


def list_rsis(call: Call) -> Any:
    """``GET /v2/rsis``: one row for each stage, or one for a schedule without any."""
    rows = [row for rsi in call.store.records.rsis.values() for row in _rows(rsi)]
    page = paginate(rows, call.query_number("limit", 25), call.query_number("page", 1), 500)
    return {
        "collection": {"paging": page.block()},
        "links": links("/v2/rsis"),
        "results": {"data": {"rsis": page.items}},
    }


def get_rsi(call: Call) -> Any:
    """``GET /v2/rsis/{id}``."""
    rsi = _rsi(call)
    return {"links": links(f"/v2/rsis/{rsi.id}"), "results": {"data": {"rsis": _rows(rsi)}}}


def search(call: Call) -> Any:
    """``POST /v1/rsis`` with ``query``: names that contain it."""
    wanted = call.text("query").casefold()
    found = [
        {"id": rsi.id, "name": rsi.name, "title": rsi.title}
        for rsi in call.store.records.rsis.values()
        if wanted in rsi.name.casefold()
    ]
    return {"data": {"fast_codes": found}}


def create(call: Call) -> Any:
    """``POST /v2/rsischedules``: a schedule that has no stages yet."""
    name = call.required("name")
    known = call.store.records.rsis
    if any(rsi.name.casefold() == name.casefold() for rsi in known.values()):
        raise errors.ApiError(400, f"An RSI with the name '{name}' already exists.")
    number = max(known, default=0) + 1
    known[number] = Rsi(
        number,
        name,
        call.text("title"),
        call.text("subject"),
        call.text("description"),
        call.text("status") or "ACTIVE",
        call.text("statusDate"),
        to_bool(call.fields.get("dispcontrol")),
        call.store.clock(),
    )
    return {"links": links("/v2/rsischedules", "POST"), "results": {"data": {"rsiID": number}}}


def add_stage(call: Call) -> Any:
    """``POST /v2/rsischedules/{id}/stages``."""
    rsi = _rsi(call)
    call.required("stage")
    stage = {name: call.fields[sent] for sent, name in _STAGE.items() if sent in call.fields}
    rsi.stages.append(stage)
    data = {"rsiID": rsi.id, "rsiScheduleID": len(rsi.stages)}
    path = f"/v2/rsischedules/{rsi.id}/stages"
    return {"links": links(path, "POST"), "results": {"data": data}}


def of_node(call: Call) -> Any:
    """``GET /v1/nodes/{id}/rsis``: the schedule that keeps the node."""
    found = records.details_of(call.store, call.node())
    name = found[0].rsi if found else ""
    matching = [rsi for rsi in call.store.records.rsis.values() if rsi.name == name]
    return {"data": [row for rsi in matching for row in _rows(rsi)]}


def codes(call: Call) -> Any:
    """``GET /v2/recordsmanagement/rmcodes``: what the details of a record may hold."""
    data = {
        kind: [{"code": code, "description": code.capitalize()} for code in known]
        for kind, known in call.store.records.codes.items()
    }
    return {"links": links("/v2/recordsmanagement/rmcodes"), "results": {"data": data}}


def _rsi(call: Call) -> Rsi:
    found = call.store.records.rsis.get(call.path["id"])
    if found is None:
        raise errors.ApiError(404, f"The RSI with the ID {call.path['id']} does not exist.")
    return found


def _rows(rsi: Rsi) -> list[dict[str, Any]]:
    head = {
        "Active": 1,
        "CreateDate": stamp(rsi.created, ""),
        "Description": rsi.description,
        "DispControl": int(rsi.disposition_control),
        "RSI": rsi.name,
        "RSIID": rsi.id,
        "RSIStatus": rsi.status,
        "StatusDate": rsi.status_date or stamp(rsi.created, ""),
        "Subject": rsi.subject,
        "Title": rsi.title,
    }
    stages = [{"RSIScheduleID": n, **stage} for n, stage in enumerate(rsi.stages, start=1)]
    return [head | stage for stage in stages or [{"RSIScheduleID": None}]]


ENDPOINTS = (
    Endpoint("GET", "/v2/rsis", list_rsis),
    Endpoint("GET", "/v2/rsis/{id:int}", get_rsi),
    Endpoint("POST", "/v1/rsis", search, "F"),
    Endpoint("POST", "/v2/rsischedules", create, "F"),
    Endpoint("POST", "/v2/rsischedules/{id:int}/stages", add_stage, "F"),
    Endpoint("GET", "/v1/nodes/{id:int}/rsis", of_node),
    Endpoint("GET", "/v2/recordsmanagement/rmcodes", codes),
)
