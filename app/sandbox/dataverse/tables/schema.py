"""What a table is: columns with types, lookups with their targets, alternate keys, states.

Facts about tables are data (`tables.yaml`, read by `definitions`); this module is their shape.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.sandbox.dataverse.errors import Refusal

FIRST_CUSTOM_TYPE = 10_000
"""Type codes from here on are those of tables that are not in every organisation."""


class ColumnType(StrEnum):
    """The value is the ``AttributeType`` that EntityDefinitions reports."""

    STRING = "String"
    MEMO = "Memo"
    INTEGER = "Integer"
    BIGINT = "BigInt"
    DECIMAL = "Decimal"
    DOUBLE = "Double"
    MONEY = "Money"
    BOOLEAN = "Boolean"
    DATETIME = "DateTime"
    DATE = "DateTime/DateOnly"
    GUID = "Uniqueidentifier"
    CHOICE = "Picklist"
    MULTICHOICE = "Virtual"
    STATE = "State"
    STATUS = "Status"
    LOOKUP = "Lookup"
    FILE = "Virtual/File"


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    ``options`` are the labels of a choice by value; ``status_states`` the state that each status
    belongs to; ``targets`` the navigation property of a lookup by target table. ``writable`` False
    marks what only the platform sets. ``auto_prefix`` starts the number that a new row gets.
    ``minimum`` and ``maximum`` bound numbers, ``precision`` is their number of decimals. ``choice``
    names the global choice whose options these are.
    ``metadata`` are further properties as a client that created the column gave them.
    """

    name: str
    type: ColumnType
    max_length: int = 0
    options: Mapping[int, str] = field(default_factory=dict)
    status_states: Mapping[int, int] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    writable: bool = True
    auto_prefix: str = ""
    schema_name: str = ""
    custom: bool = False
    minimum: float | None = None
    maximum: float | None = None
    precision: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    choice: str = ""

    @property
    def property_name(self) -> str:
        """How a row's JSON names it: lookups read as ``_<name>_value``."""
        return f"_{self.name}_value" if self.type is ColumnType.LOOKUP else self.name

    @property
    def attribute_type(self) -> str:
        """``AttributeType`` of the metadata."""
        if self.type is ColumnType.LOOKUP:
            if self.name == "ownerid":
                return "Owner"
            return "Customer" if set(self.targets) == {"account", "contact"} else "Lookup"
        return self.type.value.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Choice:
    """A global choice: options, by value, that several columns share.

    ``metadata`` are further properties as the client that made it gave them.
    """

    name: str
    options: Mapping[int, str]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def metadata_id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"choice:{self.name}"))


@dataclass(frozen=True, slots=True)
class OneToMany:
    """Many rows of ``referencing`` point by ``column`` to one row of ``referenced``.

    ``navigation`` is the lookup's navigation property, ``collection`` the one in the other
    direction. ``on_delete`` of the one: Cascade, RemoveLink, Restrict or NoCascade.
    """

    schema_name: str
    referenced: str
    referencing: str
    column: str
    navigation: str
    collection: str
    on_delete: str = "RemoveLink"
    custom: bool = False

    @property
    def metadata_id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"relationship:{self.schema_name}"))


@dataclass(frozen=True, slots=True)
class ManyToMany:
    """Rows of two tables linked with each other; the same table may stand on both sides."""

    schema_name: str
    tables: tuple[str, str]
    navigations: tuple[str, str]
    intersect: str
    custom: bool = False

    @property
    def metadata_id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"relationship:{self.schema_name}"))

    def side(self, table: str, navigation: str) -> int | None:
        """On which side a table stands when it calls the other by ``navigation``."""
        for side in (0, 1):
            if self.tables[side] == table and self.navigations[side] == navigation:
                return side
        return None


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    ``closed_by`` names the action that alone may set a state, by state. ``duplicate_rules`` are
    the columns of each rule of duplicate detection. ``metadata`` are further properties as a client
    that created the table gave them.
    """

    name: str
    entity_set: str
    primary_id: str
    primary_name: str
    columns: Mapping[str, Column]
    schema_name: str = ""
    type_code: int = 0
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    closed_by: Mapping[int, str] = field(default_factory=dict)
    change_tracking: bool = True
    user_owned: bool = True
    activity: bool = False
    duplicate_rules: tuple[tuple[str, ...], ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def metadata_id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"table:{self.name}"))

    @property
    def custom(self) -> bool:
        return self.type_code >= FIRST_CUSTOM_TYPE

    @property
    def has_money(self) -> bool:
        return any(c.type is ColumnType.MONEY for c in self.columns.values())

    def column(self, name: str) -> Column:
        """By logical name. Raises `Refusal` 400 when there is none."""
        found = self.columns.get(name)
        if found is None:
            raise Refusal.unknown_property(name, self.name)
        return found

    def by_property(self, name: str) -> Column:
        """By the name in a row's JSON. Raises `Refusal` 400 when there is none."""
        if name.startswith("_") and name.endswith("_value"):
            found = self.columns.get(name[1:-6])
            if found is not None and found.type is ColumnType.LOOKUP:
                return found
        elif (found := self.columns.get(name)) and found.type is not ColumnType.LOOKUP:
            return found
        raise Refusal.unknown_property(name, self.name)

    def navigation(self, name: str) -> tuple[Column, str] | None:
        """The lookup column and target table of a navigation property; case matters."""
        for column in self.columns.values():
            for target, navigation in column.targets.items():
                if navigation == name:
                    return column, target
        return None


class Registry:
    """All tables, by logical name and by entity set, how they are related, and global choices.

    The mappings are those of the organisation's state, so that what changes here is kept.
    """

    def __init__(
        self,
        tables: dict[str, Table],
        one_to_many: dict[str, OneToMany],
        many_to_many: dict[str, ManyToMany],
        choices: dict[str, Choice],
    ) -> None:
        self.choices = choices
        self.tables = tables
        self.one_to_many = one_to_many
        self.many_to_many = many_to_many

    def __iter__(self) -> Iterator[Table]:
        return iter(self.tables.values())

    def __contains__(self, name: str) -> bool:
        return name in self.tables

    def table(self, name: str) -> Table:
        """By logical name. Raises KeyError naming what there is."""
        if name not in self.tables:
            known = ", ".join(sorted(self.tables))
            raise KeyError(f"There is no table {name!r}; this simulator has: {known}.")
        return self.tables[name]

    def by_set(self, entity_set: str) -> Table:
        """By entity set name. Raises `Refusal` 404."""
        for table in self.tables.values():
            if table.entity_set == entity_set:
                return table
        raise Refusal.missing_segment(entity_set)

    def collection(self, table: Table, navigation: str) -> OneToMany | None:
        """The relationship that a table calls by a collection-valued property; case matters."""
        for relationship in self.one_to_many.values():
            if (relationship.referenced, relationship.collection) == (table.name, navigation):
                return relationship
        return None

    def association(self, table: Table, navigation: str) -> tuple[ManyToMany, int] | None:
        """A many-to-many relationship by one of its properties, and the side of ``table``."""
        for relationship in self.many_to_many.values():
            side = relationship.side(table.name, navigation)
            if side is not None:
                return relationship, side
        return None

    def relationships(self) -> list[OneToMany | ManyToMany]:
        """All of both kinds."""
        return [*self.one_to_many.values(), *self.many_to_many.values()]

    def pointing_to(self, table: str) -> list[OneToMany]:
        """The relationships whose one is in ``table``."""
        return [r for r in self.one_to_many.values() if r.referenced == table]
