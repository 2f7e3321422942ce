"""Explaining a record: conditions with their values, what is awaited, what is open since when."""

from __future__ import annotations

from streams.deciding.explain import Condition, Explanation, explain
from streams.deciding.lacking import Lack
from streams.deciding.memory import Memory
from streams.flows.shape import Reason
from streams.messages.facts import WorkspaceWanted
from streams.topics import CHANGES, DYNAMICS_COMMANDS, ECM_COMMANDS
from tables.keys import RecordRef
from tests.streams.rulebook import BOOK
from tests.streams.samples import START_MS, change, deleted, ref
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


def condition(world: World, record: RecordRef, rule: str, *place: str) -> Condition:
    return next(c for c in explained(world, record)[rule].conditions if c.place == place)


async def test_an_empty_column_leaves_a_comparison_undecided_and_waits_for_nothing() -> None:
    world = World()
    world.tell(change(DEAL, 0, **KNOWN | {"salesstage": None}))
    await world.run()
    reached = condition(world, DEAL, "opportunity-contract", "stage_reached")
    assert reached.values["record.salesstage"] is None
    assert reached.lacks == ()


async def test_a_column_that_nobody_told_is_named_with_the_time_of_the_reading() -> None:
    world = World()
    world.tell(change(DEAL, 7, name="Deal"))
    await world.run(hold={DEAL.key})  # only what was sent; nothing is answered
    await world.deliver(world.queues[CHANGES.name, DEAL.key].pop())
    won = condition(world, DEAL, "opportunity-contract", "won")
    assert (won.answer, won.values) == (None, {})
    assert won.lacks == (Lack("record.statecode", DEAL, since_ms=START_MS + 7000),)


async def test_a_column_that_the_record_does_not_have_stays_unknown_and_says_so() -> None:
    world = World()
    world.dynamics.rows[DEAL.key] = {"name": "Deal"}
    world.tell(change(DEAL, 7, name="Deal"))
    await world.run()
    won = condition(world, DEAL, "opportunity-contract", "won")
    assert won.lacks == (Lack("record.statecode", DEAL, START_MS + 7000, answered=True),)


async def test_a_reading_that_is_under_way_has_not_answered_though_one_before_it_did() -> None:
    world = World()
    world.dynamics.rows[DEAL.key] = {"name": "Deal"}
    world.tell(change(DEAL, 7, name="Deal"))
    await world.run()
    world.tell(change(DEAL, 20_000, name="Another"))  # later than it was read
    await world.deliver(world.queues[CHANGES.name, DEAL.key].pop())
    won = condition(world, DEAL, "opportunity-contract", "won")
    assert won.lacks == (Lack("record.statecode", DEAL, START_MS + 7000),)


async def test_what_a_condition_reads_of_another_record_is_awaited_since_it_was_asked() -> None:
    world = World()
    known = {"title": "Broken", "statecode": 0, "isescalated": False, "new_casevalue": "1"}
    case = ref("incident", 9)
    world.tell(change(case, 3, customerid=ACCOUNT.key, **known))
    await world.run(hold={ACCOUNT.key})
    rules = explained(world, case)
    lacking = {
        (lack.name, lack.record, lack.since_ms)
        for one in rules.values()
        for told in one.conditions
        for lack in told.lacks
    }
    assert lacking == {("customer.accountnumber", ACCOUNT, START_MS + 3000)}


async def test_what_is_asked_no_more_is_forgotten() -> None:
    world = World()
    nothing = dict.fromkeys(BOOK.catalogue.tables["opportunity"].columns)
    deal = {**nothing, **KNOWN, "parentaccountid": ACCOUNT.key}
    account = dict.fromkeys(BOOK.catalogue.tables["account"].columns)
    account |= {"name": "Contoso", "accountnumber": "A-1", "statecode": 0, "merged": False}
    world.dynamics.rows |= {ACCOUNT.key: account, DEAL.key: deal}
    world.tell(change(DEAL, 0, name="Deal"))
    await world.run(hold={ACCOUNT.key})
    assert Memory.load(world.rows, DEAL).neighbours.asked
    await world.run()
    assert Memory.load(world.rows, DEAL).neighbours.asked == {}


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
    (awaited,) = one.awaited
    assert awaited.question == WorkspaceWanted(record=ACCOUNT, wanted_by=DEAL)
    assert awaited.since_ms == world.clock.now_ms()  # when its own workspace was made
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


async def test_a_stage_whose_name_nobody_told_is_awaited_by_name() -> None:
    world = World()
    stage, process = ref("processstage", 21), ref("opportunitysalesprocess", 5)
    world.tell(change(DEAL, 0, **KNOWN))
    world.tell(change(process, 4, opportunityid=DEAL.key, activestageid=stage.key))
    await world.run(hold={stage.key})
    reached = condition(world, DEAL, "opportunity-contract", "stage_reached")
    assert reached.answer is None
    assert Lack("stage.name", stage, START_MS + 4000) in reached.lacks


async def test_a_lookup_that_nobody_told_is_awaited_before_what_it_points_to() -> None:
    world = World()
    case = ref("incident", 9)
    world.tell(change(case, 3, title="Broken", isescalated=False, new_casevalue="1"))
    await world.run()
    when = condition(world, case, "service-case", "when")
    assert [(lack.name, lack.record) for lack in when.lacks] == [("record.customerid", case)]


async def test_of_a_record_that_is_gone_nothing_is_awaited() -> None:
    world = World()
    world.tell(deleted(DEAL, 5))
    await world.run()
    rules = explained(world, DEAL).values()
    assert not [lack for one in rules for told in one.conditions for lack in told.lacks]
