"""The HTTP side: sign-in, limits, and the headers that every answer has."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.sandbox.dataverse.api import WebApi, encoded
from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.web.callers import Callers, Unauthorized
from app.sandbox.dataverse.web.protection import ServiceProtection, Throttled
from app.sandbox.dataverse.web.service_errors import SERVICE_ERRORS, ServiceError
from app.sandbox.dataverse.web.urls import (
    API_PATH,
    Answer,
    ApiRequest,
    parse_path,
    parse_prefer,
    parse_query,
)
from app.sandbox.faults import ADMIN_PATH, Faults
from app.serving import hang_up

USER = "dovetail.user"
MAX_BODY = 128 * 1024 * 1024
"""Bytes; content of a file column may be as large (reference/dataverse.md 2.3)."""
AFFINITY = "ARRAffinity=5b1f0c; Path=/; HttpOnly; Secure"
"""The cookie that would bind a client to one web server (reference/dataverse.md 2.2)."""


class Front:
    """ASGI application: who calls and may he now, then `inner` (faults), then `serve`."""

    inner: ASGIApp

    def __init__(
        self,
        api: WebApi,
        callers: Callers,
        protection: ServiceProtection,
        faults: Faults,
        tenant: str,
    ) -> None:
        self.resource = ""
        self._api = api
        self._callers = callers
        self._protection = protection
        self._faults = faults
        self._tenant = tenant

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == ADMIN_PATH:
            await self.inner(scope, receive, send)
            return
        request = Request(scope, receive)
        if self._faults.take("outage", request.method, request.url.path):
            await hang_up(scope, receive, reset=True)
            return
        try:
            self._expire_token(request)
            user = await self._callers.application_user(request.headers)
        except Unauthorized as error:
            await self._challenge(str(error))(scope, receive, send)
            return
        except Refusal as refusal:
            await _response(Answer(refusal.status, refusal.body()))(scope, receive, send)
            return
        await self._limited(user, scope, receive, send)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request itself, once nothing stands against it."""
        request = Request(scope, receive)
        try:
            body = await _body(request)
            self._fail_on_purpose(request)
            answer = self._api.answer(self._read(request, scope, body))
        except ServiceError as error:
            answer = Answer(error.status, error.body)
        except Refusal as refusal:
            answer = Answer(refusal.status, refusal.body())
        await _response(answer)(scope, receive, send)

    async def _limited(self, user: Row, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            began = self._protection.enter(user.id)
        except Throttled as throttled:
            headers = {"Retry-After": str(throttled.retry_after)}
            answer = Answer(429, throttled.body(), headers | self._protection.headers(user.id))
            await _response(answer)(scope, receive, send)
            return
        scope.setdefault("state", {})[USER] = user

        async def with_rate(message: Message) -> None:
            if message["type"] == "http.response.start":
                rate = self._protection.headers(user.id)
                pairs = [(name.encode(), value.encode()) for name, value in rate.items()]
                pairs.append((b"set-cookie", AFFINITY.encode()))
                message = {**message, "headers": [*message["headers"], *pairs]}
            await send(message)

        try:
            await self.inner(scope, receive, with_rate)
        finally:
            self._protection.leave(user.id, began)

    def _read(self, request: Request, scope: Scope, body: bytes) -> ApiRequest:
        """Raises `Refusal` for a path outside the API, or an impersonated user who is unknown."""
        path = scope["raw_path"].decode("ascii", "replace")
        if not f"{path}/".startswith(f"{API_PATH}/"):
            raise Refusal(404, "", "No HTTP resource was found that matches the request URI.")
        headers: Mapping[str, str] = request.headers
        query = parse_query(scope["query_string"].decode("utf-8", "replace"))
        host = headers.get("host", "")
        return ApiRequest(
            method=request.method,
            segments=parse_path(path.removeprefix(API_PATH)),
            query=query,
            headers=headers,
            body=body,
            author=self._callers.author(scope["state"][USER], headers, query.get("tag")),
            prefer=parse_prefer(", ".join(request.headers.getlist("prefer"))),
            base_url=f"{scope['scheme']}://{host}{API_PATH}",
            target=f"{scope['path']}?{scope['query_string'].decode('latin-1')}",
        )

    def _expire_token(self, request: Request) -> None:
        if self._faults.take("token_expired", request.method, request.url.path):
            raise Unauthorized("The token has expired (on purpose).")

    def _fail_on_purpose(self, request: Request) -> None:
        for kind, error in SERVICE_ERRORS.items():
            if self._faults.take(kind, request.method, request.url.path):
                raise ServiceError(error)

    def _challenge(self, reason: str) -> Response:
        authority = f"https://login.microsoftonline.com/{self._tenant}/oauth2/authorize"
        challenge = f"Bearer authorization_uri={authority}, resource_id={self.resource}/"
        headers = {"WWW-Authenticate": challenge, "x-ms-sandbox-reason": reason}
        return Response(status_code=401, headers=headers)


async def _body(request: Request) -> bytes:
    """The whole body. Raises `Refusal` 413 for one that is too large."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY:
            raise Refusal.too_large(MAX_BODY)
    return bytes(content)


def _response(answer: Answer) -> Response:
    body, headers = encoded(answer)
    response = Response(body, answer.status, headers)
    # Names as the service writes them: Microsoft's asynchronous client looks for them in that case.
    names = {name.lower(): name for name in ("Content-Length", *headers)}
    response.raw_headers = [
        (names.get(name.decode(), name.decode()).encode(), value)
        for name, value in response.raw_headers
    ]
    return response
