"""One request: sign-in, repetition after 401, failures of the network, metrics, redaction."""

from __future__ import annotations

import asyncio
import re
import ssl
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from app.clients.credentials import read_secret
from app.clients.dynamics.status import DATAVERSE
from app.clients.http import USER_AGENT, Endpoint, Timeouts, open_client, trust
from app.clients.redaction import Redactor, secrets_seen
from app.logs import MASK, MASKED
from streams.errors import Misconfigured, Refused, Throttled, TokenExpired, Unavailable
from tests.clients.conversation import Conversation, CountingSignIn, Observed, ok, page

BASE = "https://org.example/api"


def endpoint(
    talk: Conversation, sign_in: CountingSignIn | None = None, observed: Observed | None = None
) -> Endpoint:
    return Endpoint(
        system="dynamics",
        base_url=BASE + "/",
        url_setting="DOVETAIL_DATAVERSE_URL",
        client=talk.client(),
        table=DATAVERSE,
        sign_in=sign_in,
        observer=observed,
        headers={"Accept": "application/json"},
    )


async def test_a_success_brings_its_json_and_is_observed() -> None:
    observed = Observed()
    talk = Conversation().on("GET", "/api/things", ok({"n": 1}))
    answer = await endpoint(talk, CountingSignIn(), observed).call("read", "GET", "/things")
    assert answer.body == {"n": 1}
    assert observed.requests == [("dynamics", "read", "200")]
    sent = talk.requests[0].headers
    assert sent["user-agent"] == USER_AGENT
    assert sent["authorization"] == "Bearer pass-1"


async def test_after_a_401_we_sign_in_once_and_repeat_once() -> None:
    sign_in, observed = CountingSignIn(), Observed()
    talk = Conversation().on("GET", "/things", ok(status=401), ok({}))
    await endpoint(talk, sign_in, observed).call("read", "GET", "/things")
    assert [r.headers["authorization"] for r in talk.requests] == [
        "Bearer pass-1",
        "Bearer pass-2",
    ]
    assert [code for _, _, code in observed.requests] == ["401", "200"]


async def test_a_second_401_is_our_configuration() -> None:
    talk = Conversation().on("GET", "/things", ok({"error": "no"}, 401))
    with pytest.raises(Misconfigured, match="signed in anew") as raised:
        await endpoint(talk, CountingSignIn()).call("read", "GET", "/things")
    assert raised.value.code == "credentials_refused"
    assert "DOVETAIL_DATAVERSE_URL" in str(raised.value)
    assert len(talk.requests) == 2


async def test_a_second_401_after_good_days_is_worth_another_attempt() -> None:
    answers = [ok({}), ok(status=401), ok({"error": "no"}, 401), ok({})]
    talk = Conversation().on("GET", "/things", *answers)
    calls = endpoint(talk, CountingSignIn())
    await calls.call("read", "GET", "/things")
    with pytest.raises(TokenExpired) as raised:
        await calls.call("read", "GET", "/things")
    assert raised.value.code == "token_expired"
    await calls.call("read", "GET", "/things")


async def test_calls_that_are_refused_together_share_one_sign_in() -> None:
    sign_in = CountingSignIn()

    def only_the_second_pass(request: httpx.Request) -> httpx.Response:
        return ok({}) if request.headers["authorization"] == "Bearer pass-2" else ok(status=401)

    talk = Conversation().on("GET", "/things", only_the_second_pass)
    calling = endpoint(talk, sign_in)
    await asyncio.gather(*(calling.call("read", "GET", "/things") for _ in range(8)))
    assert sign_in.sign_ins == 2


async def test_nothing_else_is_repeated() -> None:
    talk = Conversation().on("POST", "/things", page(503))
    with pytest.raises(Unavailable):
        await endpoint(talk, CountingSignIn()).call("write", "POST", "/things")
    assert len(talk.requests) == 1


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (httpx.ReadTimeout("slow"), "timeout"),
        (httpx.ConnectTimeout("slow"), "timeout"),
        (httpx.ConnectError("refused"), "no_connection"),
        (httpx.ReadError("reset by peer"), "connection_lost"),
        (httpx.RemoteProtocolError("hung up"), "connection_lost"),
        (httpx.WriteError(""), "connection_lost"),
    ],
)
async def test_no_answer_is_an_outage(failure: httpx.HTTPError, code: str) -> None:
    observed = Observed()
    talk = Conversation().on("GET", "/things", failure)
    with pytest.raises(Unavailable) as raised:
        await endpoint(talk, CountingSignIn(), observed).call("read", "GET", "/things")
    assert raised.value.code == code
    assert observed.requests == [("dynamics", "read", code)]
    assert BASE in raised.value.message


async def test_a_certificate_that_is_not_trusted_names_the_ca_setting() -> None:
    failure = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")
    talk = Conversation().on("GET", "/things", failure)
    with pytest.raises(Misconfigured, match="DOVETAIL_CA_FILE"):
        await endpoint(talk).call("read", "GET", "/things")


async def test_an_address_that_is_none_names_its_setting() -> None:
    calling = Endpoint(
        system="dynamics",
        base_url="org.example",
        url_setting="DOVETAIL_DATAVERSE_URL",
        client=open_client(),
        table=DATAVERSE,
    )
    with pytest.raises(Misconfigured, match="DOVETAIL_DATAVERSE_URL"):
        await calling.call("read", "GET", "/things")


async def test_a_success_that_is_not_json_is_an_outage() -> None:
    talk = Conversation().on("GET", "/things", page(200, "Restarting"))
    with pytest.raises(Unavailable, match="Restarting"):
        await endpoint(talk).call("read", "GET", "/things")


async def test_a_success_without_a_body_has_none() -> None:
    talk = Conversation().on("DELETE", "/things", ok(status=204))
    assert (await endpoint(talk).call("remove", "DELETE", "/things")).body is None


async def test_a_refusal_and_a_throttle_come_from_the_table() -> None:
    talk = Conversation().on("GET", "/things", ok({}, 429, Retry_After="3"), ok({}, 400))
    with pytest.raises(Throttled) as throttled:
        await endpoint(talk).call("read", "GET", "/things")
    assert throttled.value.retry_after == 3
    with pytest.raises(Refused):
        await endpoint(talk).call("read", "GET", "/things")


async def test_an_encoded_slash_stays_encoded() -> None:
    talk = Conversation().on("GET", "/things", ok({}))
    await endpoint(talk).call("read", "GET", "/things/a%2Fb%20c")
    assert talk.requests[0].url.raw_path == b"/api/things/a%2Fb%20c"


async def test_reads_and_writes_wait_for_different_times() -> None:
    talk = Conversation().on("GET", "/things", ok({})).on("PATCH", "/things", ok({}))
    await endpoint(talk).call("read", "GET", "/things")
    await endpoint(talk).call("write", "PATCH", "/things")
    waits = [request.extensions["timeout"]["read"] for request in talk.requests]
    assert waits == [10.0, 120.0]
    assert talk.requests[1].extensions["timeout"]["pool"] is None
    assert Timeouts(1, 2).of("POST").read == 2


@pytest.mark.parametrize(("keep_affinity", "sent"), [(False, None), (True, "ARRAffinity=node7")])
async def test_cookies_of_load_balancers_are_kept_only_where_wanted(
    keep_affinity: bool, sent: str | None
) -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        cookies = [("Set-Cookie", "ARRAffinity=node7"), ("Set-Cookie", "LLCookie=old-ticket")]
        return httpx.Response(200, headers=cookies)

    client = open_client(keep_affinity=keep_affinity, transport=httpx.MockTransport(answer))
    await client.get("https://org.example/")
    await client.get("https://org.example/")
    assert requests[1].headers.get("cookie") == sent


def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"missing\.pem"):
        trust(tmp_path / "missing.pem")
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(Misconfigured, match="DOVETAIL_CA_FILE"):
        trust(tmp_path / "empty.pem")
    assert isinstance(trust(None), ssl.SSLContext)


def test_secrets_that_were_read_are_masked_in_errors_and_in_logs() -> None:
    read_secret(SecretStr("canary-value"), "DOVETAIL_X")
    assert secrets_seen.clean("it was canary-value") == f"it was {MASKED}"
    assert MASK("it was canary-value") == f"it was {MASKED}"


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abcdefghijklmnop0123",
        "token eyJhbGciOiJub25lIn0.eyJhIjoxfQ.sig",
        'client_secret="s3cretvalue"',
        "OTCSTicket: t0p-s3cret",
        "{'ticket': 't0p-s3cret'}",
        "grant=x&password=s3cretvalue&y=1",
    ],
)
def test_secrets_that_were_never_seen_are_masked_by_their_shape(text: str) -> None:
    shown = secrets_seen.clean(text)
    assert MASKED in shown
    assert not re.search("abcdef|eyJ|s3cret", shown)


def test_passes_push_out_the_oldest() -> None:
    redactor = Redactor()
    redactor.learn_pass("abc")  # too short: it would mask words
    for number in range(400):
        redactor.learn_pass(f"pass-{number:04d}")
    assert redactor.clean("abc pass-0399") == f"abc {MASKED}"
    assert redactor.clean("pass-0000") == "pass-0000"
