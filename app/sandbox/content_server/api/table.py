"""Every call that the simulator knows, and how a path finds its call."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from app.sandbox.content_server import errors
from app.sandbox.content_server.api import (
    actions,
    audit,
    auth,
    browse,
    business_objects,
    categories,
    documents,
    forms,
    governance,
    icons,
    members,
    nodes,
    otds,
    people,
    permissions,
    personal,
    recycle_bin,
    reports,
    search,
    team,
    templates,
    types,
    uploads,
    workspace_lists,
    workspaces,
)
from app.sandbox.content_server.api.call import Endpoint, to_int

ENDPOINTS: tuple[Endpoint, ...] = (
    *auth.ENDPOINTS,
    *types.ENDPOINTS,
    *workspace_lists.ENDPOINTS,
    *workspaces.ENDPOINTS,
    *team.ENDPOINTS,
    *nodes.ENDPOINTS,
    *documents.ENDPOINTS,
    *permissions.ENDPOINTS,
    *actions.ENDPOINTS,
    *categories.ENDPOINTS,
    *members.ENDPOINTS,
    *audit.ENDPOINTS,
    *recycle_bin.ENDPOINTS,
    *search.ENDPOINTS,
    *reports.ENDPOINTS,
    *people.ENDPOINTS,
    *personal.ENDPOINTS,
    *browse.ENDPOINTS,
    *business_objects.ENDPOINTS,
    *forms.ENDPOINTS,
    *icons.ENDPOINTS,
    *templates.ENDPOINTS,
    *uploads.ENDPOINTS,
    *governance.ENDPOINTS,
)
DIRECTORY_ENDPOINTS: tuple[Endpoint, ...] = otds.ENDPOINTS


class Router:
    """Finds the call for a method and a path that is still percent-encoded.

    Splitting before decoding keeps ``%2F`` inside a segment, which business object types and ids
    may contain (reference/extended-ecm.md 2.1).
    """

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        self._by_shape: dict[tuple[str, int], list[Endpoint]] = {}
        for endpoint in endpoints:
            shape = (endpoint.method, len(endpoint.parts))
            self._by_shape.setdefault(shape, []).append(endpoint)
        for candidates in self._by_shape.values():
            # A literal segment wins over an argument: /members/favorites over /members/{id}.
            candidates.sort(key=lambda endpoint: [part[:1] == "{" for part in endpoint.parts])

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, Any]]:
        """The call and its path arguments; 400 for an unknown URL (reference 9)."""
        segments = [unquote(segment) for segment in path.strip("/").split("/")]
        for endpoint in self._by_shape.get((method, len(segments)), []):
            if _fits(endpoint, segments):
                return endpoint, _arguments(endpoint, segments)
        raise errors.ApiError(400, errors.UNKNOWN_URL)


def _fits(endpoint: Endpoint, segments: list[str]) -> bool:
    return all(
        part.startswith("{") or part == segment
        for part, segment in zip(endpoint.parts, segments, strict=True)
    )


def _arguments(endpoint: Endpoint, segments: list[str]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for part, segment in zip(endpoint.parts, segments, strict=True):
        if part.startswith("{"):
            name, _, kind = part.strip("{}").partition(":")
            arguments[name] = to_int(segment, name) if kind == "int" else segment
    return arguments
