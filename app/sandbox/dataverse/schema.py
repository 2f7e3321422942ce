"""What a table is: columns with types, lookups with their targets, alternate keys, states.

Facts about tables are data (`tables.yaml`, read by `definitions`); this module is their shape.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.sandbox.dataverse.errors import Refusal


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


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    ``options`` are the labels of a choice by value; ``status_states`` the state that each status
    belongs to; ``targets`` the navigation property of a lookup by target table. ``writable`` False
    marks what only the platform sets. ``auto_prefix`` starts the number that a new row gets.
    """

    name: str
    type: ColumnType
    max_length: int = 0
    options: Mapping[int, str] = field(default_factory=dict)
    status_states: Mapping[int, int] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    writable: bool = True
    auto_prefix: str = ""

    @property
    def property_name(self) -> str:
        """How a row's JSON names it: lookups read as ``_<name>_value``."""
        return f"_{self.name}_value" if self.type is ColumnType.LOOKUP else self.name

    @property
    def attribute_type(self) -> str:
        if self.type is ColumnType.LOOKUP:
            if self.name == "ownerid":
                return "Owner"
            return "Customer" if set(self.targets) == {"account", "contact"} else "Lookup"
        return self.type.value.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Table:
    """One table. ``closed_by`` names the action that alone may set a state, by state."""

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

    @property
    def metadata_id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"table:{self.name}"))

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
    """All tables, by logical name and by entity set."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._by_name = {table.name: table for table in tables}
        self._by_set = {table.entity_set: table for table in self._by_name.values()}

    def __iter__(self) -> Iterator[Table]:
        return iter(self._by_name.values())

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def table(self, name: str) -> Table:
        """By logical name. Raises KeyError naming what there is."""
        if name not in self._by_name:
            known = ", ".join(sorted(self._by_name))
            raise KeyError(f"There is no table {name!r}; this simulator has: {known}.")
        return self._by_name[name]

    def by_set(self, entity_set: str) -> Table:
        """By entity set name. Raises `Refusal` 404."""
        if entity_set not in self._by_set:
            raise Refusal.missing_segment(entity_set)
        return self._by_set[entity_set]
