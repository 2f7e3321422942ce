"""Approvers, signers and events over HTTP, as a sandbox of its own offers them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.sandbox.content_server import ContentServerSimulator
from app.sandbox.content_server.people_admin import HAPPENINGS_PATH, PEOPLE_PATH
from app.sandbox.faults import Fault
from tests.sandbox.content_server.conftest import Api


async def do(server: ContentServerSimulator, **body: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.base_url) as http:
        return await http.post(PEOPLE_PATH, json=body)


async def paper(server: ContentServerSimulator, api: Api) -> int:
    workspace = server.create_workspace("Account", "A", user="dovetail")
    made = (await api.upload(workspace.id, "offer.txt", b"x")).json()
    return int(made["results"]["data"]["properties"]["id"])


async def start(server: ContentServerSimulator, api: Api, document: int) -> int:
    number = next(k.id for k in server.store.workflows.maps.values() if "Discount" in k.name)
    body = {"workflow_id": number, "doc_ids": str(document)}
    draft = (await api.body("POST", "/v2/draftprocesses", body)).json()["results"]
    path = f"/v2/draftprocesses/{draft['draftprocess_id']}"
    started = await api.body("PUT", path, {"action": "Initiate"})
    return int(started.json()["results"]["process_id"])


async def test_an_approver_decides_and_the_events_are_read_from_where_one_was(
    server: ContentServerSimulator, api: Api
) -> None:
    process = await start(server, api, await paper(server, api))
    # No fault ever strikes these paths.
    server.faults.add(Fault("status", times=None))
    decided = await do(server, do="decide", process_id=process, comment="yes")
    (workflow,) = decided.json()["workflows"]
    assert (workflow["outcome"], workflow["comments"]) == ("Approve", ["yes"])
    async with httpx.AsyncClient(base_url=server.base_url) as http:
        told = (await http.get(HAPPENINGS_PATH)).json()
        started = next(one for one in told if one["event"] == "workflow.started")
        since = (await http.get(HAPPENINGS_PATH, params={"after": started["event_id"]})).json()
    assert [one["event"] for one in since] == ["workflow.approved", "document.approved"]


async def test_signatures_move_on_and_refusals_come_as_such(
    server: ContentServerSimulator, api: Api
) -> None:
    signer = '{"email_id": "a@x"}'
    document = await paper(server, api)
    made = await api.form("POST", "/v2/signaturerequests", doc_id=document, signer=signer)
    number = made.json()["results"]["data"]["properties"]["request_id"]
    assert (await do(server, do="sign", request_id=number)).status_code == 400
    assert (await do(server, do="send", request_id=number)).status_code == 200
    signed = (await do(server, do="sign", request_id=number, email="a@x")).json()
    assert [one["status"] for one in signed["signature_requests"]] == ["signed"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"do": "dance"},
        {"do": "decide"},
        {"do": "decide", "process_id": 1},
        {"do": "decide", "process_id": 1, "request_id": 2},
        {"do": "sign", "request_id": "x"},
    ],
)
async def test_what_cannot_be_done_is_told(
    server: ContentServerSimulator, body: dict[str, Any]
) -> None:
    answer = await do(server, **body)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]


async def test_only_reading_and_doing(server: ContentServerSimulator) -> None:
    async with httpx.AsyncClient(base_url=server.base_url) as http:
        assert (await http.delete(PEOPLE_PATH)).status_code == 405
        assert (await http.post(PEOPLE_PATH, content=b"{")).status_code == 400
        assert (await http.get(PEOPLE_PATH)).json() == {"workflows": [], "signature_requests": []}
