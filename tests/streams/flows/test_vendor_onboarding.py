"""Flow 7 on its own: each row of its two state tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streams.catalogue import ColumnValue
from streams.flows import vendor_onboarding
from streams.flows.shape import Decision, View
from streams.flows.vendor_onboarding import current_round
from streams.messages.commands import StartWorkflow
from streams.rules import Expression, VendorOnboardingRule
from tables.approvals import ApprovalsRow, WorkflowEvent
from tables.evidence import EvidenceRow, ItemEvent
from tables.flow_steps import Refusal, StepsRow
from tables.keys import digest
from tables.vendors import VendorsRow
from tests.streams.flows.views import (
    CAUSE,
    also,
    asked,
    confirmed,
    only,
    settled,
    state,
    view,
    why,
)
from tests.streams.samples import START_MS, ref
from tests.streams.vendor_rules import VENDOR_RULE

VENDOR = ref("msdyn_vendor", 41)
RULE = VENDOR_RULE.name
LINKED = {RULE: 70}
HELD, ACTIVE = 2, 0
KNOWN: dict[str, ColumnValue] = {
    "msdyn_name": "Northwind",
    "msdyn_onholdstatus": ACTIVE,
    "statecode": 0,
    "new_bankaccount": "DE02",
    "new_blocked": None,
}
ENSURE, UPDATE, SHOW, ACTIVATION, START = (
    "ensure_workspace workspace",
    "update_workspace properties",
    "set_record_columns columns",
    "set_record_columns activation",
    "start_workflow workflow",
)


def filed(**said: str) -> EvidenceRow:
    """A tax form and an insurance certificate; ``insurance="rejected"``: what became of one."""
    row = EvidenceRow()
    kinds = {"tax": (1, "Tax Form"), "insurance": (2, "Insurance")}
    for name, (number, kind) in kinds.items():
        happened = said.get(name, "approved")
        if happened == "missing":
            continue
        attributes = {"document_type": kind, "expires_on": said.get("until", "2030-01-01")}
        at_ms = START_MS + int(said.get("second", "0")) * 1000
        event = ItemEvent(at_ms=at_ms, event_id=f"{number}", attributes=attributes)
        row = row.reported(RULE, number, happened, event)
    return row


GOOD = filed()


def seen(columns: dict[str, ColumnValue] | None = None, **more: Any) -> View:
    told = {**KNOWN, **(columns or {})}
    own = more.pop("own", VendorsRow())
    return view(VENDOR, told, own=own, links=more.pop("links", LINKED), **more)


def decided(at: View, rule: VendorOnboardingRule = VENDOR_RULE) -> Decision:
    return vendor_onboarding.decide(CAUSE, at, rule)


def running(at: View, number: int = 500, round_: str | None = None) -> View:
    """The view after the workflow of this round (else: the present one) was started."""
    round_ = round_ or current_round(at, VENDOR_RULE)
    return replace(at, approvals=at.approvals.started(RULE, round_, number))


def ended(at: View, how: str, second: int = 10, number: int = 500) -> View:
    """The view after a workflow came to its end."""
    event = WorkflowEvent(at_ms=START_MS + second * 1000, event_id=f"{how}-{second}", actor="finn")
    return replace(at, approvals=at.approvals.reported(RULE, number, how, event))


def approved(at: View, number: int = 500) -> View:
    return ended(running(at, number), "approved", number=number)


def status(decision: Decision) -> ColumnValue:
    """The status on the record, which has to be the workspace's."""
    there = only(decision, "properties").attributes["Vendor"]["Onboarding Status"]
    here = only(decision, "columns").columns["new_vendorstatus"]
    assert here == there
    value: ColumnValue = here
    return value


def hold(decision: Decision) -> int | None:
    """What the vendor's hold is to be; None when it is left alone."""
    found = [command for command in decision.commands if command.step == "activation"]
    return found[0].columns["msdyn_onholdstatus"] if found else None  # type: ignore[union-attr]


class TestTheVendor:
    @pytest.mark.parametrize(
        ("evidence", "says", "missing"),
        [
            pytest.param(EvidenceRow(), "collecting", "Tax Form; Insurance", id="nothing"),
            pytest.param(
                filed(tax="added"), "collecting", "Tax Form (not approved)", id="not approved"
            ),
            pytest.param(filed(tax="rejected"), "collecting", "Tax Form (rejected)", id="rejected"),
            pytest.param(filed(tax="deleted"), "collecting", "Tax Form", id="removed"),
            pytest.param(filed(until="2023-01-01"), "expired", "Insurance (expired)", id="expired"),
            pytest.param(GOOD, "in_approval", None, id="complete"),
        ],
    )
    @pytest.mark.parametrize("was_approved", [False, True])
    def test_it_is_held_while_it_lacks_something_whoever_approved(
        self, evidence: EvidenceRow, says: str, missing: str | None, was_approved: bool
    ) -> None:
        at = approved(seen(evidence=evidence)) if was_approved else seen(evidence=evidence)
        decision = decided(at)
        if was_approved and missing is None:
            assert (status(decision), hold(decision)) == ("Active", ACTIVE)
            return
        assert (status(decision), hold(decision)) == (says, HELD)
        assert only(decision, "columns").columns["new_vendormissing"] == missing
        assert (START in asked(decision)) is (missing is None)

    def test_a_new_one_is_held_before_it_even_has_a_workspace(self) -> None:
        decision = decided(seen(links={}))
        assert asked(decision) == [ACTIVATION, ENSURE]
        assert hold(decision) == HELD
        ensure = only(decision, "workspace")
        assert ensure.name == "Vendor Northwind"
        assert ensure.attributes["Vendor"] == {
            "Onboarding Status": "collecting",
            "Hold": "Yes",
            "Bank Changed On": "2023-11-14",
        }

    @pytest.mark.parametrize("unknown", ["statecode", "new_bankaccount", "new_blocked"])
    def test_one_that_is_not_all_known_is_read_and_left_alone(self, unknown: str) -> None:
        columns = {name: value for name, value in KNOWN.items() if name != unknown}
        decision = decided(view(VENDOR, columns, own=VendorsRow(), evidence=GOOD))
        assert asked(decision) == ["read_record read"]

    def test_one_that_is_not_onboarded_is_left_alone(self) -> None:
        decision = decided(seen({"statecode": 1}, links={}))
        assert (asked(decision), why(decision)) == ([], ["condition_false"])

    def test_one_that_is_not_onboarded_any_more_keeps_its_workspace_and_its_hold(self) -> None:
        decision = decided(seen({"statecode": 1}, evidence=GOOD))
        assert (status(decision), hold(decision)) == ("not_required", None)
        assert START not in asked(decision)

    def test_approved_with_all_of_it_is_activated_and_shows_the_decision(self) -> None:
        decision = decided(approved(seen({"msdyn_onholdstatus": HELD}, evidence=GOOD)))
        assert (status(decision), hold(decision)) == ("Active", ACTIVE)
        columns = only(decision, "columns").columns
        assert columns["new_vendorprogress"] == "2 of 2"
        assert columns["new_vendordecision"] == "Approved"
        assert columns["new_vendorapprover"] == "finn"
        assert columns["new_vendordecidedon"] == "2023-11-14T22:13:30Z"
        there = only(decision, "properties").attributes
        assert (there["Vendor"]["Hold"], there["Approval"]["Decision"]) == ("No", "Approved")

    def test_a_deleted_one_has_its_workflow_stopped_and_its_workspace_marked(self) -> None:
        at = running(seen(deleted=True, evidence=GOOD))
        decision = decided(at)
        assert asked(decision) == ["stop_workflow stop/500", UPDATE]
        assert state(decision) == "Deleted"

    def test_when_all_is_true_nothing_is_asked(self) -> None:
        rested = settled(decided, approved(seen(evidence=GOOD)))
        assert (asked(decided(rested)), why(decided(rested))) == ([], ["all_true"])


class TestTheApproval:
    def test_it_is_started_once_with_the_documents_that_are_good(self) -> None:
        at = seen(evidence=GOOD)
        start: StartWorkflow = only(decided(at), "workflow")
        assert (start.workflow_map, start.title) == ("Vendor Approval", "Release Northwind")
        assert (start.documents, start.workspace_id) == ((1, 2), 70)
        assert start.attributes == {"Record Name": "Northwind", "Bank": "DE02"}
        assert START not in asked(decided(confirmed(at, (start,))))
        assert START not in asked(decided(running(at)))

    def test_its_id_does_not_move_with_what_it_is_started_with(self) -> None:
        at = seen(evidence=GOOD)
        other = also(at, 5, msdyn_name="Northwind Ltd")
        assert only(decided(at), "workflow").id == only(decided(other), "workflow").id

    def test_the_rule_may_say_when_it_starts(self) -> None:
        part = VENDOR_RULE.approval.model_copy(
            update={"when": Expression("record.new_bankaccount != null")}
        )
        early = VENDOR_RULE.model_copy(update={"approval": part})
        decision = decided(seen(), early)
        assert START in asked(decision)
        assert (status(decision), hold(decision)) == ("collecting", HELD)
        assert START not in asked(decided(seen({"new_bankaccount": None}), early))

    @pytest.mark.parametrize("how", ["rejected", "stopped"])
    def test_a_refused_one_is_asked_again_once_evidence_is_newer(self, how: str) -> None:
        at = ended(running(seen(evidence=GOOD)), how, second=10)
        refused = decided(at)
        assert (status(refused), hold(refused)) == ("rejected", HELD)
        assert START not in asked(refused)
        again = decided(replace(at, evidence=filed(second="20")))
        assert status(again) == "in_approval"
        assert only(again, "workflow").round != current_round(seen(), VENDOR_RULE)

    @pytest.mark.parametrize(("second", "again"), [("20", False), ("40", True)])
    def test_one_that_could_not_be_started_is_tried_again_once_evidence_is_newer(
        self, second: str, again: bool
    ) -> None:
        """A document that was to be attached had gone meanwhile."""
        at = seen(evidence=GOOD)
        start = only(decided(at), "workflow")
        refusal = Refusal(desired=start.desired, code="not_found", at_ms=START_MS + 30_000)
        steps = at.steps.asked(RULE, "workflow", start.desired, 0)
        refused = replace(at, steps=steps.refused(RULE, "workflow", refusal), repeats=False)
        assert START not in asked(decided(refused))
        after = decided(replace(refused, evidence=filed(second=second)))
        assert (START in asked(after)) == again

    def test_an_approval_that_came_before_its_workflow_was_known_counts(self) -> None:
        at = seen(evidence=GOOD)
        early = ended(at, "approved")
        assert status(decided(early)) == "in_approval"
        assert status(decided(running(early))) == "Active"

    def test_of_another_round_it_counts_for_nothing(self) -> None:
        at = ended(running(seen(evidence=GOOD), round_=digest("another")), "approved")
        assert status(decided(at)) == "in_approval"


class TestBankAndTax:
    def test_a_change_holds_stops_and_asks_anew(self) -> None:
        before = settled(decided, approved(seen(evidence=GOOD)))
        after = decided(also(before, 60, new_bankaccount="NL91"))
        assert (status(after), hold(after)) == ("in_approval", HELD)
        assert START in asked(after)

    def test_what_still_runs_for_the_former_data_is_stopped(self) -> None:
        before = running(seen(evidence=GOOD))
        after = decided(also(before, 60, new_bankaccount="NL91"))
        assert "stop_workflow stop/500" in asked(after)
        assert only(after, "workflow").round != current_round(before, VENDOR_RULE)

    def test_the_former_approval_never_counts_for_the_new_data(self) -> None:
        before = running(seen(evidence=GOOD))
        changed = also(before, 60, new_bankaccount="NL91")
        late = ended(changed, "approved", second=90)
        assert (status(decided(late)), hold(decided(late))) == ("in_approval", HELD)

    def test_back_to_what_was_approved_that_counts_again(self) -> None:
        before = approved(seen(evidence=GOOD))
        there = also(before, 60, new_bankaccount="NL91")
        back = also(there, 90, new_bankaccount="DE02")
        assert status(decided(back)) == "Active"

    def test_back_to_what_was_stopped_is_asked_anew(self) -> None:
        before = running(seen(evidence=GOOD))
        there = also(before, 60, new_bankaccount="NL91")
        stopped = confirmed(there, decided(there).commands, 61)
        back = also(stopped, 90, new_bankaccount="DE02")
        assert only(decided(back), "workflow").round not in back.approvals.rounds

    def test_any_other_column_changes_nothing(self) -> None:
        before = settled(decided, approved(seen(evidence=GOOD)))
        assert ACTIVATION not in asked(decided(also(before, 60, msdyn_name="Northwind Ltd")))


class TestTime:
    def test_it_wakes_when_a_certificate_expires_and_is_held_then(self) -> None:
        at = settled(decided, approved(seen(evidence=filed(until="2023-11-20"))))
        until = 1_700_524_800_000  # the end of 2023-11-20
        assert decided(at).wake_ms == until
        expired = decided(replace(at, now_ms=until))
        assert (status(expired), hold(expired)) == ("expired", HELD)
        assert START not in asked(expired)

    def test_once_it_is_renewed_the_vendor_is_active_without_another_approval(self) -> None:
        at = approved(seen(evidence=filed(until="2023-01-01")))
        assert status(decided(at)) == "expired"
        renewed = decided(replace(at, evidence=GOOD))
        assert (status(renewed), hold(renewed)) == ("Active", ACTIVE)
        assert START not in asked(renewed)


class TestBlocks:
    def test_who_a_column_says_is_blocked_is_left_alone(self) -> None:
        decision = decided(approved(seen({"new_blocked": True}, evidence=GOOD)))
        assert (status(decision), hold(decision)) == ("blocked", None)

    def test_a_hold_that_we_would_never_set_is_somebody_elses(self) -> None:
        decision = decided(seen({"msdyn_onholdstatus": 3}, evidence=GOOD))
        assert (status(decision), hold(decision)) == ("blocked", None)
        assert START not in asked(decision)

    def test_an_empty_hold_is_nobodys(self) -> None:
        assert hold(decided(seen({"msdyn_onholdstatus": None}))) == HELD

    def test_who_is_held_after_we_activated_is_blocked_by_people_and_stays(self) -> None:
        at = settled(decided, approved(seen(evidence=GOOD)), second=5)
        by_people = also(at, 60, msdyn_onholdstatus=HELD)
        decision = decided(by_people)
        assert (status(decision), hold(decision)) == ("blocked", None)
        assert decision.own is not None
        # A certificate that expires and is renewed meanwhile does not free it.
        expired = replace(by_people, own=decision.own, evidence=filed(until="2023-01-01"))
        assert hold(decided(expired)) is None
        renewed = replace(expired, evidence=GOOD)
        assert (status(decided(renewed)), hold(decided(renewed))) == ("blocked", None)

    def test_people_end_their_block_by_activating_it(self) -> None:
        at = seen({"msdyn_onholdstatus": HELD}, evidence=GOOD)
        blocked = replace(approved(at), own=VendorsRow().with_block(RULE, blocked=True))
        freed = decided(also(blocked, 60, msdyn_onholdstatus=ACTIVE))
        assert (status(freed), freed.own) == ("Active", VendorsRow())
        lacking = also(replace(blocked, evidence=EvidenceRow()), 60, msdyn_onholdstatus=ACTIVE)
        assert (status(decided(lacking)), hold(decided(lacking))) == ("collecting", HELD)

    def test_our_own_hold_is_no_block(self) -> None:
        at = settled(decided, seen(evidence=EvidenceRow()), second=5)
        assert at.row.value("msdyn_onholdstatus") == HELD
        decision = decided(approved(replace(at, evidence=GOOD)))
        assert (status(decision), hold(decision)) == ("Active", ACTIVE)

    def test_our_own_hold_that_is_seen_before_we_know_that_it_was_written_is_no_block(self) -> None:
        at = settled(decided, approved(seen(evidence=GOOD)), second=5)
        ours = digest({"msdyn_onholdstatus": HELD})
        seen_early = also(at, 60, msdyn_onholdstatus=HELD, new_bankaccount="NL91")
        asked = at.steps.asked(RULE, "activation", ours, START_MS + 50_000)
        assert status(decided(seen_early)) == "blocked"
        decision = decided(replace(seen_early, steps=asked))
        assert (status(decision), decision.own) == ("in_approval", VendorsRow())

    def test_a_hold_after_ours_was_refused_is_that_of_people(self) -> None:
        at = settled(decided, approved(seen(evidence=GOOD)), second=5)
        ours = digest({"msdyn_onholdstatus": HELD})
        refusal = Refusal(desired=ours, code="column_secured", at_ms=START_MS + 51_000)
        steps = at.steps.asked(RULE, "activation", ours, START_MS + 50_000)
        steps = steps.refused(RULE, "activation", refusal)
        held = also(at, 60, msdyn_onholdstatus=HELD, new_bankaccount="NL91")
        assert status(decided(replace(held, steps=steps))) == "blocked"

    def test_people_who_activate_what_lacks_something_find_it_held_again(self) -> None:
        at = settled(decided, seen(), second=5)
        decision = decided(also(at, 60, msdyn_onholdstatus=ACTIVE))
        assert hold(decision) == HELD
        assert only(decision, "activation").id != only(decided(seen()), "activation").id


def test_a_step_without_a_row_is_no_reason_to_fail() -> None:
    """Confirmed by a former version of the rules, whose columns are not known any more."""
    steps = StepsRow().confirmed(RULE, "activation", digest({"other": 1}), START_MS)
    assert hold(decided(replace(seen(), steps=steps))) == HELD


def test_no_approval_makes_up_for_what_is_missing() -> None:
    for evidence in (EvidenceRow(), filed(tax="rejected"), filed(until="2023-01-01")):
        assert hold(decided(approved(seen(evidence=evidence)))) == HELD
    assert hold(decided(seen(evidence=GOOD, approvals=ApprovalsRow()))) == HELD
