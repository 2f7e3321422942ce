"""The simulated authority: discovery, keys and the token endpoint of one tenant."""

from __future__ import annotations

import base64
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote_plus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.sandbox.entra.clients import EntraClient
from app.sandbox.entra.errors import SignInRefused
from app.sandbox.entra.tokens import Claims, TokenIssuer
from app.sandbox.faults import Fault, FaultInjection, Faults
from app.serving import LocalCa, ServedApp

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DEFAULT_SCOPE = "/.default"


class EntraSimulator:
    """One tenant's sign-in, served over TLS; an async context manager.

    ``clients`` are the registered applications; ``resources`` the ones that tokens are given for,
    None for any. ``lifetime_seconds`` may be changed while it runs and counts for new tokens.
    ``faults`` holds the switches of `app.sandbox.faults`, and ``revoke_tokens``, at once. Addresses
    exist once it has started; ``application`` is the authority as an ASGI application.
    """

    def __init__(
        self,
        tenant: str,
        clients: Iterable[EntraClient] = (),
        *,
        resources: Iterable[str] | None = None,
        lifetime_seconds: int = 3599,
        port: int = 0,
        ca: LocalCa | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.tenant = tenant
        self.clients: dict[str, EntraClient] = {c.client_id: c for c in clients}
        self.resources = None if resources is None else set(resources)
        self.lifetime_seconds = lifetime_seconds
        self.tokens_issued = 0
        self._ca = ca or LocalCa()
        self._owns_ca = ca is None
        self._issuer = TokenIssuer(tenant, now)
        self.faults = Faults(at_once={"revoke_tokens": self._issuer.revoke_all})
        app = Starlette(routes=self._routes())
        self.application = FaultInjection(app, self.faults, render=_planned)
        self._served = ServedApp(self.application, port=port, ca=self._ca)

    @property
    def url(self) -> str:
        """Where it is served: ``https://localhost:<port>``."""
        return self._served.url

    @property
    def authority(self) -> str:
        """What msal takes as ``authority``."""
        return f"{self.url}/{self.tenant}"

    @property
    def token_url(self) -> str:
        return f"{self.authority}/oauth2/v2.0/token"

    @property
    def ca_path(self) -> Path:
        """The PEM bundle that clients must trust."""
        return self._ca.ca_path

    def client_context(self) -> ssl.SSLContext:
        """What an httpx client takes as ``verify`` to trust this authority."""
        return self._ca.client_context()

    def issue(self, client_id: str, resource: str, *, lifetime_seconds: int | None = None) -> str:
        """A token without the sign-in, for tests of a resource. Raises KeyError if unregistered."""
        lifetime = self.lifetime_seconds if lifetime_seconds is None else lifetime_seconds
        return self._issuer.issue(self.clients[client_id], resource, lifetime, "1")

    async def verify(self, token: str, audiences: Sequence[str]) -> Claims:
        """As `TokenTrust` says; this simulator is the trust of resources in the same process."""
        return self._issuer.verify(token, audiences)

    def revoke_tokens(self) -> None:
        """Every token given out so far is refused from now on; signing in again gets a good one."""
        self._issuer.revoke_all()

    async def start(self) -> None:
        await self._served.start()

    async def stop(self, *, abort: bool = False) -> None:
        """Stop serving; `start` serves again at the same address."""
        await self._served.stop(abort=abort)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._served.close()
        if self._owns_ca:
            self._ca.close()

    def _routes(self) -> list[Route]:
        return [
            Route("/{tenant}/v2.0/.well-known/openid-configuration", self._discovery),
            Route("/{tenant}/discovery/v2.0/keys", self._keys),
            Route("/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"]),
        ]

    async def _discovery(self, request: Request) -> JSONResponse:
        try:
            self._check_tenant(request)
        except SignInRefused as refused:
            return JSONResponse(refused.body(), refused.status)
        return JSONResponse(
            {
                "issuer": f"{self.authority}/v2.0",
                "authorization_endpoint": f"{self.authority}/oauth2/v2.0/authorize",
                "token_endpoint": self.token_url,
                "jwks_uri": f"{self.authority}/discovery/v2.0/keys",
                "response_types_supported": ["code", "id_token", "token"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "private_key_jwt",
                    "client_secret_basic",
                ],
            }
        )

    async def _keys(self, request: Request) -> JSONResponse:
        try:
            self._check_tenant(request)
        except SignInRefused as refused:
            return JSONResponse(refused.body(), refused.status)
        return JSONResponse(self._issuer.jwks())

    async def _token(self, request: Request) -> JSONResponse:
        headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
        try:
            self._check_tenant(request)
            answer = self._sign_in(await _form(request))
        except SignInRefused as refused:
            correlation = request.headers.get("client-request-id")
            return JSONResponse(refused.body(correlation), refused.status, headers)
        self.tokens_issued += 1
        return JSONResponse(answer, headers=headers)

    def _check_tenant(self, request: Request) -> None:
        tenant = request.path_params["tenant"]
        if tenant.lower() != self.tenant.lower():
            raise SignInRefused.unknown_tenant(tenant)

    def _sign_in(self, fields: Mapping[str, str]) -> dict[str, Any]:
        for required in ("grant_type", "client_id"):
            if not fields.get(required):
                raise SignInRefused.missing_parameter(required)
        if fields["grant_type"] != "client_credentials":
            raise SignInRefused.grant_type(fields["grant_type"])
        client = self.clients.get(fields["client_id"])
        if client is None:
            raise SignInRefused.unknown_client(fields["client_id"], self.tenant)
        acr = self._prove(client, fields)
        resource = self._resource(fields)
        lifetime = self.lifetime_seconds
        return {
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": self._issuer.issue(client, resource, lifetime, acr),
        }

    def _prove(self, client: EntraClient, fields: Mapping[str, str]) -> str:
        """Check the client's proof; the claim ``appidacr`` that tells which kind it was."""
        if secret := fields.get("client_secret"):
            client.check_secret(secret)
            return "1"
        assertion = fields.get("client_assertion")
        if not assertion or fields.get("client_assertion_type") != ASSERTION_TYPE:
            raise SignInRefused.no_credential()
        client.check_assertion(assertion, [self.token_url, f"{self.authority}/v2.0"])
        return "2"

    def _resource(self, fields: Mapping[str, str]) -> str:
        scope = fields.get("scope")
        if not scope:
            raise SignInRefused.missing_parameter("scope")
        if not scope.endswith(DEFAULT_SCOPE) or " " in scope:
            raise SignInRefused.scope(scope)
        resource = scope.removesuffix(DEFAULT_SCOPE)
        if self.resources is not None and resource not in self.resources:
            raise SignInRefused.unknown_resource(resource)
        return resource


async def _form(request: Request) -> dict[str, str]:
    """The fields of the body, with what ``client_secret_basic`` says of the client."""
    body = (await request.body()).decode("utf-8", "replace")
    return _basic(request) | dict(parse_qsl(body, keep_blank_values=True))


def _basic(request: Request) -> dict[str, str]:
    """Client id and secret of an ``Authorization: Basic`` header (RFC 6749, 2.3.1)."""
    scheme, _, packed = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        text = base64.b64decode(packed, validate=True).decode()
    except ValueError:
        return {}
    client_id, _, secret = text.partition(":")
    return {"client_id": unquote_plus(client_id), "client_secret": unquote_plus(secret)}


def _planned(fault: Fault) -> JSONResponse:
    """The body of a status that was asked for: the authority's words for being out of order."""
    refused = SignInRefused(
        fault.status,
        "temporarily_unavailable",
        "90033",
        "A transient error has occurred. Please try again.",
    )
    return JSONResponse(refused.body(), refused.status)
