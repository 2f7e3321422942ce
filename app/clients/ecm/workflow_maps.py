"""Workflow maps by name, and the attributes that a workflow of a map takes.

reference/extended-ecm.md 6. A rule names a map by its name, its nickname or its node id. Content
Server lists the maps that are offered for a document or a place; one that it does not offer there
is found by its nickname, or by a search for maps of that name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from app.clients.ecm.answers import PAGE_SIZE, number, one, properties, rows
from app.clients.ecm.attributes import Attribute, attribute_named
from app.clients.ecm.status import CONTENT_SERVER
from app.clients.http import Endpoint
from app.clients.status import Failure
from streams.errors import Misconfigured, Refused

_KEPT_SECONDS = 600.0
_FORM = "WorkflowForm"
#: The subtype of a workflow map's node.
_MAP = 128


@dataclass(frozen=True, slots=True)
class WorkflowMap:
    """A map; its attributes by label in lower case, each under its key in the start form."""

    id: int
    name: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def attribute(self, label: str) -> Attribute:
        """The attribute; Misconfigured (``attribute_unknown``) when the map has none such."""
        return attribute_named(
            label,
            self.attributes,
            of=f"The workflow map {self.name!r}",
            advice="Correct the rule, or add the attribute to the workflow map.",
        )


class WorkflowMaps:
    """The maps of one server; what was found is kept for ten minutes."""

    def __init__(self, endpoint: Endpoint, clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._known: dict[str, tuple[WorkflowMap, float]] = {}

    async def named(self, name: str, workspace_id: int, documents: Sequence[int]) -> WorkflowMap:
        """The map; Misconfigured (``workflow_map_unknown``) when there is none of that name,
        (``workflow_map_not_unique``) when there are several and none of them is offered here,
        (``workflow_map_not_searched``) when none is offered and Content Server does not search.
        """
        kept = self._known.get(name.casefold())
        if kept and self._clock() < kept[1]:
            return kept[0]
        map_id = await self._id(name, workspace_id, documents)
        found = WorkflowMap(map_id, name, await self._attributes(map_id))
        self._known[name.casefold()] = (found, self._clock() + _KEPT_SECONDS)
        return found

    async def _id(self, name: str, workspace_id: int, documents: Sequence[int]) -> int:
        if name.isascii() and name.isdigit():
            return int(name)
        offered, complaint = await self._offered(workspace_id, documents)
        by_name = {label.casefold(): map_id for label, map_id in offered.items()}
        found = by_name.get(name.casefold()) or await self._by_nickname(name)
        try:
            found = found or await self._by_search(name)
        except Misconfigured:
            if not complaint:
                raise
        if found is None and complaint:
            # It is about a document or the place, not about our rules.
            failure = Failure(400, "", complaint, is_json=True)
            raise CONTENT_SERVER.error_for(failure, "list_workflow_maps")
        if found is None:
            raise Misconfigured(
                f"Content Server has no workflow map {name!r} that our user may see; for this "
                f"workspace it offers {', '.join(sorted(offered)) or 'none'}.",
                code="workflow_map_unknown",
                advice="Correct the rule, or let our user see the map and start it.",
            )
        return found

    async def _offered(
        self, workspace_id: int, documents: Sequence[int]
    ) -> tuple[dict[str, int], str]:
        """The offered maps by name; this call answers 200 also when it fails, with ``fError``."""
        asked = urlencode(
            {"doc_id": list(documents) or [workspace_id], "parent_id": workspace_id}, doseq=True
        )
        path = f"/v2/docworkflows?{asked}"
        body = (await self._endpoint.call("list_workflow_maps", "GET", path)).body
        results = body.get("results") if isinstance(body, dict) else None
        complaint = str(results.get("fError") or "") if isinstance(results, dict) else ""
        numbered = {str(row.get("Name")): number(row.get("DataID")) for row in rows(body)}
        return {label: i for label, i in numbered.items() if i is not None}, complaint

    async def _by_nickname(self, name: str) -> int | None:
        path = f"/v2/nicknames/{quote(name, safe='')}/nodes?fields=properties{{id,name}}"
        try:
            body = (await self._endpoint.call("find_by_nickname", "GET", path)).body
        except Refused as refused:
            if refused.code in ("not_found", "request_invalid"):
                return None
            raise
        return number((one(body, "the node").get("properties") or {}).get("id"))

    async def _by_search(self, name: str) -> int | None:
        """The map of this name wherever it is; it is found once it is indexed.

        Misconfigured (``workflow_map_not_unique``) when there are several, and
        (``workflow_map_not_searched``) when the search is refused: it may be down.
        """
        phrase = name.replace("\\", " ").replace('"', " ")
        form = {"where": f'OTSubType: {_MAP} AND OTName: "{phrase}"', "limit": str(PAGE_SIZE)}
        try:
            answer = await self._endpoint.call("find_workflow_map", "POST", "/v2/search", form=form)
        except Refused as refused:
            if refused.code not in ("not_found", "request_invalid"):
                raise
            raise Misconfigured(
                f"Content Server does not offer the workflow map {name!r} for this workspace, and "
                f"does not search for it: {refused.message}",
                code="workflow_map_not_searched",
                advice="Let our user start the map there, or write its node id in the rule.",
            ) from refused
        ids = {
            number(found.get("id"))
            for found in properties(answer.body)
            if str(found.get("name")).casefold() == name.casefold()
            and number(found.get("type")) == _MAP
        } - {None}
        if len(ids) > 1:
            raise Misconfigured(
                f"Content Server has several workflow maps {name!r}: nodes "
                f"{', '.join(map(str, sorted(filter(None, ids))))}.",
                code="workflow_map_not_unique",
                advice="Write the node id of the right one in the rule, or a nickname of it.",
            )
        return next(iter(ids), None)

    async def _attributes(self, map_id: int) -> dict[str, Attribute]:
        path = f"/v2/workflows/{map_id}/definition"
        try:
            body = (await self._endpoint.call("read_workflow_map", "GET", path)).body
        except Refused as refused:
            if refused.code != "not_found":
                raise
            raise Misconfigured(
                f"There is no workflow map {map_id}, or our user may not see it.",
                code="workflow_map_unknown",
                advice="Correct the rule, or let our user see the map.",
            ) from refused
        results = body.get("results") if isinstance(body, dict) else None
        definition = results.get("definition") if isinstance(results, dict) else None
        packages = definition.get("data_packages") if isinstance(definition, dict) else None
        found = [a for package in packages or () for a in _attributes_of(package)]
        return {a.label.casefold(): a for a in found}


def _attributes_of(package: Any) -> list[Attribute]:
    """The attributes of a data package; servers nest their definitions once or twice."""
    data = package.get("data") if isinstance(package, dict) else None
    found: list[Attribute] = []
    while isinstance(data, dict):
        for key, entry in (data.get("definitions") or {}).items():
            part = str(key).partition("_")[2]
            if not part.isdigit() or not isinstance(entry, dict):
                continue
            found.append(
                Attribute(
                    f"{_FORM}_{part}",
                    str(entry.get("name", "")),
                    str(entry.get("type_name") or "String").casefold(),
                    bool(entry.get("multi_value")),
                    number(entry.get("max_length")),
                )
            )
        data = data.get("data")
    return found
