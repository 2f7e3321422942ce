"""What every flow that keeps a workspace wants: the workspace, its properties, roles, relations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from streams.catalogue import ColumnValue, lookup
from streams.flows.conditions import values_of
from streams.flows.plan import Plan
from streams.flows.shape import Reason, View
from streams.messages.commands import (
    AttributeValue,
    EnsureWorkspace,
    RelateWorkspaces,
    SetRoleMembers,
    UnrelateWorkspaces,
    UpdateWorkspace,
)
from streams.messages.facts import BusinessObject
from streams.naming import columns_of, workspace_name
from streams.rules import (
    FlowRule,
    FolderRule,
    LinkColumns,
    RecordRule,
    RelationRule,
    RoleRule,
    WorkspaceRule,
)
from tables.keys import RecordRef, digest
from tables.workspace_links import Link

Relation = Literal["parent", "child"]
#: One relation that is wanted: the other workspace, and what it is to this one.
Related = tuple[Relation, int]
Labels = dict[str, dict[str, AttributeValue]]

_RELATED, _UNRELATED = "related", "unrelated"


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


def related_by(plan: Plan, relations: Iterable[RelationRule]) -> tuple[set[Related], bool]:
    """The relations that the record's lookups ask for, and whether all of them are known yet."""
    wanted: set[Related] = set()
    complete = True
    for rule in relations:
        other = lookup(plan.view.row.value(rule.column))
        if other is None or other.table not in plan.view.catalogue.tables:
            continue
        related, known = relation_to(plan, other, rule.to, rule.relation)
        wanted |= related
        if not known:
            plan.because(Reason.WAITING_FOR_RELATED_WORKSPACE)
            complete = False
    return wanted, complete


def relation_to(
    plan: Plan, other: RecordRef, rule: str | None, relation: Relation = "parent"
) -> tuple[frozenset[Related], bool]:
    """A relation to another record's workspace; False while it is not known whether it has one.

    With a record that is gone and left no workspace there is nothing to relate to.
    """
    workspace = plan.workspace_of(other, rule)
    if workspace is not None:
        return frozenset({(relation, workspace)}), True
    return frozenset(), plan.view.neighbours.has_no_workspace(other.key, rule)


def want_relations(plan: Plan, link: Link, wanted: set[Related], *, complete: bool) -> None:
    """Want exactly these relations.

    Those that we made and that are not wanted any more go, but only once all successors are known
    (``complete``): no relation is lost on the way from one to the next.
    """
    wanted = {(relation, other) for relation, other in wanted if other != link.workspace_id}
    for relation, other in sorted(wanted):
        _want_relation(plan, link, relation, other)
    made = plan.view.steps.with_prefix(plan.rule, "relation/") if complete else {}
    for name, step in sorted(made.items()):
        kind, _, number = name.partition("/")
        relation = "child" if kind == "child" else "parent"
        if step.confirmed == digest(_RELATED) and (relation, int(number)) not in wanted:
            _want_no_relation(plan, link, relation, int(number))


def _want_relation(plan: Plan, link: Link, relation: Relation, other: int) -> None:
    plan.want(
        f"relation/{relation}/{other}",
        _RELATED,
        lambda **common: RelateWorkspaces(
            workspace_id=link.workspace_id, related_id=other, relation=relation, **common
        ),
    )


def _want_no_relation(plan: Plan, link: Link, relation: Relation, other: int) -> None:
    plan.want(
        f"relation/{relation}/{other}",
        _UNRELATED,
        lambda **common: UnrelateWorkspaces(
            workspace_id=link.workspace_id, related_id=other, relation=relation, **common
        ),
    )


def below(view: View, other: str | None) -> tuple[frozenset[Related], bool]:
    """The record's workspace of another rule becomes the parent; False while it is not there."""
    if not other:
        return frozenset(), True
    link = view.links.get(other)
    return (frozenset({("parent", link.workspace_id)}), True) if link else (frozenset(), False)


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
            _want_shown_known(plan, rule)
            want_workspace(plan, rule.workspace, attributes)
        return None
    if not plan.view.row.alive:
        plan.because(Reason.RECORD_DELETED)
        if rule.on_delete == "mark":
            want_properties(plan, rule.workspace, link, attributes)
        return None
    _want_shown_known(plan, rule)
    want_properties(plan, rule.workspace, link, attributes)
    want_roles(plan, rule.workspace.roles, link)
    by_rule, known = related_by(plan, rule.workspace.relations)
    complete = known and wanted.complete
    want_relations(plan, link, by_rule | wanted.related, complete=complete)
    plan.want_columns("columns", {**link_columns(rule.write_back, link), **wanted.columns})
    return link


def _want_shown_known(plan: Plan, rule: RecordRule) -> None:
    """A column that was never heard of is not empty: what attributes show of it is read."""
    if not plan.view.knows(rule.shown & plan.view.table.columns.keys()):
        plan.read_record()


def link_columns(columns: LinkColumns, link: Link) -> dict[str, ColumnValue]:
    """The columns that show the workspace on the record."""
    shown: dict[str, ColumnValue] = {}
    if columns.workspace_id:
        shown[columns.workspace_id] = str(link.workspace_id)
    if columns.workspace_url:
        shown[columns.workspace_url] = link.url
    return shown
