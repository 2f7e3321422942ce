"""Retention and clearance through the gateway, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest

from app.clients.ecm import ContentServerGateway
from app.clients.ecm.records import RecordStates
from app.sandbox.content_server import access, records
from app.sandbox.content_server.behaviour import Behaviour
from app.sandbox.faults import Fault
from streams.errors import Conflict, Misconfigured, Refused, Throttled, Unavailable
from tests.clients.conversation import body_of, ok
from tests.clients.ecm.talk import error, gateway, server
from tests.clients.test_against_simulators import Ecm, content_server

CASES = "Customer Service/Cases"


@pytest.fixture
async def ecm() -> AsyncIterator[Ecm]:
    async with content_server() as system:
        yield system


async def retain(ecm: Ecm, workspace_id: int, starts_on: str | None, where: str = CASES) -> None:
    await ecm.gateway.set_retention(workspace_id, classification=where, starts_on=starts_on)


def writes(ecm: Ecm) -> list[str]:
    """The records calls that changed something."""
    return [
        r.method
        for r in ecm.simulator.requests
        if r.path.endswith("/rmclassifications") and r.method != "GET"
    ]


async def test_a_workspace_is_classified_and_its_retention_starts_later(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    await retain(ecm, workspace.id, None)
    held = ecm.simulator.people.record(workspace.id)
    assert held is not None
    assert (held.classification, held.rsi, held.status) == (CASES, "CASE-7Y", "ACTIVE")
    assert held.kept_until is None
    await retain(ecm, workspace.id, "2026-03-31")
    held = ecm.simulator.people.record(workspace.id)
    assert held is not None
    assert held.status == "CLOSED"
    assert held.record_date == held.status_date == date(2026, 3, 31)
    assert held.kept_until == date(2033, 3, 31)


async def test_the_same_again_writes_nothing(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    for _ in range(3):
        await retain(ecm, workspace.id, "2026-03-31T10:00:00Z")
    assert writes(ecm) == ["POST", "PUT"]


async def test_a_record_that_is_opened_again_stops_running_out(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    await retain(ecm, workspace.id, "2026-03-31")
    for _ in range(2):
        await retain(ecm, workspace.id, None)
    held = ecm.simulator.people.record(workspace.id)
    assert held is not None
    assert (held.status, held.kept_until) == ("ACTIVE", None)
    assert writes(ecm) == ["POST", "PUT", "PUT"]


async def test_another_classification_takes_the_place_of_the_first(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    await retain(ecm, workspace.id, None)
    await retain(ecm, workspace.id, None, "sales/contracts")
    held = ecm.simulator.people.record(workspace.id)
    assert held is not None
    assert (held.classification, held.rsi) == ("Sales/Contracts", "CONTRACT-10Y")


async def test_a_classification_may_be_named_by_id_or_nickname(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    plan = ecm.simulator.store.records.classifications
    number = next(c.id for c in plan.values() if c.name == "Vendors")
    ecm.simulator.store.nicknames["vendor_files"] = number
    for name in (str(number), "vendor_files"):
        await retain(ecm, workspace.id, None, name)
    held = ecm.simulator.people.record(workspace.id)
    assert held is not None
    assert held.classification == "Procurement/Vendors"
    assert writes(ecm) == ["POST"]


async def test_a_lost_answer_is_repaired_by_repeating(ecm: Ecm) -> None:
    number = 0
    for method in ("POST", "PUT"):
        for kind in ("lose_answer", "hang_up", "error_page"):
            number += 1
            workspace = await ecm.ensure(number, f"Contoso {number}")
            ecm.simulator.faults.add(Fault(kind, method=method, path="/rmclassifications"))
            with pytest.raises(Unavailable):
                await retain(ecm, workspace.id, "2026-03-31")
            await retain(ecm, workspace.id, "2026-03-31")
            held = ecm.simulator.people.record(workspace.id)
            assert held is not None
            assert (held.status, held.status_date) == ("CLOSED", date(2026, 3, 31))


async def test_a_version_that_calls_the_status_otherwise_is_understood() -> None:
    async with content_server(behaviour=Behaviour(rm_status_key="status")) as system:
        workspace = await system.ensure()
        await retain(system, workspace.id, "2026-03-31")
        held = system.simulator.people.record(workspace.id)
        assert held is not None
        assert held.status == "CLOSED"


async def test_what_is_not_there_is_said(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    with pytest.raises(Misconfigured, match="Nowhere") as unknown:
        await retain(ecm, workspace.id, None, "Customer Service/Nowhere")
    assert unknown.value.code == "classification_unknown"
    with pytest.raises(Refused) as missing:
        await retain(ecm, 999999, None)
    assert missing.value.code == "workspace_missing"
    with pytest.raises(Refused, match="soon") as wrong:
        await retain(ecm, workspace.id, "soon")
    assert wrong.value.code == "value_invalid"
    assert writes(ecm) == []


async def test_a_final_record_is_left_as_it_is(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    await retain(ecm, workspace.id, None)
    store = ecm.simulator.store
    records.finalize(store, store.node(workspace.id), ecm.simulator.member("Admin"))
    with pytest.raises(Refused) as raised:
        await retain(ecm, workspace.id, None, "Sales/Contracts")
    assert raised.value.code == "record_locked"
    with pytest.raises(Refused) as renamed:
        await ecm.gateway.update_workspace(workspace.id, name="Other", attributes={})
    assert renamed.value.code == "record_locked"


def details(**row: Any) -> Any:
    return ok({"data": [{"rmclassification_id": 7, **row}], "rm_metadataToken": "t1"})


async def test_a_server_that_takes_the_call_but_not_the_value_is_found_out() -> None:
    talk = server().on("GET", "/rmclassifications", details(file_status="ACTIVE"))
    talk.on("PUT", "/rmclassifications", ok({}))
    with pytest.raises(Refused, match="file_status") as raised:
        await gateway(talk).set_retention(42, classification="7", starts_on="2026-01-31")
    assert raised.value.code == "value_ignored"
    assert body_of(talk.asked("PUT")[0]) == {
        "rm_metadataToken": "t1",
        "record_date": "2026-01-31",
        "status_date": "2026-01-31",
        "file_status": "CLOSED",
    }


async def test_a_company_may_have_named_its_own_states() -> None:
    before, after = (
        details(file_status="OPEN"),
        details(
            file_status="Inactive", record_date="2026-01-31", status_date="2026-01-31T00:00:00"
        ),
    )
    talk = server().on("GET", "/rmclassifications", before, after)
    talk.on("PUT", "/rmclassifications", ok({}))
    ours = gateway(talk, record_states=RecordStates(open="OPEN", closed="INACTIVE"))
    await ours.set_retention(42, classification="7", starts_on="2026-01-31")
    assert body_of(talk.asked("PUT")[0])["file_status"] == "INACTIVE"


async def test_a_server_that_ignores_the_classification_is_found_out() -> None:
    talk = server().on("GET", "/rmclassifications", ok({"data": [], "rm_metadataToken": "t1"}))
    talk.on("POST", "/rmclassifications", ok({}))
    with pytest.raises(Refused) as raised:
        await gateway(talk).set_retention(42, classification="7", starts_on=None)
    assert raised.value.code == "value_ignored"


async def test_somebody_who_classified_meanwhile_is_fine() -> None:
    none = ok({"data": [], "rm_metadataToken": "t1"})
    talk = server().on("GET", "/rmclassifications", none, details(file_status="ACTIVE"))
    talk.on("POST", "/rmclassifications", error(400, "Unknown text"))
    await gateway(talk).set_retention(42, classification="7", starts_on=None)


async def test_a_stale_token_is_a_conflict_that_is_repeated() -> None:
    talk = server().on("GET", "/rmclassifications", details(file_status="ACTIVE"))
    talk.on("PUT", "/rmclassifications", error(409, "Could not update metadata (edit conflict)."))
    with pytest.raises(Conflict):
        await gateway(talk).set_retention(42, classification="7", starts_on="2026-01-31")


async def test_a_busy_server_is_waited_for(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    ecm.simulator.faults.add(Fault("status", path="/volumes/550", status=429, retry_after=4))
    with pytest.raises(Throttled) as raised:
        await retain(ecm, workspace.id, None)
    assert raised.value.retry_after == 4


async def test_clearance_hides_a_workspace_and_is_written_once(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    for _ in range(2):
        await ecm.gateway.set_clearance(workspace.id, level=50, markings=["LEGAL"])
    puts = [r for r in ecm.simulator.requests if r.path.endswith("/securityclearances")]
    assert [r.method for r in puts] == ["GET", "PUT", "GET"]
    store = ecm.simulator.store
    node = store.node(workspace.id)
    seen = {n for n in ("dovetail", "eve.counsel", "ann.seller", "gina.guard")
            if access.visible(store, node, ecm.simulator.member(n))}  # fmt: skip
    assert seen == {"dovetail", "eve.counsel", "gina.guard"}
    with pytest.raises(Refused) as raised:
        await ecm.gateway.set_clearance(workspace.id, level=77, markings=[])
    assert raised.value.code == "not_found"
    with pytest.raises(Refused) as missing:
        await ecm.gateway.set_clearance(999999, level=10, markings=[])
    assert missing.value.code == "workspace_missing"


async def test_a_gateway_knows_nothing_that_another_did(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    await retain(ecm, workspace.id, "2026-03-31")
    other = ContentServerGateway(ecm.base_url, ecm.tickets, client=ecm.http)
    await other.set_retention(workspace.id, classification=CASES, starts_on="2026-03-31")
    assert writes(ecm) == ["POST", "PUT"]
