"""Encodings that each call takes, and the faults that can be switched on."""

from __future__ import annotations

import json

import httpx
import pytest

from app.sandbox.content_server import ContentServerSimulator
from app.sandbox.faults import ADMIN_PATH, Fault
from tests.sandbox.content_server.conftest import Api


def _account(server: ContentServerSimulator, bo_id: str) -> dict[str, object]:
    return {
        "template_id": server.template_id("Account"),
        "name": f"Account {bo_id}",
        "ext_system_id": "D365",
        "bo_type": "account",
        "bo_id": bo_id,
    }


async def test_json_is_refused_unless_the_server_is_lenient(
    server: ContentServerSimulator, api: Api
) -> None:
    content = _account(server, "1")
    refused = await api.http.post("/v2/businessworkspaces", json=content)
    assert refused.status_code == 400
    assert "application/json" in refused.json()["errorDetail"]
    server.behaviour.lenient_bodies = True
    taken = await api.http.post("/v2/businessworkspaces", json=content)
    assert taken.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "flat"),
    [
        ("POST", "/v1/validation/nodes/names", True),
        ("PUT", "/v2/nodes/2000/permissions/public", True),
        ("POST", "/v1/auth", False),
    ],
)
async def test_a_call_takes_its_own_form_encoding_only(
    api: Api, method: str, path: str, flat: bool
) -> None:
    fields = {"name": "x", "username": "x", "password": "y", "parent_id": "2000", "type": "0"}
    data = fields if flat else {"body": json.dumps(fields)}
    answer = await api.http.request(method, path, data=data)
    assert answer.status_code in (400, 500)
    assert "error" in answer.json()


async def test_broken_json_in_the_body_field_is_a_400(api: Api) -> None:
    answer = await api.http.post("/v2/businessworkspaces", data={"body": "{"})
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "The JSON of the request cannot be parsed.",
    )


async def test_repeated_form_fields_are_a_multi_value(api: Api) -> None:
    answer = await api.http.post("/v2/nodes/list", data={"ids": ["2000", "2006"]})
    assert len(answer.json()["results"]) == 2


async def test_percent_encoded_slashes_stay_inside_their_segment(
    server: ContentServerSimulator, api: Api
) -> None:
    made = server.create_workspace("Account", "A", business_object=("D365", "account", "a/b c"))
    answer = await api.http.get("/v2/externalsystems/D365/botypes/account/boids/a%2Fb%20c")
    assert answer.json()["results"][0]["data"]["properties"]["id"] == made.id


async def test_a_lost_answer_leaves_the_workspace_behind(
    server: ContentServerSimulator, api: Api
) -> None:
    server.faults.add(Fault("lose_answer", method="POST", path="/businessworkspaces"))
    with pytest.raises(httpx.TransportError):
        await api.body("POST", "/v2/businessworkspaces", _account(server, "1"))
    assert server.find_by_business_object("D365", "account", "1") is not None
    blind = await api.body("POST", "/v2/businessworkspaces", _account(server, "1"))
    assert blind.status_code == 500
    assert len(server.workspaces()) == 1


async def test_a_reset_happens_before_any_work(server: ContentServerSimulator, api: Api) -> None:
    server.faults.add(Fault("reset"))
    with pytest.raises(httpx.TransportError):
        await api.body("POST", "/v2/businessworkspaces", _account(server, "1"))
    assert server.workspaces() == []


async def test_overload_restart_and_garbage_look_like_the_real_ones(
    server: ContentServerSimulator, api: Api
) -> None:
    server.faults.add(
        Fault("status", status=429, retry_after=2),
        Fault("status", status=503, html=True),
    )
    throttled = await api.get("/v1/serverinfo")
    assert (throttled.status_code, throttled.headers["retry-after"]) == (429, "2")
    restarting = await api.get("/v1/serverinfo")
    assert restarting.status_code == 503
    assert restarting.headers["content-type"].startswith("text/html")
    server.faults.add(Fault("error_page"))
    overloaded = await api.get("/v1/serverinfo")
    assert overloaded.status_code == 500
    assert "Error Processing Request" in overloaded.text
    server.faults.add(Fault("garbage"))
    garbage = await api.get("/v1/serverinfo")
    assert garbage.status_code == 200
    with pytest.raises(ValueError, match="Expecting value"):
        garbage.json()


async def test_a_ticket_can_be_made_to_expire_on_the_next_write(
    server: ContentServerSimulator, api: Api
) -> None:
    server.faults.add(Fault("expire_ticket", method="POST"))
    assert (await api.get("/v1/serverinfo")).status_code == 200
    refused = await api.body("POST", "/v2/businessworkspaces", _account(server, "1"))
    assert (refused.status_code, refused.json()) == (401, {"error": "Authentication Required"})
    assert server.workspaces() == []


async def test_all_tickets_can_be_made_to_expire_at_once(
    server: ContentServerSimulator, api: Api
) -> None:
    await api.http.post(server.base_url + ADMIN_PATH, json={"kind": "expire_all_tickets"})
    assert (await api.get("/v1/serverinfo")).status_code == 401
    assert server.faults.waiting() == []


async def test_faults_are_set_and_cleared_from_outside(
    server: ContentServerSimulator, api: Api
) -> None:
    url = server.base_url + ADMIN_PATH
    fault = {"kind": "error_page", "times": None, "path": "serverinfo"}
    assert (await api.http.post(url, json=fault)).status_code == 200
    assert (await api.get("/v1/serverinfo")).status_code == 500
    assert (await api.get("/v1/auth")).status_code == 200
    assert (await api.http.delete(url)).json()["struck"] == {"error_page": 1}
    assert (await api.get("/v1/serverinfo")).status_code == 200


async def test_the_request_log_tells_who_wrote_what_and_keeps_no_secrets(
    server: ContentServerSimulator, api: Api
) -> None:
    await api.body("POST", "/v2/businessworkspaces", _account(server, "1"))
    await api.body("POST", "/v2/businessworkspaces", _account(server, "1"))
    writes = [
        r for r in server.requests if (r.method, r.path) == ("POST", "/v2/businessworkspaces")
    ]
    assert [(w.user, w.status, w.fields["bo_id"]) for w in writes] == [
        ("dovetail", 200, "1"),
        ("dovetail", 500, "1"),
    ]
    assert writes[1].error == server.behaviour.bo_linked_text
    assert "dovetail-password" not in repr(server.requests)
