"""Bad days while working: outages are waited out, nothing is lost, nothing is made twice."""

from __future__ import annotations

import pytest

from app.sandbox.events import rec
from app.sandbox.events.change import RowEvent
from app.sandbox.faults import Fault, Faults
from tests.main_job.scene import Scene

pytestmark = pytest.mark.broker

RECORDS = 8


async def _told(scene: Scene, count: int = RECORDS) -> list[RowEvent]:
    accounts = [scene.account(f"Contoso {number}") for number in range(count)]
    await scene.tell(*accounts)
    return accounts


async def _ends_right(scene: Scene, accounts: list[RowEvent]) -> None:
    """Every record has its one workspace and shows it; nothing was given up."""
    await scene.until_linked(*accounts)
    await scene.until_quiet()
    scene.assert_no_second_workspace()
    assert len(scene.content_server.workspaces()) == len(accounts)
    owners = [found.roles["Owner"] for a in accounts if (found := scene.workspace(a))]
    assert all(len(owner) == 1 for owner in owners), owners
    assert await scene.letters() == []
    assert await scene.metric("dovetail_refusals_total") == 0


def _systems(scene: Scene) -> tuple[Faults, Faults]:
    return scene.content_server.faults, scene.dataverse.faults


async def _circuit_opens(scene: Scene, system: str) -> None:
    async def is_open() -> bool:
        return await scene.metric("dovetail_circuit_open", system=system) == 1

    await scene.until(is_open, f"the circuit of {system} open")


async def test_while_content_server_is_down_its_circuit_is_open_and_dynamics_goes_on(
    scene: Scene,
) -> None:
    await scene.ready()
    scene.content_server.faults.add(Fault("status", times=None, status=503, html=True))
    accounts = await _told(scene)
    await _circuit_opens(scene, "ecm")

    async def reads() -> float:
        labels = {"system": "dynamics", "command": "read_record", "result": "done"}
        return await scene.metric("dovetail_writes_total", **labels)

    # A body that was too large says only that something changed: the record is read.
    before = await reads()
    thin = scene.account("Read while Content Server is down")
    await scene.send(*rec.encode(thin, rec.Habits(trimmed=True)))

    async def was_read() -> bool:
        return await reads() > before

    await scene.until(was_read, "a record read during the outage")
    assert await scene.metric("dovetail_circuit_open", system="ecm") == 1
    assert await scene.metric("dovetail_circuit_open", system="dynamics") == 0
    assert scene.content_server.workspaces() == []

    scene.content_server.faults.clear()
    await _ends_right(scene, [*accounts, thin])
    assert await scene.metric("dovetail_circuit_open", system="ecm") == 0


async def test_while_dataverse_is_down_workspaces_are_made_and_links_follow(scene: Scene) -> None:
    await scene.ready()
    await scene.dataverse.stop(abort=True)
    accounts = await _told(scene)
    await _circuit_opens(scene, "dynamics")
    await scene.until(lambda: all(map(scene.workspace, accounts)), "workspaces without Dataverse")
    assert not any(map(scene.linked, accounts))
    assert await scene.metric("dovetail_circuit_open", system="ecm") == 0

    await scene.dataverse.start()
    await _ends_right(scene, accounts)


async def test_a_broker_that_goes_away_for_a_while_costs_nothing(scene: Scene) -> None:
    await scene.ready()
    early = await _told(scene, 2)
    await scene.until(lambda: any(map(scene.workspace, early)), "work begun")
    await scene.broker.off()
    await scene.broker.on()
    late = await _told(scene, 2)
    await _ends_right(scene, [*early, *late])


@pytest.mark.parametrize("kind", ["reset", "hang_up"])
async def test_broken_connections_are_tried_again(scene: Scene, kind: str) -> None:
    await scene.ready()
    for faults in _systems(scene):
        faults.add(Fault(kind, times=4))
    await _ends_right(scene, await _told(scene))
    assert [faults.struck[kind] for faults in _systems(scene)] == [4, 4]


async def test_answers_that_are_lost_after_the_commit_make_no_second_workspace(
    scene: Scene,
) -> None:
    await scene.ready()
    ecm, dynamics = _systems(scene)
    ecm.add(Fault("lose_answer", times=3, method="POST", path="/businessworkspaces$"))
    dynamics.add(Fault("lose_answer", times=3, method="PATCH"))
    await _ends_right(scene, await _told(scene))
    assert [faults.struck["lose_answer"] for faults in (ecm, dynamics)] == [3, 3]


async def test_tickets_and_tokens_that_end_early_are_renewed(scene: Scene) -> None:
    await scene.ready()
    first = await _told(scene, 2)
    await scene.until_linked(*first)
    scene.content_server.sessions.expire_all(grants=True)
    scene.here.entra.revoke_tokens()
    ecm, dynamics = _systems(scene)
    second = await _told(scene, 3)
    await scene.until_linked(*second)
    ecm.add(Fault("expire_ticket", times=1))
    dynamics.add(Fault("token_expired", times=1))
    third = await _told(scene, 3)
    await _ends_right(scene, [*first, *second, *third])
    assert (ecm.struck["expire_ticket"], dynamics.struck["token_expired"]) == (1, 1)


async def test_dataverse_is_left_alone_for_as_long_as_it_asks(scene: Scene) -> None:
    await scene.ready()
    dynamics = scene.dataverse.faults
    dynamics.add(Fault("status", times=2, status=429, retry_after=1))
    await _ends_right(scene, await _told(scene))
    assert dynamics.struck["status"] == 2
    waited = "dovetail_http_throttle_wait_seconds_total"
    assert await scene.metric(waited, system="dynamics") >= 1
    assert await scene.metric("dovetail_circuit_open", system="dynamics") == 0
