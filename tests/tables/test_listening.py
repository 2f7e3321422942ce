"""Who listens to whom, which workflows were started, and of what people were told."""

from __future__ import annotations

from tables.approvals import ApprovalsRow, Workflow, WorkflowEvent
from tables.askers import ListenersRow
from tables.neighbours import Interest, NeighboursRow
from tables.requests import RequestsRow
from tables.rows import Row

ABOUT, BY, RULE = "opportunity:1", "new_request:2", "discount-approval"
DOCUMENTS, ONE = Interest(documents=True), Interest(of="home", documents=True, workflows=(7,))


def kept(row: Row) -> Row:
    """The row as it is read back."""
    return type(row).from_bytes(row.to_bytes())


def workflow(*told: tuple[str, int]) -> Workflow:
    events = {kind: WorkflowEvent(at_ms=at, event_id=f"{kind}-{at}") for kind, at in told}
    return Workflow(events=events)


def test_of_each_listener_the_newest_interest_counts() -> None:
    row = ListenersRow().listened(BY, RULE, DOCUMENTS).listened(BY, "other", DOCUMENTS)
    row = row.listened(BY, RULE, ONE)
    assert list(row.all()) == [(BY, RULE, ONE), (BY, "other", DOCUMENTS)]
    assert row.listened(BY, RULE, ONE) is row


def test_an_answer_counts_for_the_interest_that_was_asked_with() -> None:
    row = NeighboursRow().heard(ABOUT, RULE, DOCUMENTS)
    assert row.hears(ABOUT, RULE, DOCUMENTS)
    assert not row.hears(ABOUT, RULE, ONE)
    assert not row.hears(ABOUT, "other", DOCUMENTS)
    assert not row.hears(BY, RULE, DOCUMENTS)
    assert row.heard(ABOUT, RULE, DOCUMENTS) is row
    assert kept(row) == row


def test_what_another_knows_of_a_workflow_is_merged_in_any_order() -> None:
    early, late = workflow(("started", 1), ("approved", 5)), workflow(("step", 3))
    one = ApprovalsRow().told(RULE, 7, early).told(RULE, 7, late)
    assert one == ApprovalsRow().told(RULE, 7, late).told(RULE, 7, early)
    assert one.workflow(RULE, 7).state == "approved"
    assert one.told(RULE, 7, early) is one


def test_the_workflows_in_the_workspace_of_a_rule_whoever_started_them() -> None:
    row = ApprovalsRow().told(RULE, 7, workflow(("step", 3))).told("other", 8, workflow())
    assert set(row.of(RULE)) == {7}


def test_all_that_was_started_for_a_rule() -> None:
    row = ApprovalsRow().started(RULE, "b", 9).started(RULE, "a", 7).started("other", "a", 8)
    assert row.all_started(RULE) == (7, 9)
    assert ApprovalsRow().all_started(RULE) == ()


def test_people_are_told_once_of_each_round() -> None:
    row = RequestsRow().told(RULE, "a")
    assert row.told(RULE, "a") is row
    assert row.told(RULE, "b") is not row
    assert row.told("other", "a") is not row
    assert kept(row) == row
