"""The law of repetition: whatever request of a call fails, repeating the call ends where a call
without any failure ends, and no write is done twice.

Each call is played once on a server without faults, to learn its requests; then, for each of these
and each kind of failure, on a server of the same seed where exactly that request fails. The call is
repeated while it raises Retryable, as the writer does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from app.sandbox.content_server import ContentServerSimulator
from app.sandbox.content_server.audit_trail import AuditEvent
from app.sandbox.content_server.model import Node, NodeType
from app.sandbox.faults import Fault
from streams.errors import Retryable
from tests.clients.test_against_simulators import Ecm, account, content_server

Act = Callable[[Ecm, int], Awaitable[object]]
#: Failures of which the server knows nothing, and those where it has done its work.
BEFORE = ("reset", "error_page", "status")
AFTER = ("lose_answer", "cut_body")


@dataclass(frozen=True)
class Operation:
    """A gateway call on a workspace that was made before."""

    name: str
    act: Act


def document(ecm: Ecm, workspace_id: int) -> int:
    """A document of the workspace, filed once."""
    store = ecm.simulator.store
    known = store.child_by_name(workspace_id, "offer.txt")
    return (known or store.new_node(workspace_id, "offer.txt", NodeType.DOCUMENT, 1000)).id


def related(ecm: Ecm) -> int:
    found = ecm.simulator.find_by_business_object(*object_of(2))
    assert found is not None
    return found.id


def object_of(number: int) -> tuple[str, str, str]:
    known = account(number)
    return known.external_system, known.type, known.id


async def create(ecm: Ecm, _: int) -> object:
    return await ecm.ensure(3, "Fabrikam", {"Record State": "Active", "Value": "12.5"})


async def update(ecm: Ecm, workspace: int) -> None:
    attributes: dict[str, dict[str, Any]] = {
        "Business Record": {"Record Name": "New", "Value": "7.25", "Milestones:Due": "2026-01-31"},
        "Vendor": {"Hold": "All", "Bank Changed On": "2026-01-31"},
    }
    await ecm.gateway.update_workspace(workspace, name="New name", attributes=attributes)


async def empty_number(ecm: Ecm, workspace: int) -> None:
    attributes = {"Business Record": {"Value": None, "Record Name": "x"}}
    await ecm.gateway.update_workspace(workspace, name="First", attributes=attributes)


async def members(ecm: Ecm, workspace: int) -> None:
    people = ["ann.seller", "bob.broker@contoso.example", "Legal"]
    await ecm.gateway.set_role_members(workspace, role="Team", members=people)


async def relate(ecm: Ecm, workspace: int) -> None:
    await ecm.gateway.relate(workspace, related_id=related(ecm), relation="parent")


async def unrelate(ecm: Ecm, workspace: int) -> None:
    await ecm.gateway.unrelate(workspace, related_id=related(ecm), relation="child")


async def restrict(ecm: Ecm, workspace: int) -> None:
    await ecm.gateway.restrict_access(workspace, roles=["Owner", "Team"])


async def clearance(ecm: Ecm, workspace: int) -> None:
    await ecm.gateway.set_clearance(workspace, level=50, markings=["LEGAL"])


async def retention(ecm: Ecm, workspace: int) -> None:
    await ecm.gateway.set_retention(
        workspace, classification="Customer Service/Cases", starts_on="2026-03-31"
    )


async def folder(ecm: Ecm, workspace: int) -> object:
    return await ecm.gateway.ensure_folder(
        workspace,
        path=["Milestones", "2026"],
        key="milestone:0a3f6f52",
        name="Kick-off",
        attributes={"Business Record": {"Record State": "Open"}},
    )


async def workflow(ecm: Ecm, workspace: int) -> object:
    return await ecm.gateway.start_workflow(
        workspace,
        workflow_map="Discount Approval",
        key="deal-1",
        title="Discount",
        comment="please",
        attributes={"Reason": "volume", "Amount": "5"},
        documents=[document(ecm, workspace)],
    )


async def stop(ecm: Ecm, _: int) -> None:
    running = ecm.simulator.people.workflows()
    await ecm.gateway.stop_workflow(running[0].id)


OPERATIONS = [
    Operation(act.__name__, act)
    for act in (
        create,
        update,
        empty_number,
        members,
        relate,
        unrelate,
        restrict,
        clearance,
        retention,
        folder,
        workflow,
        stop,
    )
]


async def prepared(ecm: Ecm) -> int:
    """Two related workspaces with a team of their own, and a workflow that runs."""
    first = await ecm.ensure(1, "First", {"Value": "3.5"})
    other = await ecm.ensure(2, "Second")
    await ecm.gateway.set_role_members(first.id, role="Team", members=["cleo.care"])
    await ecm.gateway.relate(first.id, related_id=other.id, relation="child")
    await ecm.gateway.start_workflow(
        other.id,
        workflow_map="Discount Approval",
        key="other",
        title="Other",
        comment="",
        attributes={},
        documents=[],
    )
    document(ecm, first.id)
    return first.id


def picture(server: ContentServerSimulator) -> dict[str, Any]:
    """All that a person could see of the server, by names; ids depend on how often was asked."""
    store = server.store
    paths = {node.id: path(server, node) for node in store.nodes.values()}
    workspaces = {
        view.name: (
            view.business_objects,
            view.categories,
            {name: sorted(members) for name, members in view.roles.items()},
            sorted(member_rights(server, view.id)),
            server.people.record(view.id),
        )
        for view in server.workspaces()
    }
    workflows = Counter(
        (one.map, one.title, one.state, tuple(sorted(one.attributes.items(), key=str)))
        for one in server.people.workflows()
    )
    return {
        "nodes": Counter((paths[n.id], n.type, str(n.external)) for n in store.nodes.values()),
        "workspaces": workspaces,
        "relations": sorted((paths[a], paths[b]) for a, b in store.relations),
        "workflows": workflows,
        "clearances": sorted(
            (paths[node_id], str(held)) for node_id, held in store.records.node_clearances.items()
        ),
        "created": Counter(
            paths.get(row.node_id) for row in server.audit if row.event == AuditEvent.CREATE
        ),
    }


def path(server: ContentServerSimulator, node: Node) -> str:
    parent = server.store.nodes.get(node.parent_id)
    above = path(server, parent) if parent else ("/" if node.parent_id > -2 else "workflow")
    return f"{above}/{node.name}"


def member_rights(server: ContentServerSimulator, workspace_id: int) -> list[str]:
    roles = server.store.roles(server.node(workspace_id))
    acl = server.node(workspace_id).acl
    return [f"{role.name}:{role.perms}" for role in roles] + [f"public:{acl.public}"]


async def repeated(ecm: Ecm, operation: Operation, workspace: int) -> int:
    """Call until it is done, as the writer does; how often."""
    for attempt in range(1, 6):
        try:
            await operation.act(ecm, workspace)
        except Retryable:
            continue
        return attempt
    raise AssertionError("it is never done")


@dataclass(frozen=True)
class Played:
    """A call without any failure: its requests as (method, target), and the server afterwards."""

    requests: tuple[tuple[str, str], ...]
    seen: Mapping[str, Any]


async def played(operation: Operation) -> Played:
    async with content_server() as ecm:
        workspace = await prepared(ecm)
        first = len(ecm.simulator.requests)
        assert await repeated(ecm, operation, workspace) == 1
        requests = ecm.simulator.requests[first:]
        targets = tuple((r.method, r.path + (f"?{r.query}" if r.query else "")) for r in requests)
        return Played(targets, picture(ecm.simulator))


def failure(kind: str, requests: tuple[tuple[str, str], ...], index: int) -> Fault:
    """Strikes exactly the request with this index: the n-th of its method and target."""
    method, target = requests[index]
    earlier = requests[: index + 1].count((method, target))
    pattern = f"{re.escape(target)}$"
    return Fault(kind, method=method, path=pattern, every=earlier, html=True)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
async def test_whichever_request_fails_the_repeated_call_ends_where_one_call_does(
    operation: Operation,
) -> None:
    plain = await played(operation)
    assert any(method != "GET" for method, _ in plain.requests), "nothing is written"
    for index, (method, _) in enumerate(plain.requests):
        for kind in ("reset",) if method == "GET" else (*BEFORE, *AFTER):
            async with content_server() as ecm:
                workspace = await prepared(ecm)
                ecm.simulator.faults.add(failure(kind, plain.requests, index))
                attempts = await repeated(ecm, operation, workspace)
                about = f"{kind} at {plain.requests[index]}"
                assert ecm.simulator.faults.struck[kind] == 1, about
                assert attempts <= 2, about
                assert picture(ecm.simulator) == plain.seen, about


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
async def test_a_call_that_was_done_writes_nothing_when_it_is_repeated(
    operation: Operation,
) -> None:
    """As after a crash between the call and its outcome."""
    async with content_server() as ecm:
        workspace = await prepared(ecm)
        await repeated(ecm, operation, workspace)
        once, asked = picture(ecm.simulator), len(ecm.simulator.requests)
        await repeated(ecm, operation, workspace)
        again = ecm.simulator.requests[asked:]
        assert picture(ecm.simulator) == once
        assert [r.method for r in again if r.method != "GET"] == []
