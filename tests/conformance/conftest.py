"""What the suites of other vendors' clients share; the recorder itself is `operations`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from app.sandbox.dataverse import DataverseSimulator
from app.sandbox.entra import EntraClient, EntraSimulator
from app.serving import LocalCa
from tests.conformance.dataverse import APP_ID, Credential, Served


@pytest.fixture(scope="session")
def local_ca() -> Iterator[LocalCa]:
    """One certificate authority for all simulators of the session."""
    ca = LocalCa()
    yield ca
    ca.close()


@pytest.fixture
async def dataverse(local_ca: LocalCa, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """An organisation over TLS, which the client insists on; it finds the bundle by variable."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(local_ca.ca_path))
    entra = EntraSimulator("contoso", [EntraClient(APP_ID)], ca=local_ca)
    users = {APP_ID: "Dovetail"}
    async with DataverseSimulator(entra, application_users=users, ca=local_ca) as simulator:
        yield Served(simulator, Credential(entra))
