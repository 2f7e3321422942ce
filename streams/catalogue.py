"""The Dynamics tables and columns that Dovetail listens to, and the type of each column.

Change events carry the same value in many shapes: ``"50000.00"`` in a Synapse Link row, ``50000.0``
in a Web API row, ``{"Value": 50000}`` in a RemoteExecutionContext. Only the type makes them equal,
so the rules declare it (``app/rules/tables.yaml``) and decode brings every value to one form.
Columns that no rule declares are left out: they can neither trigger nor hide a change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tables.keys import RecordRef, is_natural

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
    #: A text: how many characters it may have, where the rules say so.
    length: int | None = None
    #: A choice of finance and operations: the symbol of each number (``(("No", 0), ("All", 2))``).
    symbols: tuple[tuple[str, int], ...] = ()
    #: A lookup of finance and operations whose target belongs to no company.
    shared: bool = False


#: The column that holds the company in every entity of finance and operations that has one.
COMPANY = "dataareaid"


@dataclass(frozen=True, slots=True)
class Finance:
    """What makes a table one of finance and operations (app/decisions/0005).

    ``key``: the columns that name a row, the company first. ``sources``: the tables of Synapse Link
    and the entities of data events that tell of its rows, and ``names`` their columns' names in
    lower case (``{"salesid": "salesordernumber"}``). ``events``: by business event id, the event's
    field for each column of the key.
    """

    key: tuple[str, ...]
    sources: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    events: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """One Dynamics table: logical name, entity set of its API, primary id and the columns.

    ``finance`` is set for a table of finance and operations, which has no primary id.
    """

    name: str
    entity_set: str
    primary_id: str
    columns: Mapping[str, Column]
    #: True for tables that are read when needed and never start a flow (systemuser, processstage).
    reference: bool = False
    finance: Finance | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All tables that the rules declare, by logical name."""

    tables: Mapping[str, Table] = field(default_factory=dict)

    def get(self, name: str) -> Table | None:
        return self.tables.get(name.lower())

    def by_entity_set(self, entity_set: str) -> Table | None:
        wanted = entity_set.lower()
        return next((t for t in self.tables.values() if t.entity_set.lower() == wanted), None)

    def by_source(self, name: str) -> Table | None:
        """The table of finance and operations of which another system's table or entity tells."""
        wanted = name.lower()
        return next((t for t in self._finance() if t.finance and wanted in t.finance.sources), None)

    def of_event(self, event: str) -> tuple[tuple[Table, Mapping[str, str]], ...]:
        """The tables that a business event is about, each with the event's fields for its key."""
        return tuple(
            (table, table.finance.events[event])
            for table in self._finance()
            if table.finance and event in table.finance.events
        )

    def is_alias(self, record: RecordRef) -> bool:
        """True when the id is a source's own guid for a row that its natural key names."""
        table = self.get(record.table)
        return table is not None and table.finance is not None and not is_natural(record.id)

    def _finance(self) -> Iterator[Table]:
        return (table for table in self.tables.values() if table.finance is not None)


def lookup(value: ColumnValue) -> RecordRef | None:
    """Read a lookup column's canonical value; None when it is empty or not a reference."""
    if not isinstance(value, str) or ":" not in value:
        return None
    try:
        return RecordRef.parse(value)
    except ValueError:
        return None
