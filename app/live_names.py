"""What the systems have of the names that rules use: asked by the worker and ``rules check``."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol, TypeVar

from app.connections import Connections
from app.rule_files.lengths import LONGEST_NODE
from app.rule_files.live import LiveNames
from streams.catalogue import Catalogue
from streams.errors import Misconfigured
from streams.rules import FlowRule, RetentionPart, RuleBook, TableRule
from streams.rules.approval import WorkflowPart

T = TypeVar("T")


class Ask(Protocol):
    """Puts a question to a system (named for people), and decides how patiently."""

    async def __call__(self, system: str, question: Callable[[], Awaitable[T]], /) -> T: ...


async def live_names(systems: Connections, catalogue: Catalogue, ask: Ask) -> LiveNames:
    """Ask both systems; a table that Dynamics does not have is left out of ``columns``."""
    types = await ask("Content Server", systems.ecm.workspace_types)
    return LiveNames(
        {kind.name: tuple(kind.templates) for kind in types},
        attributes=await ask("Content Server", systems.ecm.attribute_labels),
        # Type by type: what was answered before a failure need not be asked again.
        roles={
            kind.name: await ask("Content Server", functools.partial(systems.ecm.role_names, kind))
            for kind in types
        },
        columns=await _columns(systems, catalogue, ask),
        unasked=frozenset(t for t in catalogue.tables if not systems.dynamics.knows(t)),
    )


async def all_live_names(systems: Connections, book: RuleBook, ask: Ask) -> LiveNames:
    """Ask for everything. Of a column that is too short some writes are refused, so how long they
    are is nothing that a worker has to know before it starts."""
    names = await live_names(systems, book.catalogue, ask)
    return replace(
        await names_looked_for(names, systems, book, ask),
        lengths=await _lengths(systems, names, ask),
        longest_address=systems.ecm.url_of(LONGEST_NODE),
    )


async def names_looked_for(
    names: LiveNames, systems: Connections, book: RuleBook, ask: Ask
) -> LiveNames:
    """Ask also for what Content Server does not list: whatever the rules name is looked for.

    The first command that needs what is not there halts a worker, perhaps days after its start.
    Raises Refused when Content Server does not let us look.
    """
    types = {kind.name: kind for kind in await ask("Content Server", systems.ecm.workspace_types)}
    maps: dict[str, tuple[str, ...] | None] = {}
    for name, kinds in _maps_named(book).items():
        places = [
            i for kind in sorted(kinds & types.keys()) for i in types[kind].templates.values()
        ]
        question = functools.partial(systems.ecm.map_attributes, name, places)
        if places:
            maps[name] = await ask("Content Server", question)
    classifications = {
        name: await ask("Content Server", functools.partial(systems.ecm.has_classification, name))
        for name in sorted(_classifications_named(book))
    }
    return replace(names, maps=maps, classifications=classifications)


async def _lengths(
    systems: Connections, names: LiveNames, ask: Ask
) -> dict[str, Mapping[str, int]]:
    """How long the texts are of the tables that are there."""
    return {
        table: await ask(
            systems.dynamics.system(table), functools.partial(systems.dynamics.lengths_of, table)
        )
        for table in names.columns or ()
    }


def _maps_named(book: RuleBook) -> dict[str, set[str]]:
    """The workflow maps that rules name, and the types of the workspaces to start them in."""
    named: dict[str, set[str]] = {}
    for rule in book.rules:
        for _, part in rule.within(WorkflowPart):
            named.setdefault(part.workflow_map, set()).update(_types_of(book, rule))
    return named


def _types_of(book: RuleBook, rule: TableRule) -> Iterator[str]:
    """The types of the workspaces that a rule starts workflows in: its own, or another record's."""
    if isinstance(rule, FlowRule):
        yield rule.workspace.type
        return
    for _, column, name in rule.homes_used():
        tables = book.catalogue.tables[rule.table].columns[column].targets
        homes = (name,) if name else (home for table in tables for home in book.homes(table))
        kept = (book.rule(home) for home in homes)
        yield from (home.workspace.type for home in kept if isinstance(home, FlowRule))


def _classifications_named(book: RuleBook) -> set[str]:
    found = (part for rule in book.rules for _, part in rule.within(RetentionPart))
    return {part.classification for part in found}


async def _columns(
    systems: Connections, catalogue: Catalogue, ask: Ask
) -> dict[str, tuple[str, ...]]:
    columns: dict[str, tuple[str, ...]] = {}
    for table in catalogue.tables:
        if not systems.dynamics.knows(table):
            continue
        question = functools.partial(systems.dynamics.columns_of, table)
        try:
            columns[table] = tuple(await ask(systems.dynamics.system(table), question))
        except Misconfigured as fault:
            if fault.code != "table_unknown":
                raise
    return columns
