"""Tokens of Entra ID: msal as it is, over a scripted endpoint. (TLS: the simulators.)"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from app.clients.credentials import (
    ClientSecret,
    EntraCredential,
    FederatedToken,
    PemCertificate,
    PfxCertificate,
)
from app.clients.redaction import secrets_seen
from app.clients.tokens import EntraTokens, environment_scope
from streams.errors import Misconfigured, Throttled, Unavailable
from tests.clients.conversation import Observed

AUTHORITY = "https://login.example/contoso"
SCOPE = "https://org.crm4.dynamics.example/.default"
SECRET = ClientSecret(SecretStr("s3cret-canary"))


@dataclass
class Authority:
    """The token endpoint of one tenant: answers with ``replies`` in turn, else with a token."""

    replies: list[Any] = field(default_factory=list)
    discovery: Any = None
    seconds: int = 3600
    forms: list[Mapping[str, str]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return _reply(self.discovery) or httpx.Response(
                200,
                json={
                    "issuer": f"{AUTHORITY}/v2.0",
                    "authorization_endpoint": f"{AUTHORITY}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{AUTHORITY}/oauth2/v2.0/token",
                },
            )
        assert self.gate.wait(60)
        fields = parse_qs(request.content.decode())
        self.forms.append({name: values[0] for name, values in fields.items()})
        reply = _reply(self.replies.pop(0)) if self.replies else None
        return reply or httpx.Response(
            200,
            json={
                "token_type": "Bearer",
                "expires_in": self.seconds,
                "access_token": f"token-{len(self.forms)}",
            },
        )


def _reply(planned: Any) -> httpx.Response | None:
    if isinstance(planned, Exception):
        raise planned
    assert planned is None or isinstance(planned, httpx.Response)
    return planned


def refusal(aadsts: str, text: str, status: int = 401, error: str = "invalid_client") -> Any:
    return httpx.Response(
        status,
        json={
            "error": error,
            "error_description": f"{aadsts}: {text}\r\nTrace ID: 0\r\nTimestamp: 0",
        },
    )


class Hands:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def tokens(
    authority: Authority,
    credential: EntraCredential = SECRET,
    *,
    clock: Hands | None = None,
    observed: Observed | None = None,
    url: str = AUTHORITY,
) -> EntraTokens:
    return EntraTokens(
        authority=url,
        client_id="client-1",
        credential=credential,
        scope=SCOPE,
        transport=httpx.MockTransport(authority),
        clock=clock or Hands(),
        observer=observed,
    )


@dataclass
class Paper:
    """A key with its certificate, as PEM files and as PFX."""

    folder: Path
    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    def __post_init__(self) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dovetail")])
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=1))
            .sign(self.key, hashes.SHA256())
        )
        (self.folder / "key.pem").write_bytes(self._key_pem())
        (self.folder / "cert.pem").write_bytes(
            self.certificate.public_bytes(serialization.Encoding.PEM)
        )
        protection = serialization.BestAvailableEncryption(b"pfx-passphrase")
        (self.folder / "both.pfx").write_bytes(
            pkcs12.serialize_key_and_certificates(
                b"dovetail", self.key, self.certificate, None, protection
            )
        )

    def _key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def check(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        """The claims of the assertion, when this key signed it."""
        claims: Mapping[str, Any] = jwt.decode(
            form["client_assertion"],
            self.key.public_key(),
            algorithms=["PS256", "RS256"],
            audience=f"{AUTHORITY}/oauth2/v2.0/token",
        )
        return claims


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    return Paper(tmp_path_factory.mktemp("certificate"))


async def test_a_secret_signs_in_and_the_token_is_kept() -> None:
    authority, observed = Authority(), Observed()
    source = tokens(authority, observed=observed)
    assert [await source.token() for _ in range(3)] == ["token-1"] * 3
    assert len(authority.forms) == 1
    form = authority.forms[0]
    assert form["grant_type"] == "client_credentials"
    assert form["client_secret"] == "s3cret-canary"
    assert form["scope"] == SCOPE
    assert observed.requests == [("entra", "token", "200")]
    assert source.headers(await source.present()) == {"Authorization": "Bearer token-1"}


async def test_callers_that_come_together_share_one_sign_in() -> None:
    authority = Authority()
    authority.gate.clear()
    source = tokens(authority)
    waiting = [asyncio.create_task(source.token()) for _ in range(10)]
    await asyncio.sleep(0)
    authority.gate.set()
    assert await asyncio.gather(*waiting) == ["token-1"] * 10
    assert len(authority.forms) == 1


async def test_callers_that_wait_together_share_one_failure() -> None:
    authority = Authority(replies=[httpx.ReadTimeout("slow")])
    authority.gate.clear()
    source = tokens(authority)
    waiting = [asyncio.create_task(source.token()) for _ in range(10)]
    await asyncio.sleep(0)
    authority.gate.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 10
    assert len(authority.forms) == 1
    assert await source.token() == "token-2"


async def test_a_caller_that_is_cancelled_does_not_take_the_others_along() -> None:
    authority = Authority()
    authority.gate.clear()
    source = tokens(authority)
    first, second = (asyncio.create_task(source.token()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    authority.gate.set()
    assert await second == "token-1"
    assert first.cancelled()


async def test_a_token_is_renewed_shortly_before_it_expires() -> None:
    authority, clock = Authority(), Hands()
    source = tokens(authority, clock=clock)
    await source.token()
    clock.at += 3600 - 301
    assert await source.token() == "token-1"
    clock.at += 2
    assert await source.token() == "token-2"


async def test_a_short_lived_token_is_kept_for_half_its_life() -> None:
    authority, clock = Authority(seconds=60), Hands()
    source = tokens(authority, clock=clock)
    await source.token()
    clock.at += 29
    assert await source.token() == "token-1"
    clock.at += 2
    assert await source.token() == "token-2"


async def test_an_outage_at_renewal_is_bridged_by_the_old_token() -> None:
    authority, clock = Authority(), Hands()
    source = tokens(authority, clock=clock)
    await source.token()
    authority.replies = [httpx.ConnectError("down")] * 2
    clock.at += 3600 - 100
    assert await source.token() == "token-1"
    assert await source.token() == "token-1"  # the endpoint is left alone for a while
    assert len(authority.forms) == 2
    clock.at += 101
    with pytest.raises(Unavailable):
        await source.token()
    assert await source.token() == "token-4"


async def test_a_refused_token_is_replaced_once_for_all_who_held_it() -> None:
    authority = Authority()
    source = tokens(authority)
    held = await source.present()
    renewed = await asyncio.gather(*(source.renewed(held) for _ in range(5)))
    assert {fresh.text for fresh in renewed} == {"token-2"}
    assert len(authority.forms) == 2


async def test_a_late_holder_of_a_replaced_token_gets_the_present_one() -> None:
    authority = Authority()
    source = tokens(authority)
    held = await source.present()
    fresh = await source.renewed(held)
    assert await source.renewed(held) == fresh
    assert len(authority.forms) == 2


async def test_a_secret_file_is_read_again_at_each_sign_in(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("first-secret\n")
    authority = Authority()
    source = tokens(authority, ClientSecret(file))
    held = await source.present()
    file.write_text("second-secret\n")
    await source.renewed(held)
    assert [form["client_secret"] for form in authority.forms] == [
        "first-secret",
        "second-secret",
    ]
    assert "second-secret" not in secrets_seen.clean("it was second-secret")


async def test_a_certificate_in_pem_signs_with_sha256(paper: Paper) -> None:
    authority = Authority()
    credential = PemCertificate(paper.folder / "key.pem", paper.folder / "cert.pem")
    await tokens(authority, credential).token()
    assert paper.check(authority.forms[0])["iss"] == "client-1"
    header = jwt.get_unverified_header(authority.forms[0]["client_assertion"])
    assert "x5t#S256" in header


async def test_a_thumbprint_serves_in_place_of_the_certificate(paper: Paper) -> None:
    authority = Authority()
    thumbprint = paper.certificate.fingerprint(hashes.SHA1()).hex()
    await tokens(authority, PemCertificate(paper.folder / "key.pem", None, thumbprint)).token()
    assert paper.check(authority.forms[0])["sub"] == "client-1"
    assert "x5t" in jwt.get_unverified_header(authority.forms[0]["client_assertion"])


async def test_a_pfx_file_signs(paper: Paper) -> None:
    authority = Authority()
    credential = PfxCertificate(
        paper.folder / "both.pfx", SecretStr("pfx-passphrase"), send_chain=True
    )
    await tokens(authority, credential).token()
    assert paper.check(authority.forms[0])["iss"] == "client-1"
    assert "x5c" in jwt.get_unverified_header(authority.forms[0]["client_assertion"])


async def test_a_federated_token_file_is_read_at_each_sign_in(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("assertion-one")
    authority = Authority()
    source = tokens(authority, FederatedToken(file))
    held = await source.present()
    file.write_text("assertion-two")
    await source.renewed(held)
    assert [form["client_assertion"] for form in authority.forms] == [
        "assertion-one",
        "assertion-two",
    ]


@pytest.mark.parametrize(
    ("aadsts", "setting"),
    [
        ("AADSTS7000215", "DOVETAIL_ENTRA_CLIENT_SECRET"),
        ("AADSTS7000222", "DOVETAIL_ENTRA_CLIENT_SECRET"),
        ("AADSTS700016", "DOVETAIL_ENTRA_CLIENT_ID"),
        ("AADSTS500011", "DOVETAIL_DATAVERSE_URL"),
        ("AADSTS90002", "DOVETAIL_ENTRA_TENANT_ID"),
    ],
)
async def test_a_refused_sign_in_names_the_setting_and_says_why(aadsts: str, setting: str) -> None:
    authority = Authority(replies=[refusal(aadsts, "It is wrong.")])
    with pytest.raises(Misconfigured) as raised:
        await tokens(authority).token()
    assert f"{aadsts}: It is wrong." in raised.value.message
    assert setting in raised.value.advice
    assert raised.value.code == "sign_in_refused"
    assert "Trace" not in str(raised.value)


async def test_a_refused_certificate_names_the_certificates_setting(paper: Paper) -> None:
    authority = Authority(replies=[refusal("AADSTS700027", "The key was not found.")])
    credential = PemCertificate(paper.folder / "key.pem", paper.folder / "cert.pem")
    with pytest.raises(Misconfigured, match="DOVETAIL_ENTRA_CLIENT_CERTIFICATE_FILE"):
        await tokens(authority, credential).token()


async def test_after_a_refusal_the_corrected_secret_signs_in(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("wrong-secret")
    authority = Authority(replies=[refusal("AADSTS7000215", "Invalid client secret.")])
    source = tokens(authority, ClientSecret(file))
    with pytest.raises(Misconfigured):
        await source.token()
    file.write_text("right-secret")
    assert await source.token() == "token-2"


@pytest.mark.parametrize(
    "reply",
    [
        httpx.ConnectError("down"),
        httpx.ReadTimeout("slow"),
        httpx.Response(503, html="<html>down</html>"),
        httpx.Response(500, json={"error": "server_error"}),
        httpx.Response(200, html="<html>captive portal</html>"),
        refusal("AADSTS90033", "A transient error.", 400, "temporarily_unavailable"),
    ],
    ids=["refused", "timeout", "503", "500", "not json", "transient"],
)
async def test_an_endpoint_that_is_down_is_an_outage(reply: Any) -> None:
    with pytest.raises(Unavailable):
        await tokens(Authority(replies=[reply])).token()


@pytest.mark.parametrize("reply", [httpx.ConnectError("down"), httpx.Response(503, text="down")])
async def test_an_authority_that_cannot_be_discovered_now_is_an_outage(reply: Any) -> None:
    with pytest.raises(Unavailable):
        await tokens(Authority(discovery=reply)).token()


async def test_a_throttled_sign_in_says_how_long_to_wait() -> None:
    reply = httpx.Response(429, json={"error": "slow_down"}, headers={"Retry-After": "7"})
    with pytest.raises(Throttled) as raised:
        await tokens(Authority(replies=[reply])).token()
    assert raised.value.retry_after == 7


async def test_a_tenant_that_does_not_exist_names_the_authority() -> None:
    reply = httpx.Response(400, json={"error": "invalid_tenant"})
    with pytest.raises(Misconfigured, match="DOVETAIL_ENTRA_AUTHORITY"):
        await tokens(Authority(discovery=reply)).token()


async def test_an_authority_without_tls_names_the_authority() -> None:
    with pytest.raises(Misconfigured, match="DOVETAIL_ENTRA_AUTHORITY"):
        await tokens(Authority(), url="http://login.example/contoso").token()


async def test_a_key_that_is_no_key_names_the_certificates_setting(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("no key at all")
    credential = PemCertificate(tmp_path / "key.pem", None, "AB" * 20)
    with pytest.raises(Misconfigured, match="DOVETAIL_ENTRA_CLIENT_CERTIFICATE_FILE"):
        await tokens(Authority(), credential).token()


async def test_a_pfx_that_is_missing_names_the_certificates_setting(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="DOVETAIL_ENTRA_CLIENT_CERTIFICATE_FILE"):
        await tokens(Authority(), PfxCertificate(tmp_path / "no.pfx")).token()


@pytest.mark.parametrize("credential", [ClientSecret, FederatedToken])
async def test_a_missing_or_empty_file_names_its_setting(
    credential: type[ClientSecret] | type[FederatedToken], tmp_path: Path
) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        await tokens(Authority(), credential(tmp_path / "gone")).token()
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(Misconfigured, match="is empty"):
        await tokens(Authority(), credential(tmp_path / "empty")).token()


async def test_no_error_shows_the_secret() -> None:
    authority = Authority(replies=[refusal("AADSTS1", "client_secret s3cret-canary is wrong")])
    with pytest.raises(Misconfigured) as raised:
        await tokens(authority).token()
    assert "canary" not in str(raised.value)
    assert "token-1" not in repr(await tokens(Authority()).present())


def test_the_scope_has_one_slash() -> None:
    assert environment_scope("https://org.crm4.dynamics.example/") == SCOPE
    assert environment_scope("https://org.crm4.dynamics.example") == SCOPE
