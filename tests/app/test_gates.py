"""The page that answers whether a record may be finalised, without any broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from app.gates import FORWARDED, Gates
from streams.engine.errors import NotHere
from tables.gates import Gate, GatesRow, GateStatus
from tests.streams.gate_rules import GATE_RULE
from tests.streams.rulebook import BOOK
from tests.streams.samples import START_MS, ref

CLAIM = ref("new_claim", 31)
PATH = f"/gates/{CLAIM.table}/{CLAIM.id}"
RULE = GATE_RULE.name
CLOSED = Gate(status=GateStatus.CLOSED, missing=("Form", "Opinion (rejected)"), since_ms=START_MS)
OPEN = Gate(status=GateStatus.OPEN, since_ms=START_MS, until_ms=START_MS + 60_000)


@dataclass
class FakeRows:
    """A worker's tables: rows that it has, and where the others are."""

    rows: dict[str, bytes] = field(default_factory=dict)
    here: bool = True
    owner: str | None = None
    behind: float = 0.0

    def read(self, table: str, key: str) -> bytes | None:
        if not self.here:
            raise NotHere(table, key, 3)
        return self.rows.get(key)

    def address_of(self, table: str, key: str) -> str | None:
        return self.owner

    def behind_seconds(self, table: str, key: str) -> float:
        return self.behind


@dataclass
class Asked:
    """One worker's page, and what it is asked."""

    gates: Gates
    rows: FakeRows
    client: httpx.AsyncClient
    forwarded: list[httpx.Request] = field(default_factory=list)

    def keep(self, gate: Gate) -> None:
        self.rows.rows[CLAIM.key] = GatesRow().with_gate(RULE, gate).to_bytes()

    async def get(self, path: str = PATH, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)


@pytest.fixture
async def asked() -> AsyncIterator[Asked]:
    rows = FakeRows()
    gates = Gates(BOOK, lambda: START_MS, stale_after_seconds=30, address="http://one", rows=rows)
    app = Starlette(routes=[Route("/gates/{table}/{id}", gates.answer)])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://one") as client:
        found = Asked(gates, rows, client)

        def other(request: httpx.Request) -> httpx.Response:
            found.forwarded.append(request)
            if request.url.host == "gone":
                raise httpx.ConnectError("nobody there")
            return httpx.Response(404, json={"error": "record_unknown"}, headers={"age": "7"})

        gates.peers = httpx.AsyncClient(transport=httpx.MockTransport(other))
        yield found
        await gates.close()


async def test_a_closed_gate_says_what_is_missing_and_since_when(asked: Asked) -> None:
    asked.keep(CLOSED)
    answer = await asked.get()
    assert answer.status_code == 200
    assert answer.json() == {
        "record": CLAIM.key,
        "open": False,
        "missing": ["Form", "Opinion (rejected)"],
        "gates": [
            {
                "rule": RULE,
                "status": "closed",
                "missing": ["Form", "Opinion (rejected)"],
                "since": "2023-11-14T22:13:20Z",
                "until": None,
                "violated_on": None,
            }
        ],
        "behind_seconds": 0.0,
        "stale": False,
    }
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("status", "may_pass"),
    [("open", True), ("not_required", True), ("closed", False), ("expired", False)],
)
async def test_only_an_open_gate_or_none_lets_pass(
    asked: Asked, status: str, may_pass: bool
) -> None:
    asked.keep(Gate(status=GateStatus(status), since_ms=START_MS))
    assert (await asked.get()).json()["open"] is may_pass


async def test_an_open_gate_is_expired_from_its_moment_on(asked: Asked) -> None:
    asked.keep(OPEN)
    assert (await asked.get()).json()["gates"][0]["until"] == "2023-11-14T22:14:20Z"
    asked.gates.now_ms = lambda: START_MS + 60_000
    body = (await asked.get()).json()
    assert (body["open"], body["gates"][0]["status"]) == (False, "expired")
    assert body["gates"][0]["since"] == "2023-11-14T22:14:20Z"


async def test_an_answer_that_is_too_old_says_so(asked: Asked) -> None:
    asked.keep(OPEN)
    asked.rows.behind = 31.4
    answer = await asked.get()
    assert (answer.json()["stale"], answer.json()["behind_seconds"]) == (True, 31.4)
    assert answer.headers["age"] == "31"


@pytest.mark.parametrize("row_id", [f"{{{CLAIM.id.upper()}}}", CLAIM.id.replace("-", "")])
async def test_an_id_is_taken_as_people_write_it(asked: Asked, row_id: str) -> None:
    asked.keep(OPEN)
    assert (await asked.get(f"/gates/New_Claim/{row_id}")).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/gates/new_claim/7", 400, "bad_record"),
        (f"/gates/../{CLAIM.id}", 404, None),
        (f"/gates/contact/{CLAIM.id}", 404, "table_not_guarded"),
        (f"/gates/account/{CLAIM.id}", 404, "table_not_guarded"),
        (PATH, 404, "record_unknown"),
    ],
)
async def test_what_cannot_be_answered_says_why(
    asked: Asked, path: str, status: int, code: str | None
) -> None:
    answer = await asked.get(path)
    assert answer.status_code == status
    if code is not None:
        assert answer.json()["error"] == code


async def test_a_deleted_record_is_not_known(asked: Asked) -> None:
    asked.rows.rows[CLAIM.key] = GatesRow().to_bytes()
    assert (await asked.get()).status_code == 404


async def test_a_record_of_another_worker_is_asked_there_once(asked: Asked) -> None:
    asked.rows.here, asked.rows.owner = False, "http://two:8080"
    answer = await asked.get()
    assert (answer.status_code, answer.json()) == (404, {"error": "record_unknown"})
    assert answer.headers["age"] == "7"
    (request,) = asked.forwarded
    assert str(request.url) == f"http://two:8080{PATH}"
    assert request.headers[FORWARDED] == "http://one"


@pytest.mark.parametrize(
    ("owner", "headers"),
    [
        pytest.param(None, {}, id="partitions move"),
        pytest.param("http://one", {}, id="this worker has it, but does not work yet"),
        pytest.param("http://two", {FORWARDED: "http://three"}, id="passed on already"),
        pytest.param("http://gone", {}, id="the other does not answer"),
    ],
)
async def test_where_nobody_can_tell_now_it_says_when_to_ask_again(
    asked: Asked, owner: str | None, headers: dict[str, str]
) -> None:
    asked.rows.here, asked.rows.owner = False, owner
    answer: Any = await asked.get(**headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["error"] == "not_now"


async def test_before_the_worker_has_joined_it_says_when_to_ask_again(asked: Asked) -> None:
    asked.gates.rows = None
    assert (await asked.get()).status_code == 503
