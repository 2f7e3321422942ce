"""People outside over HTTP, for a sandbox that runs as a process of its own.

    GET   /__admin/people       the workflows and the signature requests, as they are now
    POST  /__admin/people       {"do": "decide", "process_id": 1, "disposition": "Approve",
                                 "comment": "", "by": ""}; {"do": "send", "request_id": 1};
                                {"do": "sign", "request_id": 1, "email": ""};
                                {"do": "expire"} tells of documents that have expired
    GET   /__admin/relay        whether events go to Kafka, how, and how many have gone
    POST  /__admin/relay        {"on": false} holds them back; {"duplicates": 0.1,
                                 "reordering": 0.1, "reach": 5, "seed": 0} makes it unruly
    GET   /__admin/behaviour    the switches of `Behaviour`, for what differs between servers
    POST  /__admin/behaviour    some of them, from the next call on: {"index_lag_seconds": 5,
                                 "negative_parents": true}
    GET   /__admin/happenings   the newest events, oldest first; ``?after=<event id>`` those since

Like the fault switches they need no sign-in: the sandbox listens on the loopback interface.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.sandbox.content_server import errors
from app.sandbox.content_server.people import People
from app.sandbox.content_server.store import Store
from app.sandbox.events.outbox import Outbox

PEOPLE_PATH = "/__admin/people"
BEHAVIOUR_PATH = "/__admin/behaviour"
HAPPENINGS_PATH = "/__admin/happenings"
RELAY_PATH = "/__admin/relay"
_PATHS = (PEOPLE_PATH, BEHAVIOUR_PATH, HAPPENINGS_PATH, RELAY_PATH)
_ARGUMENTS = {
    "decide": {"process_id", "disposition", "comment", "by"},
    "send": {"request_id"},
    "sign": {"request_id", "email"},
    "expire": set(),
}


class PeopleAdmin:
    """ASGI middleware that answers these paths and passes everything else on."""

    def __init__(
        self, app: ASGIApp, store: Store, people: People, relay: Callable[[], Outbox | None]
    ) -> None:
        self._app = app
        self._relay = relay
        self._store = store
        self._people = people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in _PATHS:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            answer = _json(await self._answer(request), 200)
        except errors.ApiError as refused:
            answer = _json(refused.body(), refused.status)
        except (ValueError, KeyError, TypeError) as wrong:
            answer = _json({"error": f"{type(wrong).__name__}: {wrong}"}, 400)
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Any:
        if request.url.path == HAPPENINGS_PATH:
            return self._happenings(request.query_params.get("after", ""))
        if request.url.path == RELAY_PATH:
            return await self._switch(request)
        if request.url.path == BEHAVIOUR_PATH:
            return await self._behave(request)
        if request.method == "POST":
            self._do(await request.json())
        elif request.method != "GET":
            raise errors.ApiError(405, "GET or POST")
        requests = self._store.signatures.requests.values()
        return {
            "workflows": [asdict(view) for view in self._people.workflows()],
            "signature_requests": [asdict(one) for one in requests],
        }

    async def _switch(self, request: Request) -> dict[str, Any]:
        relay = self._relay()
        if relay is None:
            raise errors.ApiError(404, "This server sends no events: start it with --kafka.")
        if request.method == "POST":
            relay.switch(await request.json())
        elif request.method != "GET":
            raise errors.ApiError(405, "GET or POST")
        return relay.status()

    async def _behave(self, request: Request) -> dict[str, Any]:
        behaviour = self._store.behaviour
        if request.method == "POST":
            behaviour.change(await request.json())
        elif request.method != "GET":
            raise errors.ApiError(405, "GET or POST")
        return asdict(behaviour)

    def _do(self, asked: Any) -> None:
        if not isinstance(asked, dict) or asked.get("do") not in _ARGUMENTS:
            raise ValueError(f'A body is an object with "do": {", ".join(_ARGUMENTS)}.')
        kind, given = asked["do"], {name: v for name, v in asked.items() if name != "do"}
        if unknown := set(given) - _ARGUMENTS[kind]:
            raise ValueError(f"{kind} takes no {', '.join(sorted(unknown))}.")
        match kind:
            case "decide":
                self._people.decide(**given)
            case "send":
                self._people.send_for_signature(**given)
            case "sign":
                self._people.sign(**given)
            case _:
                self._people.expire_documents()

    def _happenings(self, after: str) -> list[dict[str, Any]]:
        # Event ids are numbered in one width, so they compare as they follow each other.
        return [asdict(one) for one in self._store.happenings.items if one.event_id > after]


def _json(content: Any, status: int) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
