"""The applications registered with the simulated authority, and how each proves who it is.

Three proofs, as msal offers them (reference/dataverse.md 2.1): a secret; an assertion signed with
the client's certificate; an assertion of a federated issuer, as a Kubernetes workload identity has.
"""

from __future__ import annotations

import base64
import hmac
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from app.sandbox.entra.errors import SignInRefused

ALGORITHMS = ["RS256", "PS256"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that is registered for a client, as PEM text."""

    pem: str

    def _parsed(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.pem.encode())

    def public_key(self) -> rsa.RSAPublicKey:
        key = self._parsed().public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise ValueError("A client certificate must hold an RSA key; Entra ID takes no other.")
        return key

    def thumbprints(self) -> set[str]:
        """SHA-1 and SHA-256 in base64url, as the headers x5t and x5t#S256 carry them."""
        parsed = self._parsed()
        prints = (parsed.fingerprint(hashes.SHA1()), parsed.fingerprint(hashes.SHA256()))
        return {base64.urlsafe_b64encode(p).rstrip(b"=").decode() for p in prints}


@dataclass(frozen=True, slots=True)
class FederatedCredential:
    """Trust in the assertions of another issuer about one subject.

    ``public_key_pem`` verifies the signature. Where the assertion is agreed beforehand instead,
    ``shared_assertion`` is that whole text, and nothing in it is looked at.
    """

    issuer: str = ""
    subject: str = ""
    public_key_pem: str = ""
    audience: str = "api://AzureADTokenExchange"
    shared_assertion: str = ""


@dataclass(frozen=True, slots=True)
class EntraClient:
    """One registered application.

    ``object_id`` is the id of its service principal (claim ``oid``); made from the client id when
    empty, so that it is the same in every run.
    """

    client_id: str
    secrets: tuple[str, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    federated: tuple[FederatedCredential, ...] = ()
    object_id: str = ""

    @property
    def principal_id(self) -> str:
        return self.object_id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"oid:{self.client_id}"))

    def check_secret(self, secret: str) -> None:
        """Raises `SignInRefused` unless this is one of the client's secrets."""
        if not any(_same(secret, own) for own in self.secrets):
            raise SignInRefused.wrong_secret(self.client_id)

    def check_assertion(self, assertion: str, audiences: Sequence[str]) -> None:
        """Raises `SignInRefused` unless certificate or federated issuer vouch for the client.

        ``audiences`` are the addresses of the token endpoint that a certificate assertion may name.
        """
        if any(_same(assertion, f.shared_assertion) for f in self._shared()):
            return
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.InvalidTokenError as error:
            raise SignInRefused.assertion_malformed() from error
        if "x5t" in header or "x5t#S256" in header:
            self._check_certificate(assertion, header, audiences)
        else:
            self._check_federated(assertion, claims)

    def _shared(self) -> list[FederatedCredential]:
        return [f for f in self.federated if f.shared_assertion]

    def _check_certificate(
        self, assertion: str, header: dict[str, Any], audiences: Sequence[str]
    ) -> None:
        # msal leaves the base64 padding on, which the JOSE standard takes off.
        named = {str(header.get(name, "")).rstrip("=") for name in ("x5t", "x5t#S256")}
        certificate = next((c for c in self.certificates if c.thumbprints() & named), None)
        if certificate is None:
            raise SignInRefused.assertion_signature("The key was not found")
        _decoded(
            lambda: jwt.decode(
                assertion,
                certificate.public_key(),
                algorithms=ALGORITHMS,
                audience=list(audiences),
                issuer=self.client_id,
                subject=self.client_id,
                options={"require": ["exp", "iss", "sub", "aud"]},
            )
        )

    def _check_federated(self, assertion: str, claims: dict[str, Any]) -> None:
        issuer, subject = str(claims.get("iss", "")), str(claims.get("sub", ""))
        own = [f for f in self.federated if f.issuer == issuer and f.public_key_pem]
        if not own:
            raise SignInRefused.no_federation("700211", "issuer", issuer)
        credential = next((f for f in own if f.subject == subject), None)
        if credential is None:
            raise SignInRefused.no_federation("700213", "subject", subject)
        _decoded(
            lambda: jwt.decode(
                assertion,
                credential.public_key_pem,
                algorithms=ALGORITHMS,
                audience=credential.audience,
                options={"require": ["exp"]},
            )
        )


def _same(given: str, own: str) -> bool:
    return hmac.compare_digest(given.encode(), own.encode())


def _decoded(decode: Callable[[], Any]) -> None:
    """Run a verification and put its failure in the authority's words."""
    try:
        decode()
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError) as error:
        raise SignInRefused.assertion_out_of_time() from error
    except jwt.InvalidAudienceError as error:
        raise SignInRefused.assertion_audience() from error
    except jwt.InvalidTokenError as error:
        raise SignInRefused.assertion_signature(str(error)) from error
