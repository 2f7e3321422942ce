"""One organisation per test, and a client that is signed in to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator
from app.sandbox.entra import EntraClient, EntraSimulator
from tests.sandbox.dataverse.support import APP_ID, Clock, signed_in


@pytest.fixture(scope="session")
def entra() -> EntraSimulator:
    """Only issues tokens here; signing in has its own tests."""
    return EntraSimulator("contoso", [EntraClient(APP_ID), EntraClient("stranger")])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def dataverse(entra: EntraSimulator, clock: Clock) -> AsyncIterator[DataverseSimulator]:
    users = {APP_ID: "Dovetail"}
    async with DataverseSimulator(entra, application_users=users, now=clock) as dataverse:
        yield dataverse


@pytest.fixture
async def client(
    entra: EntraSimulator, dataverse: DataverseSimulator
) -> AsyncIterator[httpx.AsyncClient]:
    async with signed_in(entra, dataverse) as client:
        yield client
