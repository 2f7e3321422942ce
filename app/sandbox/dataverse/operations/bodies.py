"""From a JSON body (or in-process values) to typed column values, with every refusal on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries.rendering import PRINCIPALS
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.schema import Column, ColumnType, Registry, Table
from app.sandbox.dataverse.tables.values import Reference, Values, as_guid, parse
from app.sandbox.dataverse.web.urls import API_PATH, Segment, parse_path

BIND = "@odata.bind"


@dataclass(slots=True)
class Given:
    """What a body says of a row: its columns, rows to create with it, rows to link it with.

    ``before`` are new rows that lookups point to, by column; ``after`` are new rows of collections
    and ``links`` existing ones, both by navigation property.
    """

    values: Values = field(default_factory=dict)
    before: dict[str, tuple[Table, Given]] = field(default_factory=dict)
    after: list[tuple[str, Given]] = field(default_factory=list)
    links: list[tuple[str, Reference]] = field(default_factory=list)

    @property
    def nested(self) -> bool:
        return bool(self.before or self.after or self.links)


class Bodies:
    """Reads bodies against the tables, and finds the rows that paths and bindings name."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    def read(self, table: Table, body: Mapping[str, Any]) -> Given:
        """What a body sets. Raises `Refusal` 400 or, for a missing target, 404."""
        given = Given()
        for name, value in body.items():
            if name.endswith(BIND):
                self._bound(table, name.removesuffix(BIND), value, given)
            elif "@" not in name:  # other annotations say nothing about the row
                self._property(table, name, value, given)
        return given

    def columns(self, table: Table, body: Mapping[str, Any]) -> Values:
        """As `read`, of a body that may set columns only. Raises `Refusal` 400 for nested rows."""
        given = self.read(table, body)
        if given.nested:
            raise Refusal.payload("Rows can be nested in a create only.")
        return given.values

    def read_python(self, table: Table, given: Mapping[str, Any]) -> Values:
        """In-process values: a lookup is a `Reference`, or the guid where it has one target only.

        Raises `Refusal` as `read` does, except that a lookup's target need not exist.
        """
        values: Values = {}
        for name, value in given.items():
            column = table.column(name)
            if column.type is ColumnType.LOOKUP and value is not None:
                values[name] = _reference(column, value)
            else:
                values[name] = parse(column, value, table.name)
        return values

    def find(self, table: Table, segment: Segment) -> Row | None:
        """The row that a keyed segment names. Raises `Refusal` 400 for what is no key."""
        if segment.guid is not None:
            return self._store.get(table.name, segment.guid)
        name = next(iter(segment.parts), "")
        if len(segment.parts) == 1 and name in {table.primary_id, principal_id(table)}:
            guid = as_guid(str(segment.parts[name]))
            return None if guid is None else self._store.get(table.name, guid)
        key, values = self.key_values(table, segment)
        return self._store.find(table, key, values)

    def key_values(self, table: Table, segment: Segment) -> tuple[str, Values]:
        """Which alternate key a segment uses, and its values by column.

        Raises `Refusal` 400 for what is no key, or no value of one: null names no row.
        """
        values: Values = {}
        for name, value in segment.parts.items():
            column = table.by_property(name)
            try:
                if column.type is ColumnType.LOOKUP:
                    values[column.name] = _reference(column, str(value))
                else:
                    values[column.name] = parse(column, value, table.name)
            except Refusal as refusal:
                if refusal.code != Refusal.payload("").code:
                    raise
                raise Refusal.bad_query(refusal.message) from refusal
            if value is None:
                raise Refusal.bad_query(f"The key attribute '{name}' cannot be null.")
        for key, columns in table.keys.items():
            if set(columns) == set(values):
                return key, values
        raise Refusal.bad_query(
            f"The specified key attributes are not a defined key for the {table.name} entity"
        )

    def target(self, path: str) -> Reference:
        """The row that ``/accounts(<key>)`` or an absolute address names. 404 when missing."""
        segment = row_address(path)
        table = self._registry.by_set(segment.name)
        row = self.find(table, segment)
        if row is None:
            raise missing(table, segment)
        return Reference(table.name, row.id)

    def _bound(self, table: Table, navigation: str, value: Any, into: Given) -> None:
        found = table.navigation(navigation)
        if found is None:
            self._bound_many(table, navigation, value, into)
        elif value is None:
            into.values[found[0].name] = None
        elif isinstance(value, str):
            reference = self.target(value)
            if found[0].targets.get(reference.table) != navigation:
                raise Refusal.payload(
                    f"A row of {reference.table} cannot be bound to '{navigation}' of {table.name}."
                )
            into.values[found[0].name] = reference
        else:
            raise Refusal.payload(f"'{navigation}{BIND}' must be the address of a row or null.")

    def _bound_many(self, table: Table, navigation: str, value: Any, into: Given) -> None:
        """Existing rows for a collection: a list of addresses."""
        other = self.other_side(table, navigation)
        if other is None:
            raise Refusal.undeclared_property(navigation)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise Refusal.payload(f"'{navigation}{BIND}' must be a list of addresses of rows.")
        for item in value:
            reference = self.target(item)
            if reference.table != other.name:
                raise Refusal.payload(f"'{navigation}' holds rows of {other.name} only.")
            into.links.append((navigation, reference))

    def other_side(self, table: Table, navigation: str) -> Table | None:
        """The table of a collection-valued navigation property, None when there is none."""
        if one := self._registry.collection(table, navigation):
            return self._registry.table(one.referencing)
        if found := self._registry.association(table, navigation):
            relationship, side = found
            return self._registry.table(relationship.tables[1 - side])
        return None

    def _property(self, table: Table, name: str, value: Any, into: Given) -> None:
        column = table.columns.get(name)
        if column is not None and column.type is not ColumnType.LOOKUP:
            into.values[name] = parse(column, value, table.name)
            return
        found = table.navigation(name)
        if found is not None and value is None:
            into.values[found[0].name] = None
        elif found is not None and isinstance(value, dict):
            target = self._registry.table(found[1])
            into.before[found[0].name] = (target, self.read(target, value))
        elif (other := self.other_side(table, name)) is not None:
            self._children(other, name, value, into)
        elif found is not None:
            raise Refusal.payload(
                "A 'PrimitiveValue' node with non-null value was found when trying to read the "
                f"value of the navigation property '{name}'; bind it with '{name}{BIND}'."
            )
        elif name.startswith("_") and name.endswith("_value"):
            raise Refusal.payload(
                "CRM do not support direct update of Entity Reference properties, Use Navigation "
                "properties instead."
            )
        else:
            raise Refusal.unknown_property(name, table.name)

    def _children(self, table: Table, navigation: str, value: Any, into: Given) -> None:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise Refusal.payload(f"'{navigation}' must be a list of rows.")
        into.after += [(navigation, self.read(table, item)) for item in value]


def row_address(path: Any) -> Segment:
    """``accounts(<key>)``, ``/accounts(<key>)`` or an absolute address. Raises `Refusal` 400."""
    text = str(path)
    segments = parse_path(text.partition(API_PATH)[2] if API_PATH in text else text)
    if len(segments) != 1 or not segments[0].has_key:
        raise Refusal.payload(f"'{path}' is not the address of a row.")
    return segments[0]


def missing(table: Table, segment: Segment) -> Refusal:
    """The 404 for a row that a segment names by id or alternate key."""
    if segment.guid is None:
        return Refusal.missing_key(table.name)
    return Refusal.missing_row(table.name, segment.guid)


def principal_id(table: Table) -> str:
    """The second name of the primary id that users and teams have in addresses."""
    return "ownerid" if table.name in PRINCIPALS else table.primary_id


def _reference(column: Column, value: Any) -> Reference:
    """Raises `Refusal` 400 when the value does not name one row of one of the lookup's targets."""
    if isinstance(value, tuple) and len(value) == 2:
        table, row_id = value
    elif len(column.targets) == 1:
        table, row_id = next(iter(column.targets)), value
    else:
        raise Refusal.payload(
            f"'{column.name}' may point to {', '.join(column.targets)}: give Reference(table, id)."
        )
    guid = as_guid(str(row_id))
    if guid is None or table not in column.targets:
        raise Refusal.payload(f"'{value}' is nothing that '{column.name}' can point to.")
    return Reference(table, guid)
