"""Every row of the status tables of Content Server and OTDS, provoked on a simulated one over real
sockets: the remedy that it leads to, and how often was asked.

What the server says by itself is provoked by a call that deserves it; what gateways and bad days
say, by a fault.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from app.clients.ecm.status import CONTENT_SERVER, OTDS
from app.clients.http import Endpoint, Timeouts
from app.sandbox.content_server import categories, holds
from app.sandbox.content_server.behaviour import Behaviour
from app.sandbox.content_server.model import NodeType
from app.sandbox.content_server.permissions import bits
from app.sandbox.content_server.records_model import Hold
from app.sandbox.faults import Fault
from streams.errors import (
    Conflict,
    DovetailError,
    Misconfigured,
    Refused,
    Retryable,
    Throttled,
    TokenExpired,
    Unavailable,
)
from tests.clients.test_against_simulators import Ecm, content_server

Provoke = Callable[[Ecm, Endpoint], Awaitable[object]]
Case = tuple[Provoke, type[DovetailError], str]
FOLDER = {"type": 0, "parent_id": 2000, "name": "Taken"}


@pytest.fixture
async def ecm() -> AsyncIterator[Ecm]:
    async with content_server() as system:
        yield system


def endpoint(ecm: Ecm, timeouts: Timeouts | None = None) -> Endpoint:
    return Endpoint(
        system="ecm",
        base_url=ecm.simulator.url,
        url_setting="DOVETAIL_CONTENT_SERVER_URL",
        client=ecm.http,
        table=CONTENT_SERVER,
        sign_in=ecm.tickets,
        observer=ecm.observed,
        timeouts=timeouts,
    )


def body(content: dict[str, Any]) -> dict[str, str]:
    return {"body": json.dumps(content)}


def asks(method: str, path: str, **content: Any) -> Provoke:
    """One call that the server refuses by itself."""

    async def provoke(_: Ecm, calls: Endpoint) -> object:
        form = body(content) if content else None
        return await calls.call("provoke", method, path, form=form)

    return provoke


def fails(kind: str, status: int = 503, *, html: bool = False) -> Provoke:
    """A call that would succeed, on a bad day."""

    async def provoke(ecm: Ecm, calls: Endpoint) -> object:
        fault = Fault(kind, times=None, path="/v2/nodes/2000", status=status, html=html)
        fault.retry_after = 7 if kind == "status" else None
        ecm.simulator.faults.add(fault)
        return await calls.call("provoke", "GET", "/v2/nodes/2000")

    return provoke


async def a_name_that_is_taken(ecm: Ecm, calls: Endpoint) -> object:
    ecm.simulator.store.new_node(2000, "Taken", NodeType.FOLDER, 1000)
    return await calls.call("provoke", "POST", "/v2/nodes", form=body(FOLDER))


async def a_category_that_is_there(ecm: Ecm, calls: Endpoint) -> object:
    made = ecm.simulator.create_workspace("Account", "A")
    form = {"category_id": str(ecm.simulator.category_id("Business Record"))}
    return await calls.call("provoke", "POST", f"/v2/nodes/{made.id}/categories", form=form)


async def a_business_object_that_is_linked(ecm: Ecm, calls: Endpoint) -> object:
    linked = ("D365", "account", "1")
    ecm.simulator.create_workspace("Account", "A", business_object=linked)
    content = {
        "template_id": ecm.simulator.template_id("Account"),
        "name": "B",
        **dict(zip(("ext_system_id", "bo_type", "bo_id"), linked, strict=True)),
    }
    return await calls.call("provoke", "POST", "/v2/businessworkspaces", form=body(content))


async def categories_that_are_not_nested(ecm: Ecm, calls: Endpoint) -> object:
    key = f"{ecm.simulator.category_id('Business Record')}_2"
    content = {
        "template_id": ecm.simulator.template_id("Account"),
        "name": "B",
        "roles": {"categories": {key: "Active"}},
    }
    return await calls.call("provoke", "POST", "/v2/businessworkspaces", form=body(content))


async def a_stale_token(ecm: Ecm, calls: Endpoint) -> object:
    made = ecm.simulator.create_workspace("Account", "A")
    category = ecm.simulator.category_id("Business Record")
    token = categories.token(ecm.simulator.node(made.id), category)
    for value in ("Active", "Closed"):
        form = {f"{category}_2": value, "metadata_token": token}
        path = f"/v2/nodes/{made.id}/categories/{category}/"
        await calls.call("provoke", "PUT", path, form=form)
    raise AssertionError("the token was still good")


async def a_hold(ecm: Ecm, calls: Endpoint) -> object:
    store = ecm.simulator.store
    made = ecm.simulator.create_workspace("Account", "A", user="dovetail")
    admin = ecm.simulator.member("Admin")
    hold = holds.create(store, Hold(store.new_id(), "Case 7", "Legal"))
    holds.apply(store, ecm.simulator.node(made.id), hold, admin)
    return await calls.call("provoke", "DELETE", f"/v2/nodes/{made.id}")


def no_right(status: int) -> Provoke:
    async def provoke(ecm: Ecm, calls: Endpoint) -> object:
        ecm.simulator.behaviour.denied_status = status
        made = ecm.simulator.create_workspace("Account", "A")
        ecm.simulator.node(made.id).acl.public = bits(["see", "see_contents"], 0)
        return await calls.call("provoke", "DELETE", f"/v2/nodes/{made.id}")

    return provoke


async def no_right_in_records_management(ecm: Ecm, calls: Endpoint) -> object:
    made = ecm.simulator.create_workspace("Account", "A")
    ecm.simulator.node(made.id).acl.public = bits(["see", "see_contents"], 0)
    path = f"/v1/nodes/{made.id}/rmclassifications"
    class_id = next(iter(ecm.simulator.store.records.classifications))
    return await calls.call("provoke", "POST", path, form=body({"class_id": class_id}))


CASES: dict[str, Case] = {
    "429": (fails("status", 429), Throttled, "throttled"),
    "429 of a gateway": (fails("status", 429, html=True), Throttled, "throttled"),
    "502": (fails("status", 502, html=True), Unavailable, "gateway_error"),
    "503": (fails("status", 503, html=True), Unavailable, "gateway_error"),
    "503 with JSON": (fails("status", 503), Unavailable, "gateway_error"),
    "504": (fails("status", 504), Unavailable, "gateway_error"),
    "408": (fails("status", 408), Unavailable, "no_answer"),
    "500 with a page": (fails("error_page"), Unavailable, "not_json"),
    "200 with a page": (fails("garbage"), Unavailable, "not_json"),
    "404 of a gateway": (fails("status", 404, html=True), Unavailable, "not_json"),
    "reset": (fails("reset"), Unavailable, "connection_lost"),
    "hung up": (fails("hang_up"), Unavailable, "connection_lost"),
    "answer lost": (fails("lose_answer"), Unavailable, "connection_lost"),
    "answer cut": (fails("cut_body"), Unavailable, "connection_lost"),
    "outage": (fails("outage"), Unavailable, "connection_lost"),
    "a stale token": (a_stale_token, Conflict, "edit_conflict"),
    "a URL of a newer version": (asks("GET", "/v2/wonders"), Misconfigured, "endpoint_missing"),
    "flat categories": (categories_that_are_not_nested, Refused, "categories_unreadable"),
    "a category twice": (a_category_that_is_there, Refused, "already_there"),
    "a linked object": (a_business_object_that_is_linked, Refused, "already_there"),
    "a name twice": (a_name_that_is_taken, Refused, "name_taken"),
    "a hold": (a_hold, Refused, "record_locked"),
    "a missing node": (asks("GET", "/v2/nodes/999999"), Refused, "not_found"),
    "a missing workspace": (asks("GET", "/v2/businessworkspaces/999999"), Refused, "not_found"),
    "no right, 400": (no_right(400), Refused, "permission_denied"),
    "no right, 500": (no_right(500), Refused, "permission_denied"),
    "no right, records": (no_right_in_records_management, Refused, "permission_denied"),
    "403": (fails("status", 403), Refused, "permission_denied"),
    "413": (fails("status", 413), Refused, "payload_too_large"),
    "a wrong type": (
        asks("GET", "/v2/nodes/2000/nodes?limit=many"),
        Refused,
        "value_invalid",
    ),
    "400 for another reason": (fails("status", 400), Refused, "request_invalid"),
    "500 of the application": (fails("status", 500), Refused, "application_error"),
    "an unheard-of status": (fails("status", 418), Refused, "application_error"),
}


@pytest.mark.parametrize(("provoke", "error", "code"), CASES.values(), ids=CASES)
async def test_a_bad_answer_ends_in_its_remedy_and_is_asked_for_once(
    ecm: Ecm, provoke: Provoke, error: type[DovetailError], code: str
) -> None:
    await ecm.gateway.workspace_types()  # signed in
    with pytest.raises(DovetailError) as raised:
        await provoke(ecm, endpoint(ecm))
    assert (type(raised.value), raised.value.code) == (error, code)
    asked = [one for one in ecm.observed.requests if one[1] == "provoke"]
    assert len(asked) == (2 if provoke is a_stale_token else 1), asked
    if isinstance(raised.value, Retryable) and "429" in raised.value.message:
        assert raised.value.retry_after == 7


def test_every_row_is_provoked() -> None:
    provoked = {code for _, _, code in CASES.values()}
    by_sign_in = {"ticket_expired"}
    assert provoked - {"connection_lost"} | by_sign_in == CONTENT_SERVER.codes


async def test_a_ticket_that_expires_costs_one_sign_in_and_the_call_succeeds(ecm: Ecm) -> None:
    calls = endpoint(ecm)
    await calls.call("read", "GET", "/v2/nodes/2000")
    before = ecm.sign_ins()
    ecm.simulator.faults.add(Fault("expire_ticket", path="/v2/nodes/2000"))
    await calls.call("read", "GET", "/v2/nodes/2000")
    assert ecm.sign_ins() == before + 1


async def test_a_second_401_is_our_configuration(ecm: Ecm) -> None:
    ecm.simulator.faults.add(Fault("status", times=2, path="/v2/nodes/2000", status=401))
    with pytest.raises(Misconfigured) as raised:
        await endpoint(ecm).call("read", "GET", "/v2/nodes/2000")
    assert raised.value.code == "credentials_refused"


async def test_a_new_token_that_is_refused_while_sessions_end_is_tried_again(ecm: Ecm) -> None:
    calls = endpoint(ecm)
    await calls.call("read", "GET", "/v2/nodes/2000")
    ecm.simulator.expire_tickets(tokens=True)
    ecm.simulator.faults.add(Fault("status", path="/v1/auth", status=401))
    with pytest.raises(TokenExpired):
        await calls.call("read", "GET", "/v2/nodes/2000")
    await calls.call("read", "GET", "/v2/nodes/2000")


@pytest.mark.parametrize("kind", ["latency", "slow_body"])
async def test_an_answer_that_does_not_come_in_time_is_an_outage(ecm: Ecm, kind: str) -> None:
    """Also one that trickles: each piece in time, the whole never."""
    await ecm.gateway.workspace_types()
    calls = endpoint(ecm, Timeouts(read_seconds=0.2, write_seconds=0.2))
    ecm.simulator.faults.add(Fault(kind, path="/v2/nodes/2000", seconds=3.0))
    with pytest.raises(Unavailable) as raised:
        await calls.call("read", "GET", "/v2/nodes/2000")
    assert raised.value.code == "timeout"
    ecm.simulator.faults.clear()
    await endpoint(ecm).call("read", "GET", "/v2/nodes/2000")


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        (Fault("status", status=429, retry_after=4), Throttled, "throttled"),
        (Fault("status", status=503, html=True), Unavailable, "otds_unavailable"),
        (Fault("status", status=500), Unavailable, "otds_unavailable"),
        (Fault("status", status=400, html=True), Unavailable, "otds_unavailable"),
        (Fault("status", status=400), Misconfigured, "sign_in_refused"),
        (Fault("status", status=401), Misconfigured, "sign_in_refused"),
        (Fault("status", status=403, html=True), Misconfigured, "sign_in_refused"),
        (Fault("reset"), Unavailable, "connection_lost"),
        (Fault("outage"), Unavailable, "connection_lost"),
    ],
    ids=lambda value: f"{value.kind} {value.status}" if isinstance(value, Fault) else "",
)
async def test_every_row_of_the_directory_ends_in_its_remedy(
    ecm: Ecm, fault: Fault, error: type[DovetailError], code: str
) -> None:
    fault.path = "/otdsws/"
    ecm.simulator.faults.add(fault)
    with pytest.raises(DovetailError) as raised:
        await ecm.tickets.present()
    assert (type(raised.value), raised.value.code) == (error, code)
    ecm.simulator.faults.clear()
    assert (await ecm.tickets.present()).text


def test_the_directorys_codes_are_those_that_a_sign_in_shows() -> None:
    """``credentials_refused`` shows as ``sign_in_refused``: it is our setting that is wrong."""
    assert OTDS.codes == {"throttled", "otds_unavailable", "credentials_refused"}


async def test_a_behaviour_that_answers_a_linked_object_otherwise_is_looked_up() -> None:
    """Its status and text are undocumented: whatever they are, the workspace is adopted."""
    for status, text in ((400, "In use."), (409, "No."), (500, "It exists already, sort of.")):
        behaviour = Behaviour(bo_linked_status=status, bo_linked_text=text)
        async with content_server(behaviour=behaviour) as system:
            first = await system.ensure()
            lookups = Fault("status", status=404, times=2, path="/boids/|where_bo_id")
            system.simulator.faults.add(lookups)
            with pytest.raises(Refused):
                await system.ensure(name="Other")
            assert (await system.ensure(name="Other")).id == first.id
            assert len(system.simulator.workspaces()) == 1
