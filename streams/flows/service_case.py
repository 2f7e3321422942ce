"""Flow 3, service_case: a high-value or complex case has a workspace of its own.

A case that meets the rule's ``when``, over its own columns and those of its customer, has a case
workspace beside the one that every case may have: only some roles may open it, a records
management classification says how long it is kept, and its resolution may have to be approved.
All of it is looked at again whenever case or customer changes.

| the case is              | the workspace                        | retention          | approval |
|--------------------------|--------------------------------------|--------------------|----------|
| alive, ``when`` not true | is not made                          | -                  | -        |
| alive, ``when`` true     | exists, restricted; state Active     | classified, open   | none     |
| alive, ``when`` false    | one that exists stays: state Below   | classified, open   | none     |
|  again                   | Criteria                             |                    |          |
| resolved                 | as by ``when``; state Resolved       | from that day on   | one runs |
| reopened                 | as alive                             | open: stops        | stopped  |
| cancelled                | is not made; one that exists: state  | from that day on   | stopped  |
|                          | Cancelled                            |                    |          |
| merged into another      | is not made; one that exists: state  | from that day on   | stopped  |
|                          | Merged, child of the survivor's      |                    |          |
| deleted                  | is not made; one that exists: state  | stays as it is     | stopped  |
|                          | Deleted                              |                    |          |
| restored                 | as it is then                        | as it is then      | anew     |

Each time that a case is resolved is a round of its own, with a workflow of its own:

| the workflow of this resolution | the case shows                                       |
|---------------------------------|------------------------------------------------------|
| is not needed                   | nothing                                              |
| waits for the case's workspace  | nothing                                              |
| runs, or was asked for          | pending                                              |
| was approved, rejected          | approved or rejected, by whom, when, with what words |
| was stopped by somebody         | stopped, by whom, when                               |
| could not be started            | failed, and why                                      |
| was for an earlier resolution   | whatever that of the present one says                |
| case reopened, cancelled, merged| nothing: the columns are emptied                     |
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from streams.catalogue import ColumnValue, lookup
from streams.flows import approving, relations, retention, workspaces
from streams.flows.approving import Outcome
from streams.flows.conditions import as_of, context, holds
from streams.flows.past import newest_run
from streams.flows.plan import Plan
from streams.flows.relations import Related
from streams.flows.shape import Cause, Decision, Flow, Reason, View
from streams.flows.workspaces import Wanted
from streams.messages.commands import RestrictAccess
from streams.rules import ServiceCaseRule
from tables.keys import digest
from tables.workspace_links import Link

Variables = Mapping[str, Any]


class CaseState(StrEnum):
    """The case's state as its workspace shows it."""

    ACTIVE = "Active"
    BELOW_CRITERIA = "Below Criteria"
    RESOLVED = "Resolved"
    CANCELLED = "Cancelled"
    MERGED = "Merged"
    DELETED = "Deleted"


#: These end a case: from then on its file is kept for its time.
_CLOSED = (CaseState.RESOLVED, CaseState.CANCELLED, CaseState.MERGED)
#: A case that comes to its workspace in this state gets none any more.
_TOO_LATE = (CaseState.CANCELLED, CaseState.MERGED)


def decide(cause: Cause, view: View, rule: ServiceCaseRule) -> Decision:
    """Compare what the rule wants for the case with what is confirmed (see the tables above)."""
    plan = Plan(view, rule.name)
    known = plan.look_up(rule)
    variables = context(view, rule)
    state = case_state(view, rule, variables)
    round_ = _round(view, rule, variables, state)
    outcome = _outcome(view, rule, round_, known=known)
    related, complete = _survivor(plan, rule, state)
    wanted = Wanted(
        state.value,
        shown=_decision_shown(view, rule, outcome),
        columns=_decision_columns(view, rule, outcome),
        related=related,
        complete=complete,
    )
    link = workspaces.keep(
        plan, rule, variables, wanted, lambda: _is_due(plan, rule, variables, state)
    )
    if link is not None:
        _want_restricted(plan, rule, link)
        _want_kept(plan, rule, link, variables, state)
    approving.want_none_but(plan, round_)
    if link is not None and round_ is not None and known:
        _want_approval(plan, rule, variables, link, round_)
    return plan.decision()


def case_state(view: View, rule: ServiceCaseRule, variables: Variables) -> CaseState:
    if not view.row.alive:
        return CaseState.DELETED
    ended = _ended(rule, variables)
    if ended is not None:
        return ended
    # Criteria that cannot be told are no reason to say that they are not met.
    if holds(rule.when, variables) is False and view.knows(rule.when.columns()):
        return CaseState.BELOW_CRITERIA
    return CaseState.ACTIVE


def _ended(rule: ServiceCaseRule, variables: Variables) -> CaseState | None:
    """How the case ended, None while it is open."""
    if rule.merged and variables["record"].get(rule.merged) is True:
        return CaseState.MERGED
    if holds(rule.cancelled, variables):
        return CaseState.CANCELLED
    return CaseState.RESOLVED if holds(rule.resolved, variables) else None


def _is_due(plan: Plan, rule: ServiceCaseRule, variables: Variables, state: CaseState) -> bool:
    if state in _TOO_LATE:
        plan.because(Reason.CASE_ENDED)
        return False
    return plan.meets(rule.when, variables)


def _survivor(
    plan: Plan, rule: ServiceCaseRule, state: CaseState
) -> tuple[frozenset[Related], bool]:
    """A merged case's workspace is a child of the survivor's; False while that is not known."""
    if state is not CaseState.MERGED or plan.view.links.get(rule.name) is None:
        return frozenset(), True
    survivor = lookup(plan.view.row.value(rule.merged_into or ""))
    if survivor is None:
        return frozenset(), False
    return relations.relation_to(plan, survivor, rule.name)


def _want_restricted(plan: Plan, rule: ServiceCaseRule, link: Link) -> None:
    """Want only the rule's roles to open the workspace."""
    if not rule.restricted_to:
        return
    roles = tuple(sorted(rule.restricted_to))
    plan.want(
        "access",
        roles,
        lambda **common: RestrictAccess(workspace_id=link.workspace_id, roles=roles, **common),
        in_parts=True,
    )


def _want_kept(
    plan: Plan, rule: ServiceCaseRule, link: Link, variables: Variables, state: CaseState
) -> None:
    """Want the classification, and the day from which the file is kept once the case is closed."""
    # Until it is known how it has ended the file is kept as it was.
    if rule.retention is None or not plan.view.knows(rule.asked):
        return
    starts_on = None
    if state in _CLOSED:
        starts_on = retention.first_day(
            plan.view,
            rule.retention,
            lambda columns: _ended(rule, as_of(plan.view, variables, columns)) is not None,
        )
    retention.want_kept(plan, rule.retention, link, starts_on)


def _round(view: View, rule: ServiceCaseRule, variables: Variables, state: CaseState) -> str | None:
    """Which resolution is to be approved: the how-manieth; None when none is."""
    if rule.approval is None or state is not CaseState.RESOLVED:
        return None
    if not holds(rule.approval.when, variables):
        return None
    resolution = newest_run(view, lambda columns: _ended(rule, as_of(view, variables, columns)))
    return digest(["resolution", resolution.number])


def _outcome(
    view: View, rule: ServiceCaseRule, round_: str | None, *, known: bool
) -> Outcome | None:
    """What became of this resolution; nothing is shown before it was asked, or is asked now.

    What nobody has asked leaves no trace by which it would be emptied when the case is reopened.
    """
    asks = known and view.links.get(rule.name) is not None
    if round_ is None or not (asks or approving.has_asked(view, rule.name)):
        return None
    return approving.outcome_of(view, rule.name, round_)


def _want_approval(
    plan: Plan, rule: ServiceCaseRule, variables: Variables, link: Link, round_: str
) -> None:
    """Want the workflow of this resolution; what approvers read is as it is at its start."""
    assert rule.approval is not None
    approving.want_workflow(
        plan,
        approving.asked(plan.view, rule.approval, variables, link.workspace_id, round_),
    )


def _decision_columns(
    view: View, rule: ServiceCaseRule, outcome: Outcome | None
) -> dict[str, ColumnValue]:
    """What the case shows of its approval; nothing before the first."""
    if rule.approval is None or not (outcome or approving.has_asked(view, rule.name)):
        return {}
    return approving.outcome_columns(view, rule.write_back, rule.approval, outcome)


def _decision_shown(
    view: View, rule: ServiceCaseRule, outcome: Outcome | None
) -> dict[str, ColumnValue]:
    """What the workspace shows of it."""
    part = rule.approval
    if part is None or not (outcome or approving.has_asked(view, rule.name)):
        return {}
    return {
        part.decision_attribute or "": str(part.word(outcome.decision)) if outcome else None,
        part.approver_attribute or "": outcome.approver if outcome else None,
    }


FLOW = Flow("service_case", lambda book: book.of(ServiceCaseRule), decide)
