"""Microsoft's Dataverse client under watch, and the organisation that it talks to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.models.fetchxml_query import FetchXmlQuery
from PowerPlatform.Dataverse.models.query_builder import QueryBuilder
from PowerPlatform.Dataverse.operations import batch, dataframe, files, query, records, tables

from app.sandbox.dataverse import DataverseSimulator
from app.sandbox.entra import EntraSimulator
from tests.conformance.operations import recorded, watch

T = TypeVar("T")

APP_ID = "8a2f5c1e-0000-4000-8000-000000000001"
NAME = "PowerPlatform-Dataverse-Client"


def _watched(client_class: type[T], prefix: str, **more: Any) -> type[T]:
    """The client raises its failures, and answers None where there is nothing to tell."""
    return recorded(client_class, NAME, prefix=prefix, nothing_is_failure=False, **more)


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


class Credential:
    """What the client asks of azure-identity: a token for a scope."""

    def __init__(self, entra: EntraSimulator) -> None:
        self._entra = entra

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        resource = scopes[0].removesuffix("/.default")
        return AccessToken(self._entra.issue(APP_ID, resource), 2**31)


@dataclass(frozen=True, slots=True)
class Served:
    """An organisation that is being served, and who may call it."""

    simulator: DataverseSimulator
    credential: Credential

    async def drive(self, work: Callable[[Any], T]) -> T:
        """Run ``work`` with a client; the client blocks, so it works in a thread."""
        return await asyncio.to_thread(self._run, work)

    def _run(self, work: Callable[[Any], T]) -> T:
        with Client(self.simulator.url, self.credential) as client:
            watch(client.records, Records)
            watch(client.query, Query)
            watch(client.tables, Tables)
            watch(client.files, Files)
            watch(client.dataframe, DataFrames)
            watch(client.batch, Batches)
            return work(client)

    @property
    def written(self) -> list[str]:
        """The messages of what the client has written, oldest first."""
        commits = self.simulator.commits
        return [commit.message for commit in commits if commit.author.app_id == APP_ID]


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
