"""Faults strike the requests they are meant for, as often as asked, and can be set over HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.sandbox.faults import ADMIN_PATH, Fault, FaultInjection, Faults
from app.serving import ServedApp

GONE = (httpx.RemoteProtocolError, httpx.ReadError)
LONG = "x" * 50_000


class Ledger:
    """An application that remembers what was written to it."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.rung = 0
        self.faults = Faults(kinds=("own_kind",), at_once={"ring": self.ring})
        routes = [Route("/entries", self.answer, methods=["GET", "POST"])]
        self.app = FaultInjection(Starlette(routes=routes), self.faults)

    def ring(self) -> None:
        self.rung += 1

    async def answer(self, request: Request) -> JSONResponse:
        if request.method == "POST":
            self.entries.append((await request.body()).decode())
        return JSONResponse({"entries": self.entries})


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
async def client(ledger: Ledger) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        ServedApp(ledger.app) as served,
        httpx.AsyncClient(base_url=served.url) as client,
    ):
        yield client


async def test_without_faults_requests_pass(ledger: Ledger, client: httpx.AsyncClient) -> None:
    assert (await client.post("/entries", content="a")).json() == {"entries": ["a"]}


async def test_a_planned_status_is_answered_so_often_and_does_not_reach_the_application(
    ledger: Ledger, client: httpx.AsyncClient
) -> None:
    ledger.faults.add(Fault("status", times=2, status=429, retry_after=7))
    answers = [await client.post("/entries", content="a") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert ledger.entries == ["a"]
    assert ledger.faults.struck["status"] == 2


async def test_a_gateways_page_is_html(ledger: Ledger, client: httpx.AsyncClient) -> None:
    ledger.faults.add(Fault("status", status=503, html=True))
    answer = await client.get("/entries")
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>503 Service Unavailable</h1>" in answer.text


async def test_a_lost_answer_leaves_the_write_done(
    ledger: Ledger, client: httpx.AsyncClient
) -> None:
    ledger.faults.add(Fault("lose_answer", method="POST"))
    assert (await client.get("/entries")).status_code == 200
    with pytest.raises(GONE):
        await client.post("/entries", content="written")
    assert ledger.entries == ["written"]


@pytest.mark.parametrize("kind", ["reset", "hang_up"])
async def test_a_broken_connection_leaves_the_write_undone(
    kind: str, ledger: Ledger, client: httpx.AsyncClient
) -> None:
    ledger.faults.add(Fault(kind))
    with pytest.raises(GONE):
        await client.post("/entries", content="never")
    assert ledger.entries == []


async def test_latency_delays_and_then_other_faults_still_strike(
    ledger: Ledger, client: httpx.AsyncClient
) -> None:
    ledger.faults.add(Fault("latency", times=None, seconds=0.05), Fault("status", status=500))
    before = time.monotonic()
    first, second = await client.get("/entries"), await client.get("/entries")
    assert time.monotonic() - before >= 0.1
    assert (first.status_code, second.status_code) == (500, 200)


async def test_an_outage_is_for_all_requests_until_it_is_cleared(
    ledger: Ledger, client: httpx.AsyncClient
) -> None:
    ledger.faults.add(Fault("outage"))
    for _ in range(2):
        with pytest.raises(GONE):
            await client.post("/entries", content="never")
    assert (await client.get(ADMIN_PATH)).json()["struck"] == {"outage": 2}
    await client.delete(ADMIN_PATH)
    assert (await client.get("/entries")).json() == {"entries": []}


async def test_a_slow_body_arrives_whole_and_late(
    ledger: Ledger, client: httpx.AsyncClient
) -> None:
    ledger.entries.append(LONG)
    ledger.faults.add(Fault("slow_body", seconds=0.2))
    sizes: list[int] = []
    content = bytearray()
    before = time.monotonic()
    async with client.stream("GET", "/entries") as answer:
        async for piece in answer.aiter_raw():
            sizes.append(len(piece))
            content += piece
    assert time.monotonic() - before >= 0.2
    assert json.loads(content) == {"entries": [LONG]}
    assert len(sizes) > 5


async def test_a_slow_body_and_another_fault_come_together(
    ledger: Ledger, client: httpx.AsyncClient
) -> None:
    ledger.faults.add(Fault("slow_body", seconds=0.1), Fault("status", status=502, html=True))
    before = time.monotonic()
    answer = await client.get("/entries")
    assert (answer.status_code, time.monotonic() - before >= 0.1) == (502, True)
    assert answer.text.endswith("</html>")


async def test_a_cut_body_breaks_off_after_the_work_was_done(
    ledger: Ledger, client: httpx.AsyncClient
) -> None:
    ledger.entries.append(LONG)
    ledger.faults.add(Fault("cut_body"))
    content = bytearray()
    with pytest.raises(GONE):
        async with client.stream("POST", "/entries", content="written") as answer:
            assert answer.status_code == 200
            async for piece in answer.aiter_raw():
                content += piece
    assert 0 < len(content) < len(LONG)
    assert ledger.entries == [LONG, "written"]
    assert (await client.get("/entries")).status_code == 200


async def test_a_request_is_counted_when_it_is_over_however_it_ends(
    ledger: Ledger, client: httpx.AsyncClient
) -> None:
    ledger.faults.add(Fault("reset", method="POST"), Fault("latency", method="GET", seconds=0.2))
    with pytest.raises(GONE):
        await client.post("/entries", content="never")
    assert ledger.faults.ended == 1
    asking = asyncio.create_task(client.get("/entries"))
    await asyncio.sleep(0.05)
    assert ledger.faults.ended == 1
    await asking
    assert ledger.faults.ended == 2
    await client.get(ADMIN_PATH)
    assert ledger.faults.ended == 2


async def test_each_third_request_is_struck(ledger: Ledger, client: httpx.AsyncClient) -> None:
    ledger.faults.add(Fault("status", times=2, status=429, every=3))
    statuses = [(await client.get("/entries")).status_code for _ in range(9)]
    assert statuses == [200, 200, 429, 200, 200, 429, 200, 200, 200]


def test_a_fault_is_over_by_itself() -> None:
    now = 100.0
    faults = Faults(clock=lambda: now)
    faults.add(Fault("outage", lasting=5), Fault("reset"))
    now = 104.9
    assert faults.take("outage", "GET", "/") is not None
    now = 105.0
    assert faults.take("outage", "GET", "/") is None
    assert [fault.kind for fault in faults.waiting()] == ["reset"]


def test_what_happens_at_once_does_not_wait(ledger: Ledger) -> None:
    ledger.faults.add(Fault("ring"))
    assert ledger.rung == 1
    assert ledger.faults.waiting() == []
    assert ledger.faults.struck == {"ring": 1}


def test_of_a_list_with_a_wrong_fault_none_is_added(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="no fault 'meteor'"):
        ledger.faults.add(Fault("ring"), Fault("reset"), Fault("meteor"))
    assert (ledger.rung, ledger.faults.waiting()) == (0, [])


async def test_method_and_path_narrow_a_fault(ledger: Ledger, client: httpx.AsyncClient) -> None:
    ledger.faults.add(Fault("status", times=None, method="get", path=r"\?page=2$"))
    statuses = [
        (await client.get("/entries?page=1")).status_code,
        (await client.get("/entries?page=2")).status_code,
        (await client.post("/entries?page=2", content="a")).status_code,
    ]
    assert statuses == [200, 503, 200]


async def test_faults_are_set_and_cleared_over_http(
    ledger: Ledger, client: httpx.AsyncClient
) -> None:
    ledger.faults.add(Fault("status", times=None, status=500))
    asked = [{"kind": "latency", "seconds": 0.01}, {"kind": "own_kind", "times": 4}]
    set_answer = await client.post(ADMIN_PATH, json=asked)
    kinds = [fault["kind"] for fault in set_answer.json()["waiting"]]
    assert kinds == ["status", "latency", "own_kind"]
    assert (await client.get("/entries")).status_code == 500
    rest = (await client.delete(f"{ADMIN_PATH}?kind=status")).json()["waiting"]
    assert [fault["kind"] for fault in rest] == ["own_kind"]
    assert (await client.delete(ADMIN_PATH)).json()["waiting"] == []
    told = (await client.get(ADMIN_PATH)).json()
    assert told["struck"] == {"status": 1, "latency": 1}
    assert {"outage", "own_kind", "ring"} <= set(told["kinds"])
    assert (await client.get("/entries")).status_code == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"kind": "meteor"}, "no fault 'meteor'; this simulator knows: outage, latency, slow_body"),
        ({"kind": "status", "color": "red"}, "no field color"),
        ({"kind": "status", "times": 0}, "times must be at least 1"),
        ({"kind": "status", "status": 99}, "99 is not an HTTP status"),
        ({"kind": "status", "every": 0}, "every must be at least 1"),
        ({"kind": "outage", "lasting": 0}, "lasting must be more than 0"),
        ({"kind": "latency", "seconds": -1}, "seconds must not be negative"),
        ({"kind": "status", "path": "("}, "not a regular expression"),
        ({"kind": "reset", "method": 5}, "method has to be a text or null, not 5."),
        ({"kind": "status", "html": "yes"}, "html has to be true or false, not 'yes'."),
        ({"kind": "status", "times": True}, "times has to be a whole number or null, not True."),
        (["latency"], 'at least "kind"'),
    ],
)
async def test_a_wrong_fault_is_refused_with_the_reason(
    body: object, says: str, ledger: Ledger, client: httpx.AsyncClient
) -> None:
    answer = await client.post(ADMIN_PATH, json=body)
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert ledger.faults.waiting() == []


def test_a_simulators_own_kind_is_taken_by_its_own_code() -> None:
    faults = Faults(kinds=("own_kind",))
    faults.add(Fault("own_kind", path="^/rows"))
    assert faults.take("own_kind", "GET", "/other") is None
    assert faults.take("own_kind", "GET", "/rows") is not None
    assert faults.take("own_kind", "GET", "/rows") is None
