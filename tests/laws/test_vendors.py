"""Laws of vendor onboarding: whatever happens in whichever order, a vendor is activated only while
its evidence is complete and somebody approved the very bank account that it has."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from streams.messages.facts import BusinessObject, Document, EcmEvent, Fact, Operation
from tests.fakes.gateways import FakeWorkflow
from tests.streams.samples import ORIGIN, START_MS, change, ref
from tests.streams.world import World

VENDOR = ref("msdyn_vendor", 41)
KINDS = {1: "Tax Form", 2: "Insurance", 3: "Insurance"}
HELD, ACTIVE = 2, 0
#: What Dynamics tells of the vendor; the rest is written by us.
TOLD = ("msdyn_name", "msdyn_onholdstatus", "statecode", "new_bankaccount", "new_blocked")

LAW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

#: What may happen, each with a number that says to which of several things.
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("approve", "approve", "approve", "renew", "reject", "remove"),
                *("bank", "decide", "decide", "refuse", "wait", "complete"),
                *("people_hold", "people_activate", "block", "unblock"),
            ]
        ),
        st.integers(0, 5),
    ),
    min_size=3,
    max_size=18,
)


@dataclass
class Life:
    """A vendor in a world, and what is true of it, kept without any of the flow's own code."""

    world: World = field(default_factory=World)
    facts: list[Fact] = field(default_factory=list)
    second: int = 10_000
    bank: str = "bank-0"
    banks: int = 0
    documents: dict[int, tuple[str, int]] = field(default_factory=dict)
    decided: dict[int, str] = field(default_factory=dict)
    blocked: bool = False
    people_block: bool = False
    seen_writes: int = 0

    async def begin(self) -> None:
        row = {"msdyn_name": "Northwind", "msdyn_onholdstatus": ACTIVE, "statecode": 0}
        row |= {"new_bankaccount": self.bank, "new_blocked": None}
        self.world.dynamics.rows[VENDOR.key] = dict(row)
        await self.tell(change(VENDOR, 9_000, operation=Operation.CREATE, **row))

    async def tell(self, *facts: Fact) -> None:
        self.facts += facts
        self.world.tell(*facts)
        await self.world.run()

    def tick(self) -> int:
        """A second after everything so far, our own writes included."""
        written = (self.world.dynamics.modified_ms - START_MS) // 1000
        self.second = max(self.second, written) + 1
        return self.second

    @property
    def row(self) -> dict[str, Any]:
        return self.world.dynamics.rows[VENDOR.key]

    @property
    def running(self) -> list[FakeWorkflow]:
        flows = sorted(self.world.ecm.workflows.values(), key=lambda flow: flow.id)
        return [flow for flow in flows if flow.running and flow.id not in self.decided]

    async def document(self, number: int, kind: str, years: int) -> None:
        """Something happens to a document, which is good for about so many years from now on."""
        now = datetime.fromtimestamp(self.world.clock.seconds, UTC)
        last = datetime(now.year + years, 1, 1, tzinfo=UTC)
        self.documents[number] = (kind, int((last + timedelta(days=1)).timestamp() * 1000))
        said = {"expires_on": last.date().isoformat()}
        await self.tell(_event(f"document.{kind}", self.tick(), number, **said))

    async def changes(self, **columns: Any) -> None:
        """People change the vendor in Dynamics."""
        self.row.update(columns)
        self.world.dynamics.version += 1
        version = self.world.dynamics.version
        second = self.tick()
        self.world.dynamics.modified_ms = START_MS + second * 1000
        await self.tell(change(VENDOR, second, version=version, **columns))

    def complete(self) -> bool:
        now = self.world.clock.now_ms()
        good = {
            KINDS[number]
            for number, (kind, until) in self.documents.items()
            if kind == "approved" and (KINDS[number] != "Insurance" or until > now)
        }
        return good == set(KINDS.values())

    def may_be_active(self) -> bool:
        """Somebody saw this bank account on a workflow of ours, and approved it."""
        approved = any(
            self.decided.get(flow.id) == "approved" and flow.attributes["Bank"] == self.bank
            for flow in self.world.ecm.workflows.values()
        )
        return self.complete() and approved and not self.blocked and not self.people_block

    def check(self) -> None:
        """No write of ours activated it against the rules, and it ends as it has to."""
        writes = [columns for _, columns in self.world.dynamics.writes[self.seen_writes :]]
        self.seen_writes = len(self.world.dynamics.writes)
        if any(columns.get("msdyn_onholdstatus") == ACTIVE for columns in writes):
            assert self.may_be_active()
        if self.blocked or self.people_block:
            assert not any("msdyn_onholdstatus" in columns for columns in writes)
        else:
            assert self.row["msdyn_onholdstatus"] == (ACTIVE if self.may_be_active() else HELD)
        banks = [flow.attributes["Bank"] for flow in self.running]
        assert len(banks) <= 1, "two workflows run"


def _event(name: str, second: int, document: int | None = None, **said: Any) -> EcmEvent:
    kind = {"document_type": KINDS[document]} if document else {}
    return EcmEvent(
        event_id=f"{name}-{document}-{second}",
        event=name,
        at_ms=START_MS + second * 1000,
        business_object=BusinessObject(external_system="D365", type="vendor", id=VENDOR.id),
        record=VENDOR,
        document=Document(id=document, version=1) if document else None,
        actor="finn",
        attributes={**kind, **said},
        origin=ORIGIN,
    )


async def happen(life: Life, action: str, number: int) -> None:
    """One thing happens, and all that comes of it."""
    document = sorted(KINDS)[number % len(KINDS)]
    match action:
        case "approve":
            await life.document(document, "approved", years=1 + number)
        case "renew":
            await life.document(document, "version_added", years=20)
        case "reject":
            await life.document(document, "rejected", years=20)
        case "remove":
            await life.document(document, "deleted", years=20)
        case "complete":
            for one in (1, 2):
                await life.document(one, "approved", years=3)
        case "bank":
            life.banks += 1
            life.bank = f"bank-{life.banks}"
            await life.changes(new_bankaccount=life.bank)
        case "decide" | "refuse":
            await decide(life, "approved" if action == "decide" else "rejected")
        case "wait":
            await life.world.pass_time((1 + number * 800) * 86_400)
        case _:
            await interfere(life, action)


async def decide(life: Life, how: str) -> None:
    for flow in life.running[:1]:
        life.decided[flow.id] = how
        await life.tell(_event(f"workflow.{how}", life.tick(), workflow_id=flow.id))


async def interfere(life: Life, action: str) -> None:
    """People hold, activate, block and unblock the vendor themselves."""
    match action:
        case "people_hold":
            if life.row["msdyn_onholdstatus"] == ACTIVE:
                life.people_block = True
            await life.changes(msdyn_onholdstatus=HELD)
        case "people_activate":
            life.people_block = False
            await life.changes(msdyn_onholdstatus=ACTIVE)
        case "block" | "unblock":
            life.blocked = action == "block"
            await life.changes(new_blocked=life.blocked)


def _limited(actions: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Whoever activates a vendor against the rules five times in a row is left to people: four."""
    kept, times = [], 0
    for action in actions:
        times += action[0] == "people_activate"
        if action[0] != "people_activate" or times <= 4:
            kept.append(action)
    return kept


async def lived(actions: list[tuple[str, int]], check: Callable[[Life], None]) -> Life:
    life = Life()
    await life.begin()
    life.seen_writes = len(life.world.dynamics.writes)  # it was not blocked when it began
    for action, number in _limited(actions):
        await happen(life, action, number)
        check(life)
    return life


#: People free what they had blocked: what they write is what we had written before them.
FREED = [("complete", 0), ("decide", 0), ("people_hold", 0), ("bank", 0), ("people_activate", 0)]


@LAW
@example(actions=FREED)
@given(actions=ACTIONS)
async def test_it_is_active_just_while_all_is_there_and_approved(
    actions: list[tuple[str, int]],
) -> None:
    await lived(actions, Life.check)


@LAW
@given(actions=ACTIONS)
async def test_each_round_has_one_workflow_however_often_all_is_told_again(
    actions: list[tuple[str, int]],
) -> None:
    life = await lived(actions, lambda _: None)
    before, row = set(life.world.ecm.workflows), dict(life.row)
    life.world.tell(*life.facts)
    await life.world.run()
    assert set(life.world.ecm.workflows) == before
    assert life.row == row


@LAW
@given(actions=ACTIONS)
async def test_a_restart_without_any_row_asks_nobody_a_second_time(
    actions: list[tuple[str, int]],
) -> None:
    calm = [one for one in actions if not one[0].startswith("people")]
    life = await lived(calm, lambda _: None)
    workspaces, workflows = set(life.world.ecm.workspaces), set(life.world.ecm.workflows)
    row = dict(life.row)
    life.world.rows.tables.clear()
    life.world.tell(*life.facts)
    await life.world.run()
    assert set(life.world.ecm.workspaces) == workspaces
    assert set(life.world.ecm.workflows) == workflows
    if not life.blocked:
        assert life.row["msdyn_onholdstatus"] == row["msdyn_onholdstatus"]


@LAW
@given(actions=ACTIONS, seed=st.integers(0, 2**32))
async def test_any_order_ends_the_same(actions: list[tuple[str, int]], seed: int) -> None:
    # What people do to the hold itself is judged by what we had written by then: it has an order.
    calm = [one for one in actions if not one[0].startswith("people")]
    life = await lived(calm, lambda _: None)
    chance = random.Random(seed)
    shuffled = [*life.facts, *chance.choices(life.facts, k=3)]
    chance.shuffle(shuffled)
    other = World()
    other.clock.seconds = life.world.clock.seconds
    final = {**life.row, "msdyn_onholdstatus": ACTIVE}
    other.dynamics.rows[VENDOR.key] = {k: v for k, v in final.items() if k in TOLD}
    for fact in shuffled:
        other.tell(fact)
        if chance.random() < 0.4:
            await other.run(chance.choice)
    await other.run(chance.choice)
    row = other.dynamics.rows[VENDOR.key]
    shown = ["new_vendorstatus", "new_vendormissing", "new_vendorprogress"]
    if not life.blocked:  # else it stays as it was at the block, which is a moment in passing
        shown.append("msdyn_onholdstatus")
    assert {name: row.get(name) for name in shown} == {name: life.row.get(name) for name in shown}
