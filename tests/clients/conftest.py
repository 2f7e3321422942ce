"""Systems that the clients are tried on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.sandbox.entra import EntraClient
from tests.clients.dynamics.stage import APP, SECRET, Dynamics, signed_in_by


@pytest.fixture
async def dynamics() -> AsyncIterator[Dynamics]:
    client = EntraClient(APP, secrets=("simulated-secret",))
    async with signed_in_by(SECRET, client) as system:
        yield system
