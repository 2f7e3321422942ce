"""The switches of the push side over HTTP, for an organisation that is a process of its own.

    GET   /__admin/relay    whether messages leave, where to and how, and how many have gone
    POST  /__admin/relay    {"on": false} holds them back; {"duplicates": 0.1, "reordering": 0.1,
                            "reach": 5, "seed": 0} makes it unruly; {"steps": {"images": true}}
                            changes what is registered: fields of `Steps`

As with the fault switches, no sign-in is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.sandbox.dataverse.push.endpoint import ServiceEndpoint
from app.sandbox.dataverse.push.steps import LIMITS

RELAY_PATH = "/__admin/relay"


class RelayAdmin:
    """ASGI middleware that answers `RELAY_PATH` and passes everything else on."""

    def __init__(self, app: ASGIApp, endpoint: Callable[[], ServiceEndpoint | None]) -> None:
        self._app = app
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != RELAY_PATH:
            await self._app(scope, receive, send)
            return
        await (await self._answer(Request(scope, receive)))(scope, receive, send)

    async def _answer(self, request: Request) -> JSONResponse:
        endpoint = self._endpoint()
        if endpoint is None:
            text = "This organisation pushes nothing: start it with --kafka."
            return JSONResponse({"error": text}, 404)
        if request.method == "POST":
            try:
                _switch(endpoint, await request.json())
            except (ValueError, TypeError) as wrong:
                return JSONResponse({"error": str(wrong)}, 400)
        elif request.method != "GET":
            return JSONResponse({"error": "GET or POST"}, 405)
        return JSONResponse(endpoint.status())


def _switch(endpoint: ServiceEndpoint, asked: Any) -> None:
    """All of it or nothing. Raises ValueError or TypeError for what there is not."""
    if not isinstance(asked, dict):
        raise ValueError("A body is an object.")
    given = dict(asked)
    steps = given.pop("steps", {})
    if not isinstance(steps, dict):
        raise ValueError('"steps" is an object.')
    changed = replace(endpoint.steps, **_sets(steps))
    if changed.transport not in LIMITS:
        raise ValueError(f"transport is one of {', '.join(LIMITS)}.")
    endpoint.switch(given)
    endpoint.steps = changed


def _sets(steps: dict[str, Any]) -> dict[str, Any]:
    """Lists of names as the sets that `Steps` has."""
    found = dict(steps)
    if found.get("tables") is not None:
        found["tables"] = frozenset(found["tables"])
    if "filtering" in found:
        found["filtering"] = {name: frozenset(only) for name, only in found["filtering"].items()}
    return found
