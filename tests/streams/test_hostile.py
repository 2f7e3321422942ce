"""Hostile histories: records deleted, restored and merged while writes are under way, refusals that
people put right, lives longer than anybody has in mind. What ought to be true is so at the end."""

from __future__ import annotations

import random
from typing import Any

import pytest

from streams.messages.facts import BusinessObject, Operation
from tests.fakes.gateways import FakeWorkspace
from tests.streams.samples import change, deleted, ref
from tests.streams.world import World

ACCOUNT, OTHER, DEAL = ref("account", 1), ref("account", 2), ref("opportunity", 3)
ANN, BOB = ref("systemuser", 11), ref("systemuser", 12)
LINK = "new_xecmworkspaceid"


@pytest.fixture
def world() -> World:
    world = World()
    rows = world.dynamics.rows
    rows[ACCOUNT.key] = {"name": "Contoso", "accountnumber": "A-1", "statecode": 0}
    rows[OTHER.key] = {"name": "Fabrikam", "accountnumber": "A-2", "statecode": 0}
    rows[DEAL.key] = {"name": "Deal", "parentaccountid": ACCOUNT.key}
    rows[ANN.key] = {"internalemailaddress": "ann@contoso.example"}
    rows[BOB.key] = {"internalemailaddress": "bob@contoso.example"}
    return world


def created(second: int = 0, **columns: Any) -> Any:
    known = {"name": "Contoso", "accountnumber": "A-1", "statecode": 0, "ownerid": ANN.key}
    return change(ACCOUNT, second, operation=Operation.CREATE, **{**known, **columns})


def file_of(world: World, kind: str = "account", number: int = 1) -> FakeWorkspace:
    named = BusinessObject(external_system="D365", type=kind, id=ref(kind, number).id)
    found = world.ecm.of(named)
    assert found is not None, f"no {kind} workspace"
    return found


class TestRefusals:
    """A refusal is told once and not called again by itself; people put its cause right."""

    async def test_a_member_whom_people_have_made_gets_the_role_with_the_next_change(
        self, world: World
    ) -> None:
        world.ecm.unknown_members.add("ann@contoso.example")
        world.tell(created())
        await world.run()
        assert file_of(world).roles == {"Owner": ()}
        world.ecm.unknown_members.clear()
        world.tell(change(ACCOUNT, 9_200))
        await world.run()
        assert file_of(world).roles == {"Owner": ("ann@contoso.example",)}

    async def test_while_it_is_not_right_each_change_asks_once_and_comes_to_rest(
        self, world: World
    ) -> None:
        world.ecm.unknown_members.add("ann@contoso.example")
        world.tell(created())
        await world.run()
        tried = len([call for call in world.ecm.calls if call.startswith("role")])
        world.tell(change(ACCOUNT, 9_200, name="Contoso Ltd"))
        await world.run()
        assert len([call for call in world.ecm.calls if call.startswith("role")]) == tried + 1

    async def test_what_our_own_user_changes_asks_nothing_again(self) -> None:
        world = World(own_users=frozenset({"me"}))
        world.dynamics.rows[ACCOUNT.key] = {"name": "Contoso", "accountnumber": "A-1"}
        world.dynamics.rows[ANN.key] = {"internalemailaddress": "ann@contoso.example"}
        world.ecm.unknown_members.add("ann@contoso.example")
        world.tell(created())
        await world.run()
        tried = len(world.ecm.calls)
        world.tell(change(ACCOUNT, 9_200, actor="me", accountnumber="A-9"))
        await world.run()
        calls = world.ecm.calls[tried:]
        assert not [call for call in calls if call.startswith("role")], "a plugin may answer us"

    async def test_a_restored_record_shows_its_link(self, world: World) -> None:
        """It was deleted before we wrote it there: that write was refused."""
        row = world.dynamics.rows.pop(ACCOUNT.key)
        world.tell(created())
        await world.run()
        world.tell(deleted(ACCOUNT, 10))
        await world.run()
        world.dynamics.rows[ACCOUNT.key] = row
        world.tell(created(20))
        await world.run()
        assert row[LINK] == str(file_of(world).id)
        assert len(world.ecm.workspaces) == 1

    async def test_what_a_refused_command_undid_is_made_true_again(self, world: World) -> None:
        """An owner whom Content Server does not know takes the role from the one before."""
        world.dynamics.rows[BOB.key] = {"internalemailaddress": "bob@contoso.example"}
        world.ecm.unknown_members.add("bob@contoso.example")
        world.tell(created())
        await world.run()
        world.tell(change(ACCOUNT, 9_200, ownerid=BOB.key))
        await world.run()
        assert file_of(world).roles == {"Owner": ()}
        world.tell(change(ACCOUNT, 9_300, ownerid=ANN.key))
        await world.run()
        assert file_of(world).roles == {"Owner": ("ann@contoso.example",)}


class TestLivesAndDeaths:
    async def test_deleted_and_restored_a_hundred_times_it_keeps_its_one_workspace(
        self, world: World
    ) -> None:
        for second in range(0, 200, 2):
            world.tell(created(second), deleted(ACCOUNT, second + 1))
            await world.run()
        world.tell(created(300))
        await world.run()
        assert len(world.ecm.workspaces) == 1
        assert file_of(world).attributes["Business Record"]["Record State"] == "Active"

    @pytest.mark.parametrize("seed", range(6))
    async def test_merged_into_one_that_is_merged_and_back_again(
        self, world: World, seed: int
    ) -> None:
        told = [
            created(),
            change(OTHER, 0, name="Fabrikam", accountnumber="A-2", statecode=0),
            change(ACCOUNT, 5, merged=True, masterid=OTHER.key, statecode=1),
            change(ACCOUNT, 9, merged=False, masterid=None, statecode=0),
        ]
        chance = random.Random(seed)
        told += chance.choices(told, k=3)
        chance.shuffle(told)
        world.tell(*told)
        await world.run(chance.choice)
        assert len(world.ecm.workspaces) == 2
        assert file_of(world).parents == set()
        assert file_of(world).attributes["Business Record"]["Record State"] == "Active"

    async def test_a_deal_goes_from_account_to_account_and_back_while_nothing_is_answered(
        self, world: World
    ) -> None:
        deal = {"name": "Deal", "salesstage": 0, "statecode": 0, "ownerid": None}
        world.tell(created(), change(DEAL, 0, parentaccountid=ACCOUNT.key, **deal))
        await world.run()
        for second, account in enumerate((OTHER, ACCOUNT, OTHER, ACCOUNT), 5):
            world.tell(change(DEAL, second, parentaccountid=account.key))
        await world.run(max)
        assert file_of(world, "opportunity", 3).parents == {file_of(world).id}

    async def test_a_customer_who_comes_years_later_is_related_then(self, world: World) -> None:
        customer = world.dynamics.rows.pop(ACCOUNT.key)
        deal = {"name": "Deal", "salesstage": 0, "statecode": 0, "ownerid": None}
        world.tell(change(DEAL, 0, parentaccountid=ACCOUNT.key, **deal))
        await world.run()
        assert file_of(world, "opportunity", 3).parents == set()
        await world.pass_time(3 * 365 * 86_400)
        world.dynamics.rows[ACCOUNT.key] = customer
        world.tell(created(3 * 365 * 86_400))
        await world.run()
        assert file_of(world, "opportunity", 3).parents == {file_of(world).id}

    async def test_an_owner_who_is_nobody_takes_the_role_from_whom_had_it(
        self, world: World
    ) -> None:
        world.tell(created())
        await world.run()
        world.tell(change(ACCOUNT, 9_200, ownerid=ref("systemuser", 99).key))
        await world.run()
        assert file_of(world).roles == {"Owner": ()}
        world.tell(change(ACCOUNT, 9_300, ownerid=BOB.key))
        await world.run()
        assert file_of(world).roles == {"Owner": ("bob@contoso.example",)}

    async def test_who_begins_to_listen_late_makes_up_for_all_that_was_before(
        self, world: World
    ) -> None:
        """A change of one column is all that comes of a deal that reached its stage long ago."""
        told = {"salesstage": 2, "statecode": 0, "ownerid": None, "estimatedvalue": "5"}
        world.dynamics.rows[DEAL.key] |= told
        world.tell(change(DEAL, 9_000, name="Deal"))
        await world.run()
        assert file_of(world, "opportunity", 3).parents == {file_of(world).id}
        named = BusinessObject(external_system="D365", type="contract", id=DEAL.id)
        contract = world.ecm.of(named)
        assert contract is not None
        assert contract.attributes["Business Record"]["Record State"] == "Active"
        assert len([key for key in world.dynamics.reads if key == DEAL.key]) == 1
