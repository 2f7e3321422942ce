"""Which workspaces a record's one is related to: those of the records that it points to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from streams.catalogue import lookup
from streams.flows.plan import Plan
from streams.flows.shape import Reason, View
from streams.messages.commands import RelateWorkspaces, UnrelateWorkspaces
from streams.rules import RelationRule
from tables.keys import RecordRef, digest
from tables.workspace_links import Link

Relation = Literal["parent", "child"]
#: One relation that is wanted: the other workspace, and what it is to this one.
Related = tuple[Relation, int]

_RELATED, _UNRELATED = "related", "unrelated"


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
    known = plan.view.steps.with_prefix(plan.rule, "relation/") if complete else {}
    for name, step in sorted(known.items()):
        kind, _, number = name.partition("/")
        relation = "child" if kind == "child" else "parent"
        # One that was refused may have been made all the same.
        refused = step.is_refused(digest(_RELATED)) or step.is_refused(digest(_UNRELATED))
        made = step.confirmed == digest(_RELATED) or refused
        if made and (relation, int(number)) not in wanted:
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
