"""Flow 6 on its own: each row of its two state tables, and what a finalisation leads to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streams.catalogue import ColumnValue
from streams.flows import compliance_gate
from streams.flows.compliance_gate import REVERT_LIMIT
from streams.flows.shape import Decision, View
from streams.messages.commands import SetRecordColumns, UpdateWorkspace
from streams.rules import ComplianceGateRule, Expression
from tables.evidence import EvidenceRow, ItemEvent
from tables.gates import Gate, GatesRow, GateStatus
from tests.streams.flows.test_artifacts import CLAIM, filed
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
from tests.streams.gate_rules import GATE_RULE
from tests.streams.samples import START_MS

LINKED = {GATE_RULE.name: 70}
BEGUN: dict[str, ColumnValue] = {"new_name": "Hail", "new_amount": "5", "new_status": 1}
FINALISED: dict[str, ColumnValue] = {**BEGUN, "new_status": 2}
MINUTE = 60_000
ENSURE, UPDATE, SHOW, REVERT = (
    "ensure_workspace workspace",
    "update_workspace properties",
    "set_record_columns columns",
    "set_record_columns revert",
)
NO_REVERT = GATE_RULE.model_copy(update={"revert": {}})
AT_ONCE = GATE_RULE.model_copy(update={"grace": 0})


def evidence(certificate: str = "approved", **said: Any) -> EvidenceRow:
    """A form, and a certificate of which this is the newest."""
    said = {"expires_on": "2030-01-01", **said}
    row = filed((2, "added", 0, said), (2, certificate, 1))
    form = filed((1, "added", 0), kind="Form")
    return row.with_parts(form.changed)


GOOD = evidence()


def seen(columns: dict[str, ColumnValue] | None = None, **more: Any) -> View:
    told = BEGUN if columns is None else columns
    own = more.pop("own", GatesRow())
    return view(CLAIM, told, own=own, links=more.pop("links", LINKED), **more)


def decided(at: View, rule: ComplianceGateRule = GATE_RULE) -> Decision:
    return compliance_gate.decide(CAUSE, at, rule)


def gate(decision: Decision) -> Gate:
    assert isinstance(decision.own, GatesRow)
    return decision.own.get(GATE_RULE.name)


def on(at: View, decision: Decision, seconds: int = 0) -> View:
    """The view with what the decision remembers, so much later."""
    assert decision.own is not None
    return replace(at, own=decision.own, now_ms=at.now_ms + seconds * 1000)


def shown(decision: Decision) -> tuple[ColumnValue, ColumnValue]:
    """Status and missing list, on the record and in the workspace: they have to agree."""
    update: UpdateWorkspace = only(decision, "properties")
    columns: SetRecordColumns = only(decision, "columns")
    there = update.attributes["Evidence"]
    here = (columns.columns["new_gatestatus"], columns.columns["new_gatemissing"])
    assert here == (there["Gate Status"], there["Missing"])
    return here


class TestTheGate:
    @pytest.mark.parametrize(
        ("has", "status", "missing"),
        [
            pytest.param(EvidenceRow(), "Closed", "Form; Certificate", id="missing"),
            pytest.param(
                evidence("version_added"), "Closed", "Certificate (not approved)", id="not approved"
            ),
            pytest.param(evidence("rejected"), "Closed", "Certificate (rejected)", id="rejected"),
            pytest.param(
                evidence(expires_on=None),
                "Closed",
                "Certificate (without expiry date)",
                id="undated",
            ),
            pytest.param(evidence("deleted"), "Closed", "Certificate", id="removed"),
            pytest.param(
                evidence(expires_on="2023-01-01"), "expired", "Certificate (expired)", id="expired"
            ),
            pytest.param(GOOD, "Open", None, id="all are present"),
        ],
    )
    def test_it_says_what_the_evidence_makes_of_it(
        self, has: EvidenceRow, status: str, missing: str | None
    ) -> None:
        decision = decided(seen(evidence=has))
        assert asked(decision) == [UPDATE, SHOW]
        assert shown(decision) == (status, missing)
        assert state(decision) == "Active"
        assert gate(decision).missing == tuple(missing.split("; ") if missing else ())

    def test_a_record_that_has_begun_gets_its_workspace(self) -> None:
        decision = decided(seen(links={}))
        ensure = only(decision, "workspace")
        assert ensure.name == "Claim Hail"
        assert ensure.attributes["Evidence"] == {
            "Gate Status": "Closed",
            "Missing": "Form; Certificate",
        }
        assert gate(decision).status is GateStatus.CLOSED
        assert why(decision) == ["gate_closed", "waiting_for_workspace"]

    def test_one_that_has_not_begun_gets_none_and_needs_none(self) -> None:
        decision = decided(seen({**BEGUN, "new_status": None}, links={}))
        assert (asked(decision), why(decision)) == ([], ["condition_false"])
        assert gate(decision).status is GateStatus.NOT_REQUIRED

    def test_one_that_is_withdrawn_needs_no_gate_any_more_and_its_workspace_follows(self) -> None:
        decision = decided(seen({**BEGUN, "new_status": None}))
        assert shown(decision) == ("not_required", None)

    def test_one_whose_when_says_no_at_the_end_is_guarded_to_the_end(self) -> None:
        rule = GATE_RULE.model_copy(update={"when": Expression("record.new_status == 1")})
        assert gate(decided(seen(FINALISED), rule)).status is GateStatus.CLOSED

    @pytest.mark.parametrize("unknown", ["new_amount", "new_status"])
    def test_what_is_not_all_known_is_read_and_closed_meanwhile(self, unknown: str) -> None:
        known = {name: value for name, value in FINALISED.items() if name != unknown}
        decision = decided(seen(known, links={}, evidence=GOOD), AT_ONCE)
        assert asked(decision) == ["read_record read"]
        assert (gate(decision).status, decision.notes) == (GateStatus.CLOSED, ())

    def test_a_when_that_cannot_be_told_begins_nothing_and_ends_nothing(self) -> None:
        rule = GATE_RULE.model_copy(update={"when": Expression("record.new_amount > 1.0")})
        empty = {**BEGUN, "new_amount": None}
        assert gate(decided(seen(empty, links={}), rule)).status is GateStatus.NOT_REQUIRED
        assert gate(decided(seen(empty), rule)).status is GateStatus.CLOSED

    def test_a_deleted_record_has_no_gate_and_its_workspace_says_so(self) -> None:
        decision = decided(seen(deleted=True))
        assert (asked(decision), state(decision)) == ([UPDATE], "Deleted")
        assert decision.own == GatesRow()

    def test_a_restored_record_is_as_alive(self) -> None:
        gone = settled(decided, seen(deleted=True))
        assert shown(decided(also(gone, 5, new_name="Hail"))) == ("Closed", "Form; Certificate")

    def test_it_wakes_when_the_first_evidence_expires_and_is_expired_then(self) -> None:
        at = seen(evidence=evidence(expires_on="2023-11-20"))
        open_ = decided(at)
        until = 1_700_524_800_000  # the end of 2023-11-20
        assert (open_.wake_ms, gate(open_).until_ms) == (until, until)
        later = replace(on(at, open_), now_ms=until)
        assert shown(decided(later)) == ("expired", "Certificate (expired)")
        assert gate(decided(later)).since_ms == until
        assert decided(later).wake_ms is None

    def test_its_since_moves_with_its_status_only(self) -> None:
        at = seen()
        first = decided(at)
        later = on(at, first, 60)
        assert gate(decided(later)).since_ms == gate(first).since_ms == START_MS
        assert gate(decided(replace(later, evidence=GOOD))).since_ms == START_MS + MINUTE

    def test_what_is_missing_is_cut_to_what_a_column_holds(self) -> None:
        many = tuple(
            GATE_RULE.artifacts[1].model_copy(update={"label": f"Certificate number {number}"})
            for number in range(80)
        )
        _, missing = shown(decided(seen(), GATE_RULE.model_copy(update={"artifacts": many})))
        assert isinstance(missing, str)
        assert (len(missing), missing[-1]) == (1000, "…")

    def test_when_all_is_true_nothing_is_asked(self) -> None:
        rested = settled(decided, seen(evidence=GOOD))
        assert (asked(decided(rested)), why(decided(rested))) == ([], ["all_true"])


class TestAFinalisation:
    def test_with_an_open_gate_it_passes(self) -> None:
        at = seen(FINALISED, evidence=GOOD)
        waiting = decided(at)
        assert waiting.wake_ms == START_MS + MINUTE
        judged = decided(on(at, waiting, 60))
        assert (judged.notes, gate(judged).violated_ms) == ((), None)
        assert state(judged) == "Finalized"
        assert REVERT not in asked(judged)

    def test_with_a_closed_gate_it_is_a_violation_once_the_grace_is_over(self) -> None:
        at = seen(FINALISED)
        waiting = decided(at)
        assert (waiting.notes, REVERT in asked(waiting)) == ((), False)
        judged = decided(on(at, waiting, 60))
        (note,) = judged.notes
        assert note.words == (
            "finalised although its gate was not open; missing: Form; Certificate"
        )
        assert only(judged, "revert").columns == {"new_status": 1}
        assert only(judged, "columns").columns["new_gateviolatedon"] == "2023-11-14T22:13:20Z"
        assert "gate_violated" in why(judged)

    def test_people_are_told_once_and_the_revert_is_asked_until_it_is_done(self) -> None:
        at = seen(FINALISED)
        judged = decided(at, AT_ONCE)
        again = decided(on(at, judged), AT_ONCE)
        assert again.notes == ()
        assert only(again, "revert").id == only(judged, "revert").id
        done = confirmed(on(at, judged), (only(judged, "revert"),), second=5)
        assert REVERT not in asked(decided(done, AT_ONCE))

    def test_evidence_that_was_on_its_way_makes_it_pass(self) -> None:
        at = seen(FINALISED)
        later = replace(on(at, decided(at), 60), evidence=GOOD)
        assert (decided(later).notes, gate(decided(later)).violated) == ((), False)

    def test_what_expires_after_it_is_no_violation(self) -> None:
        at = seen(FINALISED, evidence=evidence(expires_on="2023-11-20"))
        judged = decided(on(at, decided(at), 30 * 86_400))
        assert judged.notes == ()
        assert shown(judged)[0] == "expired"

    def test_what_people_let_expire_after_it_is_no_violation_either(self) -> None:
        at = seen(FINALISED, evidence=GOOD)
        late = GOOD.reported(
            GATE_RULE.name, 2, "expired", ItemEvent(at_ms=START_MS + 20_000, event_id="late")
        )
        judged = decided(replace(on(at, decided(at), 60), evidence=late))
        assert (judged.notes, shown(judged)[0]) == ((), "expired")

    def test_what_had_expired_before_it_is_one(self) -> None:
        assert decided(seen(FINALISED, evidence=evidence(expires_on="2023-01-01")), AT_ONCE).notes

    def test_one_that_is_taken_back_in_time_is_not_judged(self) -> None:
        at = seen(FINALISED)
        back = also(on(at, decided(at), 30), 30, new_status=1)
        decision = decided(back)
        assert (decision.notes, gate(decision).finalized_ms) == ((), None)

    def test_without_a_revert_people_are_told_and_no_more(self) -> None:
        at = seen(FINALISED)
        judged = decided(on(at, decided(at), 60), NO_REVERT)
        assert len(judged.notes) == 1
        assert REVERT not in asked(judged)
        assert gate(judged).reverts == 0

    def test_the_next_time_is_a_new_finalisation_with_a_command_of_its_own(self) -> None:
        at = seen(FINALISED)
        first = decided(at, AT_ONCE)
        done = confirmed(on(at, first), (only(first, "revert"),), second=5)
        back = decided(done, AT_ONCE)
        assert gate(back).finalized_ms is None
        again = decided(also(on(done, back), 9, new_status=2), AT_ONCE)
        assert len(again.notes) == 1
        assert only(again, "revert").id != only(first, "revert").id

    def test_who_insists_is_taken_back_five_times_and_then_left_to_people(self) -> None:
        at = seen(FINALISED)
        reverts, told = 0, 0
        for round_ in range(1, 9):
            judged = decided(at, AT_ONCE)
            told += len(judged.notes)
            if REVERT in asked(judged):
                reverts += 1
                at = confirmed(on(at, judged), (only(judged, "revert"),), second=round_ * 10)
            else:
                assert "write_contested" in why(judged)
                at = also(on(at, judged), round_ * 10, new_status=1)
            at = also(on(at, decided(at, AT_ONCE)), round_ * 10 + 5, new_status=2)
        assert (reverts, told) == (REVERT_LIMIT, 8)

    def test_a_gate_that_has_opened_forgives_what_was_taken_back(self) -> None:
        before = GatesRow().with_gate(GATE_RULE.name, Gate(reverts=REVERT_LIMIT + 1))
        assert gate(decided(seen(evidence=GOOD, own=before))).reverts == 0

    def test_one_in_order_ends_the_showing_of_an_older_violation(self) -> None:
        old = Gate(violated_ms=5)
        at = seen(FINALISED, evidence=GOOD, own=GatesRow().with_gate(GATE_RULE.name, old))
        judged = decided(at, AT_ONCE)
        assert only(judged, "columns").columns["new_gateviolatedon"] is None

    def test_a_deleted_record_is_never_taken_back(self) -> None:
        at = seen(FINALISED)
        judged = on(at, decided(at, AT_ONCE))
        gone = replace(judged, row=seen(FINALISED, deleted=True).row)
        assert asked(decided(gone, AT_ONCE)) == [UPDATE]
