"""Bad days on demand: the fault switches that all simulated HTTP systems share.

In the process, beside a simulator:

    faults = Faults(kinds=("etag_race",))           # the built-in kinds, and one of its own
    app = FaultInjection(app, faults)               # around the whole ASGI application
    faults.add(Fault("latency", times=None, seconds=0.2))
    faults.add(Fault("status", times=3, status=429, retry_after=1))
    faults.add(Fault("lose_answer", method="POST", path="/accounts", every=5, times=None))
    faults.add(Fault("outage", lasting=10))
    ...
    faults.clear()

From outside, over HTTP on `ADMIN_PATH` of the same server (which no fault ever strikes):

    GET     the faults that wait, how often each kind has struck, and the kinds that there are
    POST    one fault, or a list of them, as JSON objects with the fields of `Fault`
    DELETE  clear them all, or with ``?kind=`` those of one kind

Kinds, in the order in which they are looked at when a request comes:

    outage       resets the connection, whatever is asked, until it is cleared or has lasted
    latency      waits ``seconds``, and goes on to the other faults
    slow_body    lets the body of the answer take ``seconds`` to arrive, and goes on
    cut_body     breaks the connection in the middle of the answer's body, and goes on
    reset        resets the connection before the request is looked at
    hang_up      closes it without an answer, also before
    status       answers ``status``; ``retry_after`` adds the header, ``html`` makes the body a
                 gateway's page, otherwise the simulator's ``render`` shapes it
    lose_answer  lets the request do all its work and closes the connection in place of the answer

A burst of throttling is a ``status`` 429 with ``times`` or ``lasting``. A kind that the simulator
names itself does nothing here: its code asks `Faults.take` at the right moment; and one that it
gives in ``at_once`` is done when it is added and waits for nothing.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.sandbox.bad_bodies import BadBody
from app.serving import hang_up

ADMIN_PATH = "/__admin/faults"
BREAKS = ("reset", "hang_up", "cut_body", "lose_answer")
BUILT_IN = ("outage", "latency", "slow_body", "status", *BREAKS)

_GATEWAY_PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


@dataclass(slots=True)
class Fault:
    """One thing that shall go wrong.

    ``times`` is how many requests it strikes, None for all until it is cleared (an outage is
    always for all). ``method`` and ``path`` (a regular expression, searched in path and query)
    narrow the requests it applies to; of these it strikes each ``every``-th. ``lasting`` is after
    how many seconds it is over by itself.
    """

    kind: str
    times: int | None = 1
    method: str | None = None
    path: str | None = None
    seconds: float = 0.0
    status: int = 503
    retry_after: int | None = None
    html: bool = False
    every: int = 1
    lasting: float | None = None

    def applies_to(self, method: str, target: str) -> bool:
        if self.method is not None and self.method.upper() != method.upper():
            return False
        return self.path is None or re.search(self.path, target) is not None


@dataclass(slots=True)
class _Waiting:
    """A fault that was added: how many requests it has let pass, and until when it lasts."""

    fault: Fault
    until: float | None
    passed: int = 0


class Faults:
    """The faults that wait for their request, in the order in which they were added.

    ``kinds`` are the simulator's own, ``at_once`` what those kinds do that wait for no request.
    ``ended`` counts the requests that are over, whatever became of them.
    """

    def __init__(
        self,
        kinds: Iterable[str] = (),
        *,
        at_once: Mapping[str, Callable[[], None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._at_once = dict(at_once or {})
        self.kinds = (*BUILT_IN, *kinds, *self._at_once)
        self.struck: Counter[str] = Counter()
        self.ended = 0
        self._clock = clock
        self._added: list[_Waiting] = []

    def add(self, *faults: Fault) -> None:
        """Let these go wrong from now on.

        Raises ValueError for an unknown kind or a bad field, and then none of them does.
        """
        for fault in faults:
            check(fault, self.kinds)
        for fault in faults:
            if act := self._at_once.get(fault.kind):
                self.struck[fault.kind] += 1
                act()
                continue
            if fault.kind == "outage":
                fault.times = None
            until = None if fault.lasting is None else self._clock() + fault.lasting
            self._added.append(_Waiting(fault, until))

    def take(self, kind: str, method: str, target: str) -> Fault | None:
        """The first waiting fault of this kind for this request, used up by one; None if none."""
        if not self._added:
            return None
        self._forget_the_past()
        for waiting in self._added:
            fault = waiting.fault
            if fault.kind == kind and fault.applies_to(method, target):
                waiting.passed += 1
                if waiting.passed % fault.every == 0:
                    self._use_up(waiting)
                    return fault
        return None

    def clear(self, kind: str | None = None) -> None:
        """Forget the faults of one kind, or all."""
        self._added = [w for w in self._added if kind is not None and w.fault.kind != kind]

    def waiting(self) -> list[Fault]:
        """What has still to strike, oldest first."""
        self._forget_the_past()
        return [waiting.fault for waiting in self._added]

    def _forget_the_past(self) -> None:
        now = self._clock()
        self._added = [w for w in self._added if w.until is None or now < w.until]

    def _use_up(self, waiting: _Waiting) -> None:
        fault = waiting.fault
        self.struck[fault.kind] += 1
        if fault.times is None:
            return
        fault.times -= 1
        if fault.times == 0:
            self._added.remove(waiting)


def check(fault: Fault, kinds: Iterable[str]) -> None:
    """Raises ValueError for an unknown kind or a field that makes no sense, with the reason."""
    if fault.kind not in kinds:
        known = ", ".join(kinds)
        raise ValueError(f"There is no fault {fault.kind!r}; this simulator knows: {known}.")
    if fault.times is not None and fault.times < 1:
        raise ValueError("times must be at least 1, or null for every request.")
    if not 200 <= fault.status <= 599:
        raise ValueError(f"{fault.status} is not an HTTP status that can be answered.")
    if fault.every < 1:
        raise ValueError("every must be at least 1: each request.")
    if fault.seconds < 0 or (fault.lasting is not None and fault.lasting <= 0):
        raise ValueError("seconds must not be negative, and lasting must be more than 0.")
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


def parse_faults(body: Any) -> list[Fault]:
    items = body if isinstance(body, list) else [body]
    known = {field.name for field in fields(Fault)}
    for item in items:
        if not isinstance(item, dict) or "kind" not in item:
            raise ValueError('A fault is an object with at least "kind".')
        if unknown := set(item) - known:
            raise ValueError(f"A fault has no field {', '.join(sorted(unknown))}.")
    return [Fault(**item) for item in items]
