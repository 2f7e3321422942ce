"""What finance and operations say of their entities: names as they are written, keys, enums.

Property names are case-sensitive; ours are in lower case. ``/metadata/PublicEntities`` answers for
one entity, unlike ``$metadata``, which has tens of megabytes. Read once per entity.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from app.clients.http import Endpoint
from app.clients.setting_names import FINANCE_URL, TABLES_FILE
from streams.catalogue import Column, Table
from streams.errors import Misconfigured, Refused, Unavailable

_NAMESPACE = "Microsoft.Dynamics.DataEntities."


@dataclass(frozen=True, slots=True)
class Property:
    """One property: its exact name, its type (an enum's without namespace), what may be done."""

    name: str
    type: str
    is_enum: bool
    is_key: bool
    writable: bool


@dataclass(frozen=True, slots=True)
class EntityDefinition:
    """An entity's properties by name in lower case."""

    properties: Mapping[str, Property]

    @property
    def key(self) -> tuple[Property, ...]:
        return tuple(found for found in self.properties.values() if found.is_key)


class FinanceMetadata:
    """Definitions, kept for the life of the process: a change comes with a deployment."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._known: dict[str, EntityDefinition] = {}
        self._lock = asyncio.Lock()

    async def of(self, table: Table) -> EntityDefinition:
        """The entity of a table.

        Raises Misconfigured: ``table_unknown`` when there is none, ``enum_differs`` when an enum
        has other numbers than the table declares.
        """
        if table.name not in self._known:
            async with self._lock:
                if table.name not in self._known:
                    self._known[table.name] = await self._read(table)
        return self._known[table.name]

    async def property_of(self, table: Table, name: str) -> Property:
        """The property of a column; Misconfigured (``column_unknown``) when there is none."""
        found = (await self.of(table)).properties.get(name)
        if found is None:
            raise Misconfigured(
                f"The entity {table.entity_set} has no property for {table.name}.{name}.",
                code="column_unknown",
                advice=f"Correct the column in {TABLES_FILE}, or expose it in the entity.",
            )
        return found

    async def _read(self, table: Table) -> EntityDefinition:
        where = quote(f"EntitySetName eq '{table.entity_set}'")
        body = await self._metadata(f"/metadata/PublicEntities?$filter={where}")
        entities = body.get("value")
        if not isinstance(entities, list):
            raise Unavailable("Finance and operations gave no list of entities.", code=_INCOMPLETE)
        if not entities:
            raise Misconfigured(
                f"Finance and operations have no entity set {table.entity_set}.",
                code="table_unknown",
                advice=f"Correct entity_set of {table.name} in {TABLES_FILE}, or {FINANCE_URL}.",
            )
        found = [_property(entry) for entry in entities[0].get("Properties") or ()]
        definition = EntityDefinition({one.name.lower(): one for one in found})
        for name, column in table.columns.items():
            declared = definition.properties.get(name)
            if column.symbols and declared is not None and declared.is_enum:
                await self._check_enum(table, name, column, declared)
        return definition

    async def _check_enum(
        self, table: Table, name: str, column: Column, declared: Property
    ) -> None:
        path = f"/metadata/PublicEnumerations('{quote(declared.type)}')"
        try:
            body = await self._metadata(path)
        except (Refused, Misconfigured):
            return  # the environment does not tell; what is declared counts
        members = {str(m.get("Name")): m.get("Value") for m in body.get("Members") or ()}
        wrong = [
            f"{symbol} is {members[symbol]}, not {number}"
            for symbol, number in column.symbols
            if symbol in members and members[symbol] != number
        ]
        missing = sorted(members.keys() - {symbol for symbol, _ in column.symbols})
        if wrong or missing:
            what = "; ".join([*wrong, *(f"{m} ({members[m]}) is not declared" for m in missing)])
            raise Misconfigured(
                f"The enum {declared.type} of {table.name}.{name} differs: {what}.",
                code="enum_differs",
                advice=f"Correct the choice of {table.name}.{name} in {TABLES_FILE}.",
            )

    async def _metadata(self, path: str) -> Mapping[str, Any]:
        body = (await self._endpoint.call("metadata", "GET", path)).body
        if not isinstance(body, dict):
            raise Unavailable("Finance and operations gave no metadata.", code=_INCOMPLETE)
        return body


_INCOMPLETE = "answer_incomplete"


def _property(entry: Mapping[str, Any]) -> Property:
    kind = str(entry.get("TypeName") or "")
    return Property(
        name=str(entry.get("Name") or ""),
        type=kind.removeprefix(_NAMESPACE),
        is_enum=entry.get("DataType") == "Enum" or kind.startswith(_NAMESPACE),
        is_key=bool(entry.get("IsKey")),
        writable=entry.get("AllowEdit") is not False,
    )
