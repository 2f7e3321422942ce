"""Flow 1, record_workspace: an account, opportunity or case has a workspace that follows it.

Once the record meets the rule's ``when`` it has one workspace, made from the type's template. From
then on name, attributes and roles follow the record, its workspace is related to those of the
records it points to (either may exist first), and the record shows the workspace's id and link.

| the record is              | the workspace                                   | the record     |
|----------------------------|-------------------------------------------------|----------------|
| alive, ``when`` not true   | is not made; one that exists follows            | shows its link |
| alive, ``when`` true       | exists, state Active; follows                   | shows its link |
| ``closed``                 | state Closed; follows                           | shows its link |
| merged into another        | state Merged, child of the survivor's workspace | shows its link |
| deleted, workspace exists  | state Deleted; is marked, never removed         | -              |
| deleted before it had one  | is not made                                     | -              |
| restored                   | as alive                                        | shows its link |
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from streams.catalogue import lookup
from streams.flows import relations, workspaces
from streams.flows.conditions import context, holds
from streams.flows.plan import Plan
from streams.flows.relations import Related
from streams.flows.shape import Cause, Decision, Flow, View
from streams.flows.workspaces import Wanted
from streams.rules import RecordWorkspaceRule


class RecordState(StrEnum):
    """The record's state as its workspace shows it."""

    ACTIVE = "Active"
    CLOSED = "Closed"
    MERGED = "Merged"
    DELETED = "Deleted"


def decide(cause: Cause, view: View, rule: RecordWorkspaceRule) -> Decision:
    """Compare what the rule wants for the record with what is confirmed (see the table above)."""
    plan = Plan(view, rule.name)
    plan.look_up(rule)
    variables = context(view, rule)
    related, complete = _survivor(plan, rule)
    wanted = Wanted(record_state(view, rule, variables).value, related=related, complete=complete)
    workspaces.keep(plan, rule, variables, wanted, lambda: plan.meets(rule.when, variables))
    return plan.decision()


def record_state(
    view: View, rule: RecordWorkspaceRule, variables: Mapping[str, Any]
) -> RecordState:
    if not view.row.alive:
        return RecordState.DELETED
    if rule.merged and view.row.value(rule.merged) is True:
        return RecordState.MERGED
    return RecordState.CLOSED if holds(rule.closed, variables) else RecordState.ACTIVE


def _survivor(plan: Plan, rule: RecordWorkspaceRule) -> tuple[frozenset[Related], bool]:
    """A merged record's workspace is a child of the survivor's; False while that is not known."""
    row = plan.view.row
    if not (row.alive and rule.merged and rule.merged_into and row.value(rule.merged) is True):
        return frozenset(), True
    survivor = lookup(row.value(rule.merged_into))
    if plan.view.links.get(rule.name) is None or survivor is None:
        return frozenset(), survivor is not None
    return relations.relation_to(plan, survivor, None)


FLOW = Flow("record_workspace", lambda book: book.of(RecordWorkspaceRule), decide)
