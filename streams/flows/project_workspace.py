"""Flow 5, project_workspace: a project has a workspace, and each of its milestones a folder there.

Project and milestones follow Dynamics; deliverables and change requests are tracked in Extended ECM
and shown on the milestone. Milestones are rows of their own, so each is decided by itself: it asks
its project for the workspace, keeps its folder, and tells the project that the folder is its own.
What happens to documents comes to the project, which passes on what is in a milestone's folder or
names a milestone. Columns that the rule calls financial are never written.

| the project is             | its workspace                                       | it shows   |
|----------------------------|-----------------------------------------------------|------------|
| alive, ``when`` not true   | is not made; one that exists follows                | its link   |
| alive, ``when`` true       | exists, state Active; related to the customer's     | its link   |
| ``closed``                 | state Closed; follows                               | its link   |
| deleted                    | state Deleted; is marked, never removed             | -          |

| the milestone is           | its folder                                          | it shows   |
|----------------------------|-----------------------------------------------------|------------|
| without project, or the    | is not made                                         | its        |
| project without workspace  |                                                     | documents  |
| alive, ``when`` not true   | is not made; one that exists follows                | the same   |
| alive, ``when`` true       | exists in the project's workspace, named after it,  | and its    |
|                            | state Active                                        | folder     |
| ``done``                   | state Completed                                     | the same   |
| moved to another project   | the old one stays there, state Moved; a new one     | the new    |
|                            | is in the other's workspace                         | folder     |
| deleted                    | state Deleted; is marked, never removed             | -          |

| its deliverables are | status    | its other documents                                          |
|----------------------|-----------|--------------------------------------------------------------|
| none                 | awaited   | change requests are counted apart: all, and those that       |
| one rejected         | rejected  | nobody has decided about                                     |
| all approved         | approved  | one that was removed, or that has come to another milestone, |
| else                 | in review | does not count any more                                      |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from streams.catalogue import ColumnValue, lookup
from streams.flows import deliverables, workspaces
from streams.flows.conditions import context, holds
from streams.flows.plan import Plan
from streams.flows.shape import Cause, Decision, Flow, Reason, View
from streams.flows.workspaces import Wanted
from streams.messages.commands import EnsureFolder
from streams.messages.facts import DocumentTold, FolderOwned, WorkspaceEvent
from streams.messages.outcomes import FolderEnsured
from streams.naming import columns_of, workspace_name
from streams.rules import MilestoneRule, ProjectRule
from tables.evidence import Item
from tables.keys import RecordRef
from tables.milestones import MilestonesRow


class ProjectState(StrEnum):
    """The project's state as its workspace shows it."""

    ACTIVE = "Active"
    CLOSED = "Closed"
    DELETED = "Deleted"


class MilestoneState(StrEnum):
    """The milestone's state as its folder shows it."""

    ACTIVE = "Active"
    COMPLETED = "Completed"
    MOVED = "Moved"
    DELETED = "Deleted"


def decide(cause: Cause, view: View, rule: ProjectRule) -> Decision:
    """Decide about a project, or about a milestone."""
    plan = Plan(view, rule.name)
    if view.record.table == rule.table:
        _project(plan, rule)
        return plan.decision(own=_pass_on(plan, cause, rule.milestones))
    if rule.milestones is not None:
        _milestone(plan, rule.milestones)
        _own_folder(plan, cause)
    return plan.decision()


def _project(plan: Plan, rule: ProjectRule) -> None:
    plan.look_up(rule)
    variables = context(plan.view, rule)
    wanted = Wanted(project_state(plan.view, rule, variables).value)
    workspaces.keep(plan, rule, variables, wanted, lambda: plan.meets(rule.when, variables))


def project_state(view: View, rule: ProjectRule, variables: Mapping[str, Any]) -> ProjectState:
    if not view.row.alive:
        return ProjectState.DELETED
    return ProjectState.CLOSED if holds(rule.closed, variables) else ProjectState.ACTIVE


def _pass_on(plan: Plan, cause: Cause, milestones: MilestoneRule | None) -> MilestonesRow:
    """Tell milestones of the documents that concern them: of one that something happened to, or of
    all in a folder whose owner is news. Who was told once hears of all that comes later."""
    row = plan.view.own
    assert isinstance(row, MilestonesRow)
    evidence = plan.view.evidence
    told: dict[int, tuple[Item, Iterable[RecordRef]]] = {}
    match cause:
        case WorkspaceEvent(rule=plan.rule) if milestones and cause.event.document:
            number = cause.event.document.id
            before = map(RecordRef.parse, row.of(plan.rule, number))
            if item := evidence.item(plan.rule, number):
                told[number] = item, {*before, *_concerned(plan, item, milestones)}
        case FolderOwned(rule=plan.rule) if milestones:
            for number, item in evidence.of(plan.rule).items():
                if cause.owner in _concerned(plan, item, milestones):
                    told[number] = item, (cause.owner,)
    for number, (item, whom) in told.items():
        for milestone in sorted(whom):
            plan.tell(DocumentTold(record=milestone, rule=plan.rule, document_id=number, item=item))
        row = row.telling(plan.rule, number, (milestone.key for milestone in whom))
    return row


def _concerned(plan: Plan, item: Item, milestones: MilestoneRule) -> set[RecordRef]:
    """The milestones that any event of the document names, or in whose folder one says it is."""
    found: set[RecordRef] = set()
    for told in item.told():
        named = deliverables.milestone_named(told, milestones)
        folder = deliverables.folder_in(told)
        owner = plan.view.neighbours.folder_owner(plan.rule, folder) if folder else None
        found |= {ref for ref in (named, RecordRef.parse(owner) if owner else None) if ref}
    return found


def _milestone(plan: Plan, rule: MilestoneRule) -> None:
    """Want the milestone's folders, and on its row what is in them."""
    view = plan.view
    plan.look_up(rule)
    variables = context(view, rule)
    folders = view.links.folders_of(plan.rule)
    if not folders and not view.row.alive:
        plan.because(plan.absence())
        return
    # A project has many tasks that are no milestones: only those that are ask for its workspace.
    here = _workspace(plan, rule) if folders or plan.meets(rule.when, variables) else None
    if folders and view.row.alive:
        workspaces.want_known(plan, rule)
    state = milestone_state(view, rule, variables)
    if here is not None:
        _want_folder(plan, rule, here, state, variables)
    for workspace_id in folders.keys() - {here}:
        left = state if state is MilestoneState.DELETED else MilestoneState.MOVED
        _want_folder(plan, rule, workspace_id, left, variables)
    if view.row.alive:
        plan.want_columns("columns", milestone_columns(view, plan.rule, rule, here))
    else:
        plan.because(Reason.RECORD_DELETED)


def milestone_state(
    view: View, rule: MilestoneRule, variables: Mapping[str, Any]
) -> MilestoneState:
    if not view.row.alive:
        return MilestoneState.DELETED
    return MilestoneState.COMPLETED if holds(rule.done, variables) else MilestoneState.ACTIVE


def _workspace(plan: Plan, rule: MilestoneRule) -> int | None:
    """The workspace of the milestone's project; None while that is not known."""
    view = plan.view
    project = lookup(view.row.value(rule.project))
    if not view.row.alive:
        return view.neighbours.workspace(project.key, plan.rule) if project else None
    if project is None or project.table not in view.catalogue.tables:
        if view.knows((rule.project,)):
            plan.because(Reason.NO_RELATED_RECORD)
        else:
            plan.read_record()
        return None
    workspace_id = plan.workspace_of(project, plan.rule)
    if workspace_id is None:
        plan.because(Reason.WAITING_FOR_RELATED_WORKSPACE)
    return workspace_id


def _want_folder(
    plan: Plan,
    rule: MilestoneRule,
    workspace_id: int,
    state: MilestoneState,
    variables: Mapping[str, Any],
) -> None:
    """Want the folder in this workspace; the columns that name it have to be known first."""
    if not plan.view.knows(columns_of(rule.folder.name)):
        plan.read_record()
        return
    record = plan.view.record
    name = workspace_name(rule.folder.name, plan.view.row.values(), fallback=record.id)
    shown = {rule.folder.state_attribute: state.value} if rule.folder.state_attribute else {}
    attributes = workspaces.attributes_of(rule.folder, variables, shown)
    plan.want(
        f"folder/{workspace_id}",
        [rule.folder.path, name, attributes],
        lambda **common: EnsureFolder(
            workspace_id=workspace_id,
            path=rule.folder.path,
            folder_key=record.key,
            name=name,
            attributes=attributes,
            **common,
        ),
        in_parts=True,
    )


def _own_folder(plan: Plan, cause: Cause) -> None:
    """Tell whoever keeps the workspace that a folder in it is this milestone's."""
    if not isinstance(cause, FolderEnsured) or cause.rule != plan.rule:
        return
    for keeper in plan.view.neighbours.keepers(cause.workspace_id, plan.rule):
        plan.tell(
            FolderOwned(
                record=RecordRef.parse(keeper),
                rule=plan.rule,
                folder_id=cause.folder_id,
                owner=plan.view.record,
            )
        )


def milestone_columns(
    view: View, name: str, rule: MilestoneRule, here: int | None
) -> dict[str, ColumnValue]:
    """What the milestone shows of its folder and documents; nothing before there is either."""
    folders = view.links.folders_of(name)
    if not folders and not view.evidence.of(name):
        return {}
    folder = folders.get(here) if here is not None else None
    shown: dict[str | None, ColumnValue] = {
        rule.write_back.folder_id: str(folder.folder_id) if folder else None,
        rule.write_back.folder_url: folder.url if folder else None,
        **deliverables.columns(view, name, rule),
    }
    return {column: value for column, value in shown.items() if column}


FLOW = Flow(
    "project_workspace",
    lambda book: book.of(ProjectRule),
    decide,
    own_table="milestones",
    own_row=MilestonesRow,
)
