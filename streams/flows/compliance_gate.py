"""Flow 6, compliance_gate: a record is finalised only once its evidence is complete.

Once the process has begun (``when``) the record has an evidence workspace. The rule names the
artifacts that are required, each under a condition; see ``streams.flows.artifacts`` for when one is
good. The gate's status and what is missing are shown on the record and in the workspace, and
``GET /gates/<table>/<id>`` answers them from the table of this flow.

| the record is | its artifacts                      | the gate     | the workspace              |
|---------------|------------------------------------|--------------|----------------------------|
| not all known | -                                  | closed       | is not made; is read       |
| not begun     | -                                  | not required | is not made                |
| begun         | one is missing, not approved,      | closed       | exists, state Active       |
|               | rejected or undated                |              |                            |
| begun         | one of those that lack has expired | expired      | exists, state Active       |
| begun         | all are present                    | open         | exists, state Active       |
| finalised     | as above                           | as above     | exists, state Finalized    |
| deleted       | -                                  | none         | one that exists: Deleted   |
| restored      | as alive                           | as alive     | as alive                   |

| the record is finalised and  | what happens, once for each finalisation                        |
|------------------------------|-----------------------------------------------------------------|
| the grace is not over        | nothing yet: evidence may be under way                          |
| the gate was open            | nothing; an older violation is not shown any more               |
| the gate was not open        | a violation: told to people, counted, shown on the record; and  |
|                              | taken back where the rule says how, so often at most in a row   |
| not finalised any more       | the next time is a new finalisation                             |

Judged is what is known when the grace is over; whether something had expired is asked of the moment
at which the record was finalised. What expires later makes the gate expired, and no violation.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from streams.catalogue import ColumnValue
from streams.flows import relations, workspaces
from streams.flows.artifacts import Checklist, checklist, shown
from streams.flows.conditions import as_of, context, holds
from streams.flows.moments import as_column
from streams.flows.past import newest_run
from streams.flows.plan import Plan
from streams.flows.shape import Cause, Decision, Flow, NoteKind, Reason, View
from streams.flows.workspaces import Wanted
from streams.messages.commands import SetRecordColumns
from streams.rules import ComplianceGateRule
from tables.gates import Gate, GatesRow, GateStatus

#: So often in a row is a finalisation taken back; whoever insists is left to people.
REVERT_LIMIT = 5


class EvidenceWorkspaceState(StrEnum):
    """The record's state as its evidence workspace shows it."""

    ACTIVE = "Active"
    FINALIZED = "Finalized"
    DELETED = "Deleted"


def decide(cause: Cause, view: View, rule: ComplianceGateRule) -> Decision:
    """Judge the evidence, keep the workspace, and look at a finalisation that has come."""
    assert isinstance(view.own, GatesRow)
    plan = Plan(view, rule.name)
    plan.look_up(rule)
    variables = context(view, rule)
    required = _is_required(plan, rule, variables)
    found = checklist(view, rule.name, rule.artifacts, variables)
    gate = _gate(plan, view.own.get(rule.name), found, required=required)
    if required is not None:
        gate = _finalisation(plan, rule, variables, gate) if required else gate.reopened()
    related, complete = relations.below(view, rule.record_workspace)
    wanted = Wanted(
        workspace_state(view, rule, variables).value,
        shown=_attributes(rule, gate),
        columns=gate_columns(view, rule, gate),
        related=related,
        complete=complete,
    )
    workspaces.keep(plan, rule, variables, wanted, lambda: required is True)
    _want_revert(plan, rule, gate)
    return plan.decision(own=view.own.with_gate(rule.name, gate if view.row.alive else None))


def workspace_state(
    view: View, rule: ComplianceGateRule, variables: Mapping[str, Any]
) -> EvidenceWorkspaceState:
    if not view.row.alive:
        return EvidenceWorkspaceState.DELETED
    if holds(rule.finalized, variables):
        return EvidenceWorkspaceState.FINALIZED
    return EvidenceWorkspaceState.ACTIVE


def gate_columns(view: View, rule: ComplianceGateRule, gate: Gate) -> dict[str, ColumnValue]:
    """What the record shows of its gate."""
    columns = rule.write_back
    values: dict[str | None, ColumnValue] = {
        columns.status: _status_label(rule, gate.status),
        columns.missing: shown("; ".join(gate.missing)),
    }
    if columns.violated_on:
        values[columns.violated_on] = as_column(view, columns.violated_on, gate.violated_ms)
    return {column: value for column, value in values.items() if column}


def _is_required(plan: Plan, rule: ComplianceGateRule, variables: Mapping[str, Any]) -> bool | None:
    """Whether the gate counts: the process has begun, or is at its end and had begun.

    None while not all is known that the rule looks at: then the gate is closed, and nothing judged.
    """
    if not plan.view.row.alive:
        return False
    if not plan.view.knows(c for _, question in rule.questions() for c in question.columns()):
        plan.read_record()
        return None
    has_begun = plan.view.links.get(rule.name) is not None
    begun = holds(rule.when, variables)
    if begun is None:
        plan.because(Reason.CONDITION_UNDECIDED)
        return has_begun
    if not begun:
        plan.because(Reason.CONDITION_FALSE)
    return begun or (has_begun and holds(rule.finalized, variables) is True)


def _gate(plan: Plan, gate: Gate, found: Checklist, *, required: bool | None) -> Gate:
    """The gate as the evidence leaves it; decided again when the first of it expires."""
    now_ms = plan.view.now_ms
    if required is None:
        return gate.showing(GateStatus.CLOSED, (), None, now_ms)
    if not required:
        return gate.showing(GateStatus.NOT_REQUIRED, (), None, now_ms)
    missing = tuple(artifact.words for artifact in found.missing)
    if found.until_ms is not None:
        plan.wake_at(found.until_ms)
    if found.complete:
        return gate.showing(GateStatus.OPEN, (), found.until_ms, now_ms)
    if found.expired:
        plan.because(Reason.GATE_EXPIRED)
        return gate.showing(GateStatus.EXPIRED, missing, None, now_ms)
    plan.because(Reason.GATE_CLOSED)
    return gate.showing(GateStatus.CLOSED, missing, None, now_ms)


def _finalisation(
    plan: Plan, rule: ComplianceGateRule, variables: Mapping[str, Any], gate: Gate
) -> Gate:
    """The gate after a look at whether, when and how rightly the record was finalised."""
    view = plan.view
    if holds(rule.finalized, variables) is not True:
        return gate.reopened()
    if gate.judged:
        return gate
    gate = gate.finalized(_finalized_ms(view, rule, variables), view.now_ms)
    if view.now_ms < gate.seen_ms + rule.grace:
        plan.wake_at(gate.seen_ms + rule.grace)
        return gate
    then = checklist(view, rule.name, rule.artifacts, variables, gate.finalized_ms)
    if then.complete:
        return gate.passed()
    words = f"finalised although its gate was not open; missing: {then.words}"
    plan.note(NoteKind.GATE_VIOLATED, words)
    return gate.violated_now(reverted=bool(rule.revert))


def _finalized_ms(view: View, rule: ComplianceGateRule, variables: Mapping[str, Any]) -> int:
    """Since when the record is finalised: the same in whichever order its events came."""
    run = newest_run(view, lambda past: holds(rule.finalized, as_of(view, variables, past)) is True)
    return run.since.at_ms


def _want_revert(plan: Plan, rule: ComplianceGateRule, gate: Gate) -> None:
    """Take back what should not have been finalised: once for each finalisation."""
    if not gate.violated:
        return
    plan.because(Reason.GATE_VIOLATED)
    if not rule.revert:
        return
    if gate.reverts > REVERT_LIMIT:
        plan.because(Reason.WRITE_CONTESTED)
        return
    plan.want(
        "revert",
        [rule.revert, gate.finalized_ms],
        lambda **common: SetRecordColumns(columns=rule.revert, **common),
    )


def _attributes(rule: ComplianceGateRule, gate: Gate) -> dict[str, ColumnValue]:
    """What the workspace shows of the gate."""
    return {
        rule.status_attribute or "": _status_label(rule, gate.status),
        rule.missing_attribute or "": shown("; ".join(gate.missing)),
    }


def _status_label(rule: ComplianceGateRule, status: GateStatus) -> str:
    return rule.statuses.get(status, status)


FLOW = Flow(
    "compliance_gate",
    lambda book: book.of(ComplianceGateRule),
    decide,
    own_table="gates",
    own_row=GatesRow,
)
