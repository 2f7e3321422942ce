"""``$orderby``: a total order of rows."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries.filters import Binder, Getter, Reading
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.tables.schema import ColumnType, Table
from app.sandbox.dataverse.tables.values import Reference, Value, comparable


@dataclass(frozen=True, slots=True)
class Order:
    """One item of ``$orderby``."""

    get: Getter
    descending: bool


@dataclass(frozen=True, slots=True)
class Key:
    """Where a row stands: the values it is sorted by, and its id."""

    values: list[Any]
    id: str


def parse_order(text: str, table: Table, reading: Reading) -> list[Order]:
    """Lookups sort by the name of their row. Raises `Refusal` 400 for an unknown property."""
    orders = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, direction = part.partition(" ")
        if direction.strip() not in ("", "asc", "desc"):
            raise Refusal.bad_query(f"Syntax error in $orderby at '{part}'.")
        column, get = Binder(reading).getter(reading.aliases.get(name, name), table)
        if column.type is ColumnType.LOOKUP:
            get = _by_name(get, reading)
        orders.append(Order(get, direction.strip() == "desc"))
    return orders


def _by_name(get: Getter, reading: Reading) -> Getter:
    def name(row: Row) -> Value:
        reference = get(row)
        if not isinstance(reference, Reference):
            return None
        other = reading.store.get(reference.table, reference.id)
        primary = reading.registry.table(reference.table).primary_name
        return None if other is None else other.values.get(primary)

    return name


def key_of(row: Row, order: Iterable[Order]) -> Key:
    return Key([comparable(item.get(row)) for item in order], row.id)


def in_order(rows: Iterable[Row], order: Sequence[Order]) -> list[Row]:
    return sorted(rows, key=lambda row: sortable(key_of(row, order), order))


def sortable(key: Key, order: Sequence[Order]) -> Any:
    """A key in a form that sorts. Raises `Refusal` 400 for one that came from elsewhere."""
    return functools.cmp_to_key(functools.partial(_compare, order=order))(key)


def _compare(one: Key, two: Key, *, order: Sequence[Order]) -> int:
    """Empty sorts first, as in the database; equal rows by id, so that the order is total."""
    try:
        for mine, theirs, item in zip(one.values, two.values, order, strict=True):
            if mine == theirs:
                continue
            less = mine is None or (theirs is not None and mine < theirs)
            return -1 if less is not item.descending else 1
        return (one.id > two.id) - (one.id < two.id)
    except (TypeError, ValueError) as error:
        raise Refusal.bad_query("The paging cookie is not one of this query.") from error
