"""Sums, averages and counts over column values; what FetchXML and ``$apply`` share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.tables.schema import Column, ColumnType
from app.sandbox.dataverse.tables.values import Reference, Value, comparable

T = TypeVar("T")

NUMERIC = (
    ColumnType.INTEGER,
    ColumnType.BIGINT,
    ColumnType.DECIMAL,
    ColumnType.DOUBLE,
    ColumnType.MONEY,
)
AGGREGATE_LIMIT = 50_000


def aggregated(function: str, column: Column, values: Iterable[Value]) -> Value:
    """One of sum, average, min, max, countcolumn, countdistinct over values that are there.

    Raises `Refusal` 400 for an unknown function, and for a column that cannot be added up.
    """
    known = [value for value in values if value is not None]
    if function == "countcolumn":
        return len(known)
    if function == "countdistinct":
        return len({comparable(value) for value in known})
    if function in ("sum", "average"):
        if column.type not in NUMERIC:
            raise Refusal.bad_query(f"'{column.name}' is no number that could be added up.")
        return _added(function, [float(str(value)) for value in known], column)
    if function in ("min", "max"):
        pick: Callable[..., Value] = min if function == "min" else max
        return pick(known, key=comparable) if known else None
    raise Refusal.bad_query(f"'{function}' is no aggregate function.")


def _added(function: str, numbers: Sequence[float], column: Column) -> Value:
    if not numbers:
        return None
    total = sum(numbers)
    if function == "average":
        return round(total / len(numbers), 10)
    whole = column.type in (ColumnType.INTEGER, ColumnType.BIGINT)
    return int(total) if whole else round(total, 10)


def grouped(
    items: Sequence[T], key: Callable[[T], Sequence[Any]]
) -> dict[tuple[Hashable, ...], list[T]]:
    """Items by key, groups in the order in which they begin. Raises `Refusal` 400 for too many."""
    if len(items) > AGGREGATE_LIMIT:
        raise Refusal(
            400,
            "0x8004E023",
            "AggregateQueryRecordLimit exceeded. Cannot perform this operation.",
        )
    groups: dict[tuple[Hashable, ...], list[T]] = {}
    for item in items:
        groups.setdefault(tuple(key(item)), []).append(item)
    return groups


def plain(value: Value) -> Any:
    """A value as JSON has it."""
    return value.id if isinstance(value, Reference) else value
