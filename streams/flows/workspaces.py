"""What every flow that keeps a workspace wants: the workspace, its properties, roles, relations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.catalogue import ColumnValue, lookup
from streams.flows.conditions import values_of
from streams.flows.plan import Plan
from streams.flows.relations import Related, related_by, want_relations
from streams.flows.shape import Reason
from streams.messages.commands import (
    AttributeValue,
    EnsureWorkspace,
    SetRoleMembers,
    UpdateWorkspace,
)
from streams.messages.facts import BusinessObject
from streams.naming import columns_of, workspace_name
from streams.rules import (
    FlowRule,
    FolderRule,
    LinkColumns,
    RecordRule,
    RoleRule,
    WorkspaceRule,
)
from tables.keys import RecordRef, digest
from tables.workspace_links import Link

Labels = dict[str, dict[str, AttributeValue]]


def business_object(rule: WorkspaceRule, record: RecordRef) -> BusinessObject:
    """The triple of a record's workspace; its id is the row's guid (reference 2.1)."""
    return BusinessObject(
        external_system=rule.external_system, type=rule.business_object_type, id=record.id
    )


def attributes_of(
    rule: WorkspaceRule | FolderRule, variables: Mapping[str, Any], shown: Mapping[str, ColumnValue]
) -> Labels:
    """The category attributes: the rule's expressions, and what the flow itself shows.

    ``shown`` is keyed as rules write it, ``"Business Record/Record State"``.
    """
    labels: Labels = {
        category: {name: values_of(expression, variables) for name, expression in fields.items()}
        for category, fields in rule.attributes.items()
    }
    for path, value in shown.items():
        category, _, attribute = path.partition("/")
        labels.setdefault(category, {})[attribute] = value
    return labels


def name_of(plan: Plan, rule: WorkspaceRule) -> str:
    return workspace_name(rule.name, plan.view.row.values(), fallback=plan.view.record.id)


def want_workspace(plan: Plan, rule: WorkspaceRule, attributes: Labels) -> None:
    """Want a workspace; the columns that name it have to be known first."""
    if not plan.view.knows(columns_of(rule.name)):
        plan.read_record()
        return
    name = name_of(plan, rule)
    target = business_object(rule, plan.view.record)
    plan.because(Reason.WAITING_FOR_WORKSPACE)
    plan.want(
        "workspace",
        [target.model_dump(), rule.type],
        lambda **common: EnsureWorkspace(
            business_object=target,
            workspace_type=rule.type,
            template=rule.template,
            name=name,
            attributes=attributes,
            properties=digest([name, attributes]),
            **common,
        ),
    )


def want_properties(plan: Plan, rule: WorkspaceRule, link: Link, attributes: Labels) -> None:
    """Want the workspace to have this name and these attributes."""
    name = name_of(plan, rule)
    plan.want(
        "properties",
        [name, attributes],
        lambda **common: UpdateWorkspace(
            workspace_id=link.workspace_id, name=name, attributes=attributes, **common
        ),
        in_parts=True,
    )


def want_roles(plan: Plan, roles: Iterable[RoleRule], link: Link) -> None:
    """Want each role to have exactly the members that the record's columns name.

    A role that never had a member of the record's stays as the template has it. Once we have filled
    it, it follows the record also to nobody (app/decisions/0010).
    """
    for role in roles:
        members = _members(plan, role)
        if members or (members is not None and _is_emptied(plan, role)):
            _want_role(plan, role.role, members, link)


def _is_emptied(plan: Plan, role: RoleRule) -> bool:
    """Whether we filled the role before, and every column of it is known to name nobody."""
    before = plan.view.steps.get(plan.rule, f"role/{role.role}")
    filled = before.asked is not None or before.confirmed is not None
    return filled and plan.view.knows(role.members)


def _want_role(plan: Plan, role: str, members: tuple[str, ...], link: Link) -> None:
    plan.want(
        f"role/{role}",
        members,
        lambda **common: SetRoleMembers(
            workspace_id=link.workspace_id, role=role, members=members, **common
        ),
        in_parts=True,
    )


def _members(plan: Plan, role: RoleRule) -> tuple[str, ...] | None:
    """Who the role's columns name, sorted, perhaps nobody; None while somebody is not known yet."""
    names: set[str] = set()
    for column in role.members:
        who = lookup(plan.view.row.value(column))
        if who is None or who.table not in plan.view.members:
            continue
        named_by = plan.view.members[who.table]
        known = plan.columns_of(who, (named_by,))
        if known is None:
            plan.because(Reason.WAITING_FOR_MEMBER)
            return None
        name = known.get(named_by)
        if isinstance(name, str) and name:
            names.add(name)
        else:
            plan.because(Reason.MEMBER_HAS_NO_NAME)
    return tuple(sorted(names))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a flow wants of a record's workspace, beside what its rule says for every record.

    ``state`` goes into the rule's ``state_attribute``; ``shown`` into further attributes, keyed as
    rules write it (``"Contract/Status"``; an empty key is left out); ``columns`` onto the record,
    beside the link; ``related`` beside the rule's relations, and ``complete`` if that is all.
    """

    state: str
    shown: Mapping[str, ColumnValue] = field(default_factory=dict)
    columns: Mapping[str, ColumnValue] = field(default_factory=dict)
    related: frozenset[Related] = frozenset()
    complete: bool = True


def keep(
    plan: Plan,
    rule: FlowRule,
    variables: Mapping[str, Any],
    wanted: Wanted,
    due: Callable[[], bool],
) -> Link | None:
    """Want the workspace if it is ``due``, and everything in it once it is there.

    A workspace that exists is followed whether it would still be due or not; a deleted record's
    one is marked, when the rule says so, and left alone. Returns the link of a living record's
    workspace, for whatever else the flow wants in it.
    """
    link = plan.view.links.get(rule.name)
    shown = {path: value for path, value in wanted.shown.items() if path}
    if rule.workspace.state_attribute:
        shown[rule.workspace.state_attribute] = wanted.state
    attributes = attributes_of(rule.workspace, variables, shown)
    if link is None:
        if not plan.view.row.alive:
            plan.because(plan.absence())
        elif due():
            want_known(plan, rule)
            want_workspace(plan, rule.workspace, attributes)
        return None
    if not plan.view.row.alive:
        plan.because(Reason.RECORD_DELETED)
        if rule.on_delete == "mark":
            want_properties(plan, rule.workspace, link, attributes)
        return None
    if want_known(plan, rule):
        want_properties(plan, rule.workspace, link, attributes)
    want_roles(plan, rule.workspace.roles, link)
    by_rule, known = related_by(plan, rule.workspace.relations)
    complete = known and wanted.complete
    want_relations(plan, link, by_rule | wanted.related, complete=complete)
    plan.want_columns("columns", {**link_columns(rule.write_back, link), **wanted.columns})
    return link


def want_known(plan: Plan, rule: RecordRule) -> bool:
    """A column that was never heard of is not empty: what attributes show of it, or conditions look
    at, is read. False until all is known that is to be had: nothing is emptied on the way."""
    known = plan.view.knows((rule.shown | rule.asked) & plan.view.table.columns.keys())
    return known or not plan.read_record()


def link_columns(columns: LinkColumns, link: Link) -> dict[str, ColumnValue]:
    """The columns that show the workspace on the record."""
    shown: dict[str, ColumnValue] = {}
    if columns.workspace_id:
        shown[columns.workspace_id] = str(link.workspace_id)
    if columns.workspace_url:
        shown[columns.workspace_url] = link.url
    return shown
