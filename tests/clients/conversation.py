"""A scripted other side: answers requests by method and path, and remembers them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx

from app.clients.http import open_client
from app.clients.sign_in import Pass

Reply = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def ok(body: Any = None, status: int = 200, **headers: str) -> httpx.Response:
    """A JSON answer; header names with underscores become dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is None:
        return httpx.Response(status, headers=named)
    return httpx.Response(status, json=body, headers=named)


def page(status: int, text: str = "Error Processing Request") -> httpx.Response:
    """An HTML page, as gateways and overloaded servers answer."""
    return httpx.Response(status, html=f"<html><body><h1>{text}</h1></body></html>")


@dataclass
class Conversation:
    """Replies per ``METHOD /path`` pattern, in order; the last one is repeated.

    ``requests`` holds what was asked. A request that nobody expects fails the test.
    """

    requests: list[httpx.Request] = field(default_factory=list)
    _script: list[tuple[str, re.Pattern[str], list[Reply]]] = field(default_factory=list)

    def on(self, method: str, pattern: str, *replies: Reply) -> Conversation:
        self._script.insert(0, (method, re.compile(pattern), list(replies)))
        return self

    def client(self) -> httpx.AsyncClient:
        return open_client(transport=httpx.MockTransport(self.answer))

    async def answer(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)  # as on a network, others get their turn meanwhile
        self.requests.append(request)
        target = request.url.raw_path.decode()
        for method, pattern, replies in self._script:
            if method == request.method and pattern.search(target):
                reply = replies.pop(0) if len(replies) > 1 else replies[0]
                if isinstance(reply, Exception):
                    raise reply
                if isinstance(reply, httpx.Response):
                    # A response object serves once; a copy keeps the script repeatable.
                    return httpx.Response(
                        reply.status_code, headers=reply.headers, content=reply.content
                    )
                return reply(request)
        raise AssertionError(f"nobody expected {request.method} {target}")

    def asked(self, method: str, pattern: str = "") -> list[httpx.Request]:
        """The requests of this method whose path and query match."""
        return [
            request
            for request in self.requests
            if request.method == method and re.search(pattern, request.url.raw_path.decode())
        ]

    def writes(self) -> list[str]:
        """Every request that is not a read, as ``METHOD path``."""
        return [f"{r.method} {r.url.path}" for r in self.requests if r.method != "GET"]


def form_of(request: httpx.Request) -> Mapping[str, Sequence[str]]:
    """The form fields of a request."""
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    return parse_qs(request.content.decode(), keep_blank_values=True)


def body_of(request: httpx.Request) -> Any:
    """The JSON in the one form field ``body`` (encoding B)."""
    fields = form_of(request)
    assert list(fields) == ["body"]
    return json.loads(fields["body"][0])


@dataclass
class CountingSignIn:
    """A sign-in whose passes are ``pass-1``, ``pass-2``...; counts how often it signed in."""

    sign_ins: int = 1
    adopted: list[str] = field(default_factory=list)

    async def present(self) -> Pass:
        return Pass(f"pass-{self.sign_ins}", self.sign_ins)

    async def renewed(self, used: Pass) -> Pass:
        if used.sign_in == self.sign_ins:
            self.sign_ins += 1
        return await self.present()

    def headers(self, held: Pass) -> dict[str, str]:
        return {"Authorization": f"Bearer {held.text}"}

    def adopt(self, used: Pass, headers: Mapping[str, str]) -> None:
        if "OTCSTicket" in headers:
            self.adopted.append(headers["OTCSTicket"])


@dataclass
class Observed:
    """Keeps what an Observer is told, without the seconds."""

    requests: list[tuple[str, str, str]] = field(default_factory=list)

    def on_request(self, system: str, operation: str, code: str, seconds: float) -> None:
        assert seconds >= 0
        self.requests.append((system, operation, code))
