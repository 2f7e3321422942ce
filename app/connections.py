"""From the settings to the two systems: clients with their sign-in, ready for the writers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr

from app.clients import setting_names
from app.clients.credentials import (
    ClientSecret,
    EntraCredential,
    FederatedToken,
    PemCertificate,
    PfxCertificate,
)
from app.clients.dynamics import DataverseGateway
from app.clients.ecm import SMART_VIEW, ContentServerGateway
from app.clients.finance import FinanceGateway
from app.clients.http import Observer, Timeouts, open_client
from app.clients.routing import DynamicsRouter
from app.clients.tickets import OtcsUser, OtdsClient, OtdsTickets
from app.clients.tokens import EntraTokens, environment_scope
from app.settings import Settings
from streams.catalogue import Catalogue
from streams.errors import Misconfigured
from streams.rules import RuleBook


@dataclass(frozen=True)
class Connections:
    """Both systems; Dynamics with finance and operations where an environment is set."""

    dynamics: DynamicsRouter
    ecm: ContentServerGateway


@asynccontextmanager
async def connections(
    settings: Settings, catalogue: Catalogue, observer: Observer
) -> AsyncIterator[Connections]:
    """Open the clients of both systems; nothing is asked of them yet."""
    async with AsyncExitStack() as stack:
        dynamics = await _client(stack, settings.ca_file, settings.dataverse_calls_in_flight)
        finance = await _client(stack, settings.ca_file, settings.finance_calls_in_flight)
        ecm = await _client(stack, settings.ca_file, settings.ecm_calls_in_flight, affinity=True)
        router = DynamicsRouter(
            catalogue,
            _dynamics(settings, catalogue, dynamics, observer),
            _finance(settings, catalogue, finance, observer) if settings.finance_url else None,
        )
        yield Connections(router, _ecm(settings, ecm, observer))


def require_finance(settings: Settings, book: RuleBook) -> None:
    """Raise Misconfigured when a rule is about finance and operations and no environment is set."""
    tables = {rule.name: part.table for rule in book.rules for _, part in rule.parts()}
    named = {rule: table for rule, table in tables.items() if table in book.erp()}
    if named and not settings.finance_url:
        rules = ", ".join(f"{rule} ({table})" for rule, table in sorted(named.items()))
        raise Misconfigured(
            f"{setting_names.FINANCE_URL} is not set, but rules are about tables of finance and "
            f"operations: {rules}",
            code="finance_unset",
            advice="set it to the environment's address, or remove these rules",
        )


async def _client(
    stack: AsyncExitStack, ca_file: Path | None, calls: int, *, affinity: bool = False
) -> httpx.AsyncClient:
    client = open_client(ca_file=ca_file, max_connections=calls + 2, keep_affinity=affinity)
    return await stack.enter_async_context(client)


def _dynamics(
    settings: Settings, catalogue: Catalogue, client: httpx.AsyncClient, observer: Observer
) -> DataverseGateway:
    return DataverseGateway(
        settings.dataverse_url,
        _tokens(settings, settings.dataverse_url, observer),
        catalogue,
        client=client,
        observer=observer,
        timeouts=Timeouts(write_seconds=settings.dataverse_timeout_seconds),
    )


def _finance(
    settings: Settings, catalogue: Catalogue, client: httpx.AsyncClient, observer: Observer
) -> FinanceGateway:
    return FinanceGateway(
        settings.finance_url,
        _tokens(settings, settings.finance_url, observer),
        catalogue,
        client=client,
        observer=observer,
        timeouts=Timeouts(write_seconds=settings.finance_timeout_seconds),
    )


def _tokens(settings: Settings, environment: str, observer: Observer) -> EntraTokens:
    """Tokens of our application for one environment; each has a scope of its own."""
    return EntraTokens(
        authority=f"{settings.entra_authority}/{settings.entra_tenant_id}",
        client_id=settings.entra_client_id,
        credential=_entra_credential(settings),
        scope=environment_scope(environment),
        ca_file=settings.ca_file,
        observer=observer,
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
