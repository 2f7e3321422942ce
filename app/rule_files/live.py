"""The rules against the systems as they are: what the files alone cannot tell.

Asked at the worker's start: a rule that names a workspace type that does not exist would fail for
each record, and one that is not there of a workflow map halts the worker at the first approval; so
it is refused at once, with file and line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from app.rule_files.faults import Fault, RulesWrong
from app.rule_files.lengths import declared_faults, fixed_faults, room_faults
from app.rule_files.loading import RuleFiles
from app.rule_files.placed import PlacedPart, PlacedRule
from streams.rules import FlowRule, RetentionPart
from streams.rules.approval import WorkflowPart
from streams.rules.hints import nearest


@dataclass(frozen=True)
class LiveNames:
    """What the systems have; None for what was not asked.

    ``templates``: the names of the templates by workspace type. ``attributes``: the labels of the
    attributes by category. ``roles``: the roles by workspace type. ``columns``: the logical names
    of the columns by Dynamics table, without those of ``unasked``: tables whose system is not set.
    ``maps``: the labels of the attributes by the name of a workflow map, as rules write it, None
    where there is no such map. ``classifications``: those of records management that rules name,
    and whether each is there. ``lengths``: how many characters the texts of a Dataverse table may
    have; ``longest_address``: the address of a node with the longest id.
    """

    templates: Mapping[str, Collection[str]]
    attributes: Mapping[str, Collection[str]] | None = None
    roles: Mapping[str, Collection[str]] | None = None
    columns: Mapping[str, Collection[str]] | None = None
    unasked: frozenset[str] = frozenset()
    maps: Mapping[str, Collection[str] | None] | None = None
    classifications: Mapping[str, bool] | None = None
    lengths: Mapping[str, Mapping[str, int]] | None = None
    longest_address: str = ""


def check_live(files: RuleFiles, live: LiveNames) -> None:
    """Raise RulesWrong, naming file and line, for each name that a system does not have."""
    faults = [fault for one in files.placed for fault in _faults(one, live)]
    if live.columns is not None:
        faults += _columns(files, live.columns, live.unasked)
    faults += _lengths(files, live.lengths or {}, live.longest_address)
    if faults:
        raise RulesWrong(files.place, faults)


def _faults(one: PlacedRule, live: LiveNames) -> Iterator[Fault]:
    workspace = one.workspace
    yield from _maps(one, live.maps or {})
    yield from _classifications(one, live.classifications or {})
    if live.attributes is not None:
        for part in one.parts():
            yield from _attributes(part, live.attributes)
    if workspace is None:
        return
    templates = live.templates.get(workspace.type)
    if templates is None:
        what = f"Extended ECM has no workspace type {workspace.type!r}"
        yield Fault(one.at("workspace", "type"), what, nearest(workspace.type, live.templates))
    elif workspace.template is None and not templates:
        what = f"the workspace type {workspace.type!r} has no template"
        yield Fault(one.at("workspace", "type"), what, "add a template to it in Extended ECM")
    elif workspace.template is not None and workspace.template not in templates:
        what = f"the workspace type {workspace.type!r} has no template {workspace.template!r}"
        yield Fault(one.at("workspace", "template"), what, nearest(workspace.template, templates))
    if live.roles is not None and workspace.type in live.roles:
        yield from _roles(one, workspace.type, live.roles[workspace.type])


def _attributes(one: PlacedPart, known: Mapping[str, Collection[str]]) -> Iterator[Fault]:
    for trail, path in (*one.rule.filled_attributes(), *one.rule.shown_attributes()):
        category, _, name = path.partition("/")
        if category not in known:
            what = f"Extended ECM has no category {category!r}"
            yield Fault(one.at(*trail), what, nearest(category, known))
        elif name not in known[category]:
            what = f"the category {category!r} has no attribute {name!r}"
            yield Fault(one.at(*trail), what, nearest(name, known[category]))


def _maps(one: PlacedRule, known: Mapping[str, Collection[str] | None]) -> Iterator[Fault]:
    for trail, part in one.rule.within(WorkflowPart):
        labels = known.get(part.workflow_map, part.attributes)
        if labels is None:
            what = f"Content Server has no workflow map {part.workflow_map!r} that our user may see"
            fix = "correct the name, or let our user see the map and start it"
            yield Fault(one.at(*trail, "workflow_map"), what, fix)
            continue
        plain = {label.casefold() for label in labels}
        for label in part.attributes:
            if label.casefold() not in plain:
                what = f"the workflow map {part.workflow_map!r} has no attribute {label!r}"
                yield Fault(one.at(*trail, "attributes", label), what, nearest(label, labels))


def _classifications(one: PlacedRule, known: Mapping[str, bool]) -> Iterator[Fault]:
    for trail, part in one.rule.within(RetentionPart):
        if not known.get(part.classification, True):
            what = (
                f"Content Server has no records management classification {part.classification!r}"
            )
            fix = "write its path in the file plan (Top/Below), or give it that nickname"
            yield Fault(one.at(*trail, "classification"), what, fix)


def _roles(one: PlacedRule, kind: str, known: Collection[str]) -> Iterator[Fault]:
    assert isinstance(one.rule, FlowRule)
    for trail, role in one.rule.roles_used():
        if role not in known:
            what = f"workspaces of type {kind!r} have no role {role!r}"
            yield Fault(one.at(*trail), what, nearest(role, known))


def _lengths(
    files: RuleFiles, rooms: Mapping[str, Mapping[str, int]], address: str
) -> Iterator[Fault]:
    catalogue = files.book.catalogue
    yield from declared_faults(files.tables, catalogue, rooms)
    for part in (part for one in files.placed for part in one.parts()):
        room = rooms.get(part.rule.table, {})
        yield from fixed_faults(part, room)
        yield from room_faults(part, catalogue, room, address)


def _columns(
    files: RuleFiles, known: Mapping[str, Collection[str]], unasked: frozenset[str]
) -> Iterator[Fault]:
    for table in files.book.catalogue.tables.values():
        if table.name in unasked:
            continue
        if table.name not in known:
            where = files.tables.at(("tables", table.name))
            yield Fault(where, f"Dynamics has no table {table.name!r}", nearest(table.name, known))
            continue
        for name in table.columns:
            if name not in known[table.name]:
                where = files.tables.at(("tables", table.name, "columns", name))
                what = f"{table.name} has no column {name!r} in Dynamics"
                yield Fault(where, what, nearest(name, known[table.name]))
