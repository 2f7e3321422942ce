"""Flow 2 on its own: each row of its two state tables, and stage and events in either order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from streams.catalogue import ColumnValue
from streams.flows import contract_lifecycle
from streams.flows.shape import Decision, View
from streams.messages.facts import Document, WorkspaceEvent
from streams.rules import ContractColumns, ContractRule, Expression
from tables.contracts import STATUSES, ContractsRow
from tables.neighbours import NeighboursRow
from tables.records import Stamp
from tables.stages import Move, StagesRow
from tests.streams.flows.views import (
    ACCOUNT,
    CAUSE,
    DEAL,
    also,
    asked,
    only,
    settled,
    state,
    told,
    view,
    why,
)
from tests.streams.rulebook import CONTRACT_RULE
from tests.streams.samples import START_MS, event, ref

OPEN: dict[str, ColumnValue] = {"name": "Deal", "salesstage": 0, "statecode": 0}
REACHED: dict[str, ColumnValue] = {**OPEN, "salesstage": 2}
LINKED = {CONTRACT_RULE.name: 70}
BOTH = {**LINKED, "opportunity-workspace": 60}
PROCESS, STAGE = ref("opportunitysalesprocess", 22), ref("processstage", 21)
ENSURE, UPDATE, SHOW = (
    "ensure_workspace workspace",
    "update_workspace properties",
    "set_record_columns columns",
)
RULE = CONTRACT_RULE.model_copy(
    update={
        "write_back": ContractColumns(
            workspace_id="new_xecmworkspaceid",
            status="new_contractstatus",
            approved_on="new_approvedon",
            signed_on="new_contractsignedon",
            effective_on="new_effectiveon",
            expires_on="new_contractexpireson",
            terminated_on="new_terminatedon",
            document_id="new_contractdocumentid",
            document_version="new_contractdocumentversion",
            document_url="new_documenturl",
        )
    }
)


def decided(seen: View, rule: ContractRule = CONTRACT_RULE) -> Decision:
    return contract_lifecycle.decide(CAUSE, seen, rule)


def hearing(
    seen: View, *names: str, rule: ContractRule = RULE, document: int | None = 88
) -> tuple[View, Decision]:
    """The view after these contract events, one a second, and what is decided then."""
    decision = Decision()
    for second, name in enumerate(names):
        ref = Document(id=document, version=second, url=f"https://d/{second}") if document else None
        seen, decision = heard(seen, name, second, rule=rule, document=ref)
    return seen, decision


def heard(
    seen: View,
    name: str,
    second: int,
    *,
    rule: ContractRule = RULE,
    document: Document | None = None,
    told_rule: str = CONTRACT_RULE.name,
    **attributes: ColumnValue,
) -> tuple[View, Decision]:
    happened = event(name, second, record=DEAL, document=document)
    happened = happened.model_copy(update={"attributes": attributes})
    cause = WorkspaceEvent(record=DEAL, rule=told_rule, event=happened)
    decision = contract_lifecycle.decide(cause, seen, rule)
    assert isinstance(decision.own, ContractsRow)
    return replace(seen, own=decision.own), decision


def at_stage(name: str | None, category: int | None = None) -> tuple[StagesRow, NeighboursRow]:
    """In a stage of the business process; ``name`` is None while its row is not known."""
    stages = StagesRow().moved(PROCESS.key, Move(STAGE.key, Stamp(START_MS)))
    known = NeighboursRow()
    if name is not None:
        columns: dict[str, ColumnValue] = {"stagename": name, "stagecategory": category}
        known = known.columns_known(STAGE.key, columns, START_MS)
    return stages, known


def second(number: int) -> str:
    return f"2023-11-14T22:13:{20 + number:02}Z"


class TestTheWorkspace:
    """One case per row of the first table in the flow's docstring."""

    @pytest.mark.parametrize(
        ("columns", "deleted", "commands", "reasons"),
        [
            pytest.param(OPEN, False, [], ["stage_not_reached"], id="before the stage"),
            pytest.param(REACHED, False, [ENSURE], ["waiting_for_workspace"], id="at the stage"),
            pytest.param(
                {**REACHED, "salesstage": 3}, False, [ENSURE], ["waiting_for_workspace"], id="after"
            ),
            pytest.param(
                {**REACHED, "statecode": 1}, False, [ENSURE], ["waiting_for_workspace"], id="won"
            ),
            pytest.param(
                {**OPEN, "statecode": 1}, False, [], ["stage_not_reached"], id="won, not reached"
            ),
            pytest.param({**REACHED, "statecode": 2}, False, [], ["opportunity_lost"], id="lost"),
            pytest.param(REACHED, True, [], ["record_deleted"], id="deleted"),
        ],
    )
    def test_an_opportunity_without_one(
        self,
        columns: dict[str, ColumnValue],
        deleted: bool,
        commands: list[str],
        reasons: list[str],
    ) -> None:
        decision = decided(view(DEAL, columns, deleted=deleted))
        assert (asked(decision), why(decision)) == (commands, reasons)

    @pytest.mark.parametrize(
        ("columns", "deleted", "shown"),
        [
            pytest.param(OPEN, False, "Moved Back", id="before the stage"),
            pytest.param(REACHED, False, "Active", id="at the stage"),
            pytest.param({**REACHED, "statecode": 1}, False, "Won", id="won"),
            pytest.param({**OPEN, "statecode": 1}, False, "Won", id="won, moved back before"),
            pytest.param({**REACHED, "statecode": 2}, False, "Lost", id="lost"),
            pytest.param(REACHED, True, "Deleted", id="deleted"),
            pytest.param({**REACHED, "statecode": 2}, True, "Deleted", id="lost and deleted"),
        ],
    )
    def test_an_opportunity_with_one(
        self, columns: dict[str, ColumnValue], deleted: bool, shown: str
    ) -> None:
        seen, decision = hearing(
            view(DEAL, columns, deleted=deleted, links=BOTH), "contract.signed", rule=CONTRACT_RULE
        )
        assert state(decision) == shown
        written = [] if deleted else ["relate_workspaces relation/parent/60", SHOW]
        assert asked(decision) == [UPDATE, *written]
        assert why(decision) == (["record_deleted"] if deleted else [])
        rest = decided(settled(decided, seen))
        assert (asked(rest), why(rest)) == ([], ["record_deleted" if deleted else "all_true"])

    def test_an_unknown_opportunity_has_none(self) -> None:
        assert why(decided(view(DEAL))) == ["record_unknown"]

    def test_an_undecided_stage_makes_none_and_moves_nobody_back(self) -> None:
        rule = CONTRACT_RULE.model_copy(
            update={"stage_reached": Expression("record.salesstage >= 2")}
        )
        columns: dict[str, ColumnValue] = {"name": "Deal", "salesstage": None, "statecode": 0}
        assert why(decided(view(DEAL, columns), rule)) == ["condition_undecided"]
        assert state(decided(view(DEAL, columns, links=LINKED), rule)) == "Active"

    @pytest.mark.parametrize("unknown", ["salesstage", "statecode"])
    def test_not_all_known_makes_none_moves_nobody_back_and_is_read(self, unknown: str) -> None:
        """A worker that begins to listen late, or that has lost its tables, hears of a part first:
        what it has not heard of is not empty."""
        known = {name: value for name, value in REACHED.items() if name != unknown}
        decision = decided(view(DEAL, known))
        assert (asked(decision), why(decision)) == (["read_record read"], ["waiting_for_columns"])
        linked = view(DEAL, known, links=LINKED)
        assert asked(decided(linked))[0] == "read_record read"
        assert "update_workspace properties" not in asked(decided(linked)), "it stays as it was"
        # Where nothing more is to be had, what is known counts.
        read = only(decided(linked), "read")
        done = replace(linked, steps=linked.steps.confirmed(read.rule, "read", read.desired, 0))
        assert state(decided(done)) == "Active"

    def test_it_is_a_child_of_the_deals_and_the_accounts_workspace(self) -> None:
        known = NeighboursRow().workspace_known(ACCOUNT.key, 50)
        columns = {**REACHED, "parentaccountid": ACCOUNT.key}
        decision = decided(view(DEAL, columns, links=BOTH, neighbours=known))
        assert [a for a in asked(decision) if "relat" in a] == [
            "relate_workspaces relation/parent/50",
            "relate_workspaces relation/parent/60",
        ]

    def test_the_accounts_relation_waits_for_nothing_but_the_account(self) -> None:
        columns = {**REACHED, "parentaccountid": ACCOUNT.key}
        decision = decided(view(DEAL, columns, links=BOTH))
        assert "relate_workspaces relation/parent/60" in asked(decision)
        assert told(decision) == [f"workspace_wanted {ACCOUNT.key}"]
        assert why(decision) == ["waiting_for_related_workspace"]

    def test_no_relation_is_taken_away_before_the_deal_has_its_own_workspace(self) -> None:
        known = NeighboursRow().workspace_known(ACCOUNT.key, 50)
        columns = {**REACHED, "parentaccountid": ACCOUNT.key}
        related = settled(decided, view(DEAL, columns, links=LINKED, neighbours=known))
        moved = decided(also(related, 5, parentaccountid=None))
        assert [a for a in asked(moved) if "relat" in a] == []


class TestTheStageOfTheProcess:
    @pytest.mark.parametrize(("name", "due"), [("Propose", True), ("Close", True), ("Plan", False)])
    def test_its_name_decides(self, name: str, due: bool) -> None:
        stages, known = at_stage(name)
        decision = decided(view(DEAL, OPEN, stages=stages, neighbours=known))
        assert asked(decision) == ([ENSURE] if due else [])

    def test_a_name_that_is_not_known_yet_is_asked_for(self) -> None:
        stages, known = at_stage(None)
        decision = decided(view(DEAL, OPEN, stages=stages, neighbours=known))
        assert asked(decision) == []
        assert told(decision) == [f"columns_wanted {STAGE.key}"]
        assert why(decision) == ["waiting_for_stage_name", "condition_undecided"]

    def test_a_contract_is_not_moved_back_while_the_stages_name_is_not_known(self) -> None:
        stages, known = at_stage(None)
        seen = view(DEAL, OPEN, links=LINKED, stages=stages, neighbours=known)
        assert state(decided(seen)) == "Active"

    def test_a_known_name_is_not_asked_for_again(self) -> None:
        stages, known = at_stage("Propose")
        assert told(decided(view(DEAL, OPEN, stages=stages, neighbours=known))) == []

    def test_its_category_and_id_can_be_asked_about_too(self) -> None:
        stages, known = at_stage("Any", 2)
        condition = f"stage.category == 2 && stage.id == '{STAGE.id}'"
        rule = CONTRACT_RULE.model_copy(update={"stage_reached": Expression(condition)})
        assert asked(decided(view(DEAL, OPEN, stages=stages, neighbours=known), rule)) == [ENSURE]
        assert asked(decided(view(DEAL, OPEN), rule)) == []

    def test_without_a_process_the_column_decides_alone(self) -> None:
        assert asked(decided(view(DEAL, REACHED))) == [ENSURE]


class TestTheRecordShows:
    """The second table in the flow's docstring: status, dates and document."""

    def shown(self, *names: str) -> dict[str, ColumnValue]:
        decision = hearing(view(DEAL, REACHED, links=LINKED), *names)[1]
        return dict(only(decision, "columns").columns)

    def test_nothing_but_the_link_before_the_first_event(self) -> None:
        decision = decided(view(DEAL, REACHED, links=LINKED), RULE)
        assert only(decision, "columns").columns == {"new_xecmworkspaceid": "70"}
        assert "Contract" not in only(decision, "properties").attributes

    @pytest.mark.parametrize("status", STATUSES)
    def test_the_status_of_each_event_by_the_rules_label_or_its_own(self, status: str) -> None:
        _, decision = hearing(view(DEAL, REACHED, links=LINKED), f"contract.{status}")
        label = RULE.statuses.get(status, status)
        assert only(decision, "columns").columns["new_contractstatus"] == label
        assert only(decision, "properties").attributes["Contract"] == {"Status": label}

    def test_each_date_and_the_newest_final_document(self) -> None:
        shown = self.shown("contract.approved", "contract.signed", "contract.executed")
        assert shown == {
            "new_xecmworkspaceid": "70",
            "new_contractstatus": "executed",
            "new_approvedon": second(0),
            "new_contractsignedon": second(1),
            "new_effectiveon": second(2),
            "new_contractexpireson": None,
            "new_terminatedon": None,
            "new_contractdocumentid": "88",
            "new_contractdocumentversion": 2,
            "new_documenturl": "https://d/2",
        }

    @pytest.mark.parametrize("restart", ["draft", "in_negotiation", "in_approval", "rejected"])
    def test_a_new_round_empties_them(self, restart: str) -> None:
        shown = self.shown("contract.approved", "contract.signed", f"contract.{restart}")
        kept = ("new_xecmworkspaceid", "new_contractstatus")
        assert {c: v for c, v in shown.items() if c not in kept} == dict.fromkeys(
            c for c in shown if c not in kept
        )

    @pytest.mark.parametrize(
        ("ending", "column"),
        [("expired", "new_contractexpireson"), ("terminated", "new_terminatedon")],
    )
    def test_an_ending_leaves_them_and_adds_its_own(self, ending: str, column: str) -> None:
        shown = self.shown("contract.signed", f"contract.{ending}")
        assert shown["new_contractsignedon"] == second(0)
        assert shown["new_contractdocumentid"] == "88"
        # A DATE column holds the day, a DATETIME column or one of another type the moment.
        expected = "2023-11-14" if ending == "expired" else second(1)
        assert shown[column] == expected

    def test_a_draft_has_no_final_document(self) -> None:
        assert self.shown("contract.in_approval")["new_contractdocumentid"] is None

    @pytest.mark.parametrize(
        ("told_date", "shown"),
        [
            ("2027-01-31", "2027-01-31"),
            ("2027-01-31T23:30:00-05:00", "2027-02-01"),
            ("2027-01-31T10:00:00Z", "2027-01-31"),
            ("soon", None),
            (20270131, None),
            (None, None),
        ],
    )
    def test_an_expiry_date_is_what_the_event_says(
        self, told_date: ColumnValue, shown: str | None
    ) -> None:
        seen = view(DEAL, REACHED, links=LINKED)
        _, decision = heard(seen, "contract.signed", 1, expires_on=told_date)
        assert only(decision, "columns").columns["new_contractexpireson"] == shown

    def test_a_change_of_it_that_others_make_is_set_right(self) -> None:
        seen, _ = hearing(view(DEAL, REACHED, links=LINKED), "contract.signed", rule=CONTRACT_RULE)
        rest = settled(decided, seen, 1)
        repair = only(decided(also(rest, 5, new_contractstatus="Cancelled")), "columns")
        assert repair.columns["new_contractstatus"] == "Signed"


class TestEvents:
    def state_after(self, names: Iterable[tuple[str, int]]) -> Decision:
        seen = view(DEAL, REACHED, links=LINKED)
        decision = decided(seen)
        for name, second_ in names:
            seen, decision = heard(seen, name, second_)
        return decision

    def test_any_order_ends_in_the_same_commands(self) -> None:
        told_ = [("contract.approved", 1), ("contract.signed", 5), ("contract.in_approval", 3)]
        ends = [self.state_after(order) for order in (told_, told_[::-1], [*told_, told_[0]])]
        assert ends[0].commands == ends[1].commands == ends[2].commands

    @pytest.mark.parametrize(
        ("name", "rule"),
        [
            ("contract.reviewed", CONTRACT_RULE.name),
            ("signed", CONTRACT_RULE.name),
            ("document.signed", CONTRACT_RULE.name),
            ("contract.", CONTRACT_RULE.name),
            ("contract.signed", "another-rule"),
            ("contract.signed", ""),
        ],
    )
    def test_other_events_and_those_of_other_rules_change_nothing(
        self, name: str, rule: str
    ) -> None:
        seen = view(DEAL, REACHED, links=LINKED)
        after, decision = heard(seen, name, 1, told_rule=rule)
        assert after.own == seen.own
        assert decision.commands == decided(seen, RULE).commands

    def test_an_event_before_the_record_is_kept_for_it(self) -> None:
        seen, early = hearing(view(DEAL), "contract.signed", rule=CONTRACT_RULE)
        assert (asked(early), why(early)) == ([], ["record_unknown"])
        ensure = only(decided(also(seen, 5, **REACHED)), "workspace")
        assert ensure.attributes["Contract"] == {"Status": "Signed"}

    def test_an_event_before_the_stage_is_kept_for_it(self) -> None:
        seen, early = hearing(view(DEAL, OPEN), "contract.signed", rule=CONTRACT_RULE)
        assert (asked(early), why(early)) == ([], ["stage_not_reached"])
        linked = replace(also(seen, 5, salesstage=2), links=view(DEAL, links=LINKED).links)
        assert only(decided(linked), "columns").columns["new_contractstatus"] == "Signed"

    def test_a_decision_writes_nothing_into_its_view(self) -> None:
        seen = view(DEAL, REACHED, links=LINKED)
        before = seen.own.model_dump()
        hearing(seen, "contract.signed")
        assert seen.own.model_dump() == before
