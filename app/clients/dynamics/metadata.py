"""What Dataverse says about its own tables: sets, columns, navigation properties. Read once each.

Names of navigation properties are case-sensitive and follow no rule (a custom lookup's is its
schema name), so they are asked for, never guessed (reference/dataverse.md 2.3, 2.4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from app.clients.http import Endpoint
from app.clients.setting_names import TABLES_FILE
from streams.catalogue import Catalogue
from streams.errors import Misconfigured, Refused, Unavailable

T = TypeVar("T")

_TEXTS = ("StringAttributeMetadata", "MemoAttributeMetadata")


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table as Dataverse defines it; ``keys`` are its alternate keys by name."""

    entity_set: str
    primary_id: str
    change_tracking: bool
    keys: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """A column as Dataverse defines it; ``type`` is the AttributeType, e.g. ``Money``."""

    name: str
    type: str
    writable: bool


class Metadata:
    """Definitions, kept for the life of the process: a change of schema comes with a deployment."""

    def __init__(self, endpoint: Endpoint, catalogue: Catalogue) -> None:
        self._endpoint = endpoint
        self._catalogue = catalogue
        self._tables = _Once[TableDefinition]()
        self._columns = _Once[Mapping[str, ColumnDefinition]]()
        self._lengths = _Once[Mapping[str, int]]()
        self._navigation = _Once[Mapping[tuple[str, str], str]]()

    async def entity_set(self, table: str) -> str:
        """The entity set of a table: from the catalogue, else from Dataverse."""
        declared = self._catalogue.get(table)
        return declared.entity_set if declared else (await self.table(table)).entity_set

    async def table(self, table: str) -> TableDefinition:
        """The table's definition; Misconfigured (``table_unknown``) when there is none."""
        return await self._tables.get(table, self._read_table)

    async def columns(self, table: str) -> Mapping[str, ColumnDefinition]:
        """The table's columns by logical name."""
        return await self._columns.get(table, self._read_columns)

    async def lengths(self, table: str) -> Mapping[str, int]:
        """How many characters each text of the table may have (``MaxLength``), by logical name."""
        return await self._lengths.get(table, self._read_lengths)

    async def navigation(self, table: str, column: str, target: str) -> str:
        """The navigation property that writes ``column`` when it points to ``target``.

        An owner is written through one property for users and teams (``ownerid``).
        """
        known = await self._navigation.get(table, self._read_navigation)
        found = known.get((column, target)) or known.get((column, "owner"))
        if found is None:
            raise Misconfigured(
                f"Dataverse has no relationship from {table}.{column} to {target}.",
                code="column_unknown",
                advice=f"Correct the lookup's targets in {TABLES_FILE}.",
            )
        return found

    async def _read_table(self, table: str) -> TableDefinition:
        body = await self._read(
            table,
            "?$select=EntitySetName,PrimaryIdAttribute,ChangeTrackingEnabled&$expand=Keys",
        )
        return TableDefinition(
            entity_set=_text(body, "EntitySetName"),
            primary_id=_text(body, "PrimaryIdAttribute"),
            change_tracking=bool(body.get("ChangeTrackingEnabled")),
            keys={
                str(key.get("LogicalName", "")): tuple(key.get("KeyAttributes") or ())
                for key in body.get("Keys") or ()
            },
        )

    async def _read_columns(self, table: str) -> Mapping[str, ColumnDefinition]:
        select = "?$select=LogicalName,AttributeType,IsValidForUpdate"
        body = await self._read(table, f"/Attributes{select}")
        return {
            row["LogicalName"]: ColumnDefinition(
                row["LogicalName"],
                str(row.get("AttributeType") or ""),
                row.get("IsValidForUpdate") is not False,
            )
            for row in _rows(body)
        }

    async def _read_lengths(self, table: str) -> Mapping[str, int]:
        """Only the types of text have the property, so it is asked of each by a cast."""
        lengths: dict[str, int] = {}
        for kind in _TEXTS:
            cast = f"/Attributes/Microsoft.Dynamics.CRM.{kind}?$select=LogicalName,MaxLength"
            for row in _rows(await self._read(table, cast)):
                if isinstance(row.get("MaxLength"), int):
                    lengths[str(row.get("LogicalName"))] = row["MaxLength"]
        return lengths

    async def _read_navigation(self, table: str) -> Mapping[tuple[str, str], str]:
        names = "ReferencingAttribute,ReferencedEntity,ReferencingEntityNavigationPropertyName"
        body = await self._read(table, f"/ManyToOneRelationships?$select={names}")
        return {
            (row["ReferencingAttribute"], row["ReferencedEntity"]): str(
                row["ReferencingEntityNavigationPropertyName"]
            )
            for row in _rows(body)
        }

    async def _read(self, table: str, rest: str) -> Mapping[str, Any]:
        path = f"/EntityDefinitions(LogicalName='{quote(table)}'){rest}"
        try:
            body = (await self._endpoint.call("metadata", "GET", path)).body
        except Refused as refused:
            raise Misconfigured(
                f"Dataverse does not know the table {table}: {refused.message}",
                code="table_unknown",
                advice=f"Correct the table's name in {TABLES_FILE}.",
            ) from refused
        if not isinstance(body, dict):
            raise Unavailable("Dataverse gave no metadata.", code="answer_incomplete")
        return body


def _rows(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = body.get("value")
    if not isinstance(rows, list):
        raise Unavailable("Dataverse gave no list of metadata.", code="answer_incomplete")
    return rows


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Unavailable(f"Dataverse's metadata has no {name}.", code="answer_incomplete")
    return value


class _Once(Generic[T]):
    """Reads a thing per table once; failures are not kept, waiting callers share one read."""

    def __init__(self) -> None:
        self._known: dict[str, T] = {}
        self._lock = asyncio.Lock()

    async def get(self, table: str, read: Callable[[str], Awaitable[T]]) -> T:
        name = table.lower()
        if name not in self._known:
            async with self._lock:
                if name not in self._known:
                    self._known[name] = await read(name)
        return self._known[name]
