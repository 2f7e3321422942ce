"""Signing in, tickets that expire, and the directory service."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.sandbox.content_server import Behaviour, ContentServerSimulator
from tests.sandbox.content_server.conftest import Api

REQUIRED = {"error": "Authentication Required"}


class MovingClock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


async def _token(http: httpx.AsyncClient, server: ContentServerSimulator, **form: str) -> str:
    answer = await http.post(f"{server.otds_url}/oauth2/token", data=form)
    assert answer.status_code == 200
    return str(answer.json()["access_token"])


def _client_form(server: ContentServerSimulator) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_id": server.client.client_id,
        "client_secret": server.client.client_secret,
    }


async def test_a_call_without_a_ticket_is_refused(server: ContentServerSimulator) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        answer = await http.get("/v2/nodes/2000")
        assert (answer.status_code, answer.json()) == (401, REQUIRED)
        forged = await http.get("/v2/nodes/2000", headers={"OTCSTicket": "bm90LmEudGlja2V0"})
        assert forged.status_code == 401


async def test_a_ticket_with_another_signature_is_refused(
    server: ContentServerSimulator, api: Api
) -> None:
    plain = base64.urlsafe_b64decode(api.http.headers["OTCSTicket"]).decode()
    session_and_number = plain.rpartition(".")[0]
    forged = base64.urlsafe_b64encode(f"{session_and_number}.guess".encode()).decode()
    answer = await api.http.get("/v1/auth", headers={"OTCSTicket": forged})
    assert (answer.status_code, answer.json()) == (401, REQUIRED)


async def test_ping_and_the_support_page_answer_without_login(
    server: ContentServerSimulator,
) -> None:
    async with httpx.AsyncClient() as http:
        ping = await http.get(f"{server.url}/v1/ping")
        assert set(ping.json()) == {"build", "href", "version"}
        support = await http.get(f"{server.base_url}/cssupport/csconfigured")
        assert support.status_code == 200


async def test_a_wrong_password_is_refused_and_a_missing_user_name_is_a_500(
    server: ContentServerSimulator,
) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        wrong = await http.post("/v1/auth", data={"username": "ann.seller", "password": "no"})
        assert wrong.status_code == 401
        assert wrong.json() == {"error": "Invalid username/password specified"}
        missing = await http.post("/v1/auth", data={"password": "x"})
        assert missing.status_code == 500
        assert missing.json() == {"error": "Argument username is required"}


async def test_bearer_token_otds_ticket_and_cookie_are_all_accepted(
    server: ContentServerSimulator,
) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        token = await _token(http, server, **_client_form(server))
        by_token = await http.get("/v1/auth", headers={"Authorization": f"Bearer {token}"})
        assert by_token.json()["data"]["name"] == "dovetail"
        ticket = by_token.headers["OTCSTicket"]
        by_cookie = await http.get("/v1/auth", headers={"Cookie": f"LLCookie={ticket}"})
        assert by_cookie.json()["data"]["name"] == "dovetail"
        signed = await http.post(
            f"{server.otds_url}/rest/authentication/credentials",
            json={"userName": "ann.seller", "password": "contoso-password"},
        )
        by_ticket = await http.get("/v1/auth", headers={"OTDSTicket": signed.json()["ticket"]})
        assert by_ticket.json()["data"]["name"] == "ann.seller"


async def test_every_answer_brings_a_fresh_ticket_and_old_ones_stay_good(
    server: ContentServerSimulator, api: Api
) -> None:
    first = (await api.get("/v1/serverinfo")).headers["OTCSTicket"]
    second = (await api.get("/v1/serverinfo")).headers["OTCSTicket"]
    assert first != second
    for ticket in (second, first):
        answer = await api.http.get("/v1/auth", headers={"OTCSTicket": ticket})
        assert answer.status_code == 200


@pytest.mark.parametrize(("counted_from", "status"), [("last_request", 200), ("last_login", 401)])
async def test_a_ticket_slides_unless_the_server_counts_from_the_login(
    counted_from: str, status: int
) -> None:
    clock = MovingClock()
    behaviour = Behaviour(session_idle_seconds=60, session_from=counted_from)  # type: ignore[arg-type]
    async with (
        ContentServerSimulator(behaviour=behaviour, clock=clock) as server,
        httpx.AsyncClient(base_url=server.url) as http,
    ):
        user = {"username": "ann.seller", "password": "contoso-password"}
        ticket = (await http.post("/v1/auth", data=user)).json()["ticket"]
        http.headers["OTCSTicket"] = ticket
        for _ in range(2):
            clock.advance(40)
            answer = await http.get("/v1/auth")
        assert answer.status_code == status


async def test_an_idle_ticket_expires(server: ContentServerSimulator) -> None:
    clock = MovingClock()
    async with (
        ContentServerSimulator(behaviour=Behaviour(session_idle_seconds=60), clock=clock) as own,
        httpx.AsyncClient(base_url=own.url) as http,
    ):
        user = {"username": "ann.seller", "password": "contoso-password"}
        http.headers["OTCSTicket"] = (await http.post("/v1/auth", data=user)).json()["ticket"]
        info = (await http.get("/v1/serverinfo")).json()["sessions"]
        assert (info["session_timeout"], info["expire_after_last_request"]) == (60_000, True)
        clock.advance(61)
        answer = await http.get("/v2/nodes/2000")
        assert (answer.status_code, answer.json()) == (401, REQUIRED)


async def test_signing_out_ends_the_session(server: ContentServerSimulator, api: Api) -> None:
    assert (await api.http.delete("/v1/auth")).status_code == 200
    assert (await api.get("/v1/auth")).status_code == 401


async def test_a_token_expires_and_a_bad_client_gets_none() -> None:
    clock = MovingClock()
    behaviour = Behaviour(token_lifetime_seconds=30)
    async with (
        ContentServerSimulator(behaviour=behaviour, clock=clock) as server,
        httpx.AsyncClient(base_url=server.url) as http,
    ):
        token = await _token(http, server, **_client_form(server))
        clock.advance(31)
        answer = await http.get("/v1/auth", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        bad = await http.post(
            f"{server.otds_url}/oauth2/token",
            data={**_client_form(server), "client_secret": "guess"},
        )
        assert (bad.status_code, bad.json()["error"]) == (401, "invalid_client")


async def test_the_password_grant_can_be_refreshed(server: ContentServerSimulator) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        pair = (server.client.client_id, server.client.client_secret)
        form = {"grant_type": "password", "username": "eve.counsel", "password": "contoso-password"}
        url = f"{server.otds_url}/oauth2/token"
        granted = (await http.post(url, data=form, auth=pair)).json()
        again = {"grant_type": "refresh_token", "refresh_token": granted["refresh_token"]}
        token = (await http.post(url, data=again, auth=pair)).json()["access_token"]
        who = await http.get("/v1/auth", headers={"Authorization": f"Bearer {token}"})
        assert who.json()["data"]["name"] == "eve.counsel"


async def test_one_ticket_of_the_directory_buys_others_until_it_expires() -> None:
    clock = MovingClock()
    behaviour = Behaviour(token_lifetime_seconds=60)
    async with (
        ContentServerSimulator(clock=clock, behaviour=behaviour) as server,
        httpx.AsyncClient() as http,
    ):
        base = f"{server.otds_url}/rest/authentication"
        user = server.service_user
        given = {"userName": user.login, "password": user.password}
        ticket = (await http.post(f"{base}/credentials", json=given)).json()["ticket"]
        for call, wanted, login in (
            ("ticketforuser", {"userName": "ann.seller@contoso"}, "ann.seller"),
            ("ticketforresource", {"resourceId": "cs"}, user.login),
        ):
            bought = await http.post(f"{base}/{call}", json={**wanted, "ticket": ticket})
            headers = {"OTDSTicket": bought.json()["ticket"]}
            signed_in = await http.get(f"{server.url}/v1/auth", headers=headers)
            assert signed_in.json()["data"]["name"] == login
        unknown = {"userName": "nobody", "ticket": ticket}
        assert (await http.post(f"{base}/ticketforuser", json=unknown)).status_code == 400
        clock.advance(61)
        for call in ("ticketforuser", "ticketforresource"):
            late = await http.post(f"{base}/{call}", json={"ticket": ticket})
            assert (late.status_code, late.json()["status"]) == (400, 1034)
