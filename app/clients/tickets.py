"""Content Server tickets, by way of OTDS or a user's password (reference/extended-ecm.md 1).

    OTDS client     POST /otdsws/oauth2/token -> Bearer -> GET /v1/auth -> header OTCSTicket
    user, password  POST /v1/auth (form) -> body ticket

A ticket lives as long as it is used; answers may carry a fresh one. When one is refused, one
caller signs in and the others wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from app.clients import setting_names
from app.clients.credentials import Secret, read_secret
from app.clients.ecm.status import CONTENT_SERVER, OTDS
from app.clients.http import Answer, Endpoint, Observer, Timeouts
from app.clients.sign_in import Pass, SingleFlight
from streams.errors import DovetailError, Misconfigured, Retryable, Unavailable

_CLIENT = f"{setting_names.OTDS_CLIENT_ID} and {setting_names.OTDS_CLIENT_SECRET}"
_USER = f"{setting_names.OTDS_USERNAME} and {setting_names.OTDS_PASSWORD}"


@dataclass(frozen=True, slots=True)
class OtdsClient:
    """A service client of OTDS: ``otds_url`` ends in ``/otdsws``."""

    otds_url: str
    client_id: str
    client_secret: Secret


@dataclass(frozen=True, slots=True)
class OtcsUser:
    """A user of Content Server with a password; ``domain`` where the server has several."""

    username: str
    password: Secret
    domain: str = ""


class OtdsTickets(SingleFlight):
    """Tickets for one Content Server, as a ``SignIn``.

    ``base_url`` is the address in front of ``/api``, e.g. ``https://host/cs/cs``. Raises
    Misconfigured, naming the setting, when the sign-in is refused.
    """

    def __init__(
        self,
        *,
        base_url: str,
        credential: OtdsClient | OtcsUser,
        client: httpx.AsyncClient,
        observer: Observer | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        super().__init__()
        self._credential = credential
        self._content_server = Endpoint(
            system="ecm",
            base_url=f"{base_url.rstrip('/')}/api",
            url_setting=setting_names.CONTENT_SERVER_URL,
            client=client,
            table=CONTENT_SERVER,
            observer=observer,
            timeouts=timeouts,
        )
        self._otds = Endpoint(
            system="otds",
            base_url=credential.otds_url if isinstance(credential, OtdsClient) else base_url,
            url_setting=setting_names.OTDS_URL,
            client=client,
            table=OTDS,
            observer=observer,
            timeouts=timeouts,
        )

    def headers(self, held: Pass) -> dict[str, str]:
        return {"OTCSTicket": held.text}

    def adopt(self, used: Pass, headers: Mapping[str, str]) -> None:
        fresh = headers.get("OTCSTicket", "").strip()
        if fresh:
            self._roll_over(used, fresh)

    async def _sign_in(self) -> str:
        if isinstance(self._credential, OtdsClient):
            return await self._by_token(self._credential)
        return await self._by_password(self._credential)

    async def _by_token(self, credential: OtdsClient) -> str:
        secret = read_secret(credential.client_secret, setting_names.OTDS_CLIENT_SECRET)
        form = {
            "grant_type": "client_credentials",
            "client_id": credential.client_id,
            "client_secret": secret,
        }
        with _Refusal(_CLIENT, setting_names.OTDS_URL):
            granted = await self._otds.call("token", "POST", "/oauth2/token", form=form)
            token = _text(granted, "access_token")
        # A token that OTDS has just given out is refused for a moment while sessions are ended.
        with _Refusal(_CLIENT, setting_names.CONTENT_SERVER_URL, passes=self._count > 0):
            answer = await self._content_server.call(
                "sign_in", "GET", "/v1/auth", headers={"Authorization": f"Bearer {token}"}
            )
        return answer.headers.get("OTCSTicket", "").strip() or _text(answer, "ticket")

    async def _by_password(self, credential: OtcsUser) -> str:
        form = {
            "username": credential.username,
            "password": read_secret(credential.password, setting_names.OTDS_PASSWORD),
        }
        if credential.domain:
            form["domain"] = credential.domain
        with _Refusal(_USER, setting_names.CONTENT_SERVER_URL):
            answer = await self._content_server.call("sign_in", "POST", "/v1/auth", form=form)
        return _text(answer, "ticket")


class _Refusal:
    """Inside, every refusal is about our credential: not this message's fault, but ours.

    ``passes``: the credential has been good before, so that a 401 is worth another attempt.
    """

    def __init__(self, setting: str, url_setting: str, *, passes: bool = False) -> None:
        self._setting = setting
        self._url_setting = url_setting
        self._passes = passes

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        waits = isinstance(error, Retryable) and (self._passes or error.code != "ticket_expired")
        if not isinstance(error, DovetailError) or waits or isinstance(error, Misconfigured):
            return
        if error.code == "not_found":
            raise Misconfigured(
                f"There is no sign-in at that address: {error.message}",
                code="sign_in_refused",
                advice=f"Correct {self._url_setting}.",
            ) from None
        raise Misconfigured(
            f"The sign-in was refused: {error.message}",
            code="sign_in_refused",
            advice=f"Correct {self._setting}; they are read at each sign-in.",
        ) from None


def _text(answer: Answer, name: str) -> str:
    value = answer.body.get(name) if isinstance(answer.body, dict) else None
    if not isinstance(value, str) or not value:
        raise Unavailable(f"The sign-in brought no {name}.", code="answer_incomplete")
    return value
