"""OpenText's own client library, unmodified: workflows, records management, clearance.

Where this client and a simulator disagree, the simulator is wrong. The library is synchronous, so
it runs in a thread while the simulator serves from the test's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import pytest
import pyxecm

from app.sandbox.content_server import ContentServerSimulator
from tests.conformance.operations import recorded

OTCS = recorded(pyxecm.OTCS, "pyxecm OTCS", at_least=60)
PASSWORD = "contoso-password"


class Client:
    """The library's `OTCS` object; `call` runs one of its methods in a thread."""

    def __init__(self, server: ContentServerSimulator, login: str, password: str) -> None:
        address = urlsplit(server.base_url)
        self.otcs: Any = OTCS(
            protocol=address.scheme,
            hostname=str(address.hostname),
            port=address.port or 0,
            username=login,
            password=password,
        )

    async def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        return await asyncio.to_thread(getattr(self.otcs, method), *arguments, **named)

    def value(self, response: Any, key: str) -> Any:
        return self.otcs.get_result_value(response=response, key=key)


@pytest.fixture
async def server() -> AsyncIterator[ContentServerSimulator]:
    async with ContentServerSimulator(seed=11) as running:
        yield running


@pytest.fixture
async def client(server: ContentServerSimulator) -> Client:
    user = server.service_user
    return await signed_in(server, user.login, user.password)


async def signed_in(server: ContentServerSimulator, login: str, password: str = PASSWORD) -> Client:
    made = Client(server, login, password)
    assert await made.call("authenticate")
    return made


async def a_document(client: Client, workspace_id: int) -> int:
    uploaded = await client.call(
        "upload_file_to_parent",
        parent_id=workspace_id,
        file_content="terms",
        file_name="terms.txt",
        mime_type="text/plain",
    )
    return int(client.value(uploaded, "id"))


def map_id(server: ContentServerSimulator, name: str) -> int:
    return next(kind.id for kind in server.store.workflows.maps.values() if kind.name == name)


async def test_it_starts_a_workflow_from_a_draft_and_follows_it_to_its_end(
    server: ContentServerSimulator, client: Client
) -> None:
    workspace = server.create_workspace("Contract", "Frame", user="dovetail")
    document = await a_document(client, workspace.id)
    offered = await client.call("get_document_workflows", document, workspace.id)
    names = {row["Name"]: row["DataID"] for row in offered["results"]["data"]}
    assert names["Contract Approval"] == map_id(server, "Contract Approval")
    assert offered["results"]["fError"] == ""
    attributes = await client.call("get_workflow_attributes", names["Contract Approval"])
    assert attributes["Amount"]["type"] == "Real"
    draft = await client.call("create_draft_process", names["Contract Approval"], [document])
    draft_id = draft["results"]["draftprocess_id"]
    assert draft["results"]["workflow_type"] == "1_1"
    shown = await client.call("get_draft_process", draft_id)
    assert shown["data"]["actions"] == [{"key": "Initiate", "label": "Start"}]
    assert attributes["Amount"]["form_id"] in shown["forms"][0]["data"]
    values = {attributes["Amount"]["form_id"]: 1200, attributes["Reason"]["form_id"]: "Volume"}
    filled = await client.call(
        "update_draft_process", draft_id, title="Frame: terms", values=values
    )
    assert filled is not None
    started = await client.call("initiate_draft_process", draft_id)
    process_id = started["results"]["process_id"]
    status = await client.call("get_workflow_status", process_id)
    steps = status["results"]["step_list"]
    assert [step["task_name"] for step in steps["current"]] == ["Legal Review"]
    assert steps["next"] == [{"task_name": "Finance Approval"}]
    assert status["results"]["wf_details"]["wf_name"] == "Frame: terms"
    await approve(server, "eve.counsel", process_id, 1)
    await approve(server, "finn.finance", process_id, 2)
    ended = await client.call("get_workflow_status", process_id)
    assert ended["results"]["wf_details"]["status"] == "completed"
    view = server.people.workflow(process_id)
    assert (view.outcome, view.attributes["Amount"]) == ("Approve", 1200)
    assert [h.event for h in server.happenings if h.event.startswith("workflow.")] == [
        "workflow.started",
        "workflow.step",
        "workflow.approved",
    ]


async def approve(
    server: ContentServerSimulator, login: str, process_id: int, task_id: int
) -> None:
    person = await signed_in(server, login)
    task = await person.call("get_process_task", process_id, task_id=task_id)
    assert [action["key"] for action in task["data"]["custom_actions"]] == ["Approve", "Reject"]
    assert await person.call(
        "update_process_task",
        process_id,
        task_id=task_id,
        custom_action="Approve",
        comment=f"fine with {login}",
    ) is not None  # fmt: skip


async def test_it_lists_only_the_workflows_of_its_own_user(
    server: ContentServerSimulator, client: Client
) -> None:
    draft = await client.call("create_draft_process", map_id(server, "Discount Approval"))
    await client.call("initiate_draft_process", draft["results"]["draftprocess_id"])
    mine = await client.call(
        "get_workflows_by_kind_and_status", kind="Initiated", status=["ontime", "completed"]
    )
    (row,) = mine["results"]
    assert row["data"]["wfstatus"]["step_name"] == "Approver"
    assert row["data"]["wfstatus"]["current_assignee"] == "Hal Head"
    other = await signed_in(server, "bob.broker")
    assert (await other.call("get_workflows_by_kind_and_status", kind="Both"))["results"] == []
    managed = await client.call("get_workflows_by_kind_and_status", kind="Managed")
    assert managed["results"] == []


async def test_it_reads_definitions_and_is_refused_to_skip_a_start_step(
    server: ContentServerSimulator, client: Client
) -> None:
    number = map_id(server, "Vendor Approval")
    definition = await client.call("get_workflow_definition", number)
    tasks = definition["results"]["definition"]["tasks"]
    assert [task["title"] for task in tasks] == ["Compliance Check", "Release"]
    assert await client.call("initiate_workflow", number) is None
    assert "start step" in server.requests[-1].error
    assert server.people.workflows() == []


async def test_it_saves_a_form_and_forwards_a_task(
    server: ContentServerSimulator, client: Client
) -> None:
    number = map_id(server, "Discount Approval")
    draft = await client.call("create_draft_process", number)
    started = await client.call("initiate_draft_process", draft["results"]["draftprocess_id"])
    process_id = started["results"]["process_id"]
    hal = await signed_in(server, "hal.head")
    attributes = await client.call("get_workflow_attributes", number)
    values = {attributes["Reason"]["form_id"]: "Checked"}
    assert await hal.call("update_process_task", process_id, values=values) is not None
    ann = server.member("ann.seller")
    assert await hal.call(
        "update_process_task", process_id, action="Delegate", assignee=ann.id
    ) is not None  # fmt: skip
    view = server.people.workflow(process_id)
    assert (view.attributes["Reason"], view.waits_for) == ("Checked", "ann.seller")


async def test_it_classifies_a_record_and_sets_its_details(
    server: ContentServerSimulator, client: Client
) -> None:
    workspace = server.create_workspace("Case", "Broken pump", user="dovetail")
    plan = server.store.records.classifications
    cases = next(c.id for c in plan.values() if c.name == "Cases")
    assert await client.call("assign_rm_classification", workspace.id, cases) is not None
    shown = await client.call("get_node_records_details", workspace.id)
    (row,) = shown["data"]
    assert (row["rmclassification_id"], row["rsi"]) == (cases, "CASE-7Y")
    changed = await client.call(
        "set_node_records_details",
        workspace.id,
        metadata_token=shown["rm_metadataToken"],
        status="CLOSED",
        official=True,
    )
    assert changed is not None
    held = server.people.record(workspace.id)
    assert held is not None
    assert held.status == "CLOSED"
    stale = await client.call(
        "set_node_records_details", workspace.id, metadata_token="stale", status="ACTIVE"
    )
    assert stale is None
    assert server.requests[-1].status == 409
    assert await client.call("delete_node", workspace.id) is None
    assert "official record" in server.requests[-1].error


async def test_it_puts_classifications_together_with_those_that_are_there(
    server: ContentServerSimulator, client: Client
) -> None:
    workspace = server.create_workspace("Account", "A", user="dovetail")
    named = {n.name: n.id for n in server.store.nodes.values() if n.type == 199}
    for name in ("Evidence", "Invoices"):
        assert await client.call("assign_classifications", workspace.id, [named[name]]) is not None
    shown = await client.call("get_node_classifications", workspace.id)
    assert {row["name"] for row in shown["data"]} == {"Evidence", "Invoices"}


async def test_a_hold_that_it_makes_keeps_a_document_from_being_deleted(
    server: ContentServerSimulator, client: Client
) -> None:
    workspace = server.create_workspace("Account", "A", user="dovetail")
    document = await a_document(client, workspace.id)
    made = await client.call(
        "create_records_management_hold", "LEGAL", "Smith v. Contoso", "keep all", "H-1"
    )
    found = await client.call("get_hold_by_name", "Smith v. Contoso")
    hold = found["results"]["data"]["hold"]
    assert (hold["HoldID"], hold["HoldType"], hold["ActiveHold"]) == (made["holdID"], "LEGAL", 1)
    listed = await client.call("get_records_management_holds")
    assert [h["HoldName"] for h in listed["results"]["data"]["holds"]] == ["Smith v. Contoso"]
    assert await client.call("assign_hold", workspace.id, made["holdID"]) is not None
    assert await client.call("delete_node", document) is None
    assert server.requests[-1].status == 500
    assert "on hold" in server.requests[-1].error
    assert document in server.store.nodes


async def test_it_keeps_retention_schedules_and_reads_codes(
    server: ContentServerSimulator, client: Client
) -> None:
    made = await client.call(
        "create_records_management_rsi", "HR-3Y", "ACTIVE", "", "Personnel", "HR", "3 years", True
    )
    rsi_id = made["results"]["data"]["rsiID"]
    staged = await client.call(
        "create_records_management_rsi_schedule",
        rsi_id,
        "Destroy",
        retention_years=3,
        date_to_use=94,
        action_code=32,
    )
    assert staged is not None
    rows = await client.call("get_records_management_rsis")
    row = next(row for row in rows if row["RSI"] == "HR-3Y")
    assert (row["RetStage"], row["RetYears"], row["DateToUse"]) == ("Destroy", "3", "94")
    found = await client.call("search_records_management_rsis", "case")
    assert [rsi["name"] for rsi in found] == ["CASE-7Y"]
    codes = await client.call("get_records_management_codes")
    assert {code["code"] for code in codes["status"]} >= {"ACTIVE", "CLOSED"}


async def test_clearance_that_it_sets_hides_a_workspace_from_others(
    server: ContentServerSimulator, client: Client
) -> None:
    workspace = server.create_workspace("Case", "Leak", user="dovetail")
    assert await client.call("set_node_security_clearance", workspace.id, 50, ["HR"]) is not None
    shown = await client.call("get_node_security_clearance", workspace.id)
    assert shown["data"]["clearance_level"] == 50
    assert shown["data"]["supplemental_markings"][0]["supplemental_marking"] == "HR"
    bob = await signed_in(server, "bob.broker")
    assert await bob.call("get_node", workspace.id) is None
    assert "could not be accessed" in server.requests[-1].error
    bobs = server.member("bob.broker").id
    assert await client.call("assign_user_security_clearance", bobs, 50) is not None
    assert await bob.call("get_node", workspace.id) is None
    assert await client.call("assign_user_supplemental_markings", bobs, ["HR"]) is not None
    assert bob.value(await bob.call("get_node", workspace.id), "name") == "Leak"
    own = await bob.call("get_user_security_clearance")
    assert own["data"]["user_clearance_level"] == 50


async def test_a_record_date_is_kept_by_the_day(
    server: ContentServerSimulator, client: Client
) -> None:
    workspace = server.create_workspace("Case", "Broken pump", user="dovetail")
    plan = server.store.records.classifications
    cases = next(c.id for c in plan.values() if c.name == "Cases")
    await client.call("assign_rm_classification", workspace.id, cases)
    held = server.people.record(workspace.id)
    assert held is not None
    assert isinstance(held.record_date, date)
    shown = await client.call("get_node_records_details", workspace.id)
    assert shown["data"][0]["record_date"] == f"{held.record_date.isoformat()}T00:00:00"
