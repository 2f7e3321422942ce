"""``EntityDefinitions`` and ``RelationshipDefinitions``, read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.metadata import shapes
from app.sandbox.dataverse.metadata.choosing import chosen, expansions, selected
from app.sandbox.dataverse.metadata.shapes import CRM, DERIVED
from app.sandbox.dataverse.tables.schema import Column, ManyToMany, OneToMany, Registry, Table
from app.sandbox.dataverse.web.urls import Answer, ApiRequest, Segment

COLLECTIONS = (
    "Attributes",
    "Keys",
    "OneToManyRelationships",
    "ManyToOneRelationships",
    "ManyToManyRelationships",
)
OPTIONS = ("$select", "$filter", "$expand")
OPTION_SETS = ("OptionSet", "GlobalOptionSet")


class MetadataReading:
    """Answers ``GET`` below ``EntityDefinitions`` and ``RelationshipDefinitions``."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def tables(self, request: ApiRequest) -> Answer:
        """Raises `Refusal` for unknown tables, columns, properties and options."""
        _check_options(request.query)
        root, *rest = request.segments
        if not root.has_key:
            if rest:
                raise Refusal.missing_segment(rest[0].name)
            tables = {table.name: table for table in self._registry}
            items = [shapes.entity(table) for table in tables.values()]
            plain = {n: t for n, t in request.query.items() if n == "$filter"}
            shown = [
                self._entity(tables[item["LogicalName"]], request)
                for item in chosen(items, plain, "EntityMetadata")
            ]
            return listed(request, "EntityDefinitions", shown)
        table = self.table(root)
        if not rest:
            context = f"{context_of(request, 'EntityDefinitions')}/$entity"
            return Answer(200, {"@odata.context": context, **self._entity(table, request)})
        return self._below(table, rest, request)

    def relationships(self, request: ApiRequest) -> Answer:
        """All relationships, one kind of them by a cast, or one by its key."""
        _check_options(request.query)
        root, *rest = request.segments
        cast = rest[0].name.removeprefix(CRM) if rest else ""
        kinds = {
            "": None,
            "OneToManyRelationshipMetadata": OneToMany,
            "ManyToManyRelationshipMetadata": ManyToMany,
        }
        if len(rest) > 1 or cast not in kinds:
            raise Refusal.missing_segment(rest[-1].name)
        if root.has_key:
            shown = self._shown(self.relationship(root))
            item = selected(shown, request.query, set(shown), "RelationshipMetadataBase")
            context = f"{context_of(request, 'RelationshipDefinitions')}/$entity"
            return Answer(200, {"@odata.context": context, **item})
        everything, kind = self._registry.relationships(), kinds[cast]
        items = [self._shown(r) for r in everything if kind is None or isinstance(r, kind)]
        found = chosen(items, request.query, "RelationshipMetadataBase")
        return listed(request, "RelationshipDefinitions", found)

    def table(self, segment: Segment) -> Table:
        """By ``LogicalName`` or id. Raises `Refusal` 404."""
        name = segment.parts.get("LogicalName")
        for table in self._registry:
            if name == table.name or segment.guid == table.metadata_id:
                return table
        wanted = name or segment.guid
        raise Refusal(
            404, "0x80060888", f"Could not find an entity with name {wanted} in the metadata cache."
        )

    def column(self, table: Table, segment: Segment) -> Column:
        """By ``LogicalName`` or id. Raises `Refusal` 404."""
        name = segment.parts.get("LogicalName")
        for column in table.columns.values():
            if name == column.name or segment.guid == shapes.column_id(table, column):
                return column
        raise Refusal(404, "0x80060888", f"Could not find attribute {name or segment.guid}.")

    def relationship(self, segment: Segment) -> OneToMany | ManyToMany:
        """By ``SchemaName`` or id. Raises `Refusal` 404."""
        name = segment.parts.get("SchemaName")
        for relationship in self._registry.relationships():
            if name == relationship.schema_name or segment.guid == relationship.metadata_id:
                return relationship
        raise Refusal(404, "0x80060888", f"Could not find relationship {name or segment.guid}.")

    def collection(self, table: Table, name: str) -> list[dict[str, Any]]:
        """One of `COLLECTIONS` of a table, as JSON."""
        made: Mapping[str, Callable[[], list[dict[str, Any]]]] = {
            "Attributes": lambda: [shapes.attribute(table, c) for c in table.columns.values()],
            "Keys": lambda: shapes.keys(table),
            "OneToManyRelationships": lambda: self._one_to_many("referenced", table),
            "ManyToOneRelationships": lambda: self._one_to_many("referencing", table),
            "ManyToManyRelationships": lambda: [
                self._shown(r)
                for r in self._registry.many_to_many.values()
                if table.name in r.tables
            ],
        }
        if name not in made:
            raise Refusal.missing_segment(name)
        return made[name]()

    def _below(self, table: Table, rest: Sequence[Segment], request: ApiRequest) -> Answer:
        head, *tail = rest
        if head.name == "Attributes":
            return self._attributes(table, head, tail, request)
        if head.name == "Keys" and head.has_key and not tail:
            for key in shapes.keys(table):
                if head.guid == key["MetadataId"] or key["LogicalName"] in head.parts.values():
                    return Answer(200, key)
            raise Refusal(404, "0x80060888", "Could not find the key.")
        if tail or head.has_key:
            raise Refusal.missing_segment(head.name)
        kind = "EntityKeyMetadata" if head.name == "Keys" else "RelationshipMetadataBase"
        if head.name == "ManyToManyRelationships":
            kind = "ManyToManyRelationshipMetadata"
        items = chosen(self.collection(table, head.name), request.query, kind)
        return listed(request, head.name, items)

    def _attributes(
        self, table: Table, head: Segment, tail: Sequence[Segment], request: ApiRequest
    ) -> Answer:
        cast = tail[0].name.removeprefix(CRM) if tail else ""
        if len(tail) == 2 and head.has_key and tail[1].name in OPTION_SETS:
            return self._option_set(table, head, tail, request)
        if len(tail) > 1 or (cast and f"{CRM}{cast}" not in _all_types()):
            raise Refusal.missing_segment(tail[-1].name)
        if head.has_key:
            column = self._of_type(table, head, cast)
            shown = self._attribute(table, column, request.query, cast)
            kind = f"/{CRM}{cast}" if cast else ""
            name = f"EntityDefinitions({table.metadata_id})/Attributes{kind}"
            return Answer(200, {"@odata.context": f"{context_of(request, name)}/$entity", **shown})
        columns = [
            column
            for column in table.columns.values()
            if not cast or shapes.metadata_type(column) == f"{CRM}{cast}"
        ]
        by_name = {column.name: column for column in columns}
        items = [shapes.attribute(table, column) for column in columns]
        plain = {n: t for n, t in request.query.items() if n == "$filter"}
        found = chosen(items, plain, _kind(cast), hidden=() if cast else DERIVED)
        shown_all = [
            self._attribute(table, by_name[item["LogicalName"]], request.query, cast)
            for item in found
        ]
        return listed(request, "Attributes", shown_all)

    def _of_type(self, table: Table, head: Segment, cast: str) -> Column:
        """A column by its key. Raises `Refusal` 404, also for one of another type."""
        column = self.column(table, head)
        if cast and shapes.metadata_type(column) != f"{CRM}{cast}":
            raise Refusal(404, "0x80060888", f"{column.name} is no {cast}.")
        return column

    def _option_set(
        self, table: Table, head: Segment, tail: Sequence[Segment], request: ApiRequest
    ) -> Answer:
        """The options of a column by an address of their own; 204 where it has no such ones."""
        column = self._of_type(table, head, tail[0].name.removeprefix(CRM))
        found = self._options(column, shared=tail[1].name == "GlobalOptionSet")
        if found is None:
            return Answer(204)
        shown = selected(found, request.query, set(found), "OptionSetMetadata")
        path = f"EntityDefinitions('{table.name}')/Attributes({shapes.column_id(table, column)})"
        context = context_of(request, f"{path}/{tail[0].name}/{tail[1].name}")
        return Answer(200, {"@odata.context": f"{context}/$entity", **shown})

    def _attribute(
        self, table: Table, column: Column, query: Mapping[str, str], cast: str
    ) -> dict[str, Any]:
        """One column; with a cast its derived properties may be chosen, and its options."""
        item = shapes.attribute(table, column)
        known = set(item) - (set() if cast else set(DERIVED))
        shown = selected(item, query, known, _kind(cast))
        expanded = expansions(query.get("$expand", ""))
        for name, options in expanded.items():
            if name not in OPTION_SETS or not cast:
                raise Refusal.unknown_property(name, _kind(cast))
            found = self._options(column, shared=name == "GlobalOptionSet")
            if found is not None:
                wanted = [n for n in options.get("$select", "").split(",") if n.strip()]
                found = {n: v for n, v in found.items() if not wanted or n in wanted}
            shown[name] = found
        if cast and not expanded and "$select" not in query and column.options:
            shown["OptionSet"] = self._options(column, shared=False)
        return shown

    def _options(self, column: Column, *, shared: bool) -> dict[str, Any] | None:
        """The column's own options, or those of its global choice: it has one of the two."""
        if shared != bool(column.choice):
            return None
        if not shared:
            return shapes.option_set(column)
        return shapes.choice(self._registry.choices[column.choice])

    def _entity(self, table: Table, request: ApiRequest) -> dict[str, Any]:
        item = shapes.entity(table)
        shown = selected(item, request.query, set(item), "EntityMetadata")
        for name, options in expansions(request.query.get("$expand", "")).items():
            if name not in COLLECTIONS:
                raise Refusal.unknown_property(name, "EntityMetadata")
            hidden = DERIVED if name == "Attributes" else ()
            items = self.collection(table, name)
            shown[name] = chosen(items, options, f"{name} metadata", hidden=hidden)
        return shown

    def _one_to_many(self, side: str, table: Table) -> list[dict[str, Any]]:
        everything = self._registry.one_to_many.values()
        return [self._shown(r) for r in everything if getattr(r, side) == table.name]

    def _shown(self, relationship: OneToMany | ManyToMany) -> dict[str, Any]:
        if isinstance(relationship, OneToMany):
            referenced = self._registry.table(relationship.referenced)
            return shapes.one_to_many(relationship, referenced.primary_id)
        one, other = (self._registry.table(name).primary_id for name in relationship.tables)
        return shapes.many_to_many(relationship, (one, other))


def listed(request: ApiRequest, name: str, items: list[dict[str, Any]]) -> Answer:
    return Answer(200, {"@odata.context": context_of(request, name), "value": items})


def context_of(request: ApiRequest, name: str) -> str:
    """What an answer holds, with the properties that were selected and expanded."""
    names = [part.strip() for part in request.query.get("$select", "").split(",") if part.strip()]
    names += expansions(request.query.get("$expand", "")) if names else []
    shown = f"({','.join(names)})" if names else ""
    return f"{request.base_url}/$metadata#{name}{shown}"


def _all_types() -> set[str]:
    return {f"{CRM}{name}AttributeMetadata" for name in shapes.TYPE_NAMES.values()}


def _kind(cast: str) -> str:
    return cast or "AttributeMetadata"


def _check_options(query: Mapping[str, str]) -> None:
    for name in query:
        if name.startswith("$") and name not in OPTIONS:
            raise Refusal.bad_query(f"The query parameter {name} is not supported.")
