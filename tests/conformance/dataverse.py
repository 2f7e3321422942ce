"""Microsoft's Dataverse client under watch, and the organisation that it talks to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import pytest
from aiohttp import connector
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.aio.async_client import AsyncDataverseClient
from PowerPlatform.Dataverse.aio.models.async_fetchxml_query import AsyncFetchXmlQuery
from PowerPlatform.Dataverse.aio.models.async_query_builder import AsyncQueryBuilder
from PowerPlatform.Dataverse.aio.operations import (
    async_batch,
    async_dataframe,
    async_files,
    async_query,
    async_records,
    async_tables,
)
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.models.fetchxml_query import FetchXmlQuery
from PowerPlatform.Dataverse.models.query_builder import QueryBuilder
from PowerPlatform.Dataverse.operations import batch, dataframe, files, query, records, tables

from app.sandbox.dataverse import DataverseSimulator
from app.sandbox.entra import EntraClient, EntraSimulator
from app.serving import LocalCa
from tests.conformance import operations
from tests.conformance.blocking import Blocking
from tests.conformance.operations import recorded

T = TypeVar("T")

APP_ID = "8a2f5c1e-0000-4000-8000-000000000001"
NAME = "PowerPlatform-Dataverse-Client"
AIO = "PowerPlatform.Dataverse.aio"


def _watched(client_class: type[T], prefix: str, *, aio: bool = False, **more: Any) -> type[T]:
    """The client raises its failures, and answers None where there is nothing to tell."""
    name = f"{NAME} (aio)" if aio else NAME
    return recorded(client_class, name, prefix=prefix, nothing_is_failure=False, **more)


Client = _watched(DataverseClient, "client.")
Records = _watched(records.RecordOperations, "records.")
Query = _watched(query.QueryOperations, "query.")
Builder = _watched(QueryBuilder, "query.builder().", only=["execute", "execute_pages"])
Fetch = _watched(FetchXmlQuery, "query.fetchxml().")
Tables = _watched(tables.TableOperations, "tables.")
Files = _watched(files.FileOperations, "files.")
DataFrames = _watched(dataframe.DataFrameOperations, "dataframe.")
Batches = _watched(batch.BatchOperations, "batch.")
Batch = _watched(batch.BatchRequest, "batch.new().")
BatchRecords = _watched(batch.BatchRecordOperations, "batch.new().records.")
BatchTables = _watched(batch.BatchTableOperations, "batch.new().tables.")
BatchQuery = _watched(batch.BatchQueryOperations, "batch.new().query.")
BatchDataFrames = _watched(batch.BatchDataFrameOperations, "batch.new().dataframe.")
ChangeSet = _watched(batch.ChangeSetRecordOperations, "batch.new().changeset().records.")

AioClient = _watched(AsyncDataverseClient, "client.", aio=True)
_AIO: dict[type[Any], type[Any]] = {
    Records: _watched(async_records.AsyncRecordOperations, "records.", aio=True),
    Query: _watched(async_query.AsyncQueryOperations, "query.", aio=True),
    Builder: _watched(
        AsyncQueryBuilder, "query.builder().", aio=True, only=["execute", "execute_pages"]
    ),
    Fetch: _watched(AsyncFetchXmlQuery, "query.fetchxml().", aio=True),
    Tables: _watched(async_tables.AsyncTableOperations, "tables.", aio=True),
    Files: _watched(async_files.AsyncFileOperations, "files.", aio=True),
    DataFrames: _watched(async_dataframe.AsyncDataFrameOperations, "dataframe.", aio=True),
    Batches: _watched(async_batch.AsyncBatchOperations, "batch.", aio=True),
    Batch: _watched(async_batch.AsyncBatchRequest, "batch.new().", aio=True),
}
"""The asynchronous twins, by the class whose place they take; what a batch gathers is shared."""

only_blocking = pytest.mark.parametrize("dataverse", ["requests"], indirect=True)
"""For operations that the asynchronous client has not: those that the other one has given up."""


class Credential:
    """What the client asks of azure-identity: a token for a scope."""

    def __init__(self, entra: EntraSimulator) -> None:
        self._entra = entra

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        resource = scopes[0].removesuffix("/.default")
        return AccessToken(self._entra.issue(APP_ID, resource), 2**31)


class AioCredential(Credential):
    """The same for the asynchronous client."""

    async def get_token(self, *scopes: str, **more: Any) -> AccessToken:  # type: ignore[override]
        return super().get_token(*scopes, **more)

    async def close(self) -> None:
        """Nothing is held open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


@dataclass(frozen=True, slots=True)
class Served:
    """An organisation that is being served, and who may call it; ``aio``: with which client."""

    simulator: DataverseSimulator
    entra: EntraSimulator
    aio: bool = False

    async def drive(self, work: Callable[[Any], T]) -> T:
        """Run ``work`` with a client; the client blocks, so it works in a thread."""
        return await asyncio.to_thread(self._run_aio if self.aio else self._run, work)

    def _run(self, work: Callable[[Any], T]) -> T:
        with Client(self.simulator.url, Credential(self.entra)) as client:
            return work(_all_watched(client))

    def _run_aio(self, work: Callable[[Any], T]) -> T:
        credential: Any = AioCredential(self.entra)
        with asyncio.Runner() as runner:
            made = AioClient(self.simulator.url, credential)
            with Blocking(made, runner, AIO) as client:
                return work(_all_watched(client))

    @property
    def written(self) -> list[str]:
        """The messages of what the client has written, oldest first."""
        commits = self.simulator.commits
        return [commit.message for commit in commits if commit.author.app_id == APP_ID]


@asynccontextmanager
async def serving(
    ca: LocalCa, monkeypatch: pytest.MonkeyPatch, *, aio: bool
) -> AsyncIterator[Served]:
    """An organisation over TLS, which both clients insist on.

    The one finds the bundle by a variable; the other trusts what its machine trusts, so the machine
    is told of our authority.
    """
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca.ca_path))
    connector._SSL_CONTEXT_VERIFIED.load_verify_locations(ca.ca_path)
    entra = EntraSimulator("contoso", [EntraClient(APP_ID)], ca=ca)
    users = {APP_ID: "Dovetail"}
    async with DataverseSimulator(entra, application_users=users, ca=ca) as simulator:
        yield Served(simulator, entra, aio)


def watch(made: Any, recorded_class: type[Any]) -> Any:
    """Note the calls on an object of either client; the object is returned."""
    if isinstance(made, Blocking):
        operations.watch(made.inner, _AIO.get(recorded_class, recorded_class))
        return made
    return operations.watch(made, recorded_class)


def _all_watched(client: Any) -> Any:
    for name, recorded_class in (
        ("records", Records),
        ("query", Query),
        ("tables", Tables),
        ("files", Files),
        ("dataframe", DataFrames),
        ("batch", Batches),
    ):
        watch(getattr(client, name), recorded_class)
    return client


def new_batch(client: Any) -> Any:
    """A batch under watch with all its parts."""
    made = watch(client.batch.new(), Batch)
    watch(made.records, BatchRecords)
    watch(made.tables, BatchTables)
    watch(made.query, BatchQuery)
    watch(made.dataframe, BatchDataFrames)
    return made


def change_set(made: Any) -> Any:
    """A change set of a batch, under watch."""
    changes = made.changeset()
    watch(changes.records, ChangeSet)
    return changes
