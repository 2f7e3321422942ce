"""Approvals: one workflow of Extended ECM for each round of a request, and what came of it.

A round is one version of what is asked for. Only one workflow runs for a rule and record at a time:
whatever else was started is stopped, also when we hear late that it runs; and only the outcome of
the present round counts (``tables.approvals``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streams.catalogue import ColumnValue
from streams.flows import moments
from streams.flows.conditions import value_of
from streams.flows.plan import Plan
from streams.flows.shape import View
from streams.messages.commands import StartWorkflow, StopWorkflow
from streams.naming import workspace_name
from streams.rules.approval import DecisionColumns, WorkflowPart
from tables.approvals import Workflow
from tables.keys import digest

_START = "workflow"
#: What the state of a workflow means for the request.
_OUTCOMES = {"approved": "approved", "rejected": "rejected", "stopped": "stopped"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a workflow is started with. ``documents``: node ids of the attachments.

    ``news_ms``: when something about them was new last (Unix ms); what was refused before is tried
    again then.
    """

    round: str
    workspace_id: int
    workflow_map: str
    title: str
    comment: str = ""
    attributes: Mapping[str, ColumnValue] | None = None
    documents: tuple[int, ...] = ()
    news_ms: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a round so far: one of ``DECISIONS``, by whom, when (Unix ms), and why."""

    decision: str
    approver: str | None = None
    at_ms: int | None = None
    comment: str | None = None


PENDING = Outcome("pending")


def asked(
    view: View, part: WorkflowPart, variables: Mapping[str, Any], workspace_id: int, round_: str
) -> Asked:
    """A round as the rule words it, from the record as it is now."""
    values = view.row.values()
    comment = value_of(part.comment, variables) if part.comment else None
    return Asked(
        round=round_,
        workspace_id=workspace_id,
        workflow_map=part.workflow_map,
        title=workspace_name(part.title, values, fallback=view.record.id),
        comment=str(comment) if comment is not None else "",
        attributes={label: value_of(cel, variables) for label, cel in part.attributes.items()},
    )


def want_workflow(plan: Plan, asked: Asked) -> None:
    """Want the workflow of this round to run; see ``want_none_but`` for the others."""
    plan.want(
        _START,
        asked.round,
        lambda **common: StartWorkflow(
            workspace_id=asked.workspace_id,
            workflow_map=asked.workflow_map,
            round=asked.round,
            title=asked.title,
            comment=asked.comment,
            attributes=asked.attributes or {},
            documents=asked.documents,
            **common,
        ),
        news_ms=asked.news_ms,
    )


def want_none_but(plan: Plan, round_: str | None = None) -> None:
    """Want no workflow to run but the one of this round."""
    for other, workflow_id in plan.view.approvals.running(plan.rule).items():
        if other != round_:
            _want_stopped(plan, workflow_id)


def _want_stopped(plan: Plan, workflow_id: int) -> None:
    plan.want(
        f"stop/{workflow_id}",
        "stopped",
        lambda **common: StopWorkflow(workflow_id=workflow_id, **common),
    )


def was_stopped(view: View, rule: str, workflow_id: int) -> bool:
    """Whether we wanted this workflow stopped, at any time."""
    step = view.steps.get(rule, f"stop/{workflow_id}")
    return step.asked is not None or step.confirmed is not None


def has_asked(view: View, rule: str) -> bool:
    """Whether a workflow was ever wanted for the record."""
    step = view.steps.get(rule, _START)
    return step.asked is not None or step.confirmed is not None


def outcome_of(view: View, rule: str, round_: str) -> Outcome:
    """What became of this round; the outcome of another one never counts."""
    number = view.approvals.workflow_of(rule, round_)
    if number is None:
        refusal = view.steps.get(rule, _START).refusal
        failed = refusal is not None and refusal.desired == digest(round_)
        return Outcome("failed", comment=refusal.message) if refusal and failed else PENDING
    workflow = view.approvals.workflow(rule, number)
    decision = _OUTCOMES.get(workflow.state)
    return PENDING if decision is None else _ended(decision, workflow)


def _ended(decision: str, workflow: Workflow) -> Outcome:
    event = workflow.newest
    assert event is not None, "a workflow has ended without an event"
    told = event.attributes.get("comment")
    comment = told if isinstance(told, str) and told else None
    return Outcome(decision, event.actor, event.at_ms, comment)


def outcome_columns(
    view: View, columns: DecisionColumns, part: WorkflowPart, outcome: Outcome | None
) -> dict[str, ColumnValue]:
    """What the record shows of the decision; None empties the columns."""
    moment = outcome.at_ms if outcome else None
    shown: dict[str | None, ColumnValue] = {
        columns.decision: part.word(outcome.decision) if outcome else None,
        columns.approver: outcome.approver if outcome else None,
        columns.comment: outcome.comment if outcome else None,
        columns.decided_on: moments.as_column(view, columns.decided_on or "", moment),
    }
    return {column: value for column, value in shown.items() if column}
