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
from streams.flows import workspaces
from streams.flows.conditions import context, holds
from streams.flows.plan import Plan
from streams.flows.shape import Cause, Decision, Flow, Reason, View
from streams.rules import RecordWorkspaceRule
from tables.workspace_links import Link


class RecordState(StrEnum):
    """The record's state as its workspace shows it."""

    ACTIVE = "Active"
    CLOSED = "Closed"
    MERGED = "Merged"
    DELETED = "Deleted"


def decide(cause: Cause, view: View, rule: RecordWorkspaceRule) -> Decision:
    """Compare what the rule wants for the record with what is confirmed (see the table above)."""
    plan = Plan(view, rule.name)
    link = view.links.get(rule.name)
    variables = context(view, rule)
    if link is not None:
        _follow(plan, rule, link, variables)
    elif not view.row.alive:
        plan.because(plan.absence())
    elif _is_due(plan, rule, variables):
        workspaces.want_workspace(plan, rule.workspace, _attributes(rule, view, variables))
    return plan.decision()


def record_state(
    view: View, rule: RecordWorkspaceRule, variables: Mapping[str, Any]
) -> RecordState:
    if not view.row.alive:
        return RecordState.DELETED
    if rule.merged and view.row.value(rule.merged) is True:
        return RecordState.MERGED
    return RecordState.CLOSED if holds(rule.closed, variables) else RecordState.ACTIVE


def _is_due(plan: Plan, rule: RecordWorkspaceRule, variables: Mapping[str, Any]) -> bool:
    due = holds(rule.when, variables)
    if due is None and not plan.view.knows(rule.when.columns()):
        plan.read_record()
    elif due is None:
        plan.because(Reason.CONDITION_UNDECIDED)
    elif not due:
        plan.because(Reason.CONDITION_FALSE)
    return due is True


def _attributes(
    rule: RecordWorkspaceRule, view: View, variables: Mapping[str, Any]
) -> workspaces.Labels:
    shown = rule.workspace.state_attribute
    state = {shown: record_state(view, rule, variables).value} if shown else {}
    return workspaces.attributes_of(rule.workspace, variables, state)


def _follow(
    plan: Plan, rule: RecordWorkspaceRule, link: Link, variables: Mapping[str, Any]
) -> None:
    attributes = _attributes(rule, plan.view, variables)
    workspaces.want_properties(plan, rule.workspace, link, attributes)
    if not plan.view.row.alive:
        plan.because(Reason.RECORD_DELETED)
        return
    workspaces.want_roles(plan, rule.workspace.roles, link)
    _relate(plan, rule, link)
    plan.want_columns("links", workspaces.link_columns(rule.write_back, link))


def _relate(plan: Plan, rule: RecordWorkspaceRule, link: Link) -> None:
    wanted, complete = workspaces.related_by(plan, rule.workspace.relations)
    if rule.merged and rule.merged_into and plan.view.row.value(rule.merged) is True:
        survivor = lookup(plan.view.row.value(rule.merged_into))
        workspace = plan.workspace_of(survivor) if survivor else None
        complete = complete and workspace is not None
        wanted |= {("parent", workspace)} if workspace is not None else set()
    workspaces.want_relations(plan, link, wanted, complete=complete)


FLOW = Flow("record_workspace", lambda book: book.of(RecordWorkspaceRule), decide)
