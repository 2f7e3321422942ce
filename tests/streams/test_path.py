"""Records through decide and the writers, over dictionaries: what each flow makes true."""

from __future__ import annotations

from typing import Any

import pytest

from streams.messages.facts import BusinessObject, Document, Operation, RecordChange, StageChanged
from streams.topics import DEAD_LETTERS, DYNAMICS_COMMANDS, ECM_COMMANDS, LINKS
from tables.keys import RecordRef
from tests.fakes.gateways import FakeWorkspace
from tests.streams.samples import START_MS, change, deleted, event, ref
from tests.streams.world import World

ACCOUNT, OTHER_ACCOUNT, DEAL = ref("account", 1), ref("account", 2), ref("opportunity", 3)
ANN, BOB = ref("systemuser", 11), ref("systemuser", 12)
STAGE, PROCESS = ref("processstage", 21), ref("opportunitysalesprocess", 22)


@pytest.fixture
def world() -> World:
    world = World()
    rows = world.dynamics.rows
    rows[ACCOUNT.key] = {"name": "Contoso", "accountnumber": "A-1"}
    rows[OTHER_ACCOUNT.key] = {"name": "Fabrikam", "accountnumber": "A-2"}
    rows[DEAL.key] = {"name": "Deal"}
    rows[ANN.key] = {"internalemailaddress": "ann@contoso.example"}
    rows[BOB.key] = {"internalemailaddress": "bob@contoso.example"}
    rows[STAGE.key] = {"stagename": "Propose", "stagecategory": 2}
    return world


def workspace(world: World, kind: str, record: RecordRef) -> FakeWorkspace:
    found = world.ecm.of(BusinessObject(external_system="D365", type=kind, id=record.id))
    assert found is not None, f"{record} has no {kind} workspace"
    return found


def account_created(second: int = 0, **columns: Any) -> RecordChange:
    known: dict[str, Any] = {
        "name": "Contoso",
        "accountnumber": "A-1",
        "statecode": 0,
        "ownerid": ANN.key,
    }
    return change(ACCOUNT, second, operation=Operation.CREATE, **{**known, **columns})


def deal_created(second: int = 0, **columns: Any) -> RecordChange:
    known: dict[str, Any] = {
        "name": "Deal",
        "parentaccountid": ACCOUNT.key,
        "estimatedvalue": "50000",
        "salesstage": 0,
        "statecode": 0,
        "ownerid": None,
    }
    return change(DEAL, second, operation=Operation.CREATE, **{**known, **columns})


class TestRecordWorkspace:
    async def test_a_created_account_gets_a_workspace_and_its_link(self, world: World) -> None:
        world.tell(account_created())
        await world.run()
        made = workspace(world, "account", ACCOUNT)
        assert made.name == "Contoso (A-1)"
        assert made.attributes["Business Record"] == {
            "Record Name": "Contoso",
            "Record State": "Active",
        }
        assert made.roles == {"Owner": ("ann@contoso.example",)}
        assert world.dynamics.rows[ACCOUNT.key]["new_xecmworkspaceid"] == str(made.id)
        assert str(made.id) in str(world.dynamics.rows[ACCOUNT.key]["new_xecmworkspaceurl"])
        assert world.count(LINKS.name) == 1

    async def test_a_workspace_that_exists_is_adopted_and_brought_up_to_date(
        self, world: World
    ) -> None:
        named = BusinessObject(external_system="D365", type="account", id=ACCOUNT.id)
        world.ecm.workspaces[7] = FakeWorkspace(7, named, "Account", "Old name", {})
        world.tell(account_created())
        await world.run()
        assert list(world.ecm.workspaces) == [7]
        assert world.ecm.workspaces[7].name == "Contoso (A-1)"
        assert world.dynamics.rows[ACCOUNT.key]["new_xecmworkspaceid"] == "7"

    async def test_name_attributes_and_owner_follow_the_record(self, world: World) -> None:
        world.tell(account_created())
        await world.run()
        world.tell(change(ACCOUNT, 5, name="Contoso AG", ownerid=BOB.key))
        await world.run()
        made = workspace(world, "account", ACCOUNT)
        assert made.name == "Contoso AG (A-1)"
        assert made.roles == {"Owner": ("bob@contoso.example",)}

    async def test_a_name_that_goes_there_and_back_ends_as_it_was(self, world: World) -> None:
        """The third command has the id of the first: only the last of a step is remembered."""
        for second, name in enumerate(["Contoso", "Other", "Contoso"]):
            world.tell(account_created(second, name=name))
            await world.run()
        assert workspace(world, "account", ACCOUNT).name == "Contoso (A-1)"

    async def test_a_closed_account_shows_it(self, world: World) -> None:
        world.tell(account_created(), change(ACCOUNT, 5, statecode=1))
        await world.run()
        state = workspace(world, "account", ACCOUNT).attributes["Business Record"]["Record State"]
        assert state == "Closed"

    async def test_a_deleted_accounts_workspace_is_marked_and_stays(self, world: World) -> None:
        world.tell(account_created())
        await world.run()
        del world.dynamics.rows[ACCOUNT.key]
        writes = len(world.dynamics.writes)
        world.tell(deleted(ACCOUNT, 9_500))
        await world.run()
        state = workspace(world, "account", ACCOUNT).attributes["Business Record"]["Record State"]
        assert state == "Deleted"
        assert len(world.dynamics.writes) == writes

    async def test_a_record_deleted_before_it_was_seen_gets_no_workspace(
        self, world: World
    ) -> None:
        world.tell(deleted(ACCOUNT, 9), account_created(0))
        await world.run()
        assert world.ecm.workspaces == {}

    async def test_a_restored_record_is_active_again(self, world: World) -> None:
        world.tell(account_created(), deleted(ACCOUNT, 5), account_created(9))
        await world.run()
        state = workspace(world, "account", ACCOUNT).attributes["Business Record"]["Record State"]
        assert state == "Active"

    async def test_a_merged_account_shows_it_and_hangs_below_the_survivor(
        self, world: World
    ) -> None:
        world.tell(account_created())
        world.tell(change(OTHER_ACCOUNT, 0, name="Fabrikam", accountnumber="A-2", statecode=0))
        world.tell(change(ACCOUNT, 5, merged=True, masterid=OTHER_ACCOUNT.key, statecode=1))
        await world.run()
        merged = workspace(world, "account", ACCOUNT)
        assert merged.attributes["Business Record"]["Record State"] == "Merged"
        assert merged.parents == {workspace(world, "account", OTHER_ACCOUNT).id}

    @pytest.mark.parametrize("account_first", [True, False])
    async def test_a_deal_is_related_to_its_account_whichever_comes_first(
        self, world: World, account_first: bool
    ) -> None:
        told = [account_created(), deal_created()]
        for fact in told if account_first else reversed(told):
            world.tell(fact)
            await world.run()
        account, deal = workspace(world, "account", ACCOUNT), workspace(world, "opportunity", DEAL)
        assert deal.parents == {account.id}

    async def test_an_account_nobody_told_us_of_is_read_and_gets_its_workspace(
        self, world: World
    ) -> None:
        world.tell(deal_created())
        await world.run()
        assert ACCOUNT.key in world.dynamics.reads
        assert workspace(world, "opportunity", DEAL).parents == {
            workspace(world, "account", ACCOUNT).id
        }

    async def test_a_deal_that_changes_its_account_changes_its_relation(self, world: World) -> None:
        world.tell(deal_created())
        await world.run()
        world.tell(change(DEAL, 5, parentaccountid=OTHER_ACCOUNT.key))
        await world.run()
        deal = workspace(world, "opportunity", DEAL)
        assert deal.parents == {workspace(world, "account", OTHER_ACCOUNT).id}

    async def test_two_accounts_that_are_each_others_parent_come_to_rest(
        self, world: World
    ) -> None:
        world.tell(account_created(parentaccountid=OTHER_ACCOUNT.key))
        both: dict[str, Any] = {
            "name": "Fabrikam",
            "accountnumber": "A-2",
            "parentaccountid": ACCOUNT.key,
        }
        world.tell(change(OTHER_ACCOUNT, 0, **both))
        await world.run()
        assert len(world.ecm.workspaces) == 2

    async def test_a_change_without_the_name_has_the_record_read(self, world: World) -> None:
        world.tell(change(ACCOUNT, 3, statecode=0))
        await world.run()
        assert workspace(world, "account", ACCOUNT).name == "Contoso (A-1)"

    async def test_a_message_that_was_cut_off_has_the_record_read(self, world: World) -> None:
        world.tell(change(ACCOUNT, 3, thin=True))
        await world.run()
        assert workspace(world, "account", ACCOUNT).name == "Contoso (A-1)"

    async def test_an_owner_whom_ecm_does_not_know_is_a_refusal_and_nothing_else_waits(
        self, world: World
    ) -> None:
        world.ecm.unknown_members.add("ann@contoso.example")
        world.tell(account_created())
        await world.run()
        made = workspace(world, "account", ACCOUNT)
        assert made.roles == {"Owner": ()}, "nobody is in it by mistake"
        assert world.dynamics.rows[ACCOUNT.key]["new_xecmworkspaceid"] == str(made.id)


class TestEchoes:
    async def test_our_own_write_coming_back_is_dropped(self, world: World) -> None:
        world.tell(account_created())
        await world.run()
        written: dict[str, Any] = dict(world.dynamics.writes[-1][1])
        sent = len(world.sent)
        world.tell(change(ACCOUNT, 9_100, **written))
        await world.run()
        assert [m.topic for m in world.sent[sent:] if "commands" in m.topic] == []
        skipped = world.metrics.skipped.labels("decide-records", "own_echo")
        assert skipped._value.get() == 1

    async def test_a_change_by_our_user_that_we_did_not_write_is_a_near_miss(self) -> None:
        world = World(own_users=frozenset({"me"}))
        world.dynamics.rows[ACCOUNT.key] = {}
        world.tell(change(ACCOUNT, 1, actor="me", name="Contoso", accountnumber="1"))
        await world.run()
        assert world.metrics.near_misses._value.get() == 1
        assert workspace(world, "account", ACCOUNT).name == "Contoso (1)"

    async def test_a_link_that_somebody_empties_is_set_right_a_few_times_only(
        self, world: World
    ) -> None:
        world.tell(account_created())
        await world.run()
        for round_ in range(9):
            seconds = 9_200 + round_ * 100
            world.dynamics.modified_ms = START_MS + seconds * 1000 + 50_000
            world.tell(change(ACCOUNT, seconds, new_xecmworkspaceid=None))
            await world.run()
        assert len(world.dynamics.writes) == 1 + 5


class TestContractLifecycle:
    async def test_a_deal_before_the_stage_has_no_contract_workspace(self, world: World) -> None:
        world.tell(deal_created())
        await world.run()
        assert {w.type for w in world.ecm.workspaces.values()} == {"Account", "Opportunity"}

    async def test_the_stage_by_column_makes_a_contract_workspace_below_deal_and_account(
        self, world: World
    ) -> None:
        world.tell(deal_created(), change(DEAL, 5, salesstage=2))
        await world.run()
        contract = workspace(world, "contract", DEAL)
        assert contract.parents == {
            workspace(world, "opportunity", DEAL).id,
            workspace(world, "account", ACCOUNT).id,
        }

    @pytest.mark.parametrize("process_first", [True, False])
    async def test_the_stage_of_the_business_process_counts_too(
        self, world: World, process_first: bool
    ) -> None:
        moved = change(PROCESS, 5, opportunityid=DEAL.key, activestageid=STAGE.key)
        for fact in (moved, deal_created()) if process_first else (deal_created(), moved):
            world.tell(fact)
            await world.run()
        assert workspace(world, "contract", DEAL).attributes["Business Record"] == {
            "Record State": "Active"
        }
        assert STAGE.key in world.dynamics.reads

    async def test_a_process_row_that_goes_leaves_the_stage(self, world: World) -> None:
        world.tell(deal_created())
        world.tell(change(PROCESS, 5, opportunityid=DEAL.key, activestageid=STAGE.key))
        await world.run()
        world.tell(deleted(PROCESS, 9))
        await world.run()
        record = workspace(world, "contract", DEAL).attributes["Business Record"]
        assert record["Record State"] == "Moved Back"

    async def test_an_older_stage_change_does_not_undo_a_newer_one(self, world: World) -> None:
        world.tell(deal_created())
        moved = {"record": DEAL, "process": PROCESS}
        newer = StageChanged(**moved, stage=STAGE, at_ms=START_MS + 9000)
        older = StageChanged(**moved, stage=None, at_ms=START_MS + 1000)
        world.tell(newer, older)
        await world.run()
        record = workspace(world, "contract", DEAL).attributes["Business Record"]
        assert record["Record State"] == "Active"

    @pytest.mark.parametrize("signed_first", [True, False])
    async def test_signature_and_stage_join_in_either_order(
        self, world: World, signed_first: bool
    ) -> None:
        world.dynamics.rows[DEAL.key]["salesstage"] = 2
        document = Document(id=88, version=3, name="contract.pdf")
        signed = event(
            "contract.signed", 7, record=DEAL, document=document, expires_on="2027-01-31"
        )
        reached = deal_created(5, salesstage=2)
        for fact in (signed, reached) if signed_first else (reached, signed):
            world.tell(fact)
            await world.run()
        row = world.dynamics.rows[DEAL.key]
        assert row["new_contractstatus"] == "Signed"
        assert row["new_contractsignedon"] == "2023-11-14T22:13:27Z"
        assert row["new_contractexpireson"] == "2027-01-31"
        assert (row["new_contractdocumentid"], row["new_contractdocumentversion"]) == ("88", 3)
        assert workspace(world, "contract", DEAL).attributes["Contract"]["Status"] == "Signed"

    @pytest.mark.parametrize("event_first", [True, False])
    async def test_an_event_of_a_workspace_waits_for_its_owner(
        self, world: World, event_first: bool
    ) -> None:
        named = BusinessObject(external_system="D365", type="contract", id=DEAL.id)
        world.ecm.workspaces[7] = FakeWorkspace(7, named, "Contract", "Early", {})
        signed = event("contract.signed", 7, workspace_id=7)
        reached = deal_created(5, salesstage=2)
        for fact in (signed, reached) if event_first else (reached, signed):
            world.tell(fact)
            await world.run()
        assert world.dynamics.rows[DEAL.key]["new_contractstatus"] == "Signed"

    async def test_a_new_round_empties_dates_and_document(self, world: World) -> None:
        world.tell(deal_created(salesstage=2))
        document = Document(id=88, version=3)
        world.tell(event("contract.signed", 7, record=DEAL, document=document))
        await world.run()
        world.tell(event("contract.in_negotiation", 9, record=DEAL))
        await world.run()
        row = world.dynamics.rows[DEAL.key]
        assert row["new_contractstatus"] == "In negotiation"
        assert row["new_contractsignedon"] is None
        assert row["new_contractdocumentid"] is None

    @pytest.mark.parametrize(
        ("columns", "state"),
        [
            ({"salesstage": 1}, "Moved Back"),
            ({"statecode": 1}, "Won"),
            ({"statecode": 2}, "Lost"),
        ],
    )
    async def test_the_contract_workspace_shows_what_became_of_the_deal(
        self, world: World, columns: dict[str, Any], state: str
    ) -> None:
        world.tell(deal_created(salesstage=2))
        await world.run()
        world.tell(change(DEAL, 9, **columns))
        await world.run()
        shown = workspace(world, "contract", DEAL).attributes["Business Record"]["Record State"]
        assert shown == state

    async def test_a_lost_deal_gets_no_contract_workspace(self, world: World) -> None:
        world.tell(deal_created(salesstage=3, statecode=2))
        await world.run()
        assert "Contract" not in {w.type for w in world.ecm.workspaces.values()}

    async def test_an_event_about_an_unknown_record_is_kept_and_not_an_error(
        self, world: World
    ) -> None:
        unknown = ref("opportunity", 99)
        world.tell(event("contract.signed", 7, record=unknown))
        await world.run()
        assert world.count(DEAD_LETTERS.name) == 0
        assert world.ecm.workspaces == {}


class TestCommands:
    async def test_deciding_again_sends_the_same_commands_again(self, world: World) -> None:
        world.tell(account_created())
        first = await world.deliver(world.queues.popitem()[1][0])
        world.tell(account_created())
        second = await world.deliver(world.queues.popitem()[1][0])
        commands = (ECM_COMMANDS.name, DYNAMICS_COMMANDS.name)
        assert [m for m in first if m.topic in commands] == [
            m for m in second if m.topic in commands
        ]
        assert any(m.topic == ECM_COMMANDS.name for m in first)

    async def test_a_known_command_is_answered_without_a_call(self, world: World) -> None:
        world.tell(account_created())
        await world.run()
        calls = list(world.ecm.calls)
        again = next(m for m in world.sent if m.topic == ECM_COMMANDS.name)
        outcomes = await world.deliver(again)
        assert len(outcomes) == 1
        assert world.ecm.calls == calls

    async def test_a_message_that_is_not_ours_is_a_dead_letter(self, world: World) -> None:
        from streams.engine.records import Outgoing
        from streams.topics import CHANGES

        letters = await world.deliver(Outgoing(CHANGES.name, b"account:1", b"{}"))
        assert [m.topic for m in letters] == [DEAD_LETTERS.name]
        assert letters[0].value == b"{}"
