"""What rules write into columns: each column once, none of Dynamics' own, and what it can hold."""

from __future__ import annotations

from collections.abc import Iterator

from app.rule_files.faults import Fault, Location
from app.rule_files.placed import PlacedPart
from app.rule_files.tables import Tables
from app.rule_files.yaml import Trail
from streams.catalogue import ColumnValue
from streams.formats.values import WrongType, canonical


def written_twice(parts: list[PlacedPart]) -> Iterator[Fault]:
    """Two values in one column would be written over each other for ever."""
    first: dict[tuple[str, str], Location] = {}
    for one in parts:
        for key, column in one.written():
            where = one.at("write_back", key)
            place = first.setdefault((one.rule.table, column), where)
            if place is not where:
                what = f"{column!r} is written by {place} already"
                yield Fault(where, what, "give each value a column of its own")
    for one in parts:
        for trail, column, _ in one.set():
            written = first.get((one.rule.table, column))
            if written is not None:
                what = f"{column!r} is written by {written} already"
                yield Fault(one.at(*trail), what, "set another column here")


def financial_written(parts: list[PlacedPart]) -> Iterator[Fault]:
    """Whichever rule names a column financial: no rule of the table may write it."""
    financial = {
        (one.rule.table, column): one.at("financial", index)
        for one in reversed(parts)
        for index, column in enumerate(one.rule.financial)
    }
    for one in parts:
        named: list[tuple[Trail, str]] = [
            *((("write_back", key), column) for key, column in one.written()),
            *((trail, column) for trail, column, _ in one.set()),
        ]
        for trail, column in named:
            place = financial.get((one.rule.table, column))
            if place is not None:
                what = f"{column!r} is financial ({place}): Dynamics alone writes it"
                yield Fault(one.at(*trail), what, "name a column of Dovetail's own")


def value_faults(
    where: Location, tables: Tables, table: str, name: str, value: ColumnValue
) -> Iterator[Fault]:
    """What a rule puts into a column has to be such as the column holds, in its canonical form."""
    yield from tables.column_fault(where, table, name)
    column = tables.column(table, name)
    if column is None or value is None:
        return
    try:
        held = canonical(column, value)
    except WrongType as wrong:
        yield Fault(where, f"{table}.{name} is {column.kind}: {wrong}")
        return
    if held != value or type(held) is not type(value):
        yield Fault(where, f"{table}.{name} holds {value!r} as {held!r}", f"write {held!r}")
