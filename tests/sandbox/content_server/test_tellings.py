"""What a contract workspace tells of its contract, and documents of their end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.sandbox.content_server import ContentServerSimulator, categories
from app.sandbox.events.ecm import EcmHappening
from streams.formats.ecm_events import EVENTS
from tests.sandbox.content_server.conftest import Api


@pytest.fixture
async def contract(server: ContentServerSimulator, api: Api) -> int:
    made = await api.make_workspace(server, "Contract", "Frame", "c-1")
    return int(made.json()["results"]["id"])


def of_contract(server: ContentServerSimulator) -> list[str]:
    return [h.event for h in server.happenings if h.event.startswith("contract.")]


def newest(server: ContentServerSimulator, event: str) -> EcmHappening:
    return [h for h in server.happenings if h.event == event][-1]


def folder(server: ContentServerSimulator, workspace: int, name: str) -> int:
    found = server.store.child_by_name(workspace, name)
    assert found is not None
    return found.id


async def filed(api: Api, parent: int, name: str) -> int:
    made = await api.upload(parent, name, b"words")
    return int(made.json()["results"]["data"]["properties"]["id"])


async def start(server: ContentServerSimulator, api: Api, workflow_map: str, document: int) -> int:
    maps = {kind.name: kind.id for kind in server.store.workflows.maps.values()}
    fields = {"workflow_id": maps[workflow_map], "doc_ids": str(document)}
    draft = (await api.body("POST", "/v2/draftprocesses", fields)).json()["results"]
    path = f"/v2/draftprocesses/{draft['draftprocess_id']}"
    started = (await api.body("PUT", path, {"action": "Initiate"})).json()["results"]
    return int(started["process_id"])


async def test_documents_tell_the_state_of_the_folder_they_are_filed_in(
    server: ContentServerSimulator, api: Api, contract: int
) -> None:
    paper = await filed(api, folder(server, contract, "Drafts"), "frame.txt")
    for name in ("Redlines", "Executed"):
        moved = {"parent_id": folder(server, contract, name)}
        assert (await api.body("PUT", f"/v2/nodes/{paper}", moved)).status_code == 200
    await filed(api, folder(server, contract, "Approvals"), "minutes.txt")
    assert of_contract(server) == ["contract.draft", "contract.in_negotiation", "contract.executed"]
    told = newest(server, "contract.executed")
    assert told.document is not None
    assert told.document[0] == paper
    assert told.business_object == ("D365", "contract", "c-1")
    assert set(of_contract(server)) <= EVENTS


async def test_other_types_of_workspaces_tell_nothing_of_contracts(
    server: ContentServerSimulator, api: Api
) -> None:
    made = (await api.make_workspace(server, "Account", "A", "a-1")).json()["results"]["id"]
    await filed(api, made, "frame.txt")
    assert [h.event for h in server.happenings] == ["workspace.created", "document.added"]
    assert server.happenings[0].business_object == ("D365", "account", "a-1")


@pytest.mark.parametrize(
    ("disposition", "states"),
    [("Approve", ["in_approval", "approved"]), ("Reject", ["in_approval", "rejected"])],
    ids=["approved", "rejected"],
)
async def test_a_workflow_over_a_document_tells_the_contracts_approval(
    server: ContentServerSimulator, api: Api, contract: int, disposition: str, states: list[str]
) -> None:
    paper = await filed(api, contract, "frame.txt")
    started = await start(server, api, "Contract Approval", paper)
    server.people.decide(started)
    server.people.decide(started, disposition, "my word")
    assert of_contract(server) == [f"contract.{state}" for state in states]
    told = newest(server, f"contract.{states[-1]}")
    assert (told.actor, told.attributes["comment"]) == ("finn.finance", "my word")
    assert newest(server, f"document.{states[-1]}").document == told.document


async def test_a_workflow_of_another_map_tells_nothing_of_the_contract(
    server: ContentServerSimulator, api: Api, contract: int
) -> None:
    paper = await filed(api, contract, "frame.txt")
    server.people.decide(await start(server, api, "Pricing Approval", paper))
    assert server.happenings[-1].event == "document.approved"
    assert of_contract(server) == []


async def test_the_last_signature_tells_of_a_signed_contract(
    server: ContentServerSimulator, api: Api, contract: int
) -> None:
    paper = await filed(api, contract, "frame.txt")
    signer = '[{"full_name": "Ann", "email_id": "ann@x", "signing_order": 1}]'
    fields = {"doc_id": paper, "signer": signer, "provider_id": "docusign"}
    made = (await api.form("POST", "/v2/signaturerequests", **fields)).json()
    number = made["results"]["data"]["properties"]["request_id"]
    server.people.send_for_signature(number)
    assert of_contract(server) == []
    server.people.sign(number)
    assert of_contract(server) == ["contract.signed"]


async def test_a_status_set_by_a_person_is_told_and_ours_is_not(
    server: ContentServerSimulator, api: Api, contract: int
) -> None:
    category = server.category_id("Contract")
    path = f"/v2/nodes/{contract}/categories/{category}/"

    async def put(values: dict[str, Any], login: str = "") -> None:
        if login:
            fields = {"username": login, "password": "admin-password"}
            ticket = (await api.http.post("/v1/auth", data=fields)).json()["ticket"]
            api.http.headers["OTCSTicket"] = ticket
        keys = server.attribute_keys("Contract", values)
        assert (await api.form("PUT", path, **keys)).status_code == 200

    await put({"Status": "In Approval"})
    assert of_contract(server) == []
    await put({"Stage": "Close"}, "Admin")
    await put({"Status": "Terminated", "Expires On": "2027-01-31"})
    await put({"Stage": "Lost"})
    assert of_contract(server) == ["contract.terminated"]
    told = newest(server, "contract.terminated").attributes
    assert str(told["expires_on"]).startswith("2027-01-31")


async def test_a_document_that_has_expired_is_told_once_for_each_date() -> None:
    now = [datetime(2026, 3, 1, tzinfo=UTC)]
    server = ContentServerSimulator(clock=lambda: now[0])
    made = server.create_workspace("Vendor", "V", business_object=("D365", "vendor", "1"))
    paper = server.store.new_node(made.id, "tax.pdf", 144, 1000)
    document = server.category_id("Document")
    admin = server.member("Admin")
    keys = server.attribute_keys(
        "Document", {"Document Type": "Tax Form", "Expires On": "2026-03-02"}
    )
    categories.apply(server.store, paper, document, keys, admin)
    assert server.people.expire_documents() == 0
    now[0] += timedelta(days=2)
    assert [server.people.expire_documents() for _ in range(2)] == [1, 0]
    told = newest(server, "document.expired")
    assert told.attributes["document_type"] == "Tax Form"
    later = server.attribute_keys("Document", {"Expires On": "2026-03-05"})
    categories.change(server.store, paper, document, later, admin)
    now[0] += timedelta(days=9)
    assert server.people.expire_documents() == 1


async def test_a_second_business_object_is_told_as_connected(
    server: ContentServerSimulator, api: Api, contract: int
) -> None:
    path = f"/v2/businessworkspaces/{contract}/workspacereferences"
    fields = {"ext_system_id": "D365", "bo_type": "opportunity", "bo_id": "o-1"}
    assert (await api.form("PUT", path, **fields)).status_code == 200
    assert server.happenings[-1].event == "workspace.connected"


async def test_a_document_says_in_which_folder_it_is(
    server: ContentServerSimulator, api: Api, contract: int
) -> None:
    drafts = folder(server, contract, "Drafts")
    below = await api.body("POST", "/v2/nodes", {"type": 0, "parent_id": drafts, "name": "Old"})
    old = int(below.json()["results"]["data"]["properties"]["id"])
    await filed(api, old, "frame.txt")
    assert newest(server, "document.added").attributes["folder_id"] == old
    server.store.nodes[drafts].external["external_identity"] = "task:1"
    await filed(api, old, "frame 2.txt")
    assert newest(server, "document.added").attributes["folder_id"] == drafts
    await filed(api, contract, "loose.txt")
    assert "folder_id" not in newest(server, "document.added").attributes
