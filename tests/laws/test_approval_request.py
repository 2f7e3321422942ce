"""Laws of flow 8: any order, repetition or restart of a request's facts ends the same way."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.catalogue import ColumnValue
from streams.messages.commands import DynamicsCommand, EcmCommand
from streams.messages.facts import EcmEvent, Fact, Operation
from streams.topics import DYNAMICS_COMMANDS, ECM_COMMANDS
from tests.fakes.gateways import FakeWorkflow
from tests.streams.samples import START_MS, change, deleted, event, ref
from tests.streams.world import World

DEAL, REQUEST = ref("opportunity", 3), ref("new_request", 31)
LAW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PENDING, WORDS = 1, {"approved": 2, "rejected": 3, "stopped": 4}
_KINDS = {k.model_fields["kind"].default for k in get_args(EcmCommand) + get_args(DynamicsCommand)}
#: The clock of the world is that many seconds after the first fact.
SOON = 10_000


@dataclass
class History:
    """Facts, and the rows that Dataverse holds after the last of them."""

    facts: list[Fact] = field(default_factory=list)
    rows: dict[str, dict[str, ColumnValue]] = field(default_factory=dict)


_CHANGES = st.sampled_from(
    [
        {"new_percent": "10"},
        {"new_percent": "15"},
        {"new_reason": "They have another offer"},
        {"new_files": "71"},
        {"new_submitted": True},
        {"new_submitted": True},
        {"new_submitted": False},
    ]
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    history = History()
    deal: dict[str, Any] = {"name": "Deal", "parentaccountid": None, "salesstage": 0}
    history.rows[DEAL.key] = deal
    history.facts.append(change(DEAL, 1, operation=Operation.CREATE, statecode=0, **deal))
    row: dict[str, Any] = {
        "new_name": "Pumps",
        "new_opportunityid": DEAL.key,
        "new_percent": "10",
        "new_reason": None,
        "new_files": None,
        "new_submitted": draw(st.booleans()),
    }
    history.facts.append(change(REQUEST, 2, operation=Operation.CREATE, **row))
    second, whole = 10, draw(st.booleans())
    for columns in draw(st.lists(_CHANGES, max_size=6)):
        second += draw(st.integers(1, 30))
        row.update(columns)
        history.facts.append(change(REQUEST, second, **(row if whole else columns)))
    if draw(st.integers(0, 6)) == 0:
        history.facts.append(deleted(REQUEST, second + 5))
    else:
        history.rows[REQUEST.key] = row
    return history


async def _play(history: History, facts: Sequence[Fact], seed: int | None) -> World:
    world = World()
    world.dynamics.rows = {key: dict(row) for key, row in history.rows.items()}
    # What is read is the end of the story.
    world.dynamics.modified_ms = START_MS + 500_000
    world.clock.seconds = START_MS / 1000 + SOON
    chance = random.Random(seed)
    for fact in facts:
        world.tell(fact)
        if seed is not None and chance.random() < 0.3:
            await world.run(chance.choice)
    await world.run(*([] if seed is None else [chance.choice]))
    return world


def _running(world: World) -> list[FakeWorkflow]:
    return [workflow for workflow in world.ecm.workflows.values() if workflow.running]


def _shown(world: World) -> dict[str, ColumnValue]:
    row = world.dynamics.rows.get(REQUEST.key, {})
    return {column: value for column, value in row.items() if value is not None}


def assert_allowed(world: World, history: History) -> None:
    """Whatever the order: one workflow for what is asked for now, and a writer for all of it."""
    for message in world.sent:
        if message.topic in (ECM_COMMANDS.name, DYNAMICS_COMMANDS.name):
            assert message.value is not None
            assert any(f'"kind":"{kind}"'.encode() in message.value for kind in _KINDS)
    row = history.rows.get(REQUEST.key)
    asks = row is not None and bool(row["new_submitted"])
    assert len(_running(world)) == asks
    for workflow in _running(world):
        assert row is not None
        assert workflow.title == f"Discount of {row['new_percent']} % for Pumps"
        assert workflow.comment == (row["new_reason"] or "")
        assert workflow.documents == ((71,) if row["new_files"] else ())
        assert _shown(world)["new_status"] == PENDING


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
    assert [w.id for w in _running(in_order)] == [w.id for w in _running(other)]
    assert _shown(in_order) == _shown(other)


@LAW
@given(history=histories(), lost=st.booleans())
async def test_a_replay_starts_nothing_again(history: History, lost: bool) -> None:
    world = await _play(history, history.facts, None)
    if lost:
        world.rows.tables.clear()
    workflows, rows = [w.id for w in _running(world)], _shown(world)
    world.tell(*history.facts)
    await world.run()
    assert [w.id for w in _running(world)] == workflows
    assert _shown(world) == rows


@LAW
@given(
    history=histories(),
    kinds=st.lists(st.sampled_from(sorted(WORDS)), min_size=1, max_size=3),
    seed=st.integers(0, 2**32),
    late=st.booleans(),
)
async def test_only_the_workflow_that_runs_decides(
    history: History, kinds: list[str], seed: int, late: bool
) -> None:
    """Decisions of all workflows, in any order, also before the record hears that they are its."""
    first = await _play(history, history.facts, None)
    chance = random.Random(seed)
    told: list[Fact] = [
        _end(workflow, chance.choice(kinds)) for workflow in first.ecm.workflows.values()
    ]
    chance.shuffle(told)
    if late:
        world = first
        world.tell(*told)
        await world.run(chance.choice)
    else:
        world = await _play(history, [*told, *history.facts], None)
    decided = {w.id for w in _running(first)}
    shown = _shown(world).get("new_status")
    for fact in told:
        assert isinstance(fact, EcmEvent)
        if fact.attributes["workflow_id"] in decided and REQUEST.key in history.rows:
            assert shown == WORDS[fact.event.partition(".")[2]]
    if not decided:
        assert shown not in WORDS.values()


def _end(workflow: FakeWorkflow, kind: str) -> EcmEvent:
    happened = event(f"workflow.{kind}", 900, workflow_id=workflow.id)
    return happened.model_copy(
        update={"event_id": f"end-{workflow.id}", "workspace_id": workflow.workspace_id}
    )


@LAW
@given(history=histories(), seed=st.integers(0, 2**32))
async def test_whenever_time_passes_what_nobody_decided_is_overdue(
    history: History, seed: int
) -> None:
    world = await _play(history, history.facts, seed)
    await world.pass_time(3 * 86_400)
    row = history.rows.get(REQUEST.key)
    if row is not None and row["new_submitted"]:
        assert _shown(world)["new_status"] == 5
        assert len(_running(world)) == 1
