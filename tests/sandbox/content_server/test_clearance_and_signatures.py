"""Clearance, signatures and events as calls see them (reference/extended-ecm.md 7, 8.4, 8.5)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from app.sandbox.content_server import ContentServerSimulator
from tests.sandbox.content_server.conftest import Api


@pytest.fixture
def workspace(server: ContentServerSimulator) -> int:
    return server.create_workspace("Case", "Broken pump", user="dovetail").id


async def document(api: Api, parent_id: int, name: str = "a.txt") -> int:
    made = (await api.upload(parent_id, name, b"first")).json()
    return int(made["results"]["data"]["properties"]["id"])


@asynccontextmanager
async def signed_in(server: ContentServerSimulator, login: str) -> AsyncIterator[Api]:
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as http:
        fields = {"username": login, "password": "contoso-password"}
        http.headers["OTCSTicket"] = (await http.post("/v1/auth", data=fields)).json()["ticket"]
        yield Api(http)


async def test_who_is_not_cleared_does_not_find_a_thing(
    server: ContentServerSimulator, api: Api, workspace: int
) -> None:
    inside = await document(api, workspace)
    body = {"clearance_level": 50, "supplemental_markings": ["LEGAL"]}
    path = f"/v1/nodes/{workspace}/securityclearances"
    assert (await api.body("PUT", path, body)).status_code == 200
    shown = (await api.get(f"/v1/nodes/{inside}/securityclearances")).json()["data"]
    assert (shown["clearance_level"], shown["inherit_from"]) == (50, workspace)
    async with signed_in(server, "bob.broker") as bob, signed_in(server, "eve.counsel") as eve:
        assert (await bob.get(f"/v2/nodes/{inside}")).status_code == 400
        assert (await bob.get(f"/v2/businessworkspaces/{workspace}")).status_code == 404
        listed = (await bob.get("/v2/businessworkspaces", expanded_view="true")).json()
        assert listed["results"] == []
        assert (await bob.get(f"/v2/nodes/{inside}/content")).status_code == 500
        assert (await eve.get(f"/v2/nodes/{inside}")).status_code == 200
        # She may not set more than she is cleared for herself.
        beyond = await eve.body("PUT", path, {"clearance_level": 90})
        assert beyond.status_code == 400


async def test_only_what_one_sees_is_attached_to_a_workflow(
    server: ContentServerSimulator, api: Api, workspace: int
) -> None:
    inside = await document(api, workspace)
    body = {"clearance_level": 50}
    await api.body("PUT", f"/v1/nodes/{workspace}/securityclearances", body)
    number = next(iter(server.store.workflows.maps))
    async with signed_in(server, "bob.broker") as bob:
        draft = {"workflow_id": number, "doc_ids": str(inside)}
        assert (await bob.body("POST", "/v2/draftprocesses", draft)).status_code == 400
        offered = (await bob.get("/v2/docworkflows", doc_id=inside)).json()["results"]
        assert "could not be accessed" in offered["fError"]
    assert (await api.body("POST", "/v2/draftprocesses", draft)).status_code == 200


async def test_levels_and_markings_that_there_are_not_are_refused(
    server: ContentServerSimulator, api: Api, workspace: int
) -> None:
    path = f"/v1/nodes/{workspace}/securityclearances"
    for wrong in ({"clearance_level": 7}, {"supplemental_markings": ["X"]}):
        assert (await api.body("PUT", path, wrong)).status_code == 400
    user = f"/v2/members/usersecurity/{server.member('bob.broker').id}"
    assert (await api.form("POST", f"{user}/securityclearancelevel")).status_code == 400
    await api.form("POST", f"{user}/securityclearancelevel", securityLevel=10)
    await api.form("POST", f"{user}/supplementalmarkings", suppMarks=["HR", "LEGAL"])
    level = (await api.get(f"{user}/securityclearancelevel")).json()["results"]["data"]
    markings = (await api.get(f"{user}/supplementalmarkings")).json()["results"]["data"]
    assert (level, markings) == ({"securityLevel": 10}, {"suppMarks": ["HR", "LEGAL"]})
    assert (await api.get("/v2/members/usersecurity/999/supplementalmarkings")).is_error
    known = (await api.get("/v1/securityclearances")).json()["data"]
    assert [row["level"] for row in known["security_clearances"]] == [0, 10, 50, 90]
    assert known["user_clearance_level"] == 90


def signers(*emails: str) -> str:
    people = [
        {"full_name": e, "email_id": e, "signing_order": n} for n, e in enumerate(emails, start=1)
    ]
    return json.dumps(people)


async def test_a_signature_request_moves_from_created_over_sent_to_signed(
    server: ContentServerSimulator, api: Api, workspace: int
) -> None:
    path = "/v2/signaturerequests"
    paper = await document(api, workspace)
    made = await api.form(
        "POST", path, doc_id=paper, provider_id="docusign", signer=signers("a@x", "b@x")
    )
    request = made.json()["results"]["data"]["properties"]
    number = request["request_id"]
    assert (request["status"], request["total_documents"]) == ("created", 1)
    assert isinstance(request["created_date"], int)
    assert (await api.form("POST", f"{path}/{number}/reminder/")).status_code == 400
    server.people.send_for_signature(number)
    assert (await api.form("POST", f"{path}/{number}/reminder/")).status_code == 200
    with pytest.raises(Exception, match="turn of 'b@x'"):
        server.people.sign(number, "b@x")
    assert server.people.sign(number) == "sent"
    assert server.people.sign(number, "b@x") == "signed"
    data = (await api.get(f"{path}/{number}", include_activities="")).json()["results"]["data"]
    assert [s["cssigner_status"] for s in data["signers"]] == ["signed", "signed"]
    assert [a["action"] for a in data["activities"]] == [
        "created", "sent", "reminder", "signed", "signed", "signed",
    ]  # fmt: skip
    assert server.node(paper).versions[-1].description == "Signed"
    assert (await api.form("POST", f"{path}/{number}/cancel")).status_code == 400
    events = [h for h in server.happenings if h.event.startswith("signature.")]
    assert [h.event for h in events] == ["signature.sent", "signature.signed"]
    assert events[1].document is not None
    assert events[1].document[:2] == (paper, 2)


async def test_signature_requests_are_listed_by_provider_and_status(
    server: ContentServerSimulator, api: Api, workspace: int
) -> None:
    path = "/v2/signaturerequests"
    paper = await document(api, workspace)
    for provider in ("docusign", "coresignature"):
        await api.form("POST", path, doc_id=paper, provider_id=provider, signer=signers("a@x"))
    newest = (await api.get(path)).json()["results"]
    assert newest[0]["data"]["properties"]["provider_name"] == "coresignature"
    one = newest[1]["data"]["properties"]["request_id"]
    assert (await api.form("POST", f"{path}/{one}/cancel")).status_code == 200
    voided = (await api.get(path, where_status="voided")).json()["results"]
    assert [r["data"]["properties"]["request_id"] for r in voided] == [one]
    created = (await api.get(path, where_provider_name="docusign", where_status="created")).json()
    assert created["results"] == []
    assert (await api.get(path, sort="beauty")).status_code == 400
    assert (await api.get(f"{path}/999")).status_code == 404
    for wrong in (
        {"doc_id": workspace, "signer": signers("a@x")},
        {"doc_id": paper, "signer": "[]"},
        {"doc_id": paper, "signer": "{"},
        {"doc_id": paper, "signer": '["x"]'},
        {"doc_id": paper, "signer": signers("a@x"), "provider_id": "pigeon"},
        {"signer": signers("a@x")},
    ):
        assert (await api.form("POST", path, **wrong)).status_code == 400, wrong


async def test_changes_of_nodes_are_told_with_their_attributes(
    server: ContentServerSimulator, api: Api
) -> None:
    made = await api.make_workspace(server, "Contract", "Frame", "c-1")
    workspace = made.json()["results"]["id"]
    category = server.category_id("Contract")
    keys = server.attribute_keys("Contract", {"Expires On": "2027-01-31", "Value": 12.5})
    await api.form("PUT", f"/v2/nodes/{workspace}/categories/{category}/", **keys)
    paper = await document(api, workspace)
    await api.body("PUT", f"/v2/nodes/{paper}", {"name": "b.txt"})
    await api.http.delete(f"/v2/nodes/{paper}")
    told = [h.event for h in server.happenings]
    assert told == [
        "workspace.created",
        "attribute.changed",
        "document.added",
        "document.renamed",
        "document.deleted",
    ]
    changed = server.happenings[1]
    assert changed.business_object == ("D365", "contract", "c-1")
    assert changed.attributes["status"] == "Draft"
    assert changed.attributes["value"] == "12.5"
    assert str(changed.attributes["expires_on"]).startswith("2027-01-31")
    assert len({h.event_id for h in server.happenings}) == 5
