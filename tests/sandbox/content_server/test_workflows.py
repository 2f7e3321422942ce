"""Workflows as the calls of a client and its people see them (reference/extended-ecm.md 6)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest

from app.sandbox.content_server import ContentServerSimulator, default_definition
from app.sandbox.content_server.definition import StepSpec, WorkflowMapSpec
from tests.sandbox.content_server.conftest import Api

People = Callable[[str], Awaitable[Api]]
STEPS = (
    StepSpec("Note", "cleo.care", dispositions=()),
    StepSpec("Sign", "eve.counsel", signing=True),
)
MAPS = (
    *default_definition().workflow_maps,
    WorkflowMapSpec("Signed Approval", STEPS, skips_start=True, manager="gina.guard"),
)


@pytest.fixture
async def server() -> AsyncIterator[ContentServerSimulator]:
    data = replace(default_definition(), workflow_maps=MAPS)
    async with ContentServerSimulator(seed=7, data=data) as running:
        yield running


@pytest.fixture
async def people(server: ContentServerSimulator) -> AsyncIterator[People]:
    """Signs a person in: ``await people("bob.broker")``."""
    async with AsyncExitStack() as stack:

        async def sign_in(login: str) -> Api:
            http = httpx.AsyncClient(base_url=server.url, timeout=10)
            await stack.enter_async_context(http)
            fields = {"username": login, "password": "contoso-password"}
            http.headers["OTCSTicket"] = (await http.post("/v1/auth", data=fields)).json()["ticket"]
            return Api(http)

        yield sign_in


def map_id(server: ContentServerSimulator, name: str) -> int:
    return next(kind.id for kind in server.store.workflows.maps.values() if kind.name == name)


async def start(
    server: ContentServerSimulator, api: Api, name: str = "Discount Approval", documents: str = ""
) -> int:
    body = {"workflow_id": map_id(server, name), "doc_ids": documents, "AttachDocuments": "true"}
    draft = (await api.body("POST", "/v2/draftprocesses", body)).json()["results"]
    path = f"/v2/draftprocesses/{draft['draftprocess_id']}"
    started = await api.body("PUT", path, {"action": "Initiate", "comment": "please"})
    return int(started.json()["results"]["process_id"])


def task(process: int, number: int = 1) -> str:
    return f"/v2/processes/{process}/subprocesses/{process}/tasks/{number}"


async def test_a_draft_runs_once_and_is_gone(server: ContentServerSimulator, api: Api) -> None:
    body = {"workflow_id": map_id(server, "Discount Approval")}
    draft = (await api.body("POST", "/v2/draftprocesses", body)).json()["results"]
    path = f"/v2/draftprocesses/{draft['draftprocess_id']}"
    assert (await api.body("PUT", path, {"action": "Begin"})).status_code == 400
    assert (await api.body("PUT", path, {"action": "Initiate"})).status_code == 200
    again = await api.body("PUT", path, {"action": "Initiate"})
    assert again.status_code == 400
    assert len(server.people.workflows()) == 1


async def test_values_of_the_wrong_type_are_refused(
    server: ContentServerSimulator, api: Api
) -> None:
    body = {"workflow_id": map_id(server, "Discount Approval")}
    draft = (await api.body("POST", "/v2/draftprocesses", body)).json()["results"]
    path = f"/v2/draftprocesses/{draft['draftprocess_id']}"
    for values in ({"WorkflowForm_5": "many"}, {"WorkflowForm_99": "x"}, ["x"]):
        wrong = await api.body("PUT", path, {"action": "formUpdate", "values": values})
        assert wrong.status_code == 400, values


async def test_documents_become_shortcuts_in_the_attachment_folder(
    server: ContentServerSimulator, api: Api
) -> None:
    workspace = server.create_workspace("Account", "A", user="dovetail")
    made = (await api.upload(workspace.id, "a.txt", b"x")).json()
    document = made["results"]["data"]["properties"]["id"]
    process = await start(server, api, documents=f"{document},{workspace.id}")
    status = (await api.get(f"/v2/workflows/status/processes/{process}")).json()["results"]
    folder = status["attachments"]["attachment_folder_id"]
    children = (await api.get(f"/v2/nodes/{folder}/nodes")).json()["results"]
    originals = [c["data"]["properties"]["original_id"] for c in children]
    assert originals == [workspace.id, document]
    assert server.people.workflow(process).workspace_id == workspace.id
    missing = {"workflow_id": map_id(server, "Discount Approval"), "doc_ids": "999999"}
    assert (await api.body("POST", "/v2/draftprocesses", missing)).status_code == 400


async def test_maps_are_offered_with_an_error_text_under_200(
    server: ContentServerSimulator, api: Api
) -> None:
    offered = (await api.get("/v2/docworkflows", doc_id=2000, parent_id=2000)).json()["results"]
    assert {row["Name"] for row in offered["data"]} == {spec.name for spec in MAPS}
    wrong = await api.get("/v2/docworkflows", doc_id=999999, parent_id=2000)
    assert wrong.status_code == 200
    assert wrong.json()["results"]["data"] == []
    assert "could not be accessed" in wrong.json()["results"]["fError"]


async def test_a_task_is_only_for_its_assignee(
    server: ContentServerSimulator, api: Api, people: People
) -> None:
    process = await start(server, api)
    hal, bob = await people("hal.head"), await people("bob.broker")
    waiting = (await hal.get("/v2/members/assignments")).json()
    (row,) = waiting["results"]
    assert row["data"]["assignments"]["workflow_id"] == process
    assert row["data"]["assignments"]["type"] == 153
    modern = await hal.get("/v2/members/moduleassignments/ExpandAssignments/workflow")
    assert len(modern.json()["results"]["data"]) == 1
    assert (await bob.get("/v2/members/assignments")).json()["results"] == []
    query = {"process_id": process, "subprocess_id": process, "task_id": 1}
    assert (await bob.get("/v1/forms/processes/tasks/update", **query)).status_code == 400
    form = (await hal.get("/v1/forms/processes/tasks/update", **query)).json()["data"]
    assert [action["key"] for action in form["custom_actions"]] == ["Approve", "Reject"]
    approve = {"custom_action": "Approve"}
    # The initiator follows the workflow, but the step is not his.
    assert (await api.body("PUT", task(process), approve)).status_code == 400
    assert (await bob.body("PUT", task(process), approve)).status_code == 400
    assert (await hal.body("PUT", task(process), approve)).status_code == 200
    assert (await hal.body("PUT", task(process), approve)).status_code == 400


async def test_action_and_custom_action_exclude_each_other(
    server: ContentServerSimulator, api: Api, people: People
) -> None:
    process = await start(server, api)
    hal = await people("hal.head")
    for content in (
        {},
        {"action": "SendOn", "custom_action": "Approve"},
        {"custom_action": "Postpone"},
        {"action": "SendOn"},
        {"action": "Dance"},
        {"action": "Delegate"},
        {"action": "Delegate", "assignee": "999999"},
    ):
        assert (await hal.body("PUT", task(process), content)).status_code == 400, content
    assert server.people.workflow(process).waits_for == "hal.head"


async def test_a_group_task_has_to_be_accepted_and_only_one_gets_it(
    server: ContentServerSimulator, api: Api, people: People
) -> None:
    compliance = server.member("Compliance")
    compliance.members.append(server.member("finn.finance").id)
    process = await start(server, api, "Vendor Approval")
    gina, finn = await people("gina.guard"), await people("finn.finance")
    approve = {"custom_action": "Approve", "comment": "complete"}
    early = await gina.body("PUT", task(process), approve)
    assert (early.status_code, early.json()["errorDetail"]) == (400, "ErrCode_Accept_Task")
    place = f"taskid/1/processid/{process}/subprocessid/{process}"
    check = await gina.get(f"/v2/mobilegroupassignment/check/{place}")
    assert check.json()["results"]["data"]["needs_accept"] is True
    assert (await gina.form("POST", f"/v2/mobilegroupassignment/accept/{place}")).is_success
    assert (await finn.form("POST", f"/v2/mobilegroupassignment/accept/{place}")).is_error
    assert (await finn.body("PUT", task(process), approve)).is_error
    assert (await gina.body("PUT", task(process), approve)).is_success
    assert server.people.workflow(process).waits_for == "finn.finance"


async def test_a_rejection_ends_the_workflow_and_activities_tell_why(
    server: ContentServerSimulator, api: Api, people: People
) -> None:
    process = await start(server, api, "Contract Approval")
    eve = await people("eve.counsel")
    await eve.body("PUT", task(process), {"custom_action": "Reject", "comment": "no liability cap"})
    view = server.people.workflow(process)
    assert (view.state, view.outcome) == ("completed", "Reject")
    path = f"/v2/processes/{process}/subprocesses/{process}/activities"
    newest = (await api.get(path, limit=1)).json()["results"]["data"]
    assert [(a["action"], a["action_properties"]["label"], a["comment"]) for a in newest] == [
        ("disposition", "Reject", "no liability cap")
    ]
    info = (await api.get("/v2/workflows/status/info", workid=process)).json()["results"]
    assert info["generalInfo"]["Status"] == "completed"
    assert info["auditInfo"][0]["AUDIT_MSG"] == "start Start"
    assert info["stepList"][0]["Status"] == "Done"


async def test_a_map_without_start_step_starts_in_one_call_and_asks_for_a_password(
    server: ContentServerSimulator, api: Api, people: People
) -> None:
    body = {"workflow_id": map_id(server, "Signed Approval")}
    started = await api.body("POST", "/v2/draftprocesses/startwf", body)
    process = started.json()["results"]["process_id"]
    cleo, eve = await people("cleo.care"), await people("eve.counsel")
    assert (await cleo.body("PUT", task(process), {"action": "SendOn"})).is_success
    sign: dict[str, Any] = {"custom_action": "Approve"}
    wrong = await eve.body("PUT", task(process, 2), sign)
    assert (wrong.status_code, wrong.json()["errorDetail"]) == (400, "662306821")
    sign["authentication_info"] = {"password": "contoso-password"}
    assert (await eve.body("PUT", task(process, 2), sign)).is_success
    assert server.people.workflow(process).outcome == "Approve"
    direct = {"definition": {"workflow_id": map_id(server, "Contract Approval")}}
    assert (await api.body("POST", "/v2/processes", direct)).is_success
    assert (await api.body("POST", "/v2/processes", {})).status_code == 400


async def test_lists_are_personal_and_filtered_by_map_day_and_archive(
    server: ContentServerSimulator, api: Api, people: People
) -> None:
    first = server.store.clock().date().isoformat()
    process = await start(server, api, "Signed Approval")
    other = await start(server, api, "Contract Approval")
    last = server.store.clock().date().isoformat()
    path = "/v2/workflows/status/active"

    async def ids(who: Api, **query: Any) -> list[int]:
        rows = (await who.get(path, **query)).json()["results"]["data"]
        return [row["Work_WorkID"] for row in rows]

    gina, bob = await people("gina.guard"), await people("bob.broker")
    assert await ids(api) == [process, other]
    assert await ids(api, mapObjId=map_id(server, "Contract Approval")) == [other]
    assert await ids(api, Kind="Managed") == []
    assert await ids(gina, Kind="Managed") == [process]
    assert await ids(bob) == []
    assert await ids(api, fromDate=first, toDate=last) == [process, other]
    assert await ids(api, fromDate="2999-01-01") == []
    assert (await api.get(path, fromDate="soon")).status_code == 400
    assert (await api.get(path, Kind="Loved")).status_code == 400
    assert (await bob.get(f"/v2/workflows/status/processes/{process}")).status_code == 400
    archive = f"/v2/processes/{process}/status"
    assert (await api.form("PUT", archive, status="archive")).status_code == 400
    assert (await api.form("PUT", archive, status="stop")).is_success
    assert (await api.form("PUT", archive, status="archive")).is_success
    assert await ids(api) == [other]
    assert await ids(api, status="ARCHIVED") == [process]


async def test_a_workflow_is_suspended_resumed_stopped_and_deleted(
    server: ContentServerSimulator, api: Api, people: People
) -> None:
    process = await start(server, api)
    hal = await people("hal.head")
    path = f"/v2/processes/{process}/status"
    assert (await hal.form("PUT", path, status="stop")).status_code == 400
    await api.form("PUT", path, status="suspend")
    assert (await hal.get("/v2/members/assignments")).json()["results"] == []
    await api.form("PUT", path, status="resume")
    assert (await hal.get("/v2/members/assignments")).json()["results"] != []
    assert (await api.form("PUT", path, status="dance")).status_code == 400
    await api.form("PUT", path, status="stop")
    again = await api.form("PUT", path, status="stop")
    assert again.json()["error"] == "The workflow is already stopped."
    assert (await hal.http.delete(f"/v2/processes/{process}")).status_code == 400
    assert (await api.http.delete(f"/v2/processes/{process}")).is_success
    gone = await api.get(f"/v2/workflows/status/processes/{process}")
    assert gone.json()["error"] == "Could not access task status"


async def test_events_name_the_workspace_the_decision_and_the_document(
    server: ContentServerSimulator, api: Api
) -> None:
    workspace = server.create_workspace(
        "Account", "A", business_object=("D365", "account", "a-1"), user="dovetail"
    )
    made = (await api.upload(workspace.id, "offer.txt", b"x")).json()
    document = made["results"]["data"]["properties"]["id"]
    heard: list[str] = []
    server.listen(lambda happening: heard.append(happening.event))
    process = await start(server, api, documents=str(document))
    server.people.decide(process, comment="a fair price")
    assert heard == ["workflow.started", "workflow.approved", "document.approved"]
    told = {happening.event: happening for happening in server.happenings}
    approved = told["workflow.approved"]
    assert approved.workspace_id == workspace.id
    assert approved.business_object == ("D365", "account", "a-1")
    assert approved.actor == "hal.head"
    assert approved.document is not None
    assert approved.document[:3] == (document, 1, "offer.txt")
    assert approved.document[3].endswith(f"/cs/cs/app/nodes/{document}")
    assert approved.attributes["workflow_id"] == process
    assert approved.attributes["comment"] == "a fair price"
    assert approved.attributes["disposition"] == "Approve"
    assert told["document.added"].attributes == {}


async def test_people_outside_decide_by_name_and_in_groups(
    server: ContentServerSimulator, api: Api
) -> None:
    process = await start(server, api, "Vendor Approval")
    view = server.people.decide(process, by="gina.guard", comment="all there")
    assert view.waits_for == "finn.finance"
    assert server.people.decide(process, "Reject", "bank unknown").outcome == "Reject"
    assert server.people.workflow(process).comments == ("please", "all there", "bank unknown")
    with pytest.raises(KeyError):
        server.people.decide(await start(server, api), by="nobody")
