"""A simulated organisation behind its sign-in, over real sockets, and our gateway to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from app.clients.credentials import ClientSecret, EntraCredential
from app.clients.dynamics import DataverseGateway
from app.clients.http import open_client
from app.clients.tokens import EntraTokens
from app.sandbox.dataverse import DataverseSimulator
from app.sandbox.entra import EntraClient, EntraSimulator
from streams.catalogue import Catalogue, Column, ColumnKind, Table
from tables.keys import RecordRef
from tests.clients.conversation import Observed

APP = "5d0c2f3e-0000-4000-8000-00000000000a"
SECRET = ClientSecret(SecretStr("simulated-secret"))
CATALOGUE = Catalogue(
    {
        "account": Table(
            "account",
            "accounts",
            "accountid",
            {
                "name": Column(ColumnKind.TEXT),
                "accountnumber": Column(ColumnKind.TEXT),
                "revenue": Column(ColumnKind.NUMBER),
                "creditonhold": Column(ColumnKind.BOOLEAN),
                "statecode": Column(ColumnKind.CHOICE),
                "parentaccountid": Column(ColumnKind.LOOKUP, ("account",)),
                "ownerid": Column(ColumnKind.LOOKUP, ("systemuser", "team")),
            },
        )
    }
)


@dataclass
class Dynamics:
    """A simulated organisation with its sign-in, and our gateway to it."""

    entra: EntraSimulator
    simulator: DataverseSimulator
    tokens: EntraTokens
    http: httpx.AsyncClient
    gateway: DataverseGateway
    observed: Observed

    def account(self, **values: Any) -> RecordRef:
        return RecordRef("account", self.simulator.seed("account", values).id)

    def ours(self) -> list[Any]:
        """The commits that our application made."""
        return [c for c in self.simulator.commits if c.author.app_id == APP]


@asynccontextmanager
async def signed_in_by(
    credential: EntraCredential, client: EntraClient, ca_file: Path | None = None
) -> AsyncIterator[Dynamics]:
    """Entra ID with TLS and an organisation; we trust ``ca_file``, else Entra ID's own."""
    observed = Observed()
    async with (
        EntraSimulator("contoso", [client]) as entra,
        DataverseSimulator(entra, application_users={APP: "Dovetail"}) as simulator,
        open_client() as http,
    ):
        tokens = EntraTokens(
            authority=entra.authority,
            client_id=APP,
            credential=credential,
            scope=simulator.scope,
            ca_file=ca_file or entra.ca_path,
            observer=observed,
        )
        gateway = DataverseGateway(simulator.url, tokens, CATALOGUE, client=http, observer=observed)
        yield Dynamics(entra, simulator, tokens, http, gateway, observed)
