"""Finding the workspace of a business object (reference/extended-ecm.md 2.2).

Two ways, because neither is certain: A asks by the object's address, which no specification lists
and where "none" has several forms; B filters the list of workspaces, and a server that does not
know the filter would list them all, so what B finds is checked.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from app.clients.ecm.answers import Properties, number, properties, query
from app.clients.http import Endpoint
from streams.errors import Misconfigured, Refused
from streams.messages.facts import BusinessObject

#: More candidates than this for one business object are no candidates: the filter is not known.
_MOST_CANDIDATES = 10
#: Refusals that say nothing about the workspace.
_NOT_NONE = frozenset(
    {"credentials_refused", "permission_denied", "sign_in_refused", "secret_missing"}
    | {"certificate_untrusted", "url_invalid"}
)


class WorkspaceLookup:
    """Finds workspaces by business object."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def find(self, wanted: BusinessObject) -> Properties | None:
        """The workspace's properties (``id``, ``name``), None when there is none.

        Raises Refused (``workspace_not_unique``) when the business object has several.
        """
        answered, found = await self._by_address(wanted)
        if not found:
            found = await self._by_filter(wanted, certain=answered)
        if len(found) > 1:
            ids = ", ".join(str(node_id) for node_id in sorted(found))
            raise Refused(
                f"{_name(wanted)} has several workspaces: {ids}.",
                code="workspace_not_unique",
                advice="Take the business object off all but one of them.",
            )
        return next(iter(found.values()), None)

    async def _by_address(self, wanted: BusinessObject) -> tuple[bool, dict[int, Properties]]:
        """Way A: whether the server answered it, and what it found."""
        system, kind, object_id = (
            quote(part, safe="") for part in (wanted.external_system, wanted.type, wanted.id)
        )
        path = f"/v2/externalsystems/{system}/botypes/{kind}/boids/{object_id}"
        try:
            body = (await self._endpoint.call("find_workspace", "GET", path)).body
        except (Refused, Misconfigured) as none:
            # "None" is 404, 400 or an application error; a server too old has no such address.
            if none.code in _NOT_NONE:
                raise
            return False, {}
        return True, _by_id(properties(body))

    async def _by_filter(self, wanted: BusinessObject, *, certain: bool) -> dict[int, Properties]:
        """Way B; ``certain``: way A has said that there is none."""
        path = "/v2/businessworkspaces" + query(
            where_ext_system_id=wanted.external_system,
            where_bo_type=wanted.type,
            where_bo_id=wanted.id,
            expanded_view="true",
            limit=_MOST_CANDIDATES,
        )
        try:
            body = (await self._endpoint.call("list_workspaces", "GET", path)).body
        except Refused:
            if certain:
                return {}
            raise
        candidates = _by_id(properties(body))
        found = {
            node_id: item
            for node_id, item in candidates.items()
            if await self._is_of(node_id, wanted)
        }
        if candidates and not found and not certain:
            raise Misconfigured(
                f"This Content Server cannot say whether {_name(wanted)} has a workspace: it has "
                "no look-up by business object, and its list ignores the filter.",
                code="lookup_unsupported",
                advice="Update the Business Workspaces module; nothing is created blindly.",
            )
        return found

    async def _is_of(self, node_id: int, wanted: BusinessObject) -> bool:
        fields = "fields=workspace_references&fields=business_properties"
        path = f"/v2/businessworkspaces/{node_id}?{fields}"
        try:
            body = (await self._endpoint.call("read_workspace", "GET", path)).body
        except Refused as refused:
            if refused.code == "not_found":
                return False
            raise
        return any(is_reference_to(item, wanted) for item in references(body))


def references(body: Any) -> list[dict[str, Any]]:
    """The business objects of a workspace, as its read answer names them."""
    results = body.get("results") if isinstance(body, dict) else None
    data = results.get("data") if isinstance(results, dict) else None
    if not isinstance(data, dict):
        return []
    listed = [*(data.get("workspace_references") or ()), data.get("business_properties")]
    return [item for item in listed if isinstance(item, dict)]


def is_reference_to(item: dict[str, Any], wanted: BusinessObject) -> bool:
    """Whether a workspace's reference is this business object; ids compare without case."""
    return (
        str(item.get("external_system_id", "")) == wanted.external_system
        and str(item.get("business_object_type", "")) == wanted.type
        and str(item.get("business_object_id", "")).casefold() == wanted.id.casefold()
    )


def _by_id(items: list[Properties]) -> dict[int, Properties]:
    numbered = ((number(item.get("id")), item) for item in items)
    return {node_id: item for node_id, item in numbered if node_id is not None}


def _name(wanted: BusinessObject) -> str:
    return f"{wanted.type} {wanted.id} of {wanted.external_system}"
