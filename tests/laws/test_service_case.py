"""Laws of flow 3: any order, repetition or restart of a case's facts ends the same way."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.catalogue import ColumnValue
from streams.messages.commands import DynamicsCommand, EcmCommand
from streams.messages.facts import Fact, Operation
from streams.topics import DYNAMICS_COMMANDS, ECM_COMMANDS
from tables.keys import RecordRef
from tests.fakes.gateways import FakeWorkflow, FakeWorkspace
from tests.streams.rulebook import CASE_RULE
from tests.streams.samples import change, deleted, event, ref
from tests.streams.world import World

ACCOUNT, USER = ref("account", 1), ref("systemuser", 11)
CASES = (ref("incident", 5), ref("incident", 6))
DAY = 86_400
LAW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

#: What a case shows that was in question only for a moment may depend on what was seen of it.
PASSING = {"Below Criteria", "Cancelled", "Merged", "Deleted"}
_KINDS = {k.model_fields["kind"].default for k in get_args(EcmCommand) + get_args(DynamicsCommand)}


@dataclass
class History:
    """Facts, and the rows that Dataverse holds after the last of them."""

    facts: list[Fact] = field(default_factory=list)
    rows: dict[str, dict[str, ColumnValue]] = field(default_factory=dict)


def _change(others: Sequence[RecordRef]) -> st.SearchStrategy[dict[str, Any]]:
    ended = [{"merged": True, "masterid": other.key, "statecode": 2} for other in others]
    return st.sampled_from(
        [
            {"statecode": 0},
            {"statecode": 1},
            {"statecode": 1},
            {"statecode": 2},
            {"isescalated": True},
            {"isescalated": False},
            {"new_casevalue": "5000"},
            {"new_casevalue": None},
            {"title": "Renamed"},
            *ended,
        ]
    )


@st.composite
def histories(draw: st.DrawFn) -> History:
    history = History()
    history.rows[USER.key] = {"internalemailaddress": "ann@contoso.example"}
    number = draw(st.sampled_from(["VIP", "A-1"]))
    account = {"name": "Contoso", "accountnumber": number, "statecode": 0, "parentaccountid": None}
    history.facts.append(change(ACCOUNT, 1, operation=Operation.CREATE, **account))
    history.rows[ACCOUNT.key] = account
    for place, case in enumerate(CASES):
        _case(draw, history, case, place)
    return history


def _case(draw: st.DrawFn, history: History, case: RecordRef, place: int) -> None:
    row: dict[str, Any] = {
        "title": f"Case {place}",
        "customerid": ACCOUNT.key,
        "statecode": 0,
        "isescalated": draw(st.booleans()),
        "new_casevalue": None,
        "merged": False,
        "masterid": None,
        "ownerid": USER.key,
    }
    history.facts.append(change(case, place, operation=Operation.CREATE, **row))
    second = 10 + place
    whole = draw(st.booleans())
    others = [other for other in CASES[:1] if other != case]
    for columns in draw(st.lists(_change(others), max_size=6)):
        second += draw(st.integers(1, 3)) * DAY
        row.update(columns)
        history.facts.append(change(case, second, **(row if whole else columns)))
    if draw(st.integers(0, 6)) == 0:
        history.facts.append(deleted(case, second + DAY))
    else:
        history.rows[case.key] = row


async def _play(history: History, facts: Sequence[Fact], seed: int | None) -> World:
    world = World()
    world.dynamics.rows = {key: dict(row) for key, row in history.rows.items()}
    # What is read is the end of the story.
    world.dynamics.modified_ms = max(fact.at_ms for fact in history.facts)  # type: ignore[union-attr]
    chance = random.Random(seed)
    for fact in facts:
        world.tell(fact)
        if seed is not None and chance.random() < 0.3:
            await world.run(chance.choice)
    await world.run(*([] if seed is None else [chance.choice]))
    return world


def _files(world: World) -> dict[str, FakeWorkspace]:
    kind = CASE_RULE.workspace.business_object_type
    found = [w for w in world.ecm.workspaces.values() if w.business_object.type == kind]
    return {workspace.business_object.id: workspace for workspace in found}


def _state(workspace: FakeWorkspace) -> ColumnValue:
    return workspace.attributes["Business Record"]["Record State"]


def _running(world: World, workspace: FakeWorkspace) -> list[FakeWorkflow]:
    return [w for w in world.ecm.workflows.values() if w.running and w.workspace_id == workspace.id]


def _told(workflows: Sequence[FakeWorkflow]) -> list[int]:
    return [workflow.id for workflow in workflows]


def assert_same_end(history: History, one: World, other: World) -> None:
    """Both hold the same case files, rows and running workflows, but for what was in passing."""
    left, right = _files(one), _files(other)
    for case in left.keys() ^ right.keys():
        file = left.get(case) or right[case]
        assert _state(file) in PASSING or not _is_worth_one(history, case)
    for case in left.keys() & right.keys():
        a, b = left[case], right[case]
        if _state(a) == _state(b) == "Deleted":
            assert _running(one, a) == _running(other, b) == []
            continue
        assert (a.name, _state(a)) == (b.name, _state(b))
        assert (a.roles, a.access, a.retention) == (b.roles, b.access, b.retention)
        assert _told(_running(one, a)) == _told(_running(other, b))
        key = f"incident:{case}"
        assert _resolution(one, key) == _resolution(other, key)
        assert _approval(a) == _approval(b)


def _is_worth_one(history: History, case: str) -> bool:
    """Whether the case asks for a file of its own as it stands at the end."""
    row = history.rows.get(f"incident:{case}")
    if row is None:
        return False
    vip = history.rows[ACCOUNT.key]["accountnumber"] == "VIP"
    return row["isescalated"] is True or row["new_casevalue"] is not None or vip


def _resolution(world: World, key: str) -> dict[str, ColumnValue]:
    row = world.dynamics.rows[key]
    return {c: v for c, v in row.items() if c.startswith("new_resolution") and v is not None}


def _approval(workspace: FakeWorkspace) -> dict[str, ColumnValue]:
    shown = workspace.attributes.get("Approval", {})
    return {label: value for label, value in shown.items() if value is not None}


def assert_allowed(world: World, history: History) -> None:
    """Whatever the order: nothing that the rule forbids, nothing that nobody carries out."""
    for message in world.sent:
        if message.topic in (ECM_COMMANDS.name, DYNAMICS_COMMANDS.name):
            assert message.value is not None
            assert any(f'"kind":"{kind}"'.encode() in message.value for kind in _KINDS)
    for case, workspace in _files(world).items():
        assert workspace.access in (None, ("Owner", "Team"))
        assert len(_running(world, workspace)) <= 1
        row = history.rows.get(f"incident:{case}")
        asks = row is not None and row["statecode"] == 1 and row["new_casevalue"] is not None
        asks = asks and not (row or {}).get("merged")
        assert bool(_running(world, workspace)) == asks
        if row is None:
            continue
        assert workspace.retention is not None
        assert (workspace.retention[1] is None) == (row["statecode"] == 0 and not row["merged"])


@LAW
@given(history=histories(), seed=st.integers(0, 2**32))
async def test_any_order_and_repetition_ends_in_the_same_world(history: History, seed: int) -> None:
    chance = random.Random(seed)
    shuffled = [*history.facts, *chance.choices(history.facts, k=3)]
    chance.shuffle(shuffled)
    in_order = await _play(history, history.facts, None)
    other = await _play(history, shuffled, seed)
    for world in (in_order, other):
        assert_allowed(world, history)
    assert_same_end(history, in_order, other)


@LAW
@given(history=histories(), lost=st.booleans())
async def test_a_replay_starts_nothing_again(history: History, lost: bool) -> None:
    world = await _play(history, history.facts, None)
    if lost:
        world.rows.tables.clear()
    before = {number: dict(vars(w)) for number, w in world.ecm.workspaces.items()}
    workflows = {key: w.id for key, w in world.ecm.workflows.items() if w.running}
    rows = {key: dict(row) for key, row in world.dynamics.rows.items()}
    world.tell(*history.facts)
    await world.run()
    assert {number: vars(w) for number, w in world.ecm.workspaces.items()} == before
    assert {key: w.id for key, w in world.ecm.workflows.items() if w.running} == workflows
    assert world.dynamics.rows == rows


@LAW
@given(history=histories(), kind=st.sampled_from(["approved", "rejected", "stopped"]))
async def test_only_the_workflow_that_runs_decides(history: History, kind: str) -> None:
    world = await _play(history, history.facts, None)
    for case, workspace in _files(world).items():
        for workflow in list(world.ecm.workflows.values()):
            if workflow.workspace_id != workspace.id:
                continue
            world.tell(_end(workspace, workflow, kind))
            await world.run()
            shown = world.dynamics.rows.get(f"incident:{case}", {}).get("new_resolutiondecision")
            word = {"approved": "Approved", "rejected": "Rejected", "stopped": "Stopped"}[kind]
            assert (shown == word) == (workflow.running and f"incident:{case}" in history.rows)


def _end(workspace: FakeWorkspace, workflow: FakeWorkflow, kind: str) -> Fact:
    return event(f"workflow.{kind}", 999, workspace_id=workspace.id, workflow_id=workflow.id)
