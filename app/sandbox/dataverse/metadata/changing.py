"""Tables, columns, keys and relationships made, changed and deleted at run time.

What Microsoft's Dataverse client sends is understood: ``CreateEntities``, and ``POST``, ``PUT`` and
``DELETE`` below ``EntityDefinitions`` and ``RelationshipDefinitions``. Changes are published and
visible at once. Standard tables and columns can be added to but not be taken away.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.metadata import payloads, shapes
from app.sandbox.dataverse.metadata.payloads import exists
from app.sandbox.dataverse.metadata.reading import MetadataReading
from app.sandbox.dataverse.metadata.recorder import Recorder
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.definitions import related
from app.sandbox.dataverse.tables.schema import (
    FIRST_CUSTOM_TYPE,
    Column,
    OneToMany,
    Registry,
    Table,
)
from app.sandbox.dataverse.web.urls import Answer, ApiRequest, Segment

CODES = "type codes of tables made at run time"
FIRST_MADE = FIRST_CUSTOM_TYPE + 500


class MetadataChanging:
    """Answers what changes metadata; each request is one transaction."""

    def __init__(
        self, registry: Registry, store: Store, reading: MetadataReading, recorder: Recorder
    ) -> None:
        self._registry = registry
        self._store = store
        self._reading = reading
        self._recorder = recorder

    def create_entities(self, request: ApiRequest) -> Answer:
        """The action ``CreateEntities``: several tables at once."""
        if request.method != "POST":
            raise Refusal.method(request.method)
        entities = request.json().get("Entities")
        if not isinstance(entities, list) or not entities:
            raise Refusal.payload("The parameter Entities must be a list with at least one table.")
        with self._store.transaction():
            for payload in entities:
                self._create_table(payload)
        return Answer(204)

    def tables(self, request: ApiRequest) -> Answer:
        """``POST``, ``PUT`` and ``DELETE`` on and below ``EntityDefinitions``."""
        root, *rest = request.segments
        with self._store.transaction():
            if not root.has_key:
                if request.method != "POST" or rest:
                    raise Refusal.method(request.method)
                table = self._create_table(request.json())
                return _made(request, f"EntityDefinitions({table.metadata_id})")
            table = self._reading.table(root)
            if not rest:
                return self._on_table(request, table)
            if rest[0].name == "Attributes" and len(rest) == 1:
                return self._on_columns(request, table, rest[0])
            if rest[0].name == "Keys" and len(rest) == 1:
                return self._on_keys(request, table, rest[0])
        raise Refusal.missing_segment(rest[-1].name)

    def relationships(self, request: ApiRequest) -> Answer:
        """``POST`` and ``DELETE`` on ``RelationshipDefinitions``."""
        root, *rest = request.segments
        if rest:
            raise Refusal.missing_segment(rest[-1].name)
        with self._store.transaction():
            if request.method == "POST" and not root.has_key:
                return self._create_relationship(request)
            if request.method == "DELETE" and root.has_key:
                self._delete_relationship(root)
                return Answer(204)
        raise Refusal.method(request.method)

    def _create_table(self, payload: Any) -> Table:
        code = FIRST_MADE + self._store.next_number(CODES)
        table = payloads.read_table(payload, code, self._registry.choices)
        if table.name in self._registry:
            raise exists("entity", table.name)
        if any(table.entity_set == other.entity_set for other in self._registry):
            raise exists("entity set", table.entity_set)
        self._recorder.put(table)
        known = [*self._registry]
        own = {n: r for n, r in related(known).items() if r.referencing == table.name}
        self._recorder.register(self._registry.one_to_many, own)
        return table

    def _on_table(self, request: ApiRequest, table: Table) -> Answer:
        if request.method == "PUT":
            body = request.json()
            kept = {n: v for n, v in body.items() if n.startswith(("Display", "Has", "Descr"))}
            tracked = table.change_tracking or body.get("ChangeTrackingEnabled") is True
            changed = replace(table, change_tracking=tracked, metadata={**table.metadata, **kept})
            self._recorder.put(changed)
            return Answer(204)
        if request.method != "DELETE":
            raise Refusal.method(request.method)
        _need_custom(table.custom, table.name)
        for relationship in [*self._registry.one_to_many.values()]:
            if relationship.referenced == table.name and relationship.referencing != table.name:
                if (relationship.referencing, relationship.column) in self._standard_lookups(table):
                    continue
                self._drop_lookup(relationship)
        self._forget_table(table)
        return Answer(204)

    def _standard_lookups(self, table: Table) -> set[tuple[str, str]]:
        """Lookups to this table among others: they stay, without this target."""
        return {
            (other.name, column.name)
            for other in self._registry
            for column in other.columns.values()
            if table.name in column.targets and len(column.targets) > 1
        }

    def _forget_table(self, table: Table) -> None:
        for other in [*self._registry]:
            self._without_target(other, table.name)
        one, many = self._registry.one_to_many, self._registry.many_to_many
        for name in [n for n, r in one.items() if table.name in (r.referenced, r.referencing)]:
            self._recorder.unregister(one, name)
        for name in [n for n, r in many.items() if table.name in r.tables]:
            self._recorder.unregister(many, name)
        rows = self._store.state.rows
        if table.name in rows:
            self._recorder.unregister(rows, table.name)
        self._recorder.unregister(self._registry.tables, table.name)

    def _without_target(self, other: Table, target: str) -> None:
        for column in other.columns.values():
            if target in column.targets and other.name != target:
                left = {t: n for t, n in column.targets.items() if t != target}
                columns = {**other.columns, column.name: replace(column, targets=left)}
                other = replace(other, columns=columns)
                self._recorder.put(other)

    def _on_columns(self, request: ApiRequest, table: Table, segment: Segment) -> Answer:
        if request.method == "POST" and not segment.has_key:
            column = payloads.read_column(request.json(), self._registry.choices)
            if column.name in table.columns:
                raise exists("attribute", column.name)
            self._recorder.put(payloads.with_column(table, column))
            address = f"{_address(request, table)}/Attributes"
            return _made(request, f"{address}({shapes.column_id(table, column)})")
        if not segment.has_key:
            raise Refusal.method(request.method)
        column = self._reading.column(table, segment)
        if request.method == "PUT":
            changed = payloads.changed_column(column, request.json())
            self._recorder.put(replace(table, columns={**table.columns, column.name: changed}))
            return Answer(204)
        if request.method == "DELETE":
            self._drop_column(table, column)
            return Answer(204)
        raise Refusal.method(request.method)

    def _on_keys(self, request: ApiRequest, table: Table, segment: Segment) -> Answer:
        if request.method == "POST" and not segment.has_key:
            name = payloads.schema_name(request.json()).lower()
            if name in table.keys:
                raise exists("key", name)
            self._recorder.put(payloads.with_key(table, name, request.json()))
            address = f"{_address(request, table)}/Keys"
            return _made(request, f"{address}({shapes.key_id(table, name)})")
        if request.method != "DELETE" or not segment.has_key:
            raise Refusal.method(request.method)
        for name in table.keys:
            if segment.guid == shapes.key_id(table, name) or name in segment.parts.values():
                left = {n: columns for n, columns in table.keys.items() if n != name}
                self._recorder.put(replace(table, keys=left))
                return Answer(204)
        raise Refusal(404, "0x80060888", "Could not find the key.")

    def _create_relationship(self, request: ApiRequest) -> Answer:
        body = request.json()
        kind = str(body.get("@odata.type", "")).removeprefix("#").removeprefix(shapes.CRM)
        if kind == "OneToManyRelationshipMetadata":
            relationship, column = payloads.read_one_to_many(body)
            self._check_new(relationship.schema_name, relationship.referenced)
            table = self._known(relationship.referencing)
            if column.name in table.columns:
                raise exists("attribute", column.name)
            self._recorder.put(payloads.with_column(table, column))
            made = {relationship.schema_name: relationship}
            self._recorder.register(self._registry.one_to_many, made)
            return _made(request, f"RelationshipDefinitions({relationship.metadata_id})")
        if kind == "ManyToManyRelationshipMetadata":
            links = payloads.read_many_to_many(body)
            self._check_new(links.schema_name, *links.tables)
            self._recorder.register(self._registry.many_to_many, {links.schema_name: links})
            return _made(request, f"RelationshipDefinitions({links.metadata_id})")
        raise Refusal.payload(f"'{kind}' is no type of a relationship.")

    def _check_new(self, name: str, *tables: str) -> None:
        for table in tables:
            self._known(table)
        if name in {known.schema_name for known in self._registry.relationships()}:
            raise exists("relationship", name)

    def _known(self, name: str) -> Table:
        if name not in self._registry:
            text = f"The entity with a name = '{name}' was not found in the MetadataCache."
            raise Refusal(400, "0x80041102", text)
        return self._registry.table(name)

    def _delete_relationship(self, segment: Segment) -> None:
        relationship = self._reading.relationship(segment)
        _need_custom(relationship.custom, relationship.schema_name)
        if isinstance(relationship, OneToMany):
            self._drop_lookup(relationship)
            return
        links = self._store.state.links
        if relationship.schema_name in links:
            self._recorder.unregister(links, relationship.schema_name)
        self._recorder.unregister(self._registry.many_to_many, relationship.schema_name)

    def _drop_lookup(self, relationship: OneToMany) -> None:
        table = self._registry.table(relationship.referencing)
        if column := table.columns.get(relationship.column):
            self._drop_column(table, column)

    def _drop_column(self, table: Table, column: Column) -> None:
        """The column, its values, the keys and relationships that need it."""
        _need_custom(column.custom, column.name)
        if column.name == table.primary_name or any(column.name in c for c in table.keys.values()):
            raise Refusal(
                400, "0x8004f01f", f"'{column.name}' is needed by the table or one of its keys."
            )
        one = self._registry.one_to_many
        mine = (table.name, column.name)
        for name in [n for n, r in one.items() if (r.referencing, r.column) == mine]:
            self._recorder.unregister(one, name)
        self._recorder.put(payloads.without_column(table, column.name))
        rows = self._store.state.rows.get(table.name, {})
        for row in [r for r in rows.values() if column.name in r.values]:
            values = {n: v for n, v in row.values.items() if n != column.name}
            self._recorder.register(rows, {row.id: replace(row, values=values)})


def _address(request: ApiRequest, table: Table) -> str:
    """A table as the request named it: Microsoft's client takes the first id for the new one."""
    by_id = request.segments[0].guid is not None
    key = table.metadata_id if by_id else f"LogicalName='{table.name}'"
    return f"EntityDefinitions({key})"


def _need_custom(custom: bool, name: str) -> None:
    if not custom:
        text = f"'{name}' is part of the system and cannot be deleted."
        raise Refusal(400, "0x8004f01f", text)


def _made(request: ApiRequest, path: str) -> Answer:
    address = f"{request.base_url}/{path}"
    return Answer(204, headers={"OData-EntityId": address, "Location": address})
