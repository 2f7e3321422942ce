"""What rules say of tables, of each other and of the workspaces: checked without any network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.rule_files.expressions import Gives, expression_faults
from app.rule_files.faults import Fault, Location
from app.rule_files.lengths import declared_room, fixed_faults
from app.rule_files.placed import PlacedPart, PlacedRule
from app.rule_files.tables import FILE, Tables, table_fault
from app.rule_files.written import financial_written, value_faults, written_twice
from app.rule_files.yaml import Trail
from streams.catalogue import ColumnKind
from streams.naming import PatternFault, columns_of
from streams.rules import RecordWorkspaceRule, TableRule
from streams.rules.hints import nearest

_DATES = (ColumnKind.DATETIME, ColumnKind.DATE)


@dataclass(frozen=True)
class Homes:
    """The rules that keep workspaces, and their tables; ``complete`` if all rules were read."""

    tables: Mapping[str, str]
    complete: bool


def rules_faults(
    rules: Iterable[PlacedRule], tables: Tables | None, *, complete: bool
) -> Iterator[Fault]:
    """Everything that is wrong with these rules. ``complete``: there are no others.

    Without ``tables`` nothing is said of tables and columns; when rules are missing because they
    could not be read, nothing is said that they could put right.
    """
    placed = list(rules)
    yield from _names(placed)
    yield from _business_objects(placed)
    parts = [part for one in placed for part in one.parts()]
    yield from written_twice(parts)
    yield from financial_written(parts)
    keeping = {one.rule.name: one.rule.table for one in placed if one.workspace is not None}
    for one in placed:
        yield from _record_workspace(one, placed, complete=complete)
        for trail, what, fix in one.rule.faults():
            yield Fault(one.at(*trail), what, fix)
        yield from _relations(one, tables, Homes(keeping, complete))
    for part in parts:
        yield from _labels(part)
        if tables is None:
            yield from _pattern(part)
        else:
            yield from _of_tables(part, tables)


def _names(placed: list[PlacedRule]) -> Iterator[Fault]:
    for first, again in _repeated(placed, lambda one: one.rule.name):
        what = f"the name {again.rule.name!r} is taken by the rule at {first.at('name')}"
        yield Fault(again.at("name"), what, "links and steps are kept by it: choose another")


def _business_objects(placed: list[PlacedRule]) -> Iterator[Fault]:
    """Two rules with one business object would share, and fight over, one workspace."""

    def key(one: PlacedRule) -> tuple[str, str]:
        workspace = one.workspace
        assert workspace is not None
        return workspace.external_system, workspace.business_object_type

    keeping = [one for one in placed if one.workspace is not None]
    for first, again in _repeated(keeping, key):
        where = again.at("workspace", "business_object_type")
        place = first.at("workspace", "business_object_type")
        system, kind = key(again)
        what = f"the business object type {kind!r} of {system!r} is taken by the rule at {place}"
        yield Fault(where, what, "one business object has one workspace: choose another type")


def _repeated(placed: list[PlacedRule], key: Any) -> Iterator[tuple[PlacedRule, PlacedRule]]:
    first: dict[Any, PlacedRule] = {}
    for one in placed:
        before = first.setdefault(key(one), one)
        if before is not one:
            yield before, one


def _labels(one: PlacedPart) -> Iterator[Fault]:
    workspace = one.workspace
    filled = {path for _, path in one.rule.filled_attributes()}
    taken: set[str] = set()
    for trail, path in one.rule.shown_attributes():
        where = one.at(*trail)
        category, _, attribute = path.partition("/")
        if not category or not attribute:
            yield Fault(where, f"{path!r} names no attribute", "write Category/Attribute")
        elif path in filled | taken:
            yield Fault(where, f"{path!r} is filled elsewhere in this rule too", "keep one of them")
        taken.add(path)
    for key in ("external_system", "business_object_type", "type") if workspace else ():
        if not getattr(workspace, key).strip():
            yield Fault(one.at("workspace", key), f"{key} must not be empty")


def _record_workspace(
    one: PlacedRule, placed: list[PlacedRule], *, complete: bool
) -> Iterator[Fault]:
    """A rule may put its workspace below the record's own, which a rule of flow 1 keeps."""
    rule, name = one.rule, getattr(one.rule, "record_workspace", None)
    if name is None:
        return
    where = one.at("record_workspace")
    known = {p.rule.name: p.rule for p in placed if isinstance(p.rule, RecordWorkspaceRule)}
    found = known.get(name)
    if found is None:
        what = f"no rule of record_workspace has the name {name!r}"
        fix = nearest(name, known)
        if complete:
            yield Fault(where, what, fix)
    elif found.table != rule.table:
        what = f"{found.name!r} is about {found.table}, this rule about {rule.table}"
        yield Fault(where, what, "name a rule of the same table")


def _of_tables(one: PlacedPart, tables: Tables) -> Iterator[Fault]:
    rule = one.rule
    yield from table_fault(tables, one.at("table"), rule.table)
    declared = tables.catalogue.tables.get(rule.table)
    if declared is None:
        yield from _pattern(one)
        return
    if declared.reference:
        what = f"{rule.table} is declared as a reference table, which starts no flow"
        yield Fault(one.at("table"), what, f"remove reference: true in {FILE}")
    yield from _expressions(one, tables)
    yield from _pattern(one, tables)
    yield from _roles(one, tables)
    yield from _columns(one, tables)


def _expressions(one: PlacedPart, tables: Tables) -> Iterator[Fault]:
    for trail, question in one.rule.questions():
        yield from expression_faults(question, one.at(*trail), tables, one.rule, gives="answer")
    for trail, expression in one.rule.value_expressions():
        # A category attribute may have several values, or a row of its set each.
        gives: Gives = "values" if trail[-3:-2] == ("attributes",) else "value"
        yield from expression_faults(expression, one.at(*trail), tables, one.rule, gives=gives)


def _pattern(one: PlacedPart, tables: Tables | None = None) -> Iterator[Fault]:
    for trail, pattern in one.rule.patterns():
        yield from _one_pattern(one, one.at(*trail), pattern, tables)


def _one_pattern(
    one: PlacedPart, where: Location, pattern: str, tables: Tables | None
) -> Iterator[Fault]:
    try:
        columns = columns_of(pattern)
    except PatternFault as fault:
        yield Fault(where, str(fault))
        return
    if tables is None:
        return
    for name in columns:
        yield from tables.column_fault(where, one.rule.table, name)
        column = tables.column(one.rule.table, name)
        if column and column.kind in (ColumnKind.LOOKUP, ColumnKind.GUID):
            what = f"{one.rule.table}.{name} is a {column.kind}, which has no text for a name"
            yield Fault(where, what, "name a column that people read")


def _roles(one: PlacedPart, tables: Tables) -> Iterator[Fault]:
    for index, role in enumerate(one.workspace.roles if one.workspace else ()):
        for position, name in enumerate(role.members):
            where = one.at("workspace", "roles", index, "members", position)
            yield from tables.column_fault(where, one.rule.table, name, ColumnKind.LOOKUP)
            column = tables.column(one.rule.table, name)
            if column and column.targets and not {*column.targets} & {*tables.members}:
                what = f"{name} points to {' or '.join(column.targets)}, whom members does not name"
                yield Fault(where, what, f"add the table to members in {FILE}")


def _relations(one: PlacedRule, tables: Tables | None, homes: Homes) -> Iterator[Fault]:
    for place, column, to in one.rule.homes_used():
        if to is not None and to not in homes.tables and homes.complete:
            what = f"no rule with a workspace has the name {to!r}"
            yield Fault(one.at(*place, "to"), what, nearest(to, homes.tables))
        elif tables is not None and one.rule.table in tables.catalogue.tables:
            yield from _relation(one, place, (column, to), tables, homes)


def _relation(
    one: PlacedRule, place: Trail, wanted: tuple[str, str | None], tables: Tables, homes: Homes
) -> Iterator[Fault]:
    name, to = wanted
    where = one.at(*place, "column")
    yield from tables.column_fault(where, one.rule.table, name, ColumnKind.LOOKUP)
    column = tables.column(one.rule.table, name)
    if column is None or not column.targets:
        return
    pointed = " or ".join(column.targets)
    kept = homes.tables.get(to or "")
    if kept is not None:
        if kept not in column.targets:
            what = f"{name} points to {pointed}, {to!r} is about {kept}"
            yield Fault(one.at(*place, "to"), what, "name a rule of what the column points to")
    elif homes.complete and not {*column.targets} & {*homes.tables.values()}:
        what = f"{name} points to {pointed}, which have no workspace"
        yield Fault(where, what, "add a rule of record_workspace for it")


def _columns(one: PlacedPart, tables: Tables) -> Iterator[Fault]:
    rule = one.rule
    for trail, name, kinds in rule.columns_used():
        yield from tables.column_fault(one.at(*trail), rule.table, name, *kinds)
    for alias, name in rule.lookups.items():
        yield from tables.column_fault(
            one.at("lookups", alias), rule.table, name, ColumnKind.LOOKUP
        )
    for index, name in enumerate(rule.financial):
        yield from tables.column_fault(one.at("financial", index), rule.table, name)
    for key, column in one.written():
        kinds = rule.write_back.kinds.get(key, _DATES)
        yield from tables.column_fault(one.at("write_back", key), rule.table, column, *kinds)
    yield from fixed_faults(one, declared_room(tables.catalogue, rule.table))
    for place, column, value in one.set():
        yield from value_faults(one.at(*place), tables, rule.table, column, value)
    for place, column, word in rule.words() if isinstance(rule, TableRule) else ():
        if tables.column(rule.table, column) is not None:
            yield from value_faults(one.at(*place), tables, rule.table, column, word)
