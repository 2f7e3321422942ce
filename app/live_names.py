"""What the systems have of the names that rules use: asked by the worker and ``rules check``."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from app.connections import Connections
from app.rule_files.live import LiveNames
from streams.catalogue import Catalogue
from streams.errors import Misconfigured

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
