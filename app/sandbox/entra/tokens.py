"""Access tokens: what the authority issues and what a resource checks them against.

Tokens carry the claims of a version 1.0 access token for an application, as Dataverse gets them:
``aud`` the resource, ``appid`` the client, ``oid`` its service principal, ``tid`` the tenant.
"""

from __future__ import annotations

import ssl
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from app.sandbox.entra.clients import EntraClient
from app.sandbox.entra.keys import SigningKey

REMEMBERED = 1000
REQUIRED = ["aud", "appid", "exp", "iss", "nbf", "oid"]
BEHIND_SECONDS = 300
"""So far a resource's clock may be behind: a token of Entra ID holds from before it was issued."""


class InvalidToken(Exception):
    """A bearer token that a resource must refuse; the text says why."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says."""

    app_id: str
    object_id: str
    audience: str
    expires_at: int


class TokenTrust(Protocol):
    """Whoever can tell a resource whether a token is good."""

    tenant: str

    async def verify(self, token: str, audiences: Sequence[str]) -> Claims:
        """The claims of a token for one of ``audiences``. Raises `InvalidToken`."""
        ...


class TokenChecks:
    """Verifies tokens and remembers the good ones, for a signature costs about a millisecond.

    A remembered token is good until it expires; `forget` when the keys change.
    """

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._good: dict[tuple[str, tuple[str, ...]], Claims] = {}

    def verify(
        self, token: str, keys: dict[str, rsa.RSAPublicKey], audiences: Sequence[str]
    ) -> Claims:
        """Raises `InvalidToken`."""
        known = self._good.get((token, tuple(audiences)))
        if known is not None and known.expires_at > time.time():
            return known
        claims = verified(token, keys, self._issuer, audiences)
        if len(self._good) >= REMEMBERED:
            self.forget()
        self._good[token, tuple(audiences)] = claims
        return claims

    def forget(self) -> None:
        self._good.clear()


class TokenIssuer:
    """Signs tokens; revoking is a change of key, which spoils every token given out so far."""

    def __init__(self, tenant: str, now: Callable[[], float] = time.time) -> None:
        self.issuer = f"https://sts.windows.net/{tenant}/"
        self._tenant = tenant
        self._now = now
        self._key = SigningKey()
        self._checks = TokenChecks(self.issuer)

    def issue(self, client: EntraClient, resource: str, lifetime_seconds: int, acr: str) -> str:
        """A token for ``resource``; ``acr`` is 1 for a secret and 2 for an assertion."""
        now = int(self._now())
        return self._key.sign(
            {
                "aud": resource,
                "iss": self.issuer,
                "iat": now - BEHIND_SECONDS,
                "nbf": now - BEHIND_SECONDS,
                "exp": now + lifetime_seconds,
                "appid": client.client_id,
                "appidacr": acr,
                "idtyp": "app",
                "oid": client.principal_id,
                "sub": client.principal_id,
                "tid": self._tenant,
                "uti": uuid.uuid4().hex,
                "ver": "1.0",
            }
        )

    def revoke_all(self) -> None:
        self._key = SigningKey()
        self._checks.forget()

    def jwks(self) -> dict[str, Any]:
        return {"keys": [self._key.as_jwk()]}

    def verify(self, token: str, audiences: Sequence[str]) -> Claims:
        keys = {self._key.key_id: self._key.public}
        return self._checks.verify(token, keys, audiences)


class RemoteKeys:
    """Trust in an authority elsewhere by its published keys, fetched anew for an unknown key id."""

    def __init__(self, entra_url: str, tenant: str, *, ca_path: str) -> None:
        self.tenant = tenant
        self._url = f"{entra_url}/{tenant}/discovery/v2.0/keys"
        self._ca_path = ca_path
        self._checks = TokenChecks(f"https://sts.windows.net/{tenant}/")
        self._keys: dict[str, rsa.RSAPublicKey] = {}

    async def verify(self, token: str, audiences: Sequence[str]) -> Claims:
        if _key_id(token) not in self._keys:
            await self._fetch()
        return self._checks.verify(token, self._keys, audiences)

    async def _fetch(self) -> None:
        context = ssl.create_default_context(cafile=self._ca_path)
        async with httpx.AsyncClient(verify=context) as client:
            answer = await client.get(self._url)
        answer.raise_for_status()
        keys = jwt.PyJWKSet.from_dict(answer.json()).keys
        self._keys = {str(key.key_id): key.key for key in keys}
        self._checks.forget()


def verified(
    token: str, keys: dict[str, rsa.RSAPublicKey], issuer: str, audiences: Sequence[str]
) -> Claims:
    """Check signature, issuer, audience and times. Raises `InvalidToken` with the reason."""
    key = keys.get(_key_id(token))
    if key is None:
        raise InvalidToken("The token is signed with a key that the authority does not publish.")
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            audience=list(audiences),
            issuer=issuer,
            options={"require": REQUIRED},
        )
    except jwt.InvalidTokenError as error:
        raise InvalidToken(str(error)) from error
    return Claims(
        app_id=claims["appid"],
        object_id=claims["oid"],
        audience=claims["aud"],
        expires_at=claims["exp"],
    )


def _key_id(token: str) -> str:
    try:
        return str(jwt.get_unverified_header(token).get("kid"))
    except jwt.InvalidTokenError as error:
        raise InvalidToken(f"The token is not a JSON Web Token: {error}.") from error
