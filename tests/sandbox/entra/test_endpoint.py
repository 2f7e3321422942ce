"""The token endpoint's answers on the wire, and trust in it from another process."""

from __future__ import annotations

import datetime as dt
import json
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator

import httpx
import pytest

from app.sandbox.entra import EntraClient, EntraSimulator, InvalidToken, RemoteKeys
from app.serving import LocalCa
from tests.patience import PATIENCE_SECONDS

CLIENT = EntraClient("app-1", secrets=("s3cret",))
RESOURCE = "https://org1.crm.dynamics.com"
FORM = {
    "grant_type": "client_credentials",
    "client_id": "app-1",
    "client_secret": "s3cret",
    "scope": f"{RESOURCE}/.default",
}


@pytest.fixture
async def entra() -> AsyncIterator[EntraSimulator]:
    async with EntraSimulator("contoso", [CLIENT], resources=[RESOURCE]) as entra:
        yield entra


@pytest.fixture
async def client(entra: EntraSimulator) -> AsyncIterator[httpx.AsyncClient]:
    context = entra.client_context()
    async with httpx.AsyncClient(verify=context, base_url=entra.authority) as client:
        yield client


async def test_a_client_may_prove_itself_in_the_authorization_header(
    client: httpx.AsyncClient,
) -> None:
    """``client_secret_basic``, which the discovery document offers."""
    form = {name: FORM[name] for name in ("grant_type", "scope")}

    async def status(client_id: str, secret: str) -> int:
        auth = httpx.BasicAuth(client_id, secret)
        return (await client.post("/oauth2/v2.0/token", data=form, auth=auth)).status_code

    assert [await status("app-1", "s3cret"), await status("app-1", "no")] == [200, 401]
    odd = {"Authorization": "Basic %%%"}
    answer = await client.post("/oauth2/v2.0/token", data=form, headers=odd)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("change", "status", "error", "code"),
    [
        ({"client_secret": "no"}, 401, "invalid_client", "AADSTS7000215"),
        ({"client_secret": ""}, 401, "invalid_client", "AADSTS7000216"),
        ({"client_id": "app-2"}, 400, "unauthorized_client", "AADSTS700016"),
        ({"client_id": ""}, 400, "invalid_request", "AADSTS900144"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", "AADSTS70003"),
        ({"scope": RESOURCE}, 400, "invalid_scope", "AADSTS1002012"),
        ({"scope": ""}, 400, "invalid_request", "AADSTS900144"),
        ({"scope": "https://other/.default"}, 400, "invalid_resource", "AADSTS500011"),
    ],
)
async def test_a_refusal_has_its_status_error_and_code(
    change: dict[str, str], status: int, error: str, code: str, client: httpx.AsyncClient
) -> None:
    answer = await client.post(
        "/oauth2/v2.0/token", data={**FORM, **change}, headers={"client-request-id": "req-1"}
    )
    assert answer.status_code == status
    body = answer.json()
    assert body["error"] == error
    assert body["error_description"].startswith(f"{code}: ")
    assert body["correlation_id"] == "req-1"


async def test_an_unknown_tenant_is_refused(entra: EntraSimulator) -> None:
    context = entra.client_context()
    async with httpx.AsyncClient(verify=context) as client:
        keys = await client.get(f"{entra.url}/other/discovery/v2.0/keys")
        assert keys.json()["error_description"].startswith("AADSTS90002")
        answer = await client.post(f"{entra.url}/other/oauth2/v2.0/token", data=FORM)
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [90002])


async def test_a_resource_elsewhere_trusts_tokens_by_the_published_keys(
    entra: EntraSimulator, client: httpx.AsyncClient
) -> None:
    token = (await client.post("/oauth2/v2.0/token", data=FORM)).json()["access_token"]
    keys = RemoteKeys(entra.url, entra.tenant, ca_path=str(entra.ca_path))
    assert (await keys.verify(token, [RESOURCE])).app_id == "app-1"
    with pytest.raises(InvalidToken, match=r"[Aa]udience"):
        await keys.verify(token, ["https://org2.crm.dynamics.com"])
    with pytest.raises(InvalidToken, match="not a JSON Web Token"):
        await keys.verify("garbage", [RESOURCE])
    entra.revoke_tokens()
    renewed = (await client.post("/oauth2/v2.0/token", data=FORM)).json()["access_token"]
    await keys.verify(renewed, [RESOURCE])
    with pytest.raises(InvalidToken, match="does not publish"):
        await keys.verify(token, [RESOURCE])


def set_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let it be so many seconds later, for whoever checks tokens."""
    then = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)

    class Then(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
            return then

    monkeypatch.setattr("app.sandbox.entra.tokens.time.time", then.timestamp)
    monkeypatch.setattr("jwt.api_jwt.datetime", Then)


async def test_a_token_that_was_good_is_not_good_after_its_end(
    entra: EntraSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = entra.issue("app-1", RESOURCE, lifetime_seconds=100)
    await entra.verify(token, [RESOURCE])
    set_clock(monkeypatch, 101)
    with pytest.raises(InvalidToken, match="expired"):
        await entra.verify(token, [RESOURCE])


async def test_a_clock_that_is_behind_takes_a_token_all_the_same(
    entra: EntraSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = entra.issue("app-1", RESOURCE, lifetime_seconds=100)
    set_clock(monkeypatch, -200)
    assert (await entra.verify(token, [RESOURCE])).app_id == "app-1"


async def test_an_expired_token_is_invalid(entra: EntraSimulator) -> None:
    token = entra.issue("app-1", RESOURCE, lifetime_seconds=-1)
    with pytest.raises(InvalidToken, match="expired"):
        await entra.verify(token, [RESOURCE])


async def test_simulators_can_share_one_certificate_authority() -> None:
    ca = LocalCa()
    context = ca.client_context()
    async with (
        EntraSimulator("one", [CLIENT], ca=ca) as one,
        EntraSimulator("two", [CLIENT], ca=ca) as two,
        httpx.AsyncClient(verify=context) as client,
    ):
        for entra in (one, two):
            answer = await client.post(entra.token_url, data=FORM)
            assert answer.status_code == 200
    assert ca.ca_path.exists(), "who owns the authority closes it"
    ca.close()


def test_as_a_process_it_announces_itself_and_stops_when_told() -> None:
    command = [sys.executable, "-m", "app.sandbox.entra", "--tenant", "contoso"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        context = ssl.create_default_context(cafile=announced["ca_path"])
        answer = httpx.get(
            f"{announced['authority']}/v2.0/.well-known/openid-configuration", verify=context
        )
        assert answer.json()["token_endpoint"] == f"{announced['authority']}/oauth2/v2.0/token"
        process.terminate()
        assert process.wait(timeout=PATIENCE_SECONDS) == 0
