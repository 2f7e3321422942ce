"""Workspace types and templates by name (reference/extended-ecm.md 2.1)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.clients.ecm.answers import number, properties
from app.clients.http import Endpoint
from streams.errors import Misconfigured, Refused

_KEPT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class WorkspaceType:
    """A workspace type: its templates by name, and whether the server makes up the names."""

    id: int
    name: str
    templates: Mapping[str, int] = field(default_factory=dict)
    generates_names: bool = False


class WorkspaceTypes:
    """The types of one server, kept for ten minutes; an unknown name is asked for again."""

    def __init__(self, endpoint: Endpoint, clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._known: tuple[WorkspaceType, ...] = ()
        self._read_at: float | None = None
        self._lock = asyncio.Lock()

    async def all(self) -> tuple[WorkspaceType, ...]:
        """Every workspace type with its templates."""
        return await self._current(self._clock() - _KEPT_SECONDS)

    async def resolve(self, name: str, template: str | None) -> tuple[WorkspaceType, int]:
        """The type and the template's node id; without a template name the type's first one.

        First in the server's order, as Content Server itself takes it for a type alone. Raises
        Misconfigured: ``workspace_type_unknown`` or ``template_unknown``.
        """
        asked = self._clock()
        try:
            return _resolved(await self.all(), name, template)
        except Misconfigured:
            # It may have been made since we looked.
            return _resolved(await self._current(asked), name, template)

    async def _current(self, not_before: float) -> tuple[WorkspaceType, ...]:
        async with self._lock:
            if self._read_at is None or self._read_at < not_before:
                self._known = await self._read()
                self._read_at = self._clock()
            return self._known

    async def _read(self) -> tuple[WorkspaceType, ...]:
        path = "/v2/businessworkspacetypes?expand_templates=true&expand_wksp_info=true"
        try:
            body = (await self._endpoint.call("workspace_types", "GET", path)).body
        except Refused as refused:
            # A server without any type answers 500 (reference/extended-ecm.md 2.1).
            if refused.code != "application_error":
                raise
            return ()
        found = (_read_type(row) for row in properties(body))
        return tuple(kind for kind in found if kind is not None)


def _read_type(row: Mapping[str, Any]) -> WorkspaceType | None:
    type_id = number(row.get("wksp_type_id"))
    if type_id is None:
        return None
    templates: dict[str, int] = {}
    for item in row.get("templates") or ():
        node_id = number(item.get("id"))
        if node_id is not None:
            templates.setdefault(str(item.get("name", "")), node_id)
    generation = row.get("wksp_name_generation")
    return WorkspaceType(
        type_id,
        str(row.get("wksp_type_name", "")),
        templates,
        bool(isinstance(generation, dict) and any((generation.get("wksp_names") or {}).values())),
    )


def _resolved(
    known: tuple[WorkspaceType, ...], name: str, template: str | None
) -> tuple[WorkspaceType, int]:
    kind = next((k for k in known if k.name.casefold() == name.casefold()), None)
    if kind is None:
        raise Misconfigured(
            f"Content Server has no workspace type {name!r}; "
            f"it has {_listed(k.name for k in known)}.",
            code="workspace_type_unknown",
            advice="Correct the type in the rule, or create it and let our user see it.",
        )
    wanted = template.casefold() if template is not None else None
    fitting = (node for label, node in kind.templates.items() if wanted in (None, label.casefold()))
    node = next(fitting, None)
    if node is None:
        asked = f"no template {template!r}" if template is not None else "no template at all"
        raise Misconfigured(
            f"The workspace type {name!r} has {asked}; it has {_listed(kind.templates)}.",
            code="template_unknown",
            advice="Correct the template in the rule, or create it and let our user see it.",
        )
    return kind, node


def _listed(names: Any) -> str:
    return ", ".join(sorted(names)) or "none"
