"""From the settings to the two systems: clients with their sign-in, ready for the writers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr

from app.clients.credentials import (
    ClientSecret,
    EntraCredential,
    FederatedToken,
    PemCertificate,
    PfxCertificate,
)
from app.clients.dynamics import DataverseGateway
from app.clients.ecm import SMART_VIEW, ContentServerGateway
from app.clients.http import Observer, Timeouts, open_client
from app.clients.tickets import OtcsUser, OtdsClient, OtdsTickets
from app.clients.tokens import EntraTokens, dataverse_scope
from app.settings import Settings
from streams.catalogue import Catalogue
from streams.errors import Misconfigured


@dataclass(frozen=True)
class Connections:
    """Both systems."""

    dynamics: DataverseGateway
    ecm: ContentServerGateway


@asynccontextmanager
async def connections(
    settings: Settings, catalogue: Catalogue, observer: Observer
) -> AsyncIterator[Connections]:
    """Open the clients of both systems; nothing is asked of them yet."""
    async with AsyncExitStack() as stack:
        dynamics = await _client(stack, settings.ca_file, settings.dataverse_calls_in_flight)
        ecm = await _client(stack, settings.ca_file, settings.ecm_calls_in_flight, affinity=True)
        yield Connections(
            _dynamics(settings, catalogue, dynamics, observer), _ecm(settings, ecm, observer)
        )


async def _client(
    stack: AsyncExitStack, ca_file: Path | None, calls: int, *, affinity: bool = False
) -> httpx.AsyncClient:
    client = open_client(ca_file=ca_file, max_connections=calls + 2, keep_affinity=affinity)
    return await stack.enter_async_context(client)


def _dynamics(
    settings: Settings, catalogue: Catalogue, client: httpx.AsyncClient, observer: Observer
) -> DataverseGateway:
    tokens = EntraTokens(
        authority=f"{settings.entra_authority}/{settings.entra_tenant_id}",
        client_id=settings.entra_client_id,
        credential=_entra_credential(settings),
        scope=dataverse_scope(settings.dataverse_url),
        ca_file=settings.ca_file,
        observer=observer,
    )
    return DataverseGateway(
        settings.dataverse_url,
        tokens,
        catalogue,
        client=client,
        observer=observer,
        timeouts=Timeouts(write_seconds=settings.dataverse_timeout_seconds),
    )


def _entra_credential(settings: Settings) -> EntraCredential:
    """What proves the application: a certificate, the workload's token, or a secret."""
    certificate = settings.entra_client_certificate_file
    if certificate is not None:
        passphrase = _secret(settings, "entra_client_certificate_password")
        if certificate.suffix.lower() in (".pfx", ".p12"):
            return PfxCertificate(certificate, passphrase)
        return PemCertificate(certificate, certificate, passphrase=passphrase)
    if settings.entra_federated_token_file is not None:
        return FederatedToken(settings.entra_federated_token_file)
    secret = _secret(settings, "entra_client_secret")
    if secret is None:
        raise Misconfigured(
            "nothing proves the application to Entra ID",
            advice="set DOVETAIL_ENTRA_CLIENT_SECRET_FILE, or a certificate or federated token",
        )
    return ClientSecret(secret)


def _secret(settings: Settings, name: str) -> SecretStr | Path | None:
    """The secret, or the file that holds it, read again at each sign-in."""
    file: Path | None = getattr(settings, f"{name}_file")
    text: SecretStr | None = getattr(settings, name)
    return file or text


def _ecm(settings: Settings, client: httpx.AsyncClient, observer: Observer) -> ContentServerGateway:
    base = settings.content_server_url.removesuffix("/api")
    timeouts = Timeouts(write_seconds=settings.ecm_timeout_seconds)
    tickets = OtdsTickets(
        base_url=base,
        credential=_otds_credential(settings),
        client=client,
        observer=observer,
        timeouts=timeouts,
    )
    shown = settings.content_server_ui_url
    return ContentServerGateway(
        base,
        tickets,
        client=client,
        observer=observer,
        timeouts=timeouts,
        url_pattern=f"{shown}/app/nodes/{{id}}" if shown else SMART_VIEW,
    )


def _otds_credential(settings: Settings) -> OtdsClient | OtcsUser:
    if settings.otds_client_id:
        secret = _secret(settings, "otds_client_secret")
        assert secret is not None, "the settings' checks ask for it"
        return OtdsClient(settings.otds_url, settings.otds_client_id, secret)
    password = _secret(settings, "otds_password")
    assert password is not None, "the settings' checks ask for it"
    return OtcsUser(settings.otds_username, password)
