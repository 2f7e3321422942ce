"""The Dynamics tables and columns that Dovetail listens to, and the type of each column.

Change events carry the same value in many shapes: ``"50000.00"`` in a Synapse Link row, ``50000.0``
in a Web API row, ``{"Value": 50000}`` in a RemoteExecutionContext. Only the type makes them equal,
so the rules declare it (``app/rules/tables.yaml``) and decode brings every value to one form.
Columns that no rule declares are left out: they can neither trigger nor hide a change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tables.keys import RecordRef

#: One column's value in its canonical form, see ``ColumnKind``.
ColumnValue = str | int | bool | None


class ColumnKind(StrEnum):
    """The type of a column, and the canonical form of its values on our topics."""

    TEXT = "text"  # str
    INTEGER = "integer"  # int
    CHOICE = "choice"  # int: the option's number, also state and status
    CHOICES = "choices"  # str: numbers ascending, "1,3"
    NUMBER = "number"  # str: a plain decimal without trailing zeros, "50000", "1234.5"
    BOOLEAN = "boolean"  # bool
    DATETIME = "datetime"  # str: UTC, "2024-01-31T10:15:00Z" (".123Z" only when not zero)
    DATE = "date"  # str: "2024-01-31"
    LOOKUP = "lookup"  # str: the key of the record, "account:<guid>"
    GUID = "guid"  # str: lower case, no braces


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, and for a lookup the tables that it may point to."""

    kind: ColumnKind
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One Dynamics table: logical name, entity set of the Web API, primary id and the columns."""

    name: str
    entity_set: str
    primary_id: str
    columns: Mapping[str, Column]
    #: True for tables that are read when needed and never start a flow (systemuser, processstage).
    reference: bool = False


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All tables that the rules declare, by logical name."""

    tables: Mapping[str, Table] = field(default_factory=dict)

    def get(self, name: str) -> Table | None:
        return self.tables.get(name.lower())

    def by_entity_set(self, entity_set: str) -> Table | None:
        wanted = entity_set.lower()
        return next((t for t in self.tables.values() if t.entity_set.lower() == wanted), None)


def lookup(value: ColumnValue) -> RecordRef | None:
    """Read a lookup column's canonical value; None when it is empty or not a reference."""
    if not isinstance(value, str) or ":" not in value:
        return None
    try:
        return RecordRef.parse(value)
    except ValueError:
        return None
