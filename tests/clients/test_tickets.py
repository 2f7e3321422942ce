"""Content Server tickets: both ways to get one, roll-over, races, refusals."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from app.clients.tickets import OtcsUser, OtdsClient, OtdsTickets
from streams.errors import Misconfigured, Throttled, Unavailable
from tests.clients.conversation import Conversation, Observed, form_of, ok, page

CS = "https://ecm.example/cs/cs"
CLIENT = OtdsClient("https://ecm.example/otdsws", "dovetail", SecretStr("otds-secret"))
USER = OtcsUser("dovetail", SecretStr("user-password"), "contoso")


def granted() -> Conversation:
    talk = Conversation()
    talk.on("POST", "/otdsws/oauth2/token", ok({"access_token": "otds-token", "expires_in": 9}))
    numbers = iter(range(1, 99))

    def ticket(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer otds-token"
        return ok({"data": {"id": 1000}}, OTCSTicket=f"ticket-{next(numbers)}")

    return talk.on("GET", "/cs/cs/api/v1/auth", ticket)


def tickets(talk: Conversation, credential: OtdsClient | OtcsUser = CLIENT) -> OtdsTickets:
    return OtdsTickets(base_url=CS, credential=credential, client=talk.client())


async def test_a_service_client_gets_its_ticket_by_way_of_otds() -> None:
    talk = granted()
    source = tickets(talk)
    held = await source.present()
    assert source.headers(held) == {"OTCSTicket": "ticket-1"}
    assert form_of(talk.requests[0]) == {
        "grant_type": ["client_credentials"],
        "client_id": ["dovetail"],
        "client_secret": ["otds-secret"],
    }
    await source.present()
    assert len(talk.requests) == 2


async def test_a_user_gets_the_ticket_with_the_password() -> None:
    talk = Conversation().on("POST", "/v1/auth", ok({"ticket": "user-ticket"}))
    held = await tickets(talk, USER).present()
    assert held.text == "user-ticket"
    assert form_of(talk.requests[0]) == {
        "username": ["dovetail"],
        "password": ["user-password"],
        "domain": ["contoso"],
    }


async def test_tickets_refused_together_cost_one_sign_in() -> None:
    talk = granted()
    source = tickets(talk)
    held = await source.present()
    fresh = await asyncio.gather(*(source.renewed(held) for _ in range(6)))
    assert {one.text for one in fresh} == {"ticket-2"}
    assert len(talk.asked("POST")) == 2


async def test_the_newest_ticket_of_an_answer_is_adopted() -> None:
    source = tickets(granted())
    held = await source.present()
    source.adopt(held, {"OTCSTicket": "rolled-1"})
    source.adopt(held, {"OTCSTicket": "rolled-2"})
    source.adopt(held, {})
    assert (await source.present()).text == "rolled-2"


async def test_a_late_answer_of_an_earlier_sign_in_does_not_replace_the_ticket() -> None:
    source = tickets(granted())
    held = await source.present()
    await source.renewed(held)
    source.adopt(held, {"OTCSTicket": "stale"})
    assert (await source.present()).text == "ticket-2"


async def test_a_rolled_ticket_that_expires_costs_one_sign_in_for_old_and_new_holders() -> None:
    talk = granted()
    source = tickets(talk)
    old = await source.present()
    source.adopt(old, {"OTCSTicket": "rolled-1"})
    new = await source.present()
    first, second = await asyncio.gather(source.renewed(old), source.renewed(new))
    assert first.text == second.text == "ticket-2"


async def test_the_secret_file_is_read_again_at_each_sign_in(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("first-secret")
    talk = granted()
    source = tickets(talk, OtdsClient(CLIENT.otds_url, "dovetail", file))
    held = await source.present()
    file.write_text("second-secret")
    await source.renewed(held)
    sent = [form_of(request)["client_secret"] for request in talk.asked("POST")]
    assert sent == [["first-secret"], ["second-secret"]]


@pytest.mark.parametrize("status", [400, 401])
async def test_a_client_that_otds_refuses_names_the_settings(status: int) -> None:
    talk = Conversation().on("POST", "/token", ok({"error": "invalid_client"}, status))
    with pytest.raises(Misconfigured, match="DOVETAIL_OTDS_CLIENT_ID") as raised:
        await tickets(talk).present()
    assert "invalid_client" in raised.value.message
    assert raised.value.code == "sign_in_refused"


async def test_a_token_that_content_server_refuses_names_the_settings() -> None:
    talk = granted().on("GET", "/v1/auth", ok({"error": "Authentication Required"}, 401))
    with pytest.raises(Misconfigured, match="DOVETAIL_OTDS_CLIENT_ID"):
        await tickets(talk).present()


@pytest.mark.parametrize(
    ("status", "text"),
    [(401, "Invalid username/password specified"), (500, "Argument username is required.")],
)
async def test_a_password_that_is_refused_names_the_settings(status: int, text: str) -> None:
    talk = Conversation().on("POST", "/v1/auth", ok({"error": text}, status))
    with pytest.raises(Misconfigured, match="DOVETAIL_OTDS_USERNAME") as raised:
        await tickets(talk, USER).present()
    assert text in raised.value.message
    assert "user-password" not in str(raised.value)


async def test_otds_down_is_an_outage_and_a_throttle_a_throttle() -> None:
    for reply in (page(503), httpx.ConnectError("down"), page(200, "starting")):
        with pytest.raises(Unavailable):
            await tickets(Conversation().on("POST", "/token", reply)).present()
    slow = ok({}, 429, Retry_After="9")
    with pytest.raises(Throttled) as raised:
        await tickets(Conversation().on("POST", "/token", slow)).present()
    assert raised.value.retry_after == 9


async def test_a_sign_in_that_brings_no_ticket_is_an_outage() -> None:
    talk = granted().on("GET", "/v1/auth", ok({"data": {}}))
    with pytest.raises(Unavailable, match="no ticket"):
        await tickets(talk).present()


async def test_both_requests_of_a_sign_in_are_observed() -> None:
    observed = Observed()
    source = OtdsTickets(
        base_url=CS, credential=CLIENT, client=granted().client(), observer=observed
    )
    await source.present()
    assert observed.requests == [("otds", "token", "200"), ("ecm", "sign_in", "200")]


@pytest.mark.parametrize("credential", [CLIENT, USER], ids=["otds", "content_server"])
async def test_an_address_without_a_sign_in_is_told_as_such_and_not_as_a_wrong_secret(
    credential: OtdsClient | OtcsUser,
) -> None:
    talk = granted()
    for method in ("GET", "POST"):
        talk.on(method, "/v1/auth", httpx.Response(404, json={"error": "Not found."}))
    with pytest.raises(Misconfigured, match="no sign-in at that address") as told:
        await tickets(talk, credential).present()
    assert told.value.advice == "Correct DOVETAIL_CONTENT_SERVER_URL."
