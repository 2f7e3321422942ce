"""What the suites of other vendors' clients share; the recorder itself is `operations`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from app.serving import LocalCa
from tests.conformance.dataverse import Served, serving


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
    """An organisation for each of Microsoft's two clients."""
    async with serving(local_ca, monkeypatch, aio=request.param == "aiohttp") as served:
        yield served
