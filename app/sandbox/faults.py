"""Bad days on demand: the fault switches that all simulated HTTP systems share.

In the process, beside a simulator:

    faults = Faults(kinds=("etag_race",))           # the five built-in kinds, and one of its own
    app = FaultInjection(app, faults)               # around the whole ASGI application
    faults.add(Fault("latency", times=None, seconds=0.2))
    faults.add(Fault("status", times=3, status=429, retry_after=1))
    faults.add(Fault("lose_answer", method="POST", path="/accounts"))
    ...
    faults.clear()

From outside, over HTTP on `ADMIN_PATH` of the same server (which no fault ever strikes):

    GET     the faults that wait and how often each kind has struck
    POST    one fault, or a list of them, as JSON objects with the fields of `Fault`
    DELETE  clear them all

Kinds: ``latency`` waits ``seconds`` and then goes on to the other faults; ``status`` answers
``status`` (with ``Retry-After`` when ``retry_after`` is given; ``html`` makes the body a gateway's
HTML page, otherwise the simulator's ``render`` shapes it); ``reset`` resets the connection before
the request is looked at; ``hang_up`` closes it without an answer, also before; ``lose_answer`` lets
the request do all its work and then closes the connection in place of the answer. A kind that the
simulator names itself does nothing here: its code asks `Faults.take` at the right moment.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.serving import hang_up

ADMIN_PATH = "/__admin/faults"
BUILT_IN = ("latency", "status", "reset", "hang_up", "lose_answer")


@dataclass(slots=True)
class Fault:
    """One thing that shall go wrong.

    ``times`` is how many requests it strikes, None for all until it is cleared. ``method`` and
    ``path`` (a regular expression, searched in path and query) narrow the requests it applies to.
    """

    kind: str
    times: int | None = 1
    method: str | None = None
    path: str | None = None
    seconds: float = 0.0
    status: int = 503
    retry_after: int | None = None
    html: bool = False

    def applies_to(self, method: str, target: str) -> bool:
        if self.method is not None and self.method.upper() != method.upper():
            return False
        return self.path is None or re.search(self.path, target) is not None


class Faults:
    """The faults that wait for their request, in the order in which they were added."""

    def __init__(self, kinds: Iterable[str] = ()) -> None:
        self.kinds = (*BUILT_IN, *kinds)
        self.struck: Counter[str] = Counter()
        self._waiting: list[Fault] = []

    def add(self, *faults: Fault) -> None:
        """Let these go wrong from now on. Raises ValueError for an unknown kind or a bad field."""
        for fault in faults:
            self._check(fault)
        self._waiting.extend(faults)

    def take(self, kind: str, method: str, target: str) -> Fault | None:
        """The first waiting fault of this kind for this request, used up by one; None if none."""
        for fault in self._waiting:
            if fault.kind == kind and fault.applies_to(method, target):
                self._use_up(fault)
                return fault
        return None

    def clear(self) -> None:
        self._waiting.clear()

    def waiting(self) -> list[Fault]:
        """What has still to strike, oldest first."""
        return list(self._waiting)

    def _use_up(self, fault: Fault) -> None:
        self.struck[fault.kind] += 1
        if fault.times is None:
            return
        fault.times -= 1
        if fault.times == 0:
            self._waiting.remove(fault)

    def _check(self, fault: Fault) -> None:
        if fault.kind not in self.kinds:
            known = ", ".join(self.kinds)
            raise ValueError(f"There is no fault {fault.kind!r}; this simulator knows: {known}.")
        if fault.times is not None and fault.times < 1:
            raise ValueError("times must be at least 1, or null for every request.")
        if not 200 <= fault.status <= 599:
            raise ValueError(f"{fault.status} is not an HTTP status that can be answered.")
        try:
            re.compile(fault.path or "")
        except re.error as error:
            raise ValueError(f"path is not a regular expression: {error}.") from error


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
            await self._strike(scope, receive, send)

    async def _strike(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, target = scope["method"], _target(scope)
        if latency := self._faults.take("latency", method, target):
            await asyncio.sleep(latency.seconds)
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
            page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
            response: Response = HTMLResponse(page, fault.status)
        else:
            response = self._render(fault)
        if fault.retry_after is not None:
            response.headers["Retry-After"] = str(fault.retry_after)
        return response

    async def _admin(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                self._faults.add(*_parse(await request.json()))
            except (ValueError, TypeError) as error:
                return JSONResponse({"error": str(error)}, 400)
        elif request.method == "DELETE":
            self._faults.clear()
        elif request.method != "GET":
            return JSONResponse({"error": "GET, POST or DELETE"}, 405)
        waiting = [asdict(fault) for fault in self._faults.waiting()]
        return JSONResponse({"waiting": waiting, "struck": dict(self._faults.struck)})


def _target(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    return f"{scope['path']}?{query}" if query else str(scope["path"])


async def _swallow(_: Message) -> None:
    """Stands in for the connection while an answer is made that nobody will see."""


def _parse(body: Any) -> list[Fault]:
    items = body if isinstance(body, list) else [body]
    known = {field.name for field in fields(Fault)}
    for item in items:
        if not isinstance(item, dict) or "kind" not in item:
            raise ValueError('A fault is an object with at least "kind".')
        if unknown := set(item) - known:
            raise ValueError(f"A fault has no field {', '.join(sorted(unknown))}.")
    return [Fault(**item) for item in items]
