"""Access tokens of Entra ID through msal, for Dataverse (reference/dataverse.md 2.1).

msal blocks, so it runs in a thread. Every sign-in builds a new msal application: secrets,
certificates and federated assertions are read again each time, and a token that was refused cannot
come back from msal's own cache. A token is kept until shortly before it expires; when the endpoint
is down then, the old one serves to its end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import msal

from app.clients import entra_errors
from app.clients.credentials import EntraCredential
from app.clients.http import USER_AGENT, NoObserver, Observer, trust
from app.clients.sign_in import Pass, SingleFlight
from streams.errors import DovetailError

logger = logging.getLogger(__name__)

SYSTEM = "entra"
_FORM = "application/x-www-form-urlencoded"
#: A token is renewed this long before its end, or after half its life when that is later.
_EARLY_SECONDS = 300.0
#: How long to leave the endpoint alone when an early renewal failed.
_PAUSE_SECONDS = 30.0


def environment_scope(base_url: str) -> str:
    """The scope of an environment: its address, one slash, ``.default``."""
    return f"{base_url.rstrip('/')}/.default"


class EntraTokens(SingleFlight):
    """Tokens for one scope, as a ``SignIn``.

    ``authority`` is ``https://login.microsoftonline.com/<tenant>`` or another one; msal is told not
    to ask Microsoft whether it knows it. Raises Misconfigured, naming the setting, when Entra ID
    refuses; Unavailable or Throttled when it cannot be asked now.
    """

    def __init__(
        self,
        *,
        authority: str,
        client_id: str,
        credential: EntraCredential,
        scope: str,
        ca_file: Path | None = None,
        observer: Observer | None = None,
        transport: httpx.BaseTransport | None = None,
        timeout_seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._authority = authority
        self._client_id = client_id
        self._credential = credential
        self._scope = scope
        self._ca_file = ca_file
        self._observer = observer or NoObserver()
        self._transport = transport
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._renew_at = 0.0
        self._expires_at = 0.0

    async def token(self) -> str:
        """A valid access token."""
        return (await self.present()).text

    def headers(self, held: Pass) -> dict[str, str]:
        return {"Authorization": f"Bearer {held.text}"}

    def adopt(self, used: Pass, headers: Mapping[str, str]) -> None:
        """Dataverse sends no fresh tokens."""

    def _is_fresh(self) -> bool:
        return self.held is not None and self._clock() < self._renew_at

    async def _next(self) -> Pass:
        try:
            return await super()._next()
        except DovetailError as error:
            if self.held is None or self._clock() >= self._expires_at:
                raise
            logger.warning("Kept the present token, its renewal failed: %s", error)
            self._renew_at = min(self._clock() + _PAUSE_SECONDS, self._expires_at)
            return self.held

    async def _sign_in(self) -> str:
        started = self._clock()
        before = time.perf_counter()
        code = "error"
        try:
            result = await asyncio.to_thread(self._ask)
            code = "200"
        except DovetailError as error:
            code = error.code
            raise
        finally:
            self._observer.on_request(SYSTEM, "token", code, time.perf_counter() - before)
        seconds = float(result.get("expires_in", 0))
        self._expires_at = started + seconds
        self._renew_at = started + max(seconds - _EARLY_SECONDS, seconds / 2)
        return str(result["access_token"])

    def _ask(self) -> Mapping[str, Any]:
        """One sign-in, in a thread: msal's answer, when it holds a token."""
        credential = self._credential.for_msal()
        with self._open() as client:
            http = _MsalHttp(client)
            try:
                result = self._acquire(credential, http)
            except DovetailError:
                raise
            except Exception as error:
                # msal, requests-like clients and key parsers raise whatever they like here.
                raise entra_errors.of_exception(
                    error, http.last, self._authority, self._credential.setting
                ) from None
        if "access_token" not in result:
            raise entra_errors.of_result(result, http.last, self._credential.setting)
        return result

    def _open(self) -> httpx.Client:
        return httpx.Client(
            verify=trust(self._ca_file) if self._transport is None else True,
            transport=self._transport,
            timeout=self._timeout_seconds,
            headers={"User-Agent": USER_AGENT},
        )

    def _acquire(self, credential: Any, http: _MsalHttp) -> Mapping[str, Any]:
        application = msal.ConfidentialClientApplication(
            self._client_id,
            authority=self._authority,
            client_credential=credential,
            http_client=http,
            instance_discovery=False,
        )
        result: Mapping[str, Any] = application.acquire_token_for_client(scopes=[self._scope])
        return result


class _MsalHttp:
    """The HTTP client that msal is given; ``last`` is the answer it saw last."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.last: httpx.Response | None = None

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> httpx.Response:
        self.last = None
        # msal hands its assertion over as bytes, which httpx would not take for text.
        self.last = self._client.post(
            url,
            params=params,
            content=data if isinstance(data, str | bytes) else urlencode(data or {}),
            headers={"Content-Type": _FORM, **(headers or {})},
        )
        return self.last

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> httpx.Response:
        self.last = None
        self.last = self._client.get(url, params=params, headers=headers)
        return self.last

    def close(self) -> None:
        """The client is closed by its owner."""
