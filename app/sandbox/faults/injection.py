"""Around a simulated system: the faults strike here, and are set here from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.sandbox.faults.bad_bodies import BadBody
from app.sandbox.faults.waiting import Fault, Faults, parse_faults
from app.serving import hang_up

ADMIN_PATH = "/__admin/faults"
_GATEWAY_PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"

RenderStatus = Callable[[Fault], Response]
"""Shapes the body of a planned status the way the simulated system does."""


def plain_status(fault: Fault) -> Response:
    """The body of a system whose errors have no particular shape."""
    return JSONResponse({"error": f"status {fault.status} on purpose"}, fault.status)


class FaultInjection:
    """ASGI middleware that lets the faults strike, and answers `ADMIN_PATH`."""

    def __init__(
        self, app: ASGIApp, faults: Faults, *, render: RenderStatus = plain_status
    ) -> None:
        self._app = app
        self._faults = faults
        self._render = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == ADMIN_PATH:
            await (await self._admin(Request(scope, receive)))(scope, receive, send)
        else:
            try:
                await self._strike(scope, receive, send)
            finally:
                self._faults.ended += 1

    async def _strike(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, target = scope["method"], _target(scope)
        if self._faults.take("outage", method, target):
            await hang_up(scope, receive, reset=True)
            return
        if latency := self._faults.take("latency", method, target):
            await asyncio.sleep(latency.seconds)
        if slow := self._faults.take("slow_body", method, target):
            send = BadBody(send, slow.seconds).send
        if not self._faults.take("cut_body", method, target):
            await self._answer(scope, receive, send)
            return
        cut = BadBody(send, cut=True)
        await self._answer(scope, receive, cut.send)
        if cut.begun:
            await hang_up(scope, receive)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, target = scope["method"], _target(scope)
        if self._faults.take("reset", method, target):
            await hang_up(scope, receive, reset=True)
        elif self._faults.take("hang_up", method, target):
            await hang_up(scope, receive)
        elif fault := self._faults.take("status", method, target):
            # The request is read to its end first, as the real systems' gateways do.
            await Request(scope, receive).body()
            await self._planned(fault)(scope, receive, send)
        elif self._faults.take("lose_answer", method, target):
            await self._app(scope, receive, _swallow)
            await hang_up(scope, receive)
        else:
            await self._app(scope, receive, send)

    def _planned(self, fault: Fault) -> Response:
        if fault.html:
            title = f"{fault.status} Service Unavailable" if fault.status == 503 else fault.status
            response: Response = HTMLResponse(_GATEWAY_PAGE.format(title), fault.status)
        else:
            response = self._render(fault)
        if fault.retry_after is not None:
            response.headers["Retry-After"] = str(fault.retry_after)
        return response

    async def _admin(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                self._faults.add(*parse_faults(await request.json()))
            except (ValueError, TypeError) as error:
                return JSONResponse({"error": str(error)}, 400)
        elif request.method == "DELETE":
            self._faults.clear(request.query_params.get("kind"))
        elif request.method != "GET":
            return JSONResponse({"error": "GET, POST or DELETE"}, 405)
        return JSONResponse(told(self._faults))


def _target(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    return f"{scope['path']}?{query}" if query else str(scope["path"])


async def _swallow(_: Message) -> None:
    """Stands in for the connection while an answer is made that nobody will see."""


def told(faults: Faults) -> dict[str, Any]:
    """What `ADMIN_PATH` answers."""
    return {
        "waiting": [asdict(fault) for fault in faults.waiting()],
        "struck": dict(faults.struck),
        "kinds": list(faults.kinds),
    }
