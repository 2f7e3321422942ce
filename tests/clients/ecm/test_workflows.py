"""Workflows through the gateway, over real sockets: started once whatever is lost, and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.clients.ecm import ContentServerGateway
from app.sandbox.content_server.default_definition import default_definition
from app.sandbox.faults import Fault
from streams.errors import Misconfigured, Refused, Throttled, Unavailable
from tests.clients.conversation import Conversation, body_of, ok
from tests.clients.ecm.talk import error, gateway, items, server
from tests.clients.test_against_simulators import Ecm, content_server

KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
MARK = "[9f86d081884c7d65]"


@pytest.fixture
async def ecm() -> AsyncIterator[Ecm]:
    async with content_server() as system:
        yield system


async def start(
    ecm: Ecm,
    workspace_id: int,
    *,
    key: str = KEY,
    using: ContentServerGateway | None = None,
    workflow_map: str = "Discount Approval",
    documents: Sequence[int] = (),
    **attributes: Any,
) -> int:
    labelled = {name.replace("_", " "): value for name, value in attributes.items()}
    return await (using or ecm.gateway).start_workflow(
        workspace_id,
        workflow_map=workflow_map,
        key=key,
        title="Discount for Contoso: 12 %",
        comment="Please decide by Friday",
        attributes=labelled,
        documents=documents,
    )


async def test_a_workflow_starts_with_its_notes_attributes_and_title(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    process = await start(
        ecm,
        workspace.id,
        Amount="1200.50",
        Due_On="2026-12-01",
        Urgent=True,
        Approver="eve.counsel",
        Reason="Loyal customer",
    )
    (made,) = ecm.simulator.people.workflows()
    assert made.id == process
    assert made.workspace_id == workspace.id
    assert made.title == f"Discount for Contoso- 12 % {MARK}"
    assert made.comments == ("Please decide by Friday",)
    assert made.waits_for == "eve.counsel"
    assert made.attributes["Amount"] == 1200.5
    assert str(made.attributes["Due On"]).startswith("2026-12-01")
    assert made.attributes["Urgent"] is True
    assert made.documents == (workspace.id,)


async def test_the_map_may_be_named_by_nickname_or_id(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    maps = {kind.name: kind.id for kind in ecm.simulator.store.workflows.maps.values()}
    for number, name in enumerate(("vendor_approval", str(maps["Vendor Approval"]))):
        process = await start(ecm, workspace.id, key=f"{number}" * 64, workflow_map=name)
        assert ecm.simulator.people.workflow(process).map == "Vendor Approval"


async def test_the_same_key_never_starts_a_second_one(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    first = await start(ecm, workspace.id)
    assert await start(ecm, workspace.id) == first
    other = ContentServerGateway(ecm.base_url, ecm.tickets, client=ecm.http)
    assert await start(ecm, workspace.id, using=other) == first
    assert await start(ecm, workspace.id, key="b" * 64) != first
    assert len(ecm.simulator.people.workflows()) == 2


async def test_a_workflow_that_is_over_is_not_started_again(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    for key, end in (("a" * 64, "decided"), ("b" * 64, "stopped"), ("c" * 64, "archived")):
        process = await start(ecm, workspace.id, key=key)
        if end == "stopped":
            await ecm.gateway.stop_workflow(process)
        else:
            ecm.simulator.people.decide(process, "Reject", "Too much")
        ecm.simulator.store.workflows.processes[process].archived = end == "archived"
        assert await start(ecm, workspace.id, key=key) == process


async def test_whatever_answer_is_lost_one_workflow_runs(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    faults = ecm.simulator.faults
    tried = 0
    for kind in ("lose_answer", "hang_up", "reset", "error_page", "garbage"):
        for method, path in (("POST", "/v2/draftprocesses$"), ("PUT", r"/v2/draftprocesses/\d+")):
            tried += 1
            key = f"{tried:016d}" + "e" * 48
            faults.add(Fault(kind, method=method, path=path))
            try:
                first = await start(ecm, workspace.id, key=key)
            except Unavailable:
                first = await start(ecm, workspace.id, key=key)
            assert await start(ecm, workspace.id, key=key) == first
    assert faults.waiting() == []
    made = ecm.simulator.people.workflows()
    assert len(made) == tried == 10
    assert len({workflow.title for workflow in made}) == tried


async def test_a_map_that_is_offered_nowhere_is_found_by_search() -> None:
    definition = default_definition()
    hidden = tuple(replace(m, offered=False, nickname="") for m in definition.workflow_maps)
    async with content_server(data=replace(definition, workflow_maps=hidden)) as system:
        workspace = await system.ensure()
        process = await start(system, workspace.id, workflow_map="vendor approval")
        assert system.simulator.people.workflow(process).map == "Vendor Approval"
        # What has the word in its name is another one.
        assert await system.gateway.map_attributes("Approval", [workspace.id]) is None
        assert await system.gateway.map_attributes('No "such" map', [workspace.id]) is None
        found = await system.gateway.map_attributes("Terms Approval", [workspace.id])
        assert found is not None
        assert "Reason" in found


async def test_of_several_maps_of_a_name_the_rule_has_to_say_which() -> None:
    talk = server()
    nothing = {"data": [], "fError": ""}
    talk.on("GET", "/v2/docworkflows", ok({"results": nothing}))
    talk.on("GET", "/v2/nicknames", error(404, "no such nickname"))
    one = {"id": 7, "name": "Approval", "type": 128}
    others = ({**one, "id": 8, "name": "APPROVAL"}, {**one, "id": 9, "type": 144})
    talk.on("POST", "/v2/search", ok(items(one, *others)))
    with pytest.raises(Misconfigured, match=r"'Approval': nodes 7, 8\.") as raised:
        await gateway(talk).map_attributes("Approval", [42])
    assert raised.value.code == "workflow_map_not_unique"


async def test_a_place_that_offers_a_map_says_which_of_several_it_is() -> None:
    talk = server()
    offered = {"data": [{"DataID": 8, "Name": "Approval"}], "fError": ""}
    for place, found in ((41, {"data": [], "fError": ""}), (42, offered)):
        path = f"/v2/docworkflows.*parent_id={place}"
        talk.on("GET", path, ok({"results": found}))
    talk.on("GET", "/v2/nicknames", error(404, "no such nickname"))
    one = {"id": 7, "name": "Approval", "type": 128}
    talk.on("POST", "/v2/search", ok(items(one, {**one, "id": 8})))
    talk.on("GET", "/v2/workflows/8/definition", ok({"results": {"definition": {}}}))
    assert await gateway(talk).map_attributes("Approval", [41, 42]) == ()


@pytest.mark.parametrize("status", [400, 404])
async def test_of_a_server_that_does_not_search_nothing_is_held_against_a_rule(
    status: int,
) -> None:
    """Its search may be down, and a place that is not asked here may offer the map."""
    talk = server()
    nothing = {"data": [], "fError": ""}
    talk.on("GET", "/v2/docworkflows", ok({"results": nothing}))
    talk.on("GET", "/v2/nicknames", error(404, "no such nickname"))
    talk.on("POST", "/v2/search", error(status, "Error Evaluating Query, no index."))
    with pytest.raises(Refused, match="no index") as raised:
        await gateway(talk).map_attributes("Approval", [42])
    assert raised.value.code == "workflow_map_not_searched"
    with pytest.raises(Misconfigured, match="no index") as halted:
        await gateway(talk)._workflows.maps.named("Approval", 42, ())
    assert halted.value.code == "workflow_map_not_searched"


@pytest.mark.parametrize("found", [2, None])
async def test_a_complaint_of_the_place_does_not_stop_the_worker_for_its_map(
    found: int | None,
) -> None:
    """A document that is gone is told as such, whatever the search says about the map."""
    talk = server()
    talk.on("GET", "/v2/docworkflows", ok({"results": {"data": [], "fError": "no document 5"}}))
    talk.on("GET", "/v2/nicknames", error(404, "no such nickname"))
    maps = [{"id": n, "name": "Approval", "type": 128} for n in range(found or 0)]
    talk.on("POST", "/v2/search", ok(items(*maps)) if found else error(400, "no index."))
    with pytest.raises(Refused, match="no document 5"):
        await gateway(talk)._workflows.maps.named("Approval", 42, [5])


async def test_a_start_whose_answer_is_lost_is_found_at_once() -> None:
    """The last PUT is the start: lost after it was done, it is looked up and not repeated."""
    talk = server()
    talk.on("GET", r"/v2/nodes/42\?", ok({"results": {"data": {"properties": {"id": 42}}}}))
    offered = {"data": [{"DataID": 7, "Name": "Approval", "WorkflowType": 100}], "fError": ""}
    talk.on("GET", "/v2/docworkflows", ok({"results": offered}))
    talk.on("GET", "/v2/workflows/7/definition", ok({"results": {"definition": {}}}))
    row = {"Work_WorkID": 900, "SubWork_Title": f"T {MARK}"}
    nothing: dict[str, Any] = {"results": {"data": []}}
    found = ok({"results": {"data": [row]}})
    talk.on("GET", "/v2/workflows/status/active", *[ok(nothing)] * 3, found)
    talk.on("POST", "/v2/draftprocesses", ok({"results": {"draftprocess_id": 800}}))
    lost = error(504, "gateway time-out")
    talk.on("PUT", "/v2/draftprocesses/800", ok({"results": {}}), lost)
    made = await gateway(talk).start_workflow(
        42, workflow_map="Approval", key=KEY, title="T", comment="", attributes={}, documents=[5, 6]
    )
    assert made == 900
    assert len(talk.asked("PUT")) == 2
    assert body_of(talk.asked("POST")[0])["doc_ids"] == "5,6"


async def test_it_is_looked_for_in_the_workspace_and_among_the_newer_ones_of_the_map(
    ecm: Ecm,
) -> None:
    workspace = await ecm.ensure()
    process = await start(ecm, workspace.id)
    # A server that counts it to no workspace.
    ecm.simulator.store.workflows.processes[process].workspace_id = None
    assert await start(ecm, workspace.id) == process
    asked = [r.query for r in ecm.simulator.requests if r.path.endswith("/status/active")]
    assert [("businessWorkspaceID" in query, "fromDate" in query) for query in asked[-3:]] == [
        (True, False),
        (True, False),
        (False, True),
    ]


async def test_started_from_many_sides_at_once_one_workflow_runs(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    others = [ContentServerGateway(ecm.base_url, ecm.tickets, client=ecm.http) for _ in range(4)]
    ids = await asyncio.gather(*(start(ecm, workspace.id, using=one) for one in (*others, *others)))
    running = [w.id for w in ecm.simulator.people.workflows() if w.state == "running"]
    assert running == [min(ids)]
    assert {await start(ecm, workspace.id, using=one) for one in others} == set(running)


async def test_documents_are_attached_and_one_that_is_gone_is_refused(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    with pytest.raises(Refused) as raised:
        await start(ecm, workspace.id, documents=[999999])
    # The maps are offered for documents: for one that is gone the server offers none.
    assert raised.value.code == "not_found"
    assert ecm.simulator.people.workflows() == []


async def test_what_a_rule_names_wrongly_is_said(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    with pytest.raises(Misconfigured, match="Discount Approval") as raised:
        await start(ecm, workspace.id, workflow_map="Nothing Approval")
    assert raised.value.code == "workflow_map_unknown"
    with pytest.raises(Misconfigured, match="Amount") as unknown:
        await start(ecm, workspace.id, Sum="1")
    assert unknown.value.code == "attribute_unknown"
    with pytest.raises(Refused) as wrong:
        await start(ecm, workspace.id, Amount="many")
    assert wrong.value.code == "attribute_invalid"
    with pytest.raises(Refused) as nobody:
        await start(ecm, workspace.id, Approver="nobody")
    assert nobody.value.code == "member_unknown"
    with pytest.raises(Misconfigured) as missing:
        await start(ecm, workspace.id, workflow_map="999999")
    assert missing.value.code == "workflow_map_unknown"
    with pytest.raises(Refused) as gone:
        await start(ecm, 999999)
    assert gone.value.code == "workspace_missing"
    assert ecm.simulator.people.workflows() == []


async def test_a_long_title_keeps_its_key(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    process = await ecm.gateway.start_workflow(
        workspace.id,
        workflow_map="Discount Approval",
        key=KEY,
        title="x" * 400,
        comment="",
        attributes={},
        documents=[],
    )
    title = ecm.simulator.people.workflow(process).title
    assert len(title) == 248
    assert title.endswith(MARK)


async def test_a_workflow_is_stopped_once_and_one_that_is_over_is_left_alone(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    process = await start(ecm, workspace.id)
    for _ in range(2):
        await ecm.gateway.stop_workflow(process)
    assert ecm.simulator.people.workflow(process).state == "stopped"
    decided = await start(ecm, workspace.id, key="c" * 64)
    ecm.simulator.people.decide(decided)
    await ecm.gateway.stop_workflow(decided)
    assert ecm.simulator.people.workflow(decided).outcome == "Approve"
    await ecm.gateway.stop_workflow(999999)
    stops = [r for r in ecm.simulator.requests if r.path.endswith("/status") and r.method == "PUT"]
    assert len(stops) == 1


async def test_a_stop_whose_answer_is_lost_may_be_repeated(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    process = await start(ecm, workspace.id)
    ecm.simulator.faults.add(Fault("lose_answer", method="PUT", path="/status"))
    with pytest.raises(Unavailable):
        await ecm.gateway.stop_workflow(process)
    await ecm.gateway.stop_workflow(process)
    assert ecm.simulator.people.workflow(process).state == "stopped"


def processes(*states: str) -> Conversation:
    """Workflow 5 in these states, one after another."""
    answers = [ok({"results": {"wf_details": {"status": state}}}) for state in states]
    return server().on("GET", "/v2/workflows/status/processes/5", *answers)


async def test_a_stop_that_somebody_else_was_faster_with_is_fine() -> None:
    talk = processes("ontime", "completed")
    await gateway(talk.on("PUT", "/status", error(400, "Unknown text"))).stop_workflow(5)


async def test_a_stop_that_is_refused_is_said() -> None:
    talk = processes("ontime", "ontime")
    with pytest.raises(Refused, match="Unknown text"):
        await gateway(talk.on("PUT", "/status", error(400, "Unknown text"))).stop_workflow(5)


async def test_bad_days_are_told_apart(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    faults = ecm.simulator.faults
    faults.add(Fault("status", path="/draftprocesses", status=429, retry_after=5))
    with pytest.raises(Throttled) as throttled:
        await start(ecm, workspace.id)
    assert throttled.value.retry_after == 5
    for fault in (
        Fault("error_page", path="/docworkflows"),
        Fault("status", path="/workflows/status", status=503, html=True),
        Fault("reset", path="/draftprocesses"),
    ):
        faults.add(fault)
        with pytest.raises(Unavailable):
            await start(ecm, workspace.id, workflow_map="Contract Approval")
        assert faults.waiting() == [], fault
    assert ecm.simulator.people.workflows() == []


async def test_a_server_without_maps_says_why() -> None:
    async with content_server(data=replace(default_definition(), workflow_maps=())) as system:
        workspace = await system.ensure()
        with pytest.raises(Misconfigured, match="offers none"):
            await start(system, workspace.id)
