"""No sign-in makes the authority fail: what it cannot give it refuses in Entra ID's words."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from urllib.parse import urlencode

import jwt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.sandbox.entra import (
    Certificate,
    EntraClient,
    EntraSimulator,
    FederatedCredential,
    issue_certificate,
)
from app.sandbox.entra.simulator import ASSERTION_TYPE

CERTIFICATE = issue_certificate("app-1")
CLIENT = EntraClient(
    "app-1",
    secrets=("s3cret",),
    certificates=(Certificate(CERTIFICATE.certificate_pem),),
    federated=(
        FederatedCredential(shared_assertion="agreed"),
        FederatedCredential("https://issuer", "pod", CERTIFICATE.public_key_pem),
    ),
)
ENTRA = EntraSimulator("contoso", [CLIENT], port=8443)  # never served: only its address counts
SIGNED = jwt.encode({"iss": "https://issuer", "sub": "pod"}, CERTIFICATE.private_key_pem, "RS256")

scraps = st.one_of(st.text(max_size=8), st.sampled_from(["\x00", "é", "%", "&", "=", "\ufffd"]))
segments = st.one_of(
    st.dictionaries(
        st.sampled_from(["alg", "kid", "x5t", "iss", "sub", "aud", "exp"]),
        st.one_of(st.none(), st.integers(), scraps, st.just("https://issuer"), st.just("RS256")),
    ).map(lambda part: base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")),
    scraps,
)
assertions = st.one_of(
    scraps,
    st.just("agreed"),
    st.just(SIGNED),
    st.lists(segments, max_size=4).map(".".join),
)
GOOD = {
    "grant_type": "client_credentials",
    "client_id": "app-1",
    "scope": "https://org/.default",
    "client_assertion_type": ASSERTION_TYPE,
}
proofs = st.one_of(
    assertions.map(lambda text: {"client_assertion": text}),
    st.one_of(st.just("s3cret"), scraps).map(lambda text: {"client_secret": text}),
)
#: Right but for its proof, and for at most one field more.
forms = st.tuples(proofs, st.dictionaries(st.sampled_from(sorted(GOOD)), scraps, max_size=1)).map(
    lambda parts: {**GOOD, **parts[0], **parts[1]}
)
bodies = st.one_of(forms.map(urlencode).map(str.encode), st.binary(max_size=30))
PATHS = ["oauth2/v2.0/token", "v2.0/.well-known/openid-configuration", "discovery/v2.0/keys", "x"]


async def ask(method: str, path: str, body: bytes, correlation: bytes) -> tuple[int, bytes]:
    """One request straight into the application; status and body of its answer."""
    scope = {
        "type": "http",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"client-request-id", correlation)],
    }
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await ENTRA.application(scope, receive, send)
    return messages[0]["status"], b"".join(m.get("body", b"") for m in messages[1:])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    method=st.sampled_from(["POST", "POST", "GET"]),
    tenant=st.one_of(st.just("contoso"), st.just("elsewhere")),
    path=st.sampled_from(PATHS[:1] * 4 + PATHS),
    body=bodies,
    correlation=st.binary(max_size=8),
)
def test_no_sign_in_fails(
    method: str, tenant: str, path: str, body: bytes, correlation: bytes
) -> None:
    status, answer = asyncio.run(ask(method, f"/{tenant}/{path}", body, correlation))
    assert status < 500
    if path == PATHS[0] and method == "POST" and status != 200:
        assert json.loads(answer)["error_description"].startswith("AADSTS")
