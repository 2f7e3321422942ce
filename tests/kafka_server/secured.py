"""Apache Kafka that lets nobody in without TLS and a name: as managed brokers do.

Beside the tests' open listener there is one for logins over TLS, with PLAIN as Event Hubs and
Confluent ask for or with SCRAM as MSK and Strimzi do, and one for certificates of clients.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.kafka_server.apache import ApacheKafka, free_ports

USERNAME = "dovetail"
PASSWORD = "a secret with 'quotes' and more"
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"


@dataclass(frozen=True)
class Certificates:
    """Files in PEM: the authority, and a client's certificate with its key."""

    authority: Path
    client: Path
    client_key: Path


class SecuredKafka(ApacheKafka):
    """A node with listeners for logins and for certificates, and the addresses of each."""

    format_options = ("--add-scram", f"SCRAM-SHA-512=[name={USERNAME},password={PASSWORD}]")

    def __init__(self) -> None:
        super().__init__()
        authority = trustme.CA()
        self._server = authority.issue_cert("localhost", "127.0.0.1")
        self._authority = authority
        client = authority.issue_cert(f"{USERNAME}@contoso.example")
        self.certificates = Certificates(
            self.folder / "ca.pem", self.folder / "client.pem", self.folder / "client.key"
        )
        authority.cert_pem.write_to_path(str(self.certificates.authority))
        client.private_key_pem.write_to_path(str(self.certificates.client_key))
        for part in client.cert_chain_pems:
            part.write_to_path(str(self.certificates.client), append=True)
        self.login_address = ""
        self.certificate_address = ""

    def _adapted(self, settings: dict[str, str]) -> dict[str, str]:
        login, certificate = (f"localhost:{port}" for port in free_ports(2))
        self.login_address, self.certificate_address = login, certificate
        further = f"LOGIN://{login},CERTIFICATE://{certificate}"
        protocols = "LOGIN:SASL_SSL,CERTIFICATE:SSL"
        account = f'user_{USERNAME}="{PASSWORD}"'
        return settings | {
            "listeners": f"{settings['listeners']},{further}",
            "advertised.listeners": f"{settings['advertised.listeners']},{further}",
            "listener.security.protocol.map": (
                f"{settings['listener.security.protocol.map']},{protocols}"
            ),
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.name.login.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.login.plain.sasl.jaas.config": f"{_PLAIN} required {account};",
            "listener.name.login.scram-sha-512.sasl.jaas.config": f"{_SCRAM} required;",
            **self._tls("login"),
            **self._tls("certificate"),
            "listener.name.certificate.ssl.client.auth": "required",
        }

    def _tls(self, listener: str) -> dict[str, str]:
        keys, trusted = self.folder / "server.pem", self.certificates.authority
        chain = b"".join(part.bytes() for part in self._server.cert_chain_pems)
        keys.write_bytes(_pkcs8(self._server.private_key_pem.bytes()) + chain)
        prefix = f"listener.name.{listener}.ssl"
        return {
            f"{prefix}.keystore.type": "PEM",
            f"{prefix}.keystore.location": str(keys),
            f"{prefix}.truststore.type": "PEM",
            f"{prefix}.truststore.location": str(trusted),
        }


def _pkcs8(key: bytes) -> bytes:
    """The key in the one form of PEM that Java reads."""
    return load_pem_private_key(key, password=None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
