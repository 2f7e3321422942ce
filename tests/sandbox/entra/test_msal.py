"""msal, unmodified, signs in at the simulated authority with every proof it knows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import jwt
import msal
import pytest
import requests

from app.sandbox.entra import (
    Certificate,
    EntraClient,
    EntraSimulator,
    FederatedCredential,
    InvalidToken,
    issue_certificate,
)
from app.sandbox.faults import Fault

APP_ID = "8a2f5c1e-0000-4000-8000-000000000001"
SECRET = "correct horse"
RESOURCE = "https://org1.crm.dynamics.com"
SCOPES = [f"{RESOURCE}/.default"]
CERTIFICATE = issue_certificate("dovetail")
STRANGER = issue_certificate("stranger")
CLUSTER = issue_certificate("cluster")
SUBJECT = "system:serviceaccount:dovetail:worker"
CLIENT = EntraClient(
    APP_ID,
    secrets=("the old one", SECRET),
    certificates=(Certificate(CERTIFICATE.certificate_pem),),
    federated=(
        FederatedCredential(
            issuer="https://cluster.example",
            subject=SUBJECT,
            public_key_pem=CLUSTER.public_key_pem,
        ),
        FederatedCredential(shared_assertion="agreed-beforehand"),
    ),
)


@pytest.fixture
async def entra() -> AsyncIterator[EntraSimulator]:
    async with EntraSimulator("contoso", [CLIENT]) as entra:
        yield entra


def session(entra: EntraSimulator) -> requests.Session:
    """Trusts the authority's bundle even where the environment names another."""
    session = requests.Session()
    session.verify, session.trust_env = str(entra.ca_path), False
    return session


def application(entra: EntraSimulator, credential: Any, client_id: str = APP_ID) -> Any:
    return msal.ConfidentialClientApplication(
        client_id,
        client_credential=credential,
        authority=entra.authority,
        instance_discovery=False,
        http_client=session(entra),
    )


async def sign_in(entra: EntraSimulator, credential: Any, client_id: str = APP_ID) -> Any:
    """msal blocks, so it works in a thread."""

    def run() -> Any:
        return application(entra, credential, client_id).acquire_token_for_client(SCOPES)

    return await asyncio.to_thread(run)


def workload_assertion(**changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": "https://cluster.example",
        "sub": SUBJECT,
        "aud": "api://AzureADTokenExchange",
        "iat": now - 60,
        "exp": now + 600,
    }
    return jwt.encode({**claims, **changes}, CLUSTER.private_key_pem, "RS256")


async def test_a_secret_signs_in_and_the_token_is_for_the_resource(entra: EntraSimulator) -> None:
    result = await sign_in(entra, SECRET)
    assert result["token_type"] == "Bearer"
    assert result["expires_in"] == 3599
    claims = await entra.verify(result["access_token"], [RESOURCE])
    assert claims.app_id == APP_ID
    assert claims.object_id == CLIENT.principal_id


async def test_a_wrong_secret_is_an_error_with_its_code(entra: EntraSimulator) -> None:
    result = await sign_in(entra, "wrong")
    assert result["error"] == "invalid_client"
    assert result["error_codes"] == [7000215]
    assert result["error_description"].startswith("AADSTS7000215: Invalid client secret provided.")


@pytest.mark.parametrize(
    "credential",
    [
        {
            "private_key": CERTIFICATE.private_key_pem,
            "public_certificate": CERTIFICATE.certificate_pem,
        },
        {"private_key": CERTIFICATE.private_key_pem, "thumbprint": CERTIFICATE.thumbprint},
    ],
    ids=["sha-256", "sha-1 thumbprint"],
)
async def test_the_registered_certificate_signs_in(
    credential: dict[str, str], entra: EntraSimulator
) -> None:
    result = await sign_in(entra, credential)
    claims = await entra.verify(result["access_token"], [RESOURCE])
    assert claims.app_id == APP_ID


async def test_a_certificate_that_is_not_registered_is_refused(entra: EntraSimulator) -> None:
    credential = {
        "private_key": STRANGER.private_key_pem,
        "public_certificate": STRANGER.certificate_pem,
    }
    assert (await sign_in(entra, credential))["error_codes"] == [700027]


async def test_the_right_thumbprint_with_another_key_is_refused(entra: EntraSimulator) -> None:
    credential = {"private_key": STRANGER.private_key_pem, "thumbprint": CERTIFICATE.thumbprint}
    assert (await sign_in(entra, credential))["error_codes"] == [700027]


async def test_a_workload_identity_signs_in_with_its_clusters_assertion(
    entra: EntraSimulator,
) -> None:
    result = await sign_in(entra, {"client_assertion": workload_assertion})
    assert (await entra.verify(result["access_token"], [RESOURCE])).app_id == APP_ID


async def test_an_assertion_that_was_agreed_beforehand_signs_in(entra: EntraSimulator) -> None:
    result = await sign_in(entra, {"client_assertion": lambda: "agreed-beforehand"})
    assert "access_token" in result


@pytest.mark.parametrize(
    ("assertion", "code"),
    [
        (lambda: workload_assertion(sub="system:serviceaccount:other:worker"), 700213),
        (lambda: workload_assertion(iss="https://elsewhere.example"), 700211),
        (lambda: workload_assertion(aud="api://other"), 700023),
        (lambda: workload_assertion(exp=int(time.time()) - 3600), 700024),
        (lambda: workload_assertion().rsplit(".", 1)[0] + ".AAAA", 700027),
        (lambda: "not-a-token", 50027),
    ],
    ids=["subject", "issuer", "audience", "expired", "signature", "malformed"],
)
async def test_a_federated_assertion_is_checked(
    assertion: Callable[[], str], code: int, entra: EntraSimulator
) -> None:
    result = await sign_in(entra, {"client_assertion": assertion})
    assert result["error_codes"] == [code]


async def test_an_unknown_client_and_an_unknown_tenant_are_named(entra: EntraSimulator) -> None:
    result = await sign_in(entra, SECRET, client_id="nobody")
    assert (result["error"], result["error_codes"]) == ("unauthorized_client", [700016])

    def other_tenant() -> None:
        msal.ConfidentialClientApplication(
            APP_ID,
            client_credential=SECRET,
            authority=f"{entra.url}/fabrikam",
            instance_discovery=False,
            http_client=session(entra),
        ).acquire_token_for_client(SCOPES)

    with pytest.raises(ValueError, match="double check your tenant"):
        await asyncio.to_thread(other_tenant)


async def test_msal_keeps_the_token_until_it_nears_its_end(entra: EntraSimulator) -> None:
    def twice() -> tuple[Any, Any]:
        app = application(entra, SECRET)
        return app.acquire_token_for_client(SCOPES), app.acquire_token_for_client(SCOPES)

    first, second = await asyncio.to_thread(twice)
    assert first["access_token"] == second["access_token"]
    assert entra.tokens_issued == 1
    entra.lifetime_seconds = 60
    await asyncio.to_thread(twice)
    assert entra.tokens_issued == 3, "msal renews what has less than five minutes left"


async def test_revoked_tokens_stop_working_and_new_ones_work(entra: EntraSimulator) -> None:
    before = (await sign_in(entra, SECRET))["access_token"]
    entra.faults.add(Fault("revoke_tokens"))
    with pytest.raises(InvalidToken, match="does not publish"):
        await entra.verify(before, [RESOURCE])
    after = (await sign_in(entra, SECRET))["access_token"]
    await entra.verify(after, [RESOURCE])


async def test_the_verify_argument_of_msal_does_where_the_environment_names_no_bundle(
    entra: EntraSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)

    def run() -> Any:
        return msal.ConfidentialClientApplication(
            APP_ID,
            client_credential=SECRET,
            authority=entra.authority,
            instance_discovery=False,
            verify=str(entra.ca_path),
        ).acquire_token_for_client(SCOPES)

    assert "access_token" in await asyncio.to_thread(run)


async def test_without_the_authoritys_bundle_tls_fails(entra: EntraSimulator) -> None:
    def run() -> None:
        msal.ConfidentialClientApplication(
            APP_ID,
            client_credential=SECRET,
            authority=entra.authority,
            instance_discovery=False,
        ).acquire_token_for_client(SCOPES)

    with pytest.raises(requests.exceptions.SSLError):
        await asyncio.to_thread(run)


async def test_an_outage_reaches_msal_as_a_broken_or_failing_endpoint(
    entra: EntraSimulator,
) -> None:
    entra.faults.add(Fault("status", status=503, path="/token"))
    with pytest.raises(msal.exceptions.MsalServiceError, match="503"):
        await sign_in(entra, SECRET)
    entra.faults.add(Fault("hang_up", times=None, path="/token"))
    with pytest.raises(requests.exceptions.ConnectionError):
        await sign_in(entra, SECRET)
