"""Restricting a workspace to roles, over real sockets: who may open it, and who may not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.sandbox.content_server import access
from app.sandbox.faults import Fault
from streams.errors import Refused, Throttled, Unavailable
from tests.clients.conversation import body_of, ok
from tests.clients.ecm.talk import gateway, items, server
from tests.clients.test_against_simulators import Ecm, content_server


@pytest.fixture
async def ecm() -> AsyncIterator[Ecm]:
    async with content_server() as system:
        yield system


async def team(ecm: Ecm) -> int:
    """A workspace with somebody in each of its roles."""
    workspace = await ecm.ensure()
    for role, member in (("Owner", "ann.seller"), ("Team", "Service"), ("Readers", "bob.broker")):
        await ecm.gateway.set_role_members(workspace.id, role=role, members=[member])
    return workspace.id


def who_sees(ecm: Ecm, node_id: int) -> set[str]:
    """The people of the default server who may open the node."""
    store = ecm.simulator.store
    names = ("ann.seller", "bob.broker", "cleo.care", "dan.desk", "eve.counsel", "dovetail")
    node = store.node(node_id)
    return {n for n in names if access.may(store, node, ecm.simulator.member(n), "see_contents")}


def writes(ecm: Ecm) -> list[str]:
    return [
        f"{r.method} {r.path.split('/')[-1 if r.method == 'DELETE' else -2]}"
        for r in ecm.simulator.requests
        if r.method in ("PUT", "DELETE") and ("/permissions/" in r.path or "/roles/" in r.path)
    ]


async def test_only_the_named_roles_and_who_administers_open_it(ecm: Ecm) -> None:
    workspace_id = await team(ecm)
    folder = ecm.simulator.store.child_by_name(workspace_id, "Contracts")
    assert folder is not None
    assert "eve.counsel" in who_sees(ecm, workspace_id)
    await ecm.gateway.restrict_access(workspace_id, roles=["team"])
    # The lead role and the owner of the workspace administer it.
    allowed = {"ann.seller", "cleo.care", "dan.desk", "dovetail"}
    assert who_sees(ecm, workspace_id) == allowed
    assert who_sees(ecm, folder.id) == allowed


async def test_the_same_again_writes_nothing(ecm: Ecm) -> None:
    workspace_id = await team(ecm)
    await ecm.gateway.restrict_access(workspace_id, roles=["Team"])
    before = writes(ecm)
    assert before
    await ecm.gateway.restrict_access(workspace_id, roles=["Team", "Owner"])
    assert writes(ecm) == before


async def test_a_role_that_was_shut_out_gets_to_read_again(ecm: Ecm) -> None:
    workspace_id = await team(ecm)
    await ecm.gateway.restrict_access(workspace_id, roles=["Team"])
    await ecm.gateway.restrict_access(workspace_id, roles=["Readers"])
    assert who_sees(ecm, workspace_id) == {"ann.seller", "bob.broker", "dovetail"}


async def test_a_role_that_is_not_there_is_refused_and_nothing_is_written(ecm: Ecm) -> None:
    workspace_id = await team(ecm)
    with pytest.raises(Refused, match="Owner, Readers, Team") as raised:
        await ecm.gateway.restrict_access(workspace_id, roles=["Team", "Bosses"])
    assert raised.value.code == "role_unknown"
    assert writes(ecm) == []
    with pytest.raises(Refused) as missing:
        await ecm.gateway.restrict_access(999999, roles=[])
    assert missing.value.code == "workspace_missing"


async def test_an_interruption_is_completed_by_repeating(ecm: Ecm) -> None:
    number = 0
    for method, path in (("PUT", "/roles/"), ("DELETE", "/permissions/")):
        for kind in ("lose_answer", "hang_up", "error_page"):
            number += 1
            workspace = await ecm.ensure(number, f"Contoso {number}")
            ecm.simulator.faults.add(Fault(kind, method=method, path=path))
            with pytest.raises(Unavailable):
                await ecm.gateway.restrict_access(workspace.id, roles=["Team"])
            assert "dovetail" in who_sees(ecm, workspace.id)
            await ecm.gateway.restrict_access(workspace.id, roles=["Team"])
            assert who_sees(ecm, workspace.id) == {"dovetail"}


async def test_a_busy_server_is_waited_for(ecm: Ecm) -> None:
    workspace_id = await team(ecm)
    ecm.simulator.faults.add(Fault("status", path="/permissions", status=429, retry_after=9))
    with pytest.raises(Throttled):
        await ecm.gateway.restrict_access(workspace_id, roles=["Team"])


async def test_single_users_and_groups_are_taken_out_unless_they_administer() -> None:
    """A server that shows roles among the permissions of the item."""
    talk = server().on("GET", "/roles", ok(items({"id": 7, "name": "Team", "perms": 36995})))
    shown = [
        {"type": "owner", "right_id": 1, "permissions": ["see", "see_contents"]},
        {"type": "group", "right_id": 2, "permissions": ["see", "see_contents"]},
        {"type": "public", "permissions": ["see", "edit_permissions"]},
        {"type": "custom", "right_id": 7, "permissions": ["see", "see_contents"]},
        {"type": "custom", "right_id": 8, "permissions": ["see"]},
        {"type": "custom", "right_id": 9, "permissions": ["see", "edit_permissions"]},
        {"type": "custom", "right_id": 10, "permissions": []},
    ]
    body = {"results": [{"data": {"permissions": entry}} for entry in shown]}
    talk.on("GET", "/permissions", ok(body)).on("DELETE", "/permissions", ok({}))
    await gateway(talk).restrict_access(42, roles=["Team"])
    permissions = "DELETE /cs/cs/api/v2/nodes/42/permissions"
    assert talk.writes() == [
        f"{permissions}/group",
        f"{permissions}/public",
        f"{permissions}/custom/8",
    ]
    assert all(body_of(request) == {"apply_to": 2} for request in talk.asked("DELETE"))
