"""What the suites of other vendors' clients share; the recorder itself is `operations`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import connector

from app.sandbox.dataverse import DataverseSimulator
from app.sandbox.entra import EntraClient, EntraSimulator
from app.serving import LocalCa
from tests.conformance.dataverse import APP_ID, Served


@pytest.fixture(scope="session")
def local_ca() -> Iterator[LocalCa]:
    """One certificate authority for all simulators of the session."""
    ca = LocalCa()
    yield ca
    ca.close()


@pytest.fixture(params=["requests", "aiohttp"])
async def dataverse(
    request: pytest.FixtureRequest, local_ca: LocalCa, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    """An organisation over TLS, which both clients insist on.

    The one finds the bundle by a variable; the other trusts what its machine trusts, so the machine
    is told of our authority.
    """
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(local_ca.ca_path))
    connector._SSL_CONTEXT_VERIFIED.load_verify_locations(local_ca.ca_path)
    entra = EntraSimulator("contoso", [EntraClient(APP_ID)], ca=local_ca)
    users = {APP_ID: "Dovetail"}
    async with DataverseSimulator(entra, application_users=users, ca=local_ca) as simulator:
        yield Served(simulator, entra, aio=request.param == "aiohttp")
