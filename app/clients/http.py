"""One HTTP request to an outside system: signed in, timed, and its failures told in our words."""

from __future__ import annotations

import asyncio
import http.cookiejar
import ssl
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from app.clients import setting_names
from app.clients.redaction import secrets_seen
from app.clients.sign_in import Pass, SignIn
from app.clients.status import Failure, StatusTable, failure_of, parse_json
from streams.errors import DovetailError, Misconfigured, Unavailable

USER_AGENT = "Dovetail/0.1"
#: Form fields; a list becomes a repeated key (reference/extended-ecm.md 0).
Form = Mapping[str, str | Sequence[str]]


class Observer(Protocol):
    """Told about every request. ``code`` is the HTTP status, or the error code without one."""

    def on_request(self, system: str, operation: str, code: str, seconds: float) -> None: ...


class NoObserver:
    """Observes nothing."""

    def on_request(self, system: str, operation: str, code: str, seconds: float) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for the answer to a read and to a write (reference/dataverse.md 2.13)."""

    read_seconds: float = 10.0
    write_seconds: float = 120.0

    def of(self, method: str) -> httpx.Timeout:
        """Waiting for a free connection has no limit: the writers bound what is in flight."""
        seconds = self.read_seconds if method in ("GET", "HEAD") else self.write_seconds
        return httpx.Timeout(seconds, connect=self.read_seconds, pool=None)

    def whole(self, method: str) -> float:
        """Seconds after which an answer is given up whose body still trickles in.

        The timeouts of httpx run from one piece to the next, so without this an answer that comes
        a byte at a time would hold its record for ever.
        """
        timeout = self.of(method)
        return (timeout.connect or 0.0) + 3 * (timeout.read or 0.0)


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer; ``body`` is its JSON, None when it has none."""

    status: int
    body: Any
    headers: Mapping[str, str]


class _NoTicketCookies(http.cookiejar.DefaultCookiePolicy):
    """Takes the cookies of load balancers, not Content Server's own ticket: the header has it."""

    def set_ok(self, cookie: http.cookiejar.Cookie, request: Any) -> bool:
        return cookie.name.lower() != "llcookie" and super().set_ok(cookie, request)


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """The TLS trust: the public authorities, and those of this PEM file beside them.

    Raises Misconfigured (``ca_file_unusable``) when the file cannot be read.
    """
    context = httpx.create_ssl_context()
    if ca_file is None:
        return context
    try:
        context.load_verify_locations(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(
            f"The CA file {ca_file} cannot be used: {error}.",
            code="ca_file_unusable",
            advice=f"Correct {setting_names.CA_FILE}; it has to be PEM.",
        ) from error
    return context


def open_client(
    *,
    ca_file: Path | None = None,
    max_connections: int = 64,
    keep_affinity: bool = False,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """The HTTP client of one system; close it with ``aclose``.

    ``keep_affinity`` returns cookies, so that a load balancer finds the same node again: Content
    Server wants that (reference/extended-ecm.md 1.2), Dataverse is faster without (dataverse.md
    2.2). ``transport`` replaces the network in tests.
    """
    client = httpx.AsyncClient(
        verify=trust(ca_file) if transport is None else True,
        transport=transport,
        headers={"User-Agent": USER_AGENT},
        limits=httpx.Limits(
            max_connections=max_connections, max_keepalive_connections=max_connections
        ),
        follow_redirects=False,
    )
    refuse_all = http.cookiejar.DefaultCookiePolicy(allowed_domains=[])
    client.cookies.jar.set_policy(_NoTicketCookies() if keep_affinity else refuse_all)
    return client


class Endpoint:
    """One system's API: paths below ``base_url``, its sign-in and its status-code table."""

    def __init__(
        self,
        *,
        system: str,
        base_url: str,
        url_setting: str,
        client: httpx.AsyncClient,
        table: StatusTable,
        sign_in: SignIn | None = None,
        observer: Observer | None = None,
        timeouts: Timeouts | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.system = system
        self.base_url = base_url.rstrip("/")
        self.table = table
        self._url_setting = url_setting
        self._client = client
        self._sign_in = sign_in
        self._observer = observer or NoObserver()
        self._timeouts = timeouts or Timeouts()
        self._headers = dict(headers or {})
        self._taken = False  # whether our sign-in has been good for anything so far

    async def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Form | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """Send one request and return its success; anything else is raised.

        ``path`` starts with a slash and is percent-encoded by the caller. A 401 leads to one new
        sign-in and one repetition. A second 401 is Misconfigured where no sign-in was ever good,
        else what the table says: TokenExpired, as sessions end one by one while a system restarts.
        ``operation`` names the call in metrics and messages.
        """
        given = {**self._headers, **(headers or {})}
        held = await self._sign_in.present() if self._sign_in else None
        response = await self._send(operation, method, path, given, held, form, content)
        if response.status_code == 401 and self._sign_in and held:
            held = await self._sign_in.renewed(held)
            response = await self._send(operation, method, path, given, held, form, content)
            if response.status_code == 401:
                raise self._refused_twice(response, operation)
        self._taken = self._taken or response.status_code < 400
        if self._sign_in and held and response.status_code < 400:
            self._sign_in.adopt(held, response.headers)
        return self._success(response, operation)

    async def _send(
        self,
        operation: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        held: Pass | None,
        form: Form | None,
        content: bytes | None,
    ) -> httpx.Response:
        shown = self._sign_in.headers(held) if self._sign_in and held else {}
        started = time.perf_counter()
        code = "error"
        try:
            async with self._in_time(operation, method):
                response = await self._client.request(
                    method,
                    f"{self.base_url}{path}",
                    headers={**headers, **shown},
                    data=form,
                    content=content,
                    timeout=self._timeouts.of(method),
                )
            code = str(response.status_code)
            return response
        except DovetailError as error:
            code = error.code
            raise
        finally:
            seconds = time.perf_counter() - started
            self._observer.on_request(self.system, operation, code, seconds)

    @asynccontextmanager
    async def _in_time(self, operation: str, method: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeouts.whole(method)):
                yield
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise transport_error(
                error, f"{self.table.title} ({self.base_url}), {operation}", self._url_setting
            ) from None

    def _success(self, response: httpx.Response, operation: str) -> Answer:
        if not 200 <= response.status_code < 300:
            raise self.table.error_for(failure_of(response), operation)
        if not response.content:
            return Answer(response.status_code, None, response.headers)
        try:
            body = parse_json(response)
        except ValueError:
            page = Failure(response.status_code, "", response.text, is_json=False)
            raise self.table.error_for(page, operation) from None
        return Answer(response.status_code, body, response.headers)

    def _refused_twice(self, response: httpx.Response, operation: str) -> DovetailError:
        """Where our sign-in has been good before, sessions ended again: that passes."""
        error = self.table.error_for(failure_of(response), operation)
        if self._taken:
            return error
        return Misconfigured(
            f"{error.message}, although we had just signed in anew.",
            code="credentials_refused",
            advice=f"Check that our user may use {self.base_url} ({self._url_setting}).",
        )


def transport_error(error: Exception, what: str, url_setting: str) -> DovetailError:
    """Our error for a request that got no answer. Timeouts and lost connections: Unavailable."""
    text = secrets_seen.clean(str(error)) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return Misconfigured(
            f"{what}: its certificate is not trusted: {text}",
            code="certificate_untrusted",
            advice=f"Set {setting_names.CA_FILE} to the authority that signed it.",
        )
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return Misconfigured(f"{what}: {text}", code="url_invalid", advice=f"Correct {url_setting}")
    advice = f"It is waited for; if it stays away, check {url_setting}"
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return Unavailable(f"{what}: no answer in time ({text})", code="timeout", advice=advice)
    if isinstance(error, httpx.ConnectError):
        return Unavailable(f"{what}: no connection ({text})", code="no_connection", advice=advice)
    return Unavailable(f"{what}: connection lost ({text})", code="connection_lost", advice=advice)
