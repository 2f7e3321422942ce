"""Keys: what tokens are signed with, and certificates for clients that sign in with one."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from jwt.algorithms import RSAAlgorithm


def new_private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class SigningKey:
    """One RSA key of the authority, with the id under which its public half is published."""

    def __init__(self) -> None:
        self._private = new_private_key()
        self.key_id = uuid.uuid4().hex

    def sign(self, claims: dict[str, Any]) -> str:
        """``claims`` as a JSON Web Token, RS256."""
        return jwt.encode(claims, self._private, "RS256", headers={"kid": self.key_id})

    @property
    def public(self) -> rsa.RSAPublicKey:
        return self._private.public_key()

    def as_jwk(self) -> dict[str, Any]:
        """The public half in the form that a JWKS document lists."""
        jwk = RSAAlgorithm.to_jwk(self.public, as_dict=True)
        return {**jwk, "kid": self.key_id, "use": "sig", "alg": "RS256"}


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A self-signed client certificate with its key pair, all PEM.

    ``thumbprint`` is the SHA-1 fingerprint in upper-case hex, as the Azure portal shows it and
    msal's ``client_credential`` takes it.
    """

    private_key_pem: str
    public_key_pem: str
    certificate_pem: str
    thumbprint: str


def issue_certificate(common_name: str, *, days: int = 30) -> IssuedCertificate:
    """A certificate for a client application, valid from now for ``days``."""
    key = new_private_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    pkcs8, clear = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return IssuedCertificate(
        private_key_pem=key.private_bytes(encoding, pkcs8, clear).decode(),
        public_key_pem=key.public_key()
        .public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
        certificate_pem=certificate.public_bytes(encoding).decode(),
        thumbprint=certificate.fingerprint(hashes.SHA1()).hex().upper(),
    )
