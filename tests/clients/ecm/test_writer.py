"""The writer of Extended ECM over real sockets: what passes is waited out and written once, what is
refused is reported and never repeated, what is ours to correct stops it (DESIGN, section 7)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from app.sandbox.faults import Fault
from streams.engine.records import Record
from streams.errors import Misconfigured
from streams.guard import DeadLetterLimit, Guard
from streams.messages.commands import EnsureWorkspace, SetRoleMembers, UpdateWorkspace
from streams.messages.outcomes import (
    OUTCOMES,
    AnyOutcome,
    StepDone,
    WorkspaceEnsured,
    WriteRefused,
)
from streams.metrics import Metrics
from streams.topics import ECM_COMMANDS
from streams.write_ecm import EcmWriter
from streams.writers.patience import Backoff, Breaker, Limiter, SystemClock
from streams.writers.writing import Patience
from tables.keys import RecordRef, command_id, digest
from tests.clients.test_against_simulators import Ecm, account, content_server
from tests.streams.world import DictRows

RECORD = RecordRef("account", account(1).id)
#: More often than any writer repeats what does not pass.
MANY = 25
Command = EnsureWorkspace | SetRoleMembers | UpdateWorkspace


@pytest.fixture
async def ecm() -> AsyncIterator[Ecm]:
    async with content_server() as system:
        yield system


def writer(ecm: Ecm) -> EcmWriter:
    """As the worker has it, but in a hurry."""
    clock, metrics = SystemClock(), Metrics(CollectorRegistry())
    hurry = Backoff(0.001, 0.01)
    breaker = Breaker(clock, random.Random(1), threshold=5, backoff=hurry)
    patience = Patience(Limiter(4, 1e6, clock), breaker, clock, hurry, random.Random(1))
    return EcmWriter(metrics, Guard("write-ecm", metrics, DeadLetterLimit()), patience, ecm.gateway)


def common(step: str, desired: Any) -> dict[str, Any]:
    wanted = digest(desired)
    return {
        "id": command_id("record_workspace", RECORD, step, wanted),
        "rule": "account-workspace",
        "record": RECORD,
        "step": step,
        "desired": wanted,
        "caused_at_ms": 1,
    }


def ensure(kind: str = "Account", name: str = "Contoso", **attributes: Any) -> EnsureWorkspace:
    return EnsureWorkspace(
        **common("workspace", [kind, name]),
        business_object=account(1),
        workspace_type=kind,
        name=name,
        attributes={"Business Record": attributes} if attributes else {},
        properties="p",
    )


def members(workspace: int, *names: str) -> SetRoleMembers:
    return SetRoleMembers(
        **common("role/Team", names), workspace_id=workspace, role="Team", members=names
    )


def update(workspace: int, **attributes: Any) -> UpdateWorkspace:
    return UpdateWorkspace(
        **common("properties", str(attributes)),
        workspace_id=workspace,
        name="Contoso",
        attributes={"Business Record": attributes},
    )


async def written(ecm: Ecm, command: Command) -> AnyOutcome:
    """The one outcome of the command, and no dead letter beside it."""
    value = command.model_dump_json().encode()
    message = Record(ECM_COMMANDS.name, 0, 0, 0, command.key.encode(), value, ())
    (sent,) = await asyncio.wait_for(writer(ecm).handle(message, DictRows()), 60)
    return OUTCOMES.validate_json(sent.value or b"")


def creations(ecm: Ecm) -> list[int]:
    """How each creation of a workspace was answered."""
    return [
        r.status
        for r in ecm.simulator.requests
        if (r.method, r.path) == ("POST", "/v2/businessworkspaces")
    ]


@pytest.mark.parametrize("path", ["", "/v2/businessworkspaces$", "/boids/", "/v1/auth"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=429, html=True),
        Fault("status", status=503, html=True),
        Fault("status", status=502),
        Fault("error_page"),
        Fault("garbage"),
        Fault("reset"),
        Fault("hang_up"),
        Fault("cut_body"),
    ],
    ids=lambda fault: f"{fault.kind} {fault.status}",
)
async def test_an_outage_of_any_length_ends_in_one_workspace(
    ecm: Ecm, fault: Fault, path: str
) -> None:
    ecm.simulator.faults.add(Fault(fault.kind, MANY, path=path, status=fault.status, html=True))
    outcome = await written(ecm, ensure())
    (made,) = ecm.simulator.workspaces()
    assert isinstance(outcome, WorkspaceEnsured)
    assert (outcome.workspace_id, made.name) == (made.id, "Contoso")
    assert creations(ecm).count(200) == 1
    struck = ecm.simulator.faults.struck[fault.kind]
    # A creation that was done although its answer broke is found, and not sent again.
    assert struck == (1 if (fault.kind, path[-1:]) == ("cut_body", "$") else MANY)


async def test_an_outage_is_waited_out_until_it_ends(ecm: Ecm) -> None:
    made = await ecm.ensure()
    faults = ecm.simulator.faults
    faults.add(Fault("outage"))
    writing = asyncio.create_task(written(ecm, members(made.id, "ann.seller")))
    while faults.struck["outage"] < MANY:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert not writing.done()
    faults.clear()
    assert isinstance(await writing, StepDone)
    assert ecm.simulator.workspace(made.id).roles["Team"] == ("ann.seller",)


async def test_tickets_that_expire_with_every_other_write_end_in_one_effect(ecm: Ecm) -> None:
    made = await ecm.ensure()
    ecm.simulator.faults.add(Fault("expire_ticket", None, path="/v2/", every=2))
    assert isinstance(await written(ecm, members(made.id, "ann.seller", "bob.broker")), StepDone)
    assert set(ecm.simulator.workspace(made.id).roles["Team"]) == {"ann.seller", "bob.broker"}


@pytest.mark.parametrize("status", [400, 403, 404, 413, 500])
async def test_a_refusal_is_reported_and_never_repeated(ecm: Ecm, status: int) -> None:
    """A creation is looked up after a refusal, for its text may mean that it is there."""
    faults = ecm.simulator.faults
    faults.add(Fault("status", None, "POST", "/v2/businessworkspaces$", status=status))
    outcome = await written(ecm, ensure())
    assert isinstance(outcome, WriteRefused)
    assert faults.struck["status"] == 1
    assert ecm.simulator.workspaces() == []


async def test_what_the_record_cannot_have_is_refused_once(ecm: Ecm) -> None:
    made = await ecm.ensure()
    unknown = await written(ecm, members(made.id, "ann.seller", "nobody@nowhere.example"))
    assert isinstance(unknown, WriteRefused)
    assert unknown.code == "member_unknown"
    assert "nobody@nowhere.example" in unknown.message
    assert ecm.simulator.workspace(made.id).roles["Team"] == ("ann.seller",)
    wrong = await written(ecm, update(made.id, Value="much"))
    assert isinstance(wrong, WriteRefused)
    assert wrong.code == "attribute_invalid"
    gone = await written(ecm, update(999999, Value="1"))
    assert isinstance(gone, WriteRefused)
    assert gone.code == "workspace_missing"


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (ensure("Warehouse"), "Warehouse"),
        (ensure("Account", Colour="red"), "Colour"),
    ],
    ids=["a type", "an attribute"],
)
async def test_what_is_ours_to_correct_stops_the_writer(
    ecm: Ecm, command: EnsureWorkspace, named: str
) -> None:
    with pytest.raises(Misconfigured, match=named) as raised:
        await written(ecm, command)
    assert raised.value.advice, "somebody has to know what to do"
    assert ecm.simulator.workspaces() == []


async def test_an_edit_conflict_is_repeated_with_the_new_token(ecm: Ecm) -> None:
    made = await ecm.ensure()
    path = f"/v2/nodes/{made.id}/categories/"
    ecm.simulator.faults.add(Fault("status", 3, "PUT", path, status=409))
    assert isinstance(await written(ecm, update(made.id, Value="7")), StepDone)
    record = ecm.simulator.workspace(made.id).categories["Business Record"]
    assert record["Value"] == 7.0
