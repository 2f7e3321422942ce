"""A simulated environment of finance and operations on a real socket, and a signed-in client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app.sandbox.entra import EntraClient, EntraSimulator
from app.sandbox.finance import FinanceSimulator

APP_ID = "5d0f3c1e-8a4b-4c39-9d5e-6a1b2c3d4e5f"
STRANGER = "6d0f3c1e-8a4b-4c39-9d5e-6a1b2c3d4e5f"


@dataclass
class Scene:
    """The simulator, and a client whose paths start at its address."""

    finance: FinanceSimulator
    entra: EntraSimulator
    client: httpx.AsyncClient

    def signed_in(self, app_id: str = APP_ID) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.entra.issue(app_id, self.finance.url)}"}

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def values(self, path: str) -> list[dict[str, Any]]:
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["value"]
        return found


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    clients = [EntraClient(app, secrets=("s",)) for app in (APP_ID, STRANGER)]
    async with (
        EntraSimulator("contoso", clients) as entra,
        FinanceSimulator(entra, application_users={APP_ID: "dovetail"}, page_size=5) as finance,
        httpx.AsyncClient(base_url=finance.url) as client,
    ):
        found = Scene(finance, entra, client)
        client.headers.update(found.signed_in())
        yield found
