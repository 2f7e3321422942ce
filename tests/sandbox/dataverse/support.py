"""What the tests of the simulated Dataverse share."""

from __future__ import annotations

import datetime as dt
import ssl
from typing import Any

import httpx

from app.sandbox.dataverse import DataverseSimulator
from app.sandbox.entra import EntraSimulator

APP_ID = "8a2f5c1e-0000-4000-8000-000000000001"
PAST = dt.datetime(2024, 5, 1, 10, 0, 0, 900_000, tzinfo=dt.UTC)
REPRESENTATION = {"Prefer": "return=representation"}
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # spares each client the system's bundle
ANNOTATIONS = {"Prefer": 'odata.include-annotations="*"'}


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = PAST

    def __call__(self) -> dt.datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += dt.timedelta(**by)


def signed_in(
    entra: EntraSimulator, dataverse: DataverseSimulator, app_id: str = APP_ID
) -> httpx.AsyncClient:
    token = entra.issue(app_id, dataverse.url)
    return httpx.AsyncClient(
        base_url=dataverse.api_url,
        headers={"Authorization": f"Bearer {token}"},
        verify=NO_TLS,
    )


def error(answer: httpx.Response) -> tuple[int, str]:
    """Status and service code of a refusal."""
    return answer.status_code, answer.json()["error"]["code"]


def names(answer: httpx.Response) -> list[Any]:
    return [row["name"] for row in answer.json()["value"]]


def account_names(dataverse: DataverseSimulator) -> list[Any]:
    return [row.values.get("name") for row in dataverse.rows("account")]
