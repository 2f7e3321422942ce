"""Flow 1 on its own: each row of its state table, and what it waits for, repairs and gives up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.catalogue import ColumnValue
from streams.flows import record_workspace
from streams.flows.plan import REPAIR_LIMIT
from streams.flows.shape import Decision, View
from streams.messages.commands import AttributeValue, EnsureWorkspace, SetRoleMembers
from streams.rules import Expression, RecordWorkspaceRule, RelationRule, RoleRule
from tables.flow_steps import Refusal
from tables.keys import command_id
from tables.neighbours import NeighboursRow
from tests.streams.flows.views import (
    ACCOUNT,
    ANN,
    BOB,
    CAUSE,
    OTHER,
    TEAM,
    WORKSPACE_ID,
    also,
    asked,
    confirmed,
    only,
    settled,
    state,
    told,
    view,
    why,
)
from tests.streams.rulebook import ACCOUNT_RULE

KNOWN: dict[str, ColumnValue] = {"name": "Contoso", "accountnumber": "A-1", "statecode": 0}
LINKED = {ACCOUNT_RULE.name: WORKSPACE_ID}
ONLY_OPEN = ACCOUNT_RULE.model_copy(update={"when": Expression("record.statecode == 0")})
ENSURE, UPDATE, SHOW = (
    "ensure_workspace workspace",
    "update_workspace properties",
    "set_record_columns columns",
)


def decided(seen: View, rule: RecordWorkspaceRule = ACCOUNT_RULE) -> Decision:
    return record_workspace.decide(CAUSE, seen, rule)


class TestStateTable:
    """One case per row of the table in the flow's docstring."""

    @pytest.mark.parametrize(
        ("columns", "deleted", "commands", "reasons"),
        [
            pytest.param({"statecode": 1}, False, [], ["condition_false"], id="when not true"),
            pytest.param({}, False, [ENSURE], ["waiting_for_workspace"], id="when true"),
            pytest.param({}, True, [], ["record_deleted"], id="deleted before it had one"),
        ],
    )
    def test_a_record_without_a_workspace(
        self,
        columns: dict[str, ColumnValue],
        deleted: bool,
        commands: list[str],
        reasons: list[str],
    ) -> None:
        decision = decided(view(ACCOUNT, {**KNOWN, **columns}, deleted=deleted), ONLY_OPEN)
        assert (asked(decision), why(decision)) == (commands, reasons)

    @pytest.mark.parametrize(
        ("columns", "deleted", "shown", "commands"),
        [
            pytest.param({}, False, "Active", [UPDATE, SHOW], id="alive"),
            pytest.param({"statecode": 1}, False, "Closed", [UPDATE, SHOW], id="closed, not due"),
            pytest.param({"merged": True}, False, "Merged", [UPDATE, SHOW], id="merged"),
            pytest.param({"statecode": 1, "merged": True}, False, "Merged", [UPDATE, SHOW], id="m"),
            pytest.param({}, True, "Deleted", [UPDATE], id="deleted"),
        ],
    )
    def test_a_record_with_a_workspace(
        self,
        columns: dict[str, ColumnValue],
        deleted: bool,
        shown: str,
        commands: list[str],
    ) -> None:
        seen = view(ACCOUNT, {**KNOWN, **columns}, deleted=deleted, links=LINKED)
        decision = decided(seen, ONLY_OPEN)
        assert (state(decision), asked(decision)) == (shown, commands)

    def test_a_restored_record_is_as_alive(self) -> None:
        gone = settled(decided, view(ACCOUNT, KNOWN, deleted=True, links=LINKED))
        back = decided(also(gone, 5, name="Contoso"))
        assert (state(back), asked(back)) == ("Active", [UPDATE, SHOW])

    def test_a_merged_record_becomes_a_child_of_the_survivors_workspace(self) -> None:
        columns = {**KNOWN, "merged": True, "masterid": OTHER.key}
        waiting = decided(view(ACCOUNT, columns, links=LINKED))
        assert told(waiting) == [f"workspace_wanted {OTHER.key}"]
        knows = NeighboursRow().workspace_known(OTHER.key, 80)
        relate = only(
            decided(view(ACCOUNT, columns, links=LINKED, neighbours=knows)), "relation/parent/80"
        )
        assert (relate.workspace_id, relate.related_id, relate.relation) == (70, 80, "parent")

    def test_a_record_that_was_never_heard_of_is_unknown(self) -> None:
        assert why(decided(view(ACCOUNT))) == ["record_unknown"]

    def test_when_all_is_true_nothing_is_asked(self) -> None:
        decision = decided(settled(decided, view(ACCOUNT, KNOWN, links=LINKED)))
        assert (asked(decision), told(decision), why(decision)) == ([], [], ["all_true"])

    def test_a_deleted_record_that_is_marked_is_left_alone(self) -> None:
        marked = settled(decided, view(ACCOUNT, KNOWN, deleted=True, links=LINKED))
        assert (asked(decided(marked)), why(decided(marked))) == ([], ["record_deleted"])


class TestTheWorkspace:
    def test_it_is_asked_for_with_the_business_object_and_how_it_begins(self) -> None:
        rule = ACCOUNT_RULE.workspace.model_copy(update={"template": "Account 2"})
        seen = view(ACCOUNT, KNOWN)
        ensure = only(
            decided(seen, ACCOUNT_RULE.model_copy(update={"workspace": rule})), "workspace"
        )
        assert isinstance(ensure, EnsureWorkspace)
        assert ensure.business_object.model_dump() == {
            "external_system": "D365",
            "type": "account",
            "id": ACCOUNT.id,
        }
        assert (ensure.workspace_type, ensure.template) == ("Account", "Account 2")
        assert ensure.name == "Contoso (A-1)"
        expected = {"Record Name": "Contoso", "Record State": "Active"}
        assert ensure.attributes == {"Business Record": expected}
        assert ensure.caused_at_ms == seen.at_ms

    def test_its_id_follows_from_what_is_wanted_and_is_the_same_each_time(self) -> None:
        first = only(decided(view(ACCOUNT, KNOWN)), "workspace")
        assert first == only(decided(view(ACCOUNT, KNOWN)), "workspace")
        assert first.id == command_id(ACCOUNT_RULE.name, ACCOUNT, "workspace", first.desired)
        renamed = only(decided(view(ACCOUNT, {**KNOWN, "name": "Other"})), "workspace")
        assert renamed.id == first.id, "the name is how it begins, not what it is"

    def test_made_as_asked_its_properties_need_no_second_command(self) -> None:
        seen = view(ACCOUNT, KNOWN)
        ensure = only(decided(seen), "workspace")
        update = only(decided(view(ACCOUNT, KNOWN, links=LINKED)), "properties")
        assert ensure.properties == update.desired

    @pytest.mark.parametrize("missing", ["name", "accountnumber"])
    def test_columns_that_name_it_are_read_first(self, missing: str) -> None:
        columns = {name: value for name, value in KNOWN.items() if name != missing}
        decision = decided(view(ACCOUNT, columns))
        assert asked(decision) == ["read_record read"]
        assert why(decision) == ["waiting_for_columns"]

    def test_a_column_that_is_known_to_be_empty_is_known(self) -> None:
        decision = decided(view(ACCOUNT, {"name": "Contoso", "accountnumber": None}))
        assert only(decision, "workspace").name == "Contoso"

    def test_what_a_read_did_not_bring_is_not_read_again(self) -> None:
        seen = view(ACCOUNT, {"name": "Contoso"})
        after = confirmed(seen, decided(seen).commands)
        assert (asked(decided(after)), why(decided(after))) == ([], ["waiting_for_columns"])

    def test_a_refused_workspace_is_asked_for_once_and_its_refusal_shown(self) -> None:
        seen = view(ACCOUNT, KNOWN)
        wanted = only(decided(seen), "workspace")
        no = Refusal(desired=wanted.desired, code="no_template", message="", at_ms=1)
        steps = seen.steps.refused(ACCOUNT_RULE.name, "workspace", no)
        decision = decided(replace(seen, steps=steps))
        assert asked(decision) == []
        assert why(decision) == ["waiting_for_workspace", "step_refused"]


class TestConditions:
    @pytest.mark.parametrize(
        ("when", "columns", "commands", "reason"),
        [
            ("record.statecode > 0", {}, ["read_record read"], "waiting_for_columns"),
            ("record.statecode > 0", {"statecode": None}, [], "condition_undecided"),
            ("record.statecode > 0", {"statecode": 0}, [], "condition_false"),
            ("record.statecode > 0", {"statecode": 1}, [ENSURE], "waiting_for_workspace"),
            ("record.statecode", {"statecode": 1}, [], "condition_undecided"),
            ("1 / record.statecode > 0", {"statecode": 0}, [], "condition_undecided"),
            ("9223372036854775807 + 1 > 0", {}, [], "condition_undecided"),
            ("record.merged", {"merged": None}, [], "condition_undecided"),
            ("record.merged == true", {"merged": None}, [], "condition_false"),
            ("record.statecode in [1, 2]", {"statecode": 2}, [ENSURE], "waiting_for_workspace"),
            ("stage.name == null", {}, [ENSURE], "waiting_for_workspace"),
        ],
    )
    def test_a_condition_is_true_false_or_undecided(
        self, when: str, columns: dict[str, ColumnValue], commands: list[str], reason: str
    ) -> None:
        rule = ACCOUNT_RULE.model_copy(update={"when": Expression(when)})
        named: dict[str, ColumnValue] = {"name": "Contoso", "accountnumber": "A-1"}
        named |= {} if "statecode" in when else {"statecode": 0}
        decision = decided(view(ACCOUNT, {**named, **columns}), rule)
        assert (asked(decision), why(decision)) == (commands, [reason])

    @pytest.mark.parametrize(
        ("expression", "value"),
        [
            ("record.name", "Contoso"),
            ("record.statecode", 0),
            ("record.statecode == 0", True),
            ("1.5 * 2.0", "3"),
            ("-0.0", "0"),
            ("1.0 / 0.0", None),
            ("1 / record.statecode", None),
            ("record.merged", None),
            ("record.ownerid + 'x'", None),
            ("[1, 2]", (1, 2)),
            ("{'a': 1}", None),
        ],
    )
    def test_an_attribute_is_a_plain_value_a_list_of_them_or_empty(
        self, expression: str, value: AttributeValue
    ) -> None:
        attributes = {"C": {"A": Expression(expression)}}
        workspace = ACCOUNT_RULE.workspace.model_copy(update={"attributes": attributes})
        rule = ACCOUNT_RULE.model_copy(update={"workspace": workspace})
        shown = only(decided(view(ACCOUNT, KNOWN), rule), "workspace").attributes["C"]["A"]
        assert (shown, type(shown)) == (value, type(value))


class TestRoles:
    def roles(self, neighbours: NeighboursRow | None = None, **columns: ColumnValue) -> Decision:
        role = RoleRule(role="Owner", members=("ownerid", "masterid"))
        workspace = ACCOUNT_RULE.workspace.model_copy(update={"roles": (role,)})
        rule = ACCOUNT_RULE.model_copy(update={"workspace": workspace})
        seen = view(ACCOUNT, {**KNOWN, **columns}, links=LINKED, neighbours=neighbours)
        return decided(seen, rule)

    def test_a_member_nobody_told_of_is_asked_for_and_waited_for(self) -> None:
        decision = self.roles(ownerid=ANN.key)
        assert told(decision) == [f"columns_wanted {ANN.key}"]
        assert "waiting_for_member" in why(decision)
        assert SetRoleMembers not in map(type, decision.commands)

    def test_all_known_members_get_the_role_sorted_and_once(self) -> None:
        known = NeighboursRow()
        for user, mail in ((ANN, "z@contoso.example"), (BOB, "a@contoso.example")):
            known = known.columns_known(user.key, {"internalemailaddress": mail}, 1)
        decision = self.roles(known, ownerid=ANN.key, masterid=BOB.key)
        members = only(decision, "role/Owner").members
        assert members == ("a@contoso.example", "z@contoso.example")
        assert told(decision) == []

    def test_one_unknown_of_two_holds_the_role(self) -> None:
        known = NeighboursRow().columns_known(ANN.key, {"internalemailaddress": "a@x"}, 1)
        decision = self.roles(known, ownerid=ANN.key, masterid=BOB.key)
        assert "set_role_members role/Owner" not in asked(decision)
        assert told(decision) == [f"columns_wanted {BOB.key}"]

    @pytest.mark.parametrize("name", [None, ""])
    def test_a_member_without_a_name_is_shown_and_leaves_the_role_as_it_is(
        self, name: str | None
    ) -> None:
        known = NeighboursRow().columns_known(ANN.key, {"internalemailaddress": name}, 1)
        decision = self.roles(known, ownerid=ANN.key)
        assert "member_has_no_name" in why(decision)
        assert "set_role_members role/Owner" not in asked(decision)

    def test_a_named_member_gets_the_role_beside_one_without_a_name(self) -> None:
        known = NeighboursRow().columns_known(ANN.key, {"internalemailaddress": None}, 1)
        known = known.columns_known(BOB.key, {"internalemailaddress": "b@x"}, 1)
        decision = self.roles(known, ownerid=ANN.key, masterid=BOB.key)
        assert only(decision, "role/Owner").members == ("b@x",)

    @pytest.mark.parametrize("owner", [None, TEAM.key, "not a reference", "systemuser:not-a-guid"])
    def test_a_team_or_nobody_is_no_member(self, owner: ColumnValue) -> None:
        decision = self.roles(ownerid=owner)
        assert "set_role_members role/Owner" not in asked(decision)
        assert told(decision) == []

    @pytest.mark.parametrize(
        ("now", "name", "reason"),
        [
            (None, None, "all_true"),
            (TEAM.key, None, "all_true"),
            (BOB.key, None, "member_has_no_name"),
        ],
    )
    def test_a_role_that_we_filled_follows_the_record_to_nobody(
        self, now: ColumnValue, name: str | None, reason: str
    ) -> None:
        role = RoleRule(role="Owner", members=("ownerid",))
        workspace = ACCOUNT_RULE.workspace.model_copy(update={"roles": (role,)})
        rule = ACCOUNT_RULE.model_copy(update={"workspace": workspace})
        known = NeighboursRow().columns_known(ANN.key, {"internalemailaddress": "a@x"}, 1)
        known = known.columns_known(BOB.key, {"internalemailaddress": name}, 1)
        owned = view(ACCOUNT, {**KNOWN, "ownerid": ANN.key}, links=LINKED, neighbours=known)
        filled = settled(lambda seen: decided(seen, rule), owned)
        gone = view(ACCOUNT, {**KNOWN, "ownerid": now}, links=LINKED, neighbours=known)
        decision = decided(replace(gone, steps=filled.steps), rule)
        assert only(decision, "role/Owner").members == ()
        emptied = settled(lambda seen: decided(seen, rule), replace(gone, steps=filled.steps))
        assert reason in why(decided(emptied, rule))
        untold = view(ACCOUNT, KNOWN, links=LINKED, neighbours=known)
        unheard = decided(replace(untold, steps=filled.steps), rule)
        assert "set_role_members role/Owner" not in asked(unheard)


class TestRelations:
    def related(
        self, parents: dict[str, int | None], before: View | None = None, **columns: ColumnValue
    ) -> tuple[Decision, View]:
        known = NeighboursRow()
        for key, workspace in parents.items():
            known = known.workspace_known(key, workspace)
        seen = view(ACCOUNT, {**KNOWN, **columns}, links=LINKED, neighbours=known)
        if before is not None:
            seen = replace(seen, steps=before.steps)
        return decided(seen), settled(decided, seen)

    def test_a_relation_that_moves_is_made_and_the_old_one_taken_away(self) -> None:
        _, at_other = self.related({OTHER.key: 80}, parentaccountid=OTHER.key)
        third = OTHER.key.replace("2", "9")
        moved, _ = self.related({third: 90}, at_other, parentaccountid=third)
        assert [a for a in asked(moved) if "relat" in a] == [
            "relate_workspaces relation/parent/90",
            "unrelate_workspaces relation/parent/80",
        ]

    def test_the_old_relation_stays_until_the_new_ones_workspace_is_known(self) -> None:
        _, at_other = self.related({OTHER.key: 80}, parentaccountid=OTHER.key)
        third = OTHER.key.replace("2", "9")
        moved, _ = self.related({}, at_other, parentaccountid=third)
        assert [a for a in asked(moved) if "relat" in a] == []
        assert told(moved) == [f"workspace_wanted {third}"]
        assert why(moved) == ["waiting_for_related_workspace"]

    def test_a_relation_whose_column_is_emptied_goes(self) -> None:
        _, at_other = self.related({OTHER.key: 80}, parentaccountid=OTHER.key)
        emptied, after = self.related({}, at_other, parentaccountid=None)
        assert [a for a in asked(emptied) if "relat" in a] == [
            "unrelate_workspaces relation/parent/80"
        ]
        again, _ = self.related({}, after, parentaccountid=None)
        assert [a for a in asked(again) if "relat" in a] == [], "what went, went"

    def test_a_relation_that_comes_back_is_made_again(self) -> None:
        _, one = self.related({OTHER.key: 80}, parentaccountid=OTHER.key)
        _, none = self.related({}, one, parentaccountid=None)
        back, _ = self.related({OTHER.key: 80}, none, parentaccountid=OTHER.key)
        assert "relate_workspaces relation/parent/80" in asked(back)

    def test_a_record_that_is_its_own_parent_is_related_to_nothing(self) -> None:
        decision, _ = self.related({ACCOUNT.key: WORKSPACE_ID}, parentaccountid=ACCOUNT.key)
        assert [a for a in asked(decision) if "relat" in a] == []

    def test_the_old_relation_goes_when_the_new_record_is_gone_without_a_workspace(self) -> None:
        _, at_other = self.related({OTHER.key: 80}, parentaccountid=OTHER.key)
        third = OTHER.key.replace("2", "9")
        moved, _ = self.related({third: None}, at_other, parentaccountid=third)
        assert [a for a in asked(moved) if "relat" in a] == [
            "unrelate_workspaces relation/parent/80"
        ]
        assert told(moved) == []

    def test_a_table_that_no_rule_declares_is_not_asked(self) -> None:
        decision, _ = self.related({}, parentaccountid=f"contact:{OTHER.id}")
        assert told(decision) == []

    def test_a_child_relation_is_asked_for_and_taken_away_as_one(self) -> None:
        relation = RelationRule(column="parentaccountid", relation="child")
        workspace = ACCOUNT_RULE.workspace.model_copy(update={"relations": (relation,)})
        rule = ACCOUNT_RULE.model_copy(update={"workspace": workspace})
        known = NeighboursRow().workspace_known(OTHER.key, 80)
        seen = view(
            ACCOUNT, {**KNOWN, "parentaccountid": OTHER.key}, links=LINKED, neighbours=known
        )
        assert only(decided(seen, rule), "relation/child/80").relation == "child"
        after = settled(lambda v: decided(v, rule), seen)
        gone = only(decided(also(after, 5, parentaccountid=None), rule), "relation/child/80")
        assert (gone.kind, gone.relation) == ("unrelate_workspaces", "child")


class TestWriteBack:
    def test_the_record_shows_id_and_link(self) -> None:
        shown = only(decided(view(ACCOUNT, KNOWN, links=LINKED)), "columns").columns
        assert shown == {
            "new_xecmworkspaceid": "70",
            "new_xecmworkspaceurl": "https://ecm.example/70",
        }

    def test_what_others_overwrite_is_set_right_under_an_id_of_its_own(self) -> None:
        true = settled(decided, view(ACCOUNT, KNOWN, links=LINKED), 1)
        first = decided(also(true, 5, new_xecmworkspaceid=None))
        repair = only(first, "columns")
        assert repair.columns["new_xecmworkspaceid"] == "70"
        assert "@" in repair.desired
        fixed = confirmed(also(true, 5, new_xecmworkspaceid=None), first.commands, 6)
        assert why(decided(fixed)) == ["all_true"]
        again = only(decided(also(fixed, 9, new_xecmworkspaceid=None)), "columns")
        assert again.id != repair.id, "else the ledger would answer, and nothing be written"

    def test_after_so_many_repairs_in_a_row_it_is_left_to_people(self) -> None:
        seen = settled(decided, view(ACCOUNT, KNOWN, links=LINKED), 1)
        for number in range(REPAIR_LIMIT):
            overwritten = also(seen, 10 * number + 5, new_xecmworkspaceid="x")
            decision = decided(overwritten)
            assert asked(decision) == [SHOW], number
            seen = confirmed(overwritten, decision.commands, 10 * number + 6)
        last = decided(also(seen, 100, new_xecmworkspaceid="x"))
        assert (asked(last), why(last)) == ([], ["write_contested"])

    def test_a_value_of_before_our_write_is_no_drift(self) -> None:
        seen = settled(decided, view(ACCOUNT, KNOWN, links=LINKED), 10)
        assert why(decided(also(seen, 5, new_xecmworkspaceid="old"))) == ["all_true"]
        older = also(view(ACCOUNT, KNOWN, links=LINKED), 5, new_xecmworkspaceid="old")
        assert why(decided(replace(seen, row=older.row))) == ["all_true"]

    def test_a_rule_that_shows_nothing_writes_nothing(self) -> None:
        rule = ACCOUNT_RULE.model_copy(
            update={"write_back": ACCOUNT_RULE.write_back.model_validate({})}
        )
        assert asked(decided(view(ACCOUNT, KNOWN, links=LINKED), rule)) == [UPDATE]
