"""Flow 3 on its own: each row of its two state tables, and what came before in any order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from streams.catalogue import ColumnValue
from streams.flows import service_case
from streams.flows.shape import Decision, View
from streams.messages.commands import EnsureWorkspace, SetRetention, StartWorkflow
from streams.rules import Expression, ServiceCaseRule
from streams.rules.service_case import RetentionPart
from tables.approvals import WorkflowEvent
from tables.flow_steps import Refusal
from tables.neighbours import NeighboursRow
from tables.records import Stamp
from tests.streams.flows.views import (
    ACCOUNT,
    CAUSE,
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
from tests.streams.rulebook import CASE_RULE
from tests.streams.samples import START_MS, ref

CASE, SURVIVOR = ref("incident", 5), ref("incident", 6)
LINKED = {CASE_RULE.name: 70}
Columns = Mapping[str, ColumnValue]
OPEN: Columns = {
    "title": "Fire",
    "customerid": None,
    "statecode": 0,
    "isescalated": False,
    "new_casevalue": None,
    "merged": False,
}
DUE: Columns = {**OPEN, "isescalated": True}
DEAR: Columns = {**OPEN, "new_casevalue": "5000"}
RESOLVED: Columns = {**DEAR, "statecode": 1}
CANCELLED: Columns = {**DUE, "statecode": 2}
MERGED: Columns = {**CANCELLED, "merged": True, "masterid": SURVIVOR.key}
DAY = 86_400
FIRST_DAY = "2023-11-14"
ENSURE = "ensure_workspace workspace"
#: What a living case with a workspace is given at first.
ALL_OF_IT = [
    "update_workspace properties",
    "set_record_columns columns",
    "restrict_access access",
    "set_retention retention",
]
START = "start_workflow workflow"


def seen(columns: Columns, *, rule: ServiceCaseRule = CASE_RULE, **given: Any) -> View:
    """A case at the start, its past known."""
    return remembering(view(CASE, columns, **given), 0, columns, rule)


def remembering(before: View, second: int, columns: Columns, rule: ServiceCaseRule) -> View:
    watched = {c: v for c, v in columns.items() if c in rule.watched()}
    return replace(before, past=before.past.seen(Stamp(START_MS + second * 1000), watched))


def then(before: View, second: int, **columns: ColumnValue) -> View:
    """The view after a change of the case."""
    return remembering(also(before, second, **columns), second, columns, CASE_RULE)


def decided(seen: View, rule: ServiceCaseRule = CASE_RULE) -> Decision:
    return service_case.decide(CAUSE, seen, rule)


def at_rest(before: View, second: int = 0) -> View:
    return settled(decided, before, second)


def running(before: View, workflow_id: int) -> tuple[View, StartWorkflow]:
    """The view after the workflow that is wanted was started under this number."""
    decision = decided(before)
    start: StartWorkflow = only(decision, "workflow")
    approvals = before.approvals.started(CASE_RULE.name, start.round, workflow_id)
    return at_rest(confirmed(replace(before, approvals=approvals), decision.commands)), start


def heard(before: View, workflow_id: int, kind: str, comment: str = "", second: int = 60) -> View:
    """The view after an event of a workflow."""
    event = WorkflowEvent(
        at_ms=START_MS + second * 1000,
        event_id=f"{kind}-{second}",
        actor="cleo.care",
        attributes={"comment": comment} if comment else {},
    )
    approvals = before.approvals.reported(CASE_RULE.name, workflow_id, kind, event)
    return replace(before, approvals=approvals)


def decision_columns(decision: Decision) -> dict[str, ColumnValue]:
    columns = only(decision, "columns").columns
    return {c.removeprefix("new_resolution"): v for c, v in columns.items() if "resolution" in c}


def starts_on(decision: Decision) -> str | None:
    command: SetRetention = only(decision, "retention")
    return command.starts_on


class TestTheWorkspace:
    """One case per row of the first table in the flow's docstring."""

    @pytest.mark.parametrize(
        ("columns", "deleted", "commands", "reasons"),
        [
            pytest.param(OPEN, False, [], ["condition_false"], id="criteria not met"),
            pytest.param(DUE, False, [ENSURE], ["waiting_for_workspace"], id="met"),
            pytest.param(RESOLVED, False, [ENSURE], ["waiting_for_workspace"], id="resolved, met"),
            pytest.param(
                {**OPEN, "statecode": 1}, False, [], ["condition_false"], id="resolved, not met"
            ),
            pytest.param(CANCELLED, False, [], ["case_ended"], id="cancelled"),
            pytest.param(MERGED, False, [], ["case_ended"], id="merged"),
            pytest.param(DUE, True, [], ["record_deleted"], id="deleted"),
        ],
    )
    def test_a_case_without_one(
        self, columns: Columns, deleted: bool, commands: list[str], reasons: list[str]
    ) -> None:
        decision = decided(seen(columns, deleted=deleted))
        assert (asked(decision), why(decision)) == (commands, reasons)

    @pytest.mark.parametrize(
        ("columns", "shown", "from_day", "workflow"),
        [
            pytest.param(DUE, "Active", None, False, id="met"),
            pytest.param(OPEN, "Below Criteria", None, False, id="met no more"),
            pytest.param(RESOLVED, "Resolved", FIRST_DAY, True, id="resolved"),
            pytest.param(CANCELLED, "Cancelled", FIRST_DAY, False, id="cancelled"),
            pytest.param(MERGED, "Merged", FIRST_DAY, False, id="merged"),
        ],
    )
    def test_a_case_with_one(
        self, columns: Columns, shown: str, from_day: str | None, workflow: bool
    ) -> None:
        decision = decided(seen(columns, links=LINKED))
        assert asked(decision) == [*ALL_OF_IT, *([START] if workflow else [])]
        assert state(decision) == shown
        assert starts_on(decision) == from_day
        assert only(decision, "access").roles == ("Owner", "Team")

    def test_a_deleted_one_is_marked_and_nothing_else(self) -> None:
        decision = decided(seen(RESOLVED, links=LINKED, deleted=True))
        assert asked(decision) == ["update_workspace properties"]
        assert state(decision) == "Deleted"

    def test_a_deleted_one_is_left_alone_if_the_rule_says_so(self) -> None:
        rule = CASE_RULE.model_copy(update={"on_delete": "leave"})
        assert asked(decided(seen(DUE, links=LINKED, deleted=True), rule)) == []

    def test_a_merged_one_hangs_below_the_survivors(self) -> None:
        before = seen(MERGED, links=LINKED)
        assert told(decided(before)) == [f"workspace_wanted {SURVIVOR.key}"]
        known = NeighboursRow().workspace_known(SURVIVOR.key, 90, CASE_RULE.name)
        related = only(decided(replace(before, neighbours=known)), "relation/parent/90")
        assert related.related_id == 90

    def test_the_customers_workspace_is_its_parent(self) -> None:
        known = NeighboursRow().workspace_known(ACCOUNT.key, 44)
        known = known.columns_known(ACCOUNT.key, {"accountnumber": "A-1"}, START_MS)
        columns = {**DUE, "customerid": ACCOUNT.key}
        decision = decided(seen(columns, links=LINKED, neighbours=known))
        assert only(decision, "relation/parent/44").relation == "parent"

    def test_nothing_is_wanted_twice(self) -> None:
        assert asked(decided(at_rest(seen(DUE, links=LINKED)))) == []

    def test_a_rule_without_roles_and_retention_leaves_both_to_the_template(self) -> None:
        rule = CASE_RULE.model_copy(update={"restricted_to": (), "retention": None})
        assert asked(decided(seen(DUE, links=LINKED), rule)) == ALL_OF_IT[:2]


class TestCriteria:
    """Asked again at every change of the case and of its customer."""

    def customer(self, number: str | None) -> NeighboursRow:
        return NeighboursRow().columns_known(ACCOUNT.key, {"accountnumber": number}, START_MS)

    def test_the_customer_is_asked_for_what_the_criteria_read(self) -> None:
        decision = decided(seen({**OPEN, "customerid": ACCOUNT.key}))
        assert told(decision) == [f"columns_wanted {ACCOUNT.key}"]
        assert why(decision) == ["waiting_for_related_record", "condition_undecided"]

    def test_what_the_customer_is_makes_the_case_due(self) -> None:
        columns = {**OPEN, "customerid": ACCOUNT.key}
        assert asked(decided(seen(columns, neighbours=self.customer("VIP")))) == [ENSURE]
        assert asked(decided(seen(columns, neighbours=self.customer("A-1")))) == []

    def test_criteria_that_cannot_be_told_leave_an_existing_workspace_active(self) -> None:
        columns = {**OPEN, "customerid": ACCOUNT.key}
        assert state(decided(seen(columns, links=LINKED))) == "Active"
        known = seen(columns, links=LINKED, neighbours=self.customer("A-1"))
        assert state(decided(known)) == "Below Criteria"

    def test_a_case_of_which_too_little_is_known_is_read(self) -> None:
        decision = decided(seen({"title": "Fire"}))
        assert asked(decision) == ["read_record read"]
        assert why(decision) == ["waiting_for_columns"]


class TestRetention:
    """The day from which the file is kept."""

    def test_it_begins_on_the_day_of_the_resolution_and_stays(self) -> None:
        before = then(seen(DUE, links=LINKED), 3 * DAY, statecode=1)
        later = then(before, 9 * DAY, title="Fire again", statecode=1)
        assert starts_on(decided(before)) == starts_on(decided(later)) == "2023-11-17"

    def test_reopening_stops_it_and_the_next_resolution_counts(self) -> None:
        resolved = then(seen(DUE, links=LINKED), 3 * DAY, statecode=1)
        reopened = then(resolved, 4 * DAY, statecode=0)
        again = then(reopened, 8 * DAY, statecode=1)
        days = [starts_on(decided(one)) for one in (resolved, reopened, again)]
        assert days == ["2023-11-17", None, "2023-11-22"]

    def test_what_came_before_may_be_heard_of_late(self) -> None:
        latest = then(seen(DUE, links=LINKED), 8 * DAY, statecode=1)
        earlier = remembering(latest, 3 * DAY, {"statecode": 1}, CASE_RULE)
        between = remembering(earlier, 4 * DAY, {"statecode": 0}, CASE_RULE)
        days = [starts_on(decided(one)) for one in (latest, earlier, between)]
        assert days == ["2023-11-22", "2023-11-17", "2023-11-22"]

    def test_from_resolved_to_cancelled_the_first_end_counts(self) -> None:
        resolved = then(seen(DUE, links=LINKED), 3 * DAY, statecode=1)
        assert starts_on(decided(then(resolved, 5 * DAY, statecode=2))) == "2023-11-17"

    def test_a_column_of_the_case_may_say_it(self) -> None:
        part = RetentionPart(classification="Service/Cases", starts_on="new_resolutiondecidedon")
        rule = CASE_RULE.model_copy(update={"retention": part})
        before = seen({**RESOLVED, "new_resolutiondecidedon": "2022-05-06T23:59:00Z"}, links=LINKED)
        assert starts_on(decided(before, rule)) == "2022-05-06"
        assert starts_on(decided(seen(RESOLVED, links=LINKED), rule)) == FIRST_DAY

    def test_a_case_whose_past_is_unknown_counts_from_what_is_known(self) -> None:
        assert starts_on(decided(view(CASE, RESOLVED, links=LINKED))) == FIRST_DAY


class TestTheApproval:
    """One case per row of the second table in the flow's docstring."""

    def test_a_resolution_that_needs_none_shows_nothing(self) -> None:
        decision = decided(seen({**DUE, "statecode": 1}, links=LINKED))
        assert asked(decision) == ALL_OF_IT
        assert decision_columns(decision) == {}

    def test_one_that_does_starts_a_workflow_and_is_pending(self) -> None:
        decision = decided(seen(RESOLVED, links=LINKED))
        start: StartWorkflow = only(decision, "workflow")
        assert start.workflow_map == "Resolution Approval"
        assert (start.title, start.comment) == ("Resolution of Fire", "Fire")
        assert (start.workspace_id, start.attributes) == (70, {"Amount": "5000"})
        assert decision_columns(decision)["decision"] == "Waiting"

    def test_nothing_is_shown_before_it_is_asked_for_as_nothing_would_take_it_back(self) -> None:
        decision = decided(seen(RESOLVED))
        ensure: EnsureWorkspace = only(decision, "workspace")
        assert ensure.attributes == {"Business Record": {"Record State": "Resolved"}}
        assert START not in asked(decision)

    @pytest.mark.parametrize(
        ("kind", "word"),
        [("approved", "Approved"), ("rejected", "Rejected"), ("stopped", "Stopped")],
    )
    def test_its_end_goes_back_to_the_case(self, kind: str, word: str) -> None:
        before, _ = running(seen(RESOLVED, links=LINKED), 801)
        decision = decided(heard(before, 801, kind, "Well done"))
        assert decision_columns(decision) == {
            "decision": word,
            "approver": "cleo.care",
            "decidedon": "2023-11-14T22:14:20Z",
            "comment": "Well done",
        }
        attributes = only(decision, "properties").attributes
        assert attributes["Approval"] == {"Decision": word, "Approver": "cleo.care"}

    def test_one_that_could_not_be_started_says_why(self) -> None:
        before = seen(RESOLVED, links=LINKED)
        start: StartWorkflow = only(decided(before), "workflow")
        refusal = Refusal(desired=start.desired, code="not_found", message="no such person")
        steps = before.steps.refused(start.rule, start.step, refusal)
        columns = decision_columns(decided(replace(before, steps=steps)))
        assert (columns["decision"], columns["comment"]) == ("Failed", "no such person")

    def test_steps_on_the_way_change_nothing(self) -> None:
        before, _ = running(seen(RESOLVED, links=LINKED), 801)
        assert asked(decided(heard(heard(before, 801, "started"), 801, "step"))) == []

    def test_reopened_the_workflow_is_stopped_and_the_columns_emptied(self) -> None:
        before, _ = running(seen(RESOLVED, links=LINKED), 801)
        decision = decided(then(before, 90, statecode=0))
        assert only(decision, "stop/801").workflow_id == 801
        assert set(decision_columns(decision).values()) == {None}

    @pytest.mark.parametrize("columns", [CANCELLED, MERGED], ids=["cancelled", "merged"])
    def test_cancelled_or_merged_it_is_stopped(self, columns: Columns) -> None:
        before, _ = running(seen(RESOLVED, links=LINKED), 801)
        decision = decided(then(before, 90, **columns))
        assert only(decision, "stop/801").workflow_id == 801
        assert set(decision_columns(decision).values()) == {None}

    def test_deleted_it_is_stopped(self) -> None:
        before, _ = running(seen(RESOLVED, links=LINKED), 801)
        gone = replace(before, row=before.row.removed(Stamp(START_MS + 99_000)))
        assert "stop_workflow stop/801" in asked(decided(gone))

    def test_restored_a_resolution_is_approved_anew(self) -> None:
        before, first = running(seen(RESOLVED, links=LINKED), 801)
        stamp = Stamp(START_MS + 90_000)
        gone = replace(before, row=before.row.removed(stamp), past=before.past.removed(stamp))
        back = then(gone, 120, statecode=1)
        start: StartWorkflow = only(decided(back), "workflow")
        assert start.round != first.round

    def test_one_that_has_ended_is_not_stopped(self) -> None:
        before, _ = running(seen(RESOLVED, links=LINKED), 801)
        reopened = then(heard(before, 801, "approved"), 90, statecode=0)
        assert "stop_workflow stop/801" not in asked(decided(reopened))

    def test_the_next_resolution_has_a_round_of_its_own(self) -> None:
        before, first = running(seen(RESOLVED, links=LINKED), 801)
        before = at_rest(heard(before, 801, "rejected", "Look again"))
        again = then(then(before, 90, statecode=0), 120, statecode=1)
        decision = decided(again)
        second: StartWorkflow = only(decision, "workflow")
        assert second.round != first.round
        assert second.id != first.id
        assert decision_columns(decision)["decision"] == "Waiting"
        after, _ = running(again, 802)
        late = decided(heard(after, 801, "approved", second=500))
        assert asked(late) == []  # the first one's outcome counts no more
        assert decision_columns(decided(heard(after, 802, "approved")))["decision"] == "Approved"

    def test_hearing_late_of_an_earlier_change_starts_no_second_workflow(self) -> None:
        before, _ = running(seen(RESOLVED, links=LINKED), 801)
        late = remembering(before, -60, {"statecode": 1, "title": "Fire"}, CASE_RULE)
        assert not any("workflow" in command for command in asked(decided(late)))

    def test_a_workflow_that_starts_too_late_is_stopped(self) -> None:
        before = seen(RESOLVED, links=LINKED)
        start: StartWorkflow = only(decided(before), "workflow")
        reopened = then(before, 90, statecode=0)
        approvals = reopened.approvals.started(CASE_RULE.name, start.round, 801)
        assert "stop_workflow stop/801" in asked(decided(replace(reopened, approvals=approvals)))

    def test_it_waits_for_the_workspace(self) -> None:
        assert asked(decided(seen(RESOLVED))) == [ENSURE]

    def test_it_waits_for_what_the_rule_reads_of_the_customer(self) -> None:
        decision = decided(seen({**RESOLVED, "customerid": ACCOUNT.key}, links=LINKED))
        assert START not in asked(decision)


class TestTheRule:
    """What is wrong within a rule."""

    def faults(self, **changes: Any) -> list[str]:
        return [what for _, what, _ in CASE_RULE.model_copy(update=changes).faults()]

    def test_the_rule_itself_is_fine(self) -> None:
        assert self.faults() == []

    def test_columns_of_a_merge_come_in_a_pair(self) -> None:
        assert self.faults(merged_into=None) == ["'merged' needs 'merged_into' beside it"]

    def test_decision_columns_need_an_approval(self) -> None:
        assert self.faults(approval=None) == [
            "'decision' shows the decision of an approval, and the rule has none"
        ]

    def test_without_resolved_nothing_is_ever_kept_or_approved(self) -> None:
        assert self.faults(resolved=Expression("false")) == [
            "approval begins when the case is resolved, and resolved is never true",
            "retention begins when the case is resolved, and resolved is never true",
        ]

    def test_a_role_is_named_once(self) -> None:
        assert self.faults(restricted_to=("Team", "Team")) == ["'Team' is named twice"]

    def test_only_decisions_have_words(self) -> None:
        assert CASE_RULE.approval is not None
        part = CASE_RULE.approval.model_copy(update={"decisions": {"aproved": "Yes"}})
        assert self.faults(approval=part) == ["'aproved' is no decision"]
