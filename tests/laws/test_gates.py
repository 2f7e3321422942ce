"""Laws of compliance gates: any order, repetition or restart of a claim's facts ends the same way,
and nothing is taken back that was finalised with all its evidence."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.messages.audit import AuditEvent, AuditLine
from streams.messages.facts import BusinessObject, Document, EcmEvent, Fact, Operation
from streams.topics import AUDIT
from tables.gates import GatesRow
from tests.streams.gate_rules import GATE_RULE
from tests.streams.samples import ORIGIN, START_MS, change, deleted, ref
from tests.streams.world import World

CLAIM = ref("new_claim", 31)
KINDS = {1: "Form", 2: "Certificate", 3: "Certificate", 4: "Opinion"}
HAPPENINGS = ("added", "version_added", "approved", "rejected", "expired", "deleted")
#: The clock of the world is 10,000 s after the start; all this happens shortly before.
BEGIN = 9_000

LAW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Story:
    """What happens to one claim, in order."""

    facts: list[Fact] = field(default_factory=list)
    row: dict[str, Any] | None = None
    finalised: bool = False


def told(kind: str, document: int, second: int, **attributes: Any) -> EcmEvent:
    """Something that happens to a document of the claim's workspace; it always says its type."""
    return EcmEvent(
        event_id=f"{kind}-{document}-{second}",
        event=f"document.{kind}",
        at_ms=START_MS + second * 1000,
        business_object=BusinessObject(external_system="D365", type="claim", id=CLAIM.id),
        record=CLAIM,
        document=Document(id=document, version=1),
        attributes={"document_type": KINDS[document], **attributes},
        origin=ORIGIN,
    )


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """A claim is opened, documents come and go, its amount changes; then it is finalised, or not,
    or deleted."""
    story = Story()
    row: dict[str, Any] = {"new_name": "Hail", "new_amount": "5", "new_status": 1}
    story.facts.append(change(CLAIM, BEGIN, operation=Operation.CREATE, **row))
    second = BEGIN
    for _ in range(draw(st.integers(0, 12))):
        second += draw(st.integers(1, 9))
        if draw(st.integers(0, 5)) == 0:
            row["new_amount"] = draw(st.sampled_from(["5", "50", None]))
            story.facts.append(change(CLAIM, second, new_amount=row["new_amount"]))
            continue
        document = draw(st.sampled_from(sorted(KINDS)))
        day = draw(st.sampled_from(["2023-11-01", "2023-11-20", "2030-01-01"]))
        kind = draw(st.sampled_from(HAPPENINGS))
        story.facts.append(told(kind, document, second, expires_on=day))
    ending = draw(st.sampled_from(["open", "finalised", "finalised", "deleted"]))
    story.finalised = ending == "finalised"
    if story.finalised:
        row["new_status"] = 2
        story.facts.append(change(CLAIM, second + 20, new_status=2))
    if ending == "deleted":
        story.facts.append(deleted(CLAIM, second + 20))
    story.row = None if ending == "deleted" else row
    return story


async def played(story: Story, facts: Sequence[Fact], seed: int | None = None) -> World:
    """All facts arrive, in this order; then time passes until whatever is judged has been."""
    world = World()
    if story.row is not None:
        world.dynamics.rows[CLAIM.key] = dict(story.row)
    world.dynamics.modified_ms = START_MS + 9_900_000
    chance = random.Random(seed)
    for fact in facts:
        world.tell(fact)
        if seed is not None and chance.random() < 0.5:
            await world.run(chance.choice)
    await world.run(chance.choice if seed is not None else min)
    await world.pass_time(120)
    return world


def gates(world: World) -> GatesRow:
    return GatesRow.from_bytes(world.rows.get("gates", CLAIM.key))


def shown(world: World) -> dict[str, Any]:
    """What is left of it all in both systems, and in the table that the page answers from."""
    gate = gates(world).gates.get(GATE_RULE.name)
    return {
        "row": {k: v for k, v in world.dynamics.rows.get(CLAIM.key, {}).items() if "url" not in k},
        "workspaces": [
            (w.name, w.attributes["Evidence"], w.attributes["Business Record"])
            for w in world.ecm.workspaces.values()
        ],
        "gate": (gate.status, gate.missing, gate.violated_ms, gate.reverts) if gate else None,
    }


def taken_back(world: World) -> list[dict[str, Any]]:
    return [columns for _, columns in world.dynamics.writes if "new_status" in columns]


def violations(world: World) -> list[AuditLine]:
    lines = (
        AuditLine.model_validate_json(message.value or b"")
        for message in world.sent
        if message.topic == AUDIT.name
    )
    return [line for line in lines if line.event is AuditEvent.VIOLATED]


@LAW
@given(story=stories(), seed=st.integers(0, 2**32))
async def test_any_order_and_repetition_within_the_grace_ends_the_same(
    story: Story, seed: int
) -> None:
    chance = random.Random(seed)
    shuffled = [*story.facts, *chance.choices(story.facts, k=4)]
    chance.shuffle(shuffled)
    one = await played(story, story.facts)
    other = await played(story, shuffled, seed)
    left, right = shown(one), shown(other)
    if story.row is None:
        # A record that was deleted before anything else was heard of it never had a workspace.
        assert left["gate"] is right["gate"] is None
        assert {str(w[2]) for w in (*left["workspaces"], *right["workspaces"])} <= {
            str({"Record State": "Deleted"})
        }
        return
    assert left == right
    assert taken_back(one) == taken_back(other)
    assert [v.summary for v in violations(one)] == [v.summary for v in violations(other)]


@LAW
@given(story=stories())
async def test_what_was_finalised_is_taken_back_just_when_something_was_missing(
    story: Story,
) -> None:
    world = await played(story, story.facts)
    gate = gates(world).gates.get(GATE_RULE.name)
    complete = gate is not None and gate.status == "open"
    wrong = story.finalised and not complete
    assert len(taken_back(world)) == len(violations(world)) == int(wrong)
    if story.row is not None:
        assert world.dynamics.rows[CLAIM.key]["new_status"] == (
            1 if wrong else story.row["new_status"]
        )


@LAW
@given(story=stories())
async def test_a_replay_or_more_time_takes_nothing_back_again(story: Story) -> None:
    world = await played(story, story.facts)
    before, times = shown(world), len(taken_back(world))
    world.tell(*story.facts)
    await world.run()
    await world.pass_time(600)
    assert shown(world) == before
    assert len(taken_back(world)) == times


@LAW
@given(story=stories(), seed=st.integers(0, 2**32))
async def test_a_restart_without_any_row_makes_no_second_workspace(story: Story, seed: int) -> None:
    world = await played(story, story.facts)
    workspaces = set(world.ecm.workspaces)
    world.rows.tables.clear()
    world.tell(*story.facts)
    await world.run(random.Random(seed).choice)
    assert set(world.ecm.workspaces) == workspaces
