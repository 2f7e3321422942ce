"""Who may call, how often, and what goes wrong on purpose."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time

import httpx
import msal
import pytest
import requests

from app.sandbox.dataverse import DataverseSimulator, Limits, application_user_id
from app.sandbox.entra import EntraClient, EntraSimulator
from app.sandbox.faults import ADMIN_PATH, Fault
from tests.sandbox.dataverse.support import APP_ID, NO_TLS, Clock, error, signed_in

ME = application_user_id(APP_ID)


async def test_who_am_i_names_the_application_user(client: httpx.AsyncClient) -> None:
    for path in ("/WhoAmI", "/WhoAmI()"):
        body = (await client.get(path)).json()
        assert body["UserId"] == ME
        assert {"BusinessUnitId", "OrganizationId"} <= set(body)


async def test_without_a_good_token_the_answer_is_401_with_the_authority(
    entra: EntraSimulator, dataverse: DataverseSimulator
) -> None:
    other = EntraSimulator("contoso", entra.clients.values())
    bad = {
        "none": None,
        "not bearer": "Basic abc",
        "garbage": "Bearer abc",
        "expired": f"Bearer {entra.issue(APP_ID, dataverse.url, lifetime_seconds=-10)}",
        "other audience": f"Bearer {entra.issue(APP_ID, 'https://org2.crm.dynamics.com')}",
        "other authority": f"Bearer {other.issue(APP_ID, dataverse.url)}",
    }
    async with httpx.AsyncClient(base_url=dataverse.api_url, verify=NO_TLS) as client:
        for why, value in bad.items():
            headers = {} if value is None else {"Authorization": value}
            answer = await client.get("/WhoAmI", headers=headers)
            assert answer.status_code == 401, why
            challenge = answer.headers["WWW-Authenticate"]
            assert challenge.startswith("Bearer authorization_uri=https://")
            assert f"resource_id={dataverse.url}/" in challenge


async def test_an_application_without_a_user_here_is_forbidden(
    entra: EntraSimulator, dataverse: DataverseSimulator
) -> None:
    async with signed_in(entra, dataverse, "stranger") as client:
        assert error(await client.get("/WhoAmI")) == (403, "0x80072560")


async def test_revoked_tokens_are_401_until_a_new_one_is_fetched(clock: Clock) -> None:
    entra = EntraSimulator("contoso", [EntraClient(APP_ID)])
    async with DataverseSimulator(entra, application_users={APP_ID: "D"}, now=clock) as dataverse:
        async with signed_in(entra, dataverse) as client:
            assert (await client.get("/WhoAmI")).status_code == 200
            entra.revoke_tokens()
            assert (await client.get("/WhoAmI")).status_code == 401
        async with signed_in(entra, dataverse) as client:
            assert (await client.get("/WhoAmI")).status_code == 200


async def test_the_organisations_own_address_is_an_audience(entra: EntraSimulator) -> None:
    org = "https://org1.crm.dynamics.com"
    users = {APP_ID: "D"}
    async with DataverseSimulator(entra, application_users=users, resource=org) as dataverse:
        assert dataverse.scope == f"{org}/.default"
        for resource in (org, f"{org}/", dataverse.url):
            headers = {"Authorization": f"Bearer {entra.issue(APP_ID, resource)}"}
            async with httpx.AsyncClient(verify=NO_TLS, headers=headers) as client:
                assert (await client.get(f"{dataverse.api_url}/WhoAmI")).status_code == 200


async def test_impersonation_writes_as_the_other_user(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    object_id = "0b000000-0000-4000-8000-00000000000b"
    user = dataverse.seed(
        "systemuser", {"fullname": "Ada", "azureactivedirectoryobjectid": object_id}
    )
    for headers in ({"CallerObjectId": object_id.upper()}, {"MSCRMCallerID": user.id}):
        await client.post("/accounts", json={"name": "A"}, headers=headers)
        commit = dataverse.commits[-1]
        assert (commit.author.user_id, commit.author.on_behalf_by) == (user.id, ME)
        row = (await client.get(f"/accounts({commit.id})")).json()
        assert (row["_modifiedby_value"], row["_modifiedonbehalfby_value"]) == (user.id, ME)
    unknown = {"CallerObjectId": "0c000000-0000-4000-8000-00000000000c"}
    assert error(await client.get("/WhoAmI", headers=unknown)) == (403, "0x80072560")


async def test_every_answer_says_what_is_left_of_the_limits(client: httpx.AsyncClient) -> None:
    one, two = await client.get("/WhoAmI"), await client.get("/nonsense")
    name = "x-ms-ratelimit-burst-remaining-xrm-requests"
    assert int(one.headers[name]) == int(two.headers[name]) + 1 == 5999
    assert one.headers["x-ms-ratelimit-time-remaining-xrm-requests"] == "1,200.00"
    assert one.headers["x-ms-service-request-id"] != two.headers["x-ms-service-request-id"]


async def test_too_many_requests_in_the_window_are_throttled(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    dataverse.protection.limits = Limits(requests=3, window_seconds=120, enabled=True)
    began = time.monotonic()
    answers = [await client.get("/WhoAmI") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert error(answers[3]) == (429, "0x80072322")
    assert "limit of 3 over time window of 120 seconds" in answers[3].json()["error"]["message"]
    assert 120 - (time.monotonic() - began) <= int(answers[3].headers["Retry-After"]) <= 120
    assert answers[3].headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == "0"
    assert dataverse.protection.throttled == 1
    dataverse.protection.limits = Limits(requests=3)
    assert (await client.get("/WhoAmI")).status_code == 200


async def test_too_many_at_once_and_too_much_time_are_throttled(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    dataverse.protection.limits = Limits(concurrent=2, enabled=True)
    dataverse.faults.add(Fault("latency", times=2, seconds=3600))
    slow = [asyncio.create_task(client.get("/WhoAmI")) for _ in range(2)]
    while dataverse.faults.struck["latency"] < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert error(await client.get("/WhoAmI")) == (429, "0x80072326")
    for asking in slow:
        asking.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    dataverse.protection.limits = Limits(enabled=True)
    dataverse.faults.add(Fault("latency", seconds=0.6))
    assert (await client.get("/WhoAmI")).status_code == 200
    dataverse.protection.limits = Limits(execution_seconds=0.5, enabled=True)
    assert error(await client.get("/WhoAmI")) == (429, "0x80072321")


async def test_an_answer_lost_after_the_commit_leaves_the_row(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    dataverse.faults.add(Fault("lose_answer", method="POST", path="/accounts"))
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await client.post("/accounts", json={"name": "written"})
    assert [row.values["name"] for row in dataverse.rows("account")] == ["written"]


async def test_faults_are_set_from_outside_without_a_token(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    faults = [
        {"kind": "token_expired"},
        {"kind": "status", "status": 429, "retry_after": 3},
        {"kind": "status", "status": 503, "html": True},
    ]
    async with httpx.AsyncClient(verify=NO_TLS) as stranger:
        await stranger.post(dataverse.url + ADMIN_PATH, json=faults)
    answers = [await client.get("/WhoAmI") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401, 429, 503, 200]
    assert error(answers[1]) == (429, "0x80072322")
    assert answers[1].headers["Retry-After"] == "3"
    assert answers[2].headers["content-type"].startswith("text/html")


async def test_an_outage_is_one_for_callers_without_a_token_as_well(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    dataverse.faults.add(Fault("outage"))
    async with httpx.AsyncClient(verify=NO_TLS) as stranger:
        for caller in (client, stranger):
            with pytest.raises(httpx.TransportError):
                await caller.get(f"{dataverse.api_url}/WhoAmI")
        await stranger.delete(dataverse.url + ADMIN_PATH)
        assert (await stranger.get(f"{dataverse.api_url}/WhoAmI")).status_code == 401
    assert (await client.get("/WhoAmI")).status_code == 200


def test_as_a_process_it_brings_its_authority_and_msal_signs_in() -> None:
    command = [sys.executable, "-m", "app.sandbox.dataverse"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        session = requests.Session()
        session.verify, session.trust_env = announced["ca_path"], False
        application = msal.ConfidentialClientApplication(
            announced["client_id"],
            client_credential="sandbox-secret",
            authority=announced["authority"],
            instance_discovery=False,
            http_client=session,
        )
        token = application.acquire_token_for_client([announced["scope"]])["access_token"]
        second = [*command, "--entra-url", announced["authority"].rpartition("/")[0]]
        second += ["--entra-ca", announced["ca_path"], "--port", "0"]
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(f"{announced['api_url']}/WhoAmI", headers=headers, verify=NO_TLS)
        assert answer.status_code == 200
        with subprocess.Popen(second, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            elsewhere = json.loads(other.stdout.readline())
            token = application.acquire_token_for_client([elsewhere["scope"]])["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            answer = httpx.get(f"{elsewhere['api_url']}/WhoAmI", headers=headers, verify=NO_TLS)
            assert answer.status_code == 200
            other.terminate()
        process.terminate()
