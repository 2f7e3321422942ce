"""Flow 7, vendor_onboarding: a vendor is on hold until its evidence is there and it is approved.

A vendor that meets ``when`` has a supplier workspace with a checklist (``streams.flows.artifacts``)
and, once that is complete, one approval workflow. It is activated only while the checklist is
complete and the approval is given for the bank and tax columns as they are; else it is held.

| the vendor                        | status       | the vendor is | its workflow             |
|-----------------------------------|--------------|---------------|--------------------------|
| is not all known                  | -            | left alone    | - (the record is read)   |
| is none that is onboarded         | not required | left alone    | not started              |
| lacks something, or it is no good | collecting   | held          | not started              |
| lacks something that has expired  | expired      | held          | not started              |
| has all of it, nobody decided     | in approval  | held          | runs, started once       |
| has all of it, was refused        | rejected     | held          | once evidence is newer   |
| has all of it, was approved       | active       | activated     | has ended                |
| is blocked by people              | blocked      | left alone    | not started              |
| is deleted                        | -            | -             | one that runs is stopped |

| what happens then               | what it leads to                                               |
|---------------------------------|----------------------------------------------------------------|
| bank or tax columns change      | held; what runs is stopped; a workflow of their own decides    |
| they change back                | what was decided about these very columns counts again         |
| a certificate expires           | held, by a timer; active once it is renewed: nobody asks again |
| people hold an active vendor    | blocked, until they activate it                                |
| people activate one that lacks  | held again                                                     |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from streams.catalogue import ColumnValue
from streams.flows import approving, relations, workspaces
from streams.flows.approving import Outcome
from streams.flows.artifacts import Checklist, checklist, shown
from streams.flows.conditions import context, holds
from streams.flows.moments import day_of
from streams.flows.past import newest_run
from streams.flows.plan import Plan
from streams.flows.shape import Cause, Decision, Flow, Reason, View
from streams.flows.workspaces import Wanted
from streams.rules import VendorOnboardingRule, VendorStatus
from tables.evidence import ItemStatus
from tables.keys import digest
from tables.vendors import VendorsRow

Variables = Mapping[str, Any]

_ACTIVE, _DELETED = "Active", "Deleted"
#: What makes a vendor's evidence new: a refused vendor is looked at again when some came.
_FILED = (ItemStatus.ADDED, ItemStatus.APPROVED)
_WHY = {
    VendorStatus.COLLECTING: Reason.WAITING_FOR_ARTIFACTS,
    VendorStatus.EXPIRED: Reason.ARTIFACT_EXPIRED,
    VendorStatus.IN_APPROVAL: Reason.WAITING_FOR_APPROVAL,
    VendorStatus.REJECTED: Reason.APPROVAL_REFUSED,
    VendorStatus.BLOCKED: Reason.BLOCKED_BY_PEOPLE,
}


def decide(cause: Cause, view: View, rule: VendorOnboardingRule) -> Decision:
    """Look at evidence, approval and blocks; hold or activate; keep the workspace."""
    assert isinstance(view.own, VendorsRow)
    plan = Plan(view, rule.name)
    plan.look_up(rule)
    variables = context(view, rule)
    own = view.own.with_block(rule.name, blocked=_blocked(view, rule))
    found = checklist(view, rule.name, rule.artifacts, variables)
    round_ = current_round(view, rule)
    outcome = approving.outcome_of(view, rule.name, round_)
    status = _status(plan, rule, variables, found, outcome, own.is_blocked(rule.name))
    _want_activation(plan, rule, status)
    _want_approval(plan, rule, variables, found, round_, status)
    _keep(plan, rule, variables, found, outcome, status)
    if found.until_ms is not None:
        plan.wake_at(found.until_ms)
    return plan.decision(own=own)


def current_round(view: View, rule: VendorOnboardingRule) -> str:
    """Which approval counts: of the bank and tax columns as they are, in as many tries as it took.

    A try that was refused is followed by the next as soon as evidence is newer than the refusal;
    one that we stopped ourselves, because the columns had changed meanwhile, at once.
    """
    details = [view.row.value(column) for column in rule.details]
    tried: list[int] = []
    while True:
        round_ = digest([details, tried])
        number = view.approvals.workflow_of(rule.name, round_)
        if number is None or number in tried or not _is_over(view, rule, number):
            return round_
        tried.append(number)


def _is_over(view: View, rule: VendorOnboardingRule, number: int) -> bool:
    """Whether this workflow came to nothing and there is a reason for another one."""
    workflow = view.approvals.workflow(rule.name, number)
    if workflow.state == "approved":
        return False
    if approving.was_stopped(view, rule.name, number):
        return True
    if workflow.state not in ("rejected", "stopped") or workflow.newest is None:
        return False
    return _filed_ms(view, rule) > workflow.newest.at_ms


def _filed_ms(view: View, rule: VendorOnboardingRule) -> int:
    """When evidence came last (Unix ms)."""
    items = view.evidence.of(rule.name).values()
    return max((item.since_ms for item in items if item.status in _FILED), default=0)


def _blocked(view: View, rule: VendorOnboardingRule) -> bool:
    """Whether people have put the vendor on hold, as far as that can be told from our own hold.

    They have when the columns say something that we never would, or were held after we activated.
    """
    assert isinstance(view.own, VendorsRow)
    held, active = rule.activation.held, rule.activation.active
    now = {column: view.row.value(column) for column in active}
    if now == active:
        return False
    if None in now.values():
        return view.own.is_blocked(rule.name)
    if now != held:
        return True
    step = view.steps.get(rule.name, "activation")
    known, asked = ((word or "").partition("@")[0] for word in (step.confirmed, step.asked))
    # A hold that we have asked for may come back to us before the news that it was written does.
    under_way = asked == digest(held) and not step.is_closed(step.asked or "")
    if known != digest(active) or under_way:
        return view.own.is_blocked(rule.name)
    stamps = [
        view.row.cells[column].stamp.at_ms for column in held if held[column] != active[column]
    ]
    return view.own.is_blocked(rule.name) or max(stamps) >= step.confirmed_ms


def _status(
    plan: Plan,
    rule: VendorOnboardingRule,
    variables: Variables,
    found: Checklist,
    outcome: Outcome,
    blocked: bool,
) -> VendorStatus | None:
    """How far the vendor is; None while that cannot be said."""
    status = _judged(plan, rule, variables, found, outcome, blocked)
    if status in _WHY:
        plan.because(_WHY[status])
    return status


def _judged(
    plan: Plan,
    rule: VendorOnboardingRule,
    variables: Variables,
    found: Checklist,
    outcome: Outcome,
    blocked: bool,
) -> VendorStatus | None:
    view = plan.view
    if not view.row.alive:
        return None
    asked = {column for _, question in rule.questions() for column in question.columns()}
    if not view.knows(asked | {*rule.details}):
        plan.read_record()
        return None
    if not plan.meets(rule.when, variables):
        return VendorStatus.NOT_REQUIRED
    if blocked or holds(rule.blocked, variables) is not False:
        return VendorStatus.BLOCKED
    if not found.complete:
        return VendorStatus.EXPIRED if found.expired else VendorStatus.COLLECTING
    if outcome.decision == "approved":
        return VendorStatus.ACTIVE
    return VendorStatus.IN_APPROVAL if outcome.decision == "pending" else VendorStatus.REJECTED


def _want_activation(plan: Plan, rule: VendorOnboardingRule, status: VendorStatus | None) -> None:
    """Want the vendor held, or active; nothing while people block it or it is not ours."""
    if status in (None, VendorStatus.NOT_REQUIRED, VendorStatus.BLOCKED):
        return
    part = rule.activation
    plan.want_columns("activation", part.active if status is VendorStatus.ACTIVE else part.held)


def _want_approval(
    plan: Plan,
    rule: VendorOnboardingRule,
    variables: Variables,
    found: Checklist,
    round_: str,
    status: VendorStatus | None,
) -> None:
    """Want the one workflow that decides about the vendor as it is, and no other."""
    if status is None:
        if not plan.view.row.alive:
            approving.want_none_but(plan)
        return
    approving.want_none_but(plan, round_)
    link = plan.view.links.get(rule.name)
    started = plan.view.approvals.workflow_of(rule.name, round_) is not None
    if link is None or started or not _is_ready(rule, variables, found, status):
        return
    asked = approving.asked(plan.view, rule.approval, variables, link.workspace_id, round_)
    filed_ms = _filed_ms(plan.view, rule)
    approving.want_workflow(plan, replace(asked, documents=found.documents, news_ms=filed_ms))


def _is_ready(
    rule: VendorOnboardingRule, variables: Variables, found: Checklist, status: VendorStatus
) -> bool:
    """Whether approvers are to be asked."""
    if status in (VendorStatus.NOT_REQUIRED, VendorStatus.BLOCKED):
        return False
    if rule.approval.when is not None:
        return holds(rule.approval.when, variables) is True
    return found.complete


def _keep(
    plan: Plan,
    rule: VendorOnboardingRule,
    variables: Variables,
    found: Checklist,
    outcome: Outcome,
    status: VendorStatus | None,
) -> None:
    """Want the supplier workspace, and on both sides how far the vendor is."""
    related, complete = relations.below(plan.view, rule.record_workspace)
    due = status not in (None, VendorStatus.NOT_REQUIRED)
    wanted = Wanted(
        _ACTIVE if plan.view.row.alive else _DELETED,
        shown=_attributes(plan.view, rule, found, outcome, status) if status else {},
        columns=vendor_columns(plan.view, rule, found, outcome, status) if status else {},
        related=related,
        complete=complete,
    )
    workspaces.keep(plan, rule, variables, wanted, lambda: due)


def vendor_columns(
    view: View, rule: VendorOnboardingRule, found: Checklist, outcome: Outcome, status: VendorStatus
) -> dict[str, ColumnValue]:
    """What the vendor's record shows of its onboarding."""
    columns = rule.write_back
    values: dict[str | None, ColumnValue] = {
        columns.status: rule.statuses.get(status, status.value),
        columns.missing: shown(found.words),
        columns.progress: found.progress,
    }
    decision = approving.outcome_columns(view, columns, rule.approval, outcome)
    return {column: value for column, value in values.items() if column} | decision


def _attributes(
    view: View, rule: VendorOnboardingRule, found: Checklist, outcome: Outcome, status: VendorStatus
) -> dict[str, ColumnValue]:
    """What the supplier workspace shows of it."""
    run = newest_run(view, lambda past: digest([past.get(column) for column in rule.details]))
    values: dict[str, ColumnValue] = {
        rule.status_attribute or "": rule.statuses.get(status, status.value),
        rule.missing_attribute or "": shown(found.words),
        rule.hold_attribute or "": "No" if status is VendorStatus.ACTIVE else "Yes",
        rule.details_attribute or "": day_of(run.since.at_ms),
        rule.approval.decision_attribute or "": rule.approval.word(outcome.decision),
        rule.approval.approver_attribute or "": outcome.approver,
    }
    return values


FLOW = Flow(
    "vendor_onboarding",
    lambda book: book.of(VendorOnboardingRule),
    decide,
    own_table="vendors",
    own_row=VendorsRow,
)
