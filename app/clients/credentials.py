"""What proves who we are. Files are read again at each sign-in: rotation needs no restart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from app.clients import setting_names
from app.clients.redaction import secrets_seen
from streams.errors import Misconfigured

#: A secret is given as a value, or as the file that holds it.
Secret = SecretStr | Path


def read_secret(source: Secret, setting: str) -> str:
    """The secret's present text, without the line end of its file.

    Raises Misconfigured (``secret_missing``) when it is empty or its file cannot be read.
    """
    text = _read_file(source, setting) if isinstance(source, Path) else source.get_secret_value()
    text = text.strip()
    if not text:
        where = f"The file {source}" if isinstance(source, Path) else "The value"
        raise Misconfigured(
            f"{where} for {setting} is empty.",
            code="secret_missing",
            advice=f"Put the secret there, or correct {setting}.",
        )
    secrets_seen.learn(text)
    return text


def _read_file(path: Path, setting: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"The file {path} for {setting} cannot be read: {error}.",
            code="secret_missing",
            advice=f"Mount the file, or correct {setting}.",
        ) from error


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A client secret of the app registration."""

    secret: Secret
    setting: str = setting_names.ENTRA_CLIENT_SECRET

    def for_msal(self) -> Any:
        return read_secret(self.secret, self.setting)


@dataclass(frozen=True, slots=True)
class PemCertificate:
    """A private key in PEM, with the certificate itself (SHA-256) or its SHA-1 ``thumbprint``."""

    private_key: Secret
    certificate: Path | None = None
    thumbprint: str = ""
    passphrase: Secret | None = None
    setting: str = setting_names.ENTRA_CLIENT_CERTIFICATE_FILE

    def for_msal(self) -> Any:
        credential = {"private_key": read_secret(self.private_key, self.setting)}
        if self.thumbprint:
            credential["thumbprint"] = self.thumbprint
        if self.certificate is not None:
            credential["public_certificate"] = _read_file(self.certificate, self.setting)
        if self.passphrase is not None:
            credential["passphrase"] = read_secret(self.passphrase, self.setting)
        return credential


@dataclass(frozen=True, slots=True)
class PfxCertificate:
    """A PFX file with key and certificate; ``send_chain`` for subject name/issuer sign-in."""

    path: Path
    passphrase: Secret | None = None
    send_chain: bool = False
    setting: str = setting_names.ENTRA_CLIENT_CERTIFICATE_FILE

    def for_msal(self) -> Any:
        credential: dict[str, Any] = {"private_key_pfx_path": str(self.path)}
        if self.send_chain:
            credential["public_certificate"] = True
        if self.passphrase is not None:
            credential["passphrase"] = read_secret(self.passphrase, self.setting)
        return credential


@dataclass(frozen=True, slots=True)
class FederatedToken:
    """Workload identity: the file where Kubernetes keeps a short-lived assertion for this pod."""

    path: Path
    setting: str = setting_names.ENTRA_FEDERATED_TOKEN_FILE

    def for_msal(self) -> Any:
        return {"client_assertion": lambda: read_secret(self.path, self.setting)}


EntraCredential = ClientSecret | PemCertificate | PfxCertificate | FederatedToken
