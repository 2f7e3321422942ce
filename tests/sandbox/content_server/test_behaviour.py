"""What differs between servers, switched while one runs; and what every server answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from app.sandbox.content_server import ContentServerSimulator
from app.sandbox.content_server.people_admin import BEHAVIOUR_PATH
from app.sandbox.faults import Fault
from tests.sandbox.content_server.conftest import Api
from tests.sandbox.content_server.test_auth import MovingClock


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
async def server(clock: MovingClock) -> AsyncIterator[ContentServerSimulator]:
    async with ContentServerSimulator(seed=7, clock=clock) as running:
        yield running


@pytest.fixture
async def outside(server: ContentServerSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.base_url) as http:
        yield http


async def test_the_search_lags_as_it_is_told_to_from_outside(
    server: ContentServerSimulator, api: Api, outside: httpx.AsyncClient, clock: MovingClock
) -> None:
    given = {"index_lag_seconds": 0.5, "negative_parents": True, "queryable_columns": ["name"]}
    shown = (await outside.post(BEHAVIOUR_PATH, json=given)).json()
    assert {name: shown[name] for name in given} == given
    workspace = server.create_workspace("Account", "Zebra")
    asked = {"where": "OTName:Zebra"}
    assert (await api.form("POST", "/v2/search", **asked)).json()["results"] == []
    child = (await api.get(f"/v2/nodes/{workspace.id}/nodes", limit=1)).json()["results"][0]
    assert child["data"]["properties"]["parent_id"] == -workspace.id
    clock.advance(0.4)
    assert (await api.form("POST", "/v2/search", **asked)).json()["results"] == []
    clock.advance(0.2)
    assert len((await api.form("POST", "/v2/search", **asked)).json()["results"]) == 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"speed": 1}, "There is no speed; there are version"),
        ({"negative_parents": True, "index_lag_seconds": "soon"}, "index_lag_seconds"),
        ({"bo_missing": "403"}, "bo_missing"),
        (5, "TypeError"),
    ],
)
async def test_a_behaviour_that_makes_no_sense_changes_nothing(
    server: ContentServerSimulator, outside: httpx.AsyncClient, given: object, says: str
) -> None:
    refused = await outside.post(BEHAVIOUR_PATH, json=given)
    assert refused.status_code == 400
    assert says in refused.json()["error"]
    assert not server.behaviour.negative_parents
    assert (await outside.put(BEHAVIOUR_PATH)).status_code == 405
    assert (await outside.get(BEHAVIOUR_PATH)).json()["version"] == "25.4"


async def test_head_answers_the_headers_of_get(server: ContentServerSimulator, api: Api) -> None:
    seen = await api.http.head("/v1/auth")
    assert (seen.status_code, seen.content) == (200, b"")
    assert seen.headers["OTCSTicket"]
    assert (await api.http.head("/v2/nodes/1")).status_code == 400
    async with httpx.AsyncClient(base_url=server.url) as stranger:
        assert (await stranger.head("/v1/auth")).status_code == 401
        refused = await stranger.get("/v1/auth")
    assert refused.headers["Content-Type"] == "application/json;charset=utf-8"


async def test_a_ticket_may_expire_while_a_file_is_on_its_way(
    server: ContentServerSimulator, api: Api, clock: MovingClock
) -> None:
    """Who was signed in when the request came is done with it, and then has to sign in again."""
    workspace = server.create_workspace("Account", "A")
    server.behaviour.session_idle_seconds = 60
    (session,) = server.sessions.of(server.member("dovetail").id)
    clock.advance(30)
    head, tail = (
        b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n' % (name, more)
        for name, more in ((b"parent_id", b""), (b"file", b'; filename="a.txt"'))
    )
    begin = b'--b\r\nContent-Disposition: form-data; name="type"\r\n\r\n144\r\n'

    async def slowly() -> AsyncIterator[bytes]:
        yield begin + head + str(workspace.id).encode() + b"\r\n" + tail + b"first "
        while session.last_seen < clock.now.timestamp():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        clock.advance(61)
        yield b"second\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await api.http.post("/v2/nodes", content=slowly(), headers=headers)
    assert answer.status_code == 200
    document = answer.json()["results"]["data"]["properties"]["id"]
    assert server.store.nodes[document].versions[0].content == b"first second"
    fresh = {"OTCSTicket": answer.headers["OTCSTicket"]}
    again = await api.http.get(f"/v2/nodes/{document}", headers=fresh)
    assert (again.status_code, again.json()) == (401, {"error": "Authentication Required"})


async def test_sessions_are_shown_and_ended(server: ContentServerSimulator, api: Api) -> None:
    own = (await api.get("/v2/members/sessions")).json()["results"]["data"]["session"]
    me = server.member("dovetail").id
    assert (own["user_id"], own["session_timeout"]) == (me, 7_200_000)
    ann = server.member("ann.seller").id
    assert (await api.http.delete(f"/v2/members/{ann}/sessions")).status_code == 400
    assert (await api.http.delete(f"/v2/members/{me}/sessions")).json() == {"results": {}}
    assert (await api.get("/v2/members/sessions")).status_code == 401


async def test_the_directory_service_refuses_in_its_own_shape(
    server: ContentServerSimulator,
) -> None:
    async with httpx.AsyncClient(base_url=server.otds_url) as http:
        unknown = await http.get("/rest/nothing")
        wrong = await http.post("/rest/authentication/credentials", data={"userName": "x"})
    assert (unknown.status_code, unknown.json()) == (
        404,
        {"status": 404, "error": "No resource /rest/nothing.", "errorDetails": None},
    )
    assert (wrong.status_code, wrong.json()["status"]) == (400, 400)
    assert "application/json" in wrong.json()["errorDetails"]


async def test_a_race_makes_every_kind_of_token_stale(
    server: ContentServerSimulator, api: Api
) -> None:
    workspace = server.create_workspace("Account", "A")
    category, path = server.category_id("Business Record"), f"/v2/nodes/{workspace.id}"
    state = (await api.http.get(f"{path}?state")).json()["results"]["state"]
    class_id = next(iter(server.store.records.classifications))
    records = f"/v1/nodes/{workspace.id}/rmclassifications"
    await api.body("POST", records, {"class_id": class_id})
    token = (await api.get(records)).json()["rm_metadataToken"]
    seen = state["categories"][f"{category}_1"]["metadata_token"]
    value = {f"{category}_2": "x", "metadata_token": seen}
    server.faults.add(Fault("etag_race", times=3))
    assert (await api.body("PUT", path, {"name": "B"})).status_code == 200, "names no token"
    state = (await api.http.get(f"{path}?state")).json()["results"]["state"]
    named = {"name": "C", **state["properties"]}
    answers = [
        await api.body("PUT", path, named),
        await api.form("PUT", f"{path}/categories/{category}/", **value),
        await api.body("PUT", records, {"essential": "VITAL", "rm_metadataToken": token}),
    ]
    assert [answer.status_code for answer in answers] == [409] * 3
    assert server.faults.struck["etag_race"] == 3
