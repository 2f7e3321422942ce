"""Explaining a record: conditions with their values, what is awaited, what is open since when."""

from __future__ import annotations

from streams.deciding.explain import Condition, Explanation, explain
from streams.deciding.memory import Memory
from streams.flows.shape import Reason
from streams.topics import DYNAMICS_COMMANDS, ECM_COMMANDS
from tables.keys import RecordRef
from tests.streams.rulebook import BOOK
from tests.streams.samples import START_MS, change, ref
from tests.streams.world import World

DEAL, ACCOUNT = ref("opportunity", 3), ref("account", 1)
KNOWN = {"name": "Deal", "salesstage": 1, "statecode": 0, "parentaccountid": None}


def explained(world: World, record: RecordRef) -> dict[str, Explanation]:
    memory = Memory.load(world.rows, record)
    return {one.rule: one for one in explain(memory, record, BOOK, world.clock.now_ms())}


async def test_a_condition_is_told_with_its_answer_and_the_values_it_looked_at() -> None:
    world = World()
    world.tell(change(DEAL, 0, **KNOWN))
    await world.run()
    contract = explained(world, DEAL)["opportunity-contract"]
    by_place = {condition.place: condition for condition in contract.conditions}
    reached = by_place["stage_reached",]
    assert reached.answer is False
    assert reached.values["record.salesstage"] == 1
    assert contract.reasons == (Reason.STAGE_NOT_REACHED,)
    assert (contract.workspace_id, contract.open) == (None, ())


async def test_an_empty_column_leaves_a_comparison_undecided() -> None:
    world = World()
    world.tell(change(DEAL, 0, **KNOWN | {"salesstage": None}))
    await world.run()
    contract = explained(world, DEAL)["opportunity-contract"]
    reached = next(c for c in contract.conditions if c.place == ("stage_reached",))
    assert isinstance(reached, Condition)
    assert reached.values == {"record.salesstage": None} | {
        name: None for name in reached.values if name != "record.salesstage"
    }


async def test_what_was_asked_and_has_no_outcome_is_open_since_then() -> None:
    world = World()
    world.tell(change(ACCOUNT, 0, name="Contoso", accountnumber="A-1", statecode=0))
    (fact,) = [queue.pop() for queue in world.queues.values()]
    await world.deliver(fact)  # and no writer ever sees the commands
    one = explained(world, ACCOUNT)["account-workspace"]
    assert [(step.step, step.since_ms, step.code) for step in one.open] == [
        ("workspace", START_MS, "")
    ]
    assert Reason.WAITING_FOR_WORKSPACE in one.reasons


async def test_a_refusal_is_told_with_its_code_and_words() -> None:
    world = World()
    owner = ref("systemuser", 11)
    world.dynamics.rows[owner.key] = {"internalemailaddress": "ann@contoso.example"}
    world.ecm.unknown_members.add("ann@contoso.example")
    known = {"name": "Contoso", "accountnumber": "A-1", "statecode": 0}
    world.dynamics.rows[ACCOUNT.key] = {**known}
    world.tell(change(ACCOUNT, 0, ownerid=owner.key, **known))
    await world.run()
    (step,) = explained(world, ACCOUNT)["account-workspace"].open
    assert (step.step, step.code) == ("role/Owner", "member_unknown")
    assert "ann@contoso.example" in step.message


async def test_another_record_that_is_waited_for_is_named() -> None:
    world = World()
    world.tell(change(DEAL, 0, **KNOWN | {"parentaccountid": ACCOUNT.key}))
    await world.run(hold={ACCOUNT.key})
    one = explained(world, DEAL)["opportunity-workspace"]
    assert one.workspace_id is not None
    assert one.awaited == (f"workspace_wanted of {ACCOUNT.key}",)
    assert Reason.WAITING_FOR_RELATED_WORKSPACE in one.reasons


async def test_explaining_sends_and_changes_nothing() -> None:
    world = World()
    world.tell(change(DEAL, 0, **KNOWN))
    await world.run()
    before = dict(world.rows.tables)
    sent = world.count(ECM_COMMANDS.name) + world.count(DYNAMICS_COMMANDS.name)
    explained(world, DEAL)
    assert world.rows.tables == before
    assert world.count(ECM_COMMANDS.name) + world.count(DYNAMICS_COMMANDS.name) == sent


def test_no_rule_is_about_a_reference_table() -> None:
    assert explain(Memory(), ref("systemuser", 11), BOOK, START_MS) == ()


async def test_of_a_milestone_its_folder_is_told_and_its_own_conditions() -> None:
    world = World()
    project, milestone = ref("msdyn_project", 1), ref("msdyn_projecttask", 2)
    rows = {"msdyn_subject": "Design", "msdyn_project": project.key, "msdyn_ismilestone": True}
    world.dynamics.rows = {milestone.key: dict(rows), project.key: {"msdyn_subject": "Plant"}}
    world.tell(change(milestone, 0, **rows), change(project, 1, msdyn_subject="Plant"))
    await world.run()
    one = explained(world, milestone)["project"]
    (folder,) = Memory.load(world.rows, milestone).links.folders_of("project").values()
    assert (one.workspace_id, one.workspace_url) == (folder.folder_id, folder.url)
    assert {condition.place for condition in one.conditions} == {("when",), ("done",)}
    assert one.conditions[0].values == {"record.msdyn_ismilestone": True}
