"""What is written into a category: a value for each attribute, and for each row of a set.

reference/extended-ecm.md 4. A list fills a multi-value attribute, or the rows of its set from the
first on: what the rows had beyond it is emptied, and rows beyond all lists of the set are removed
(``{category}_{set}_{row}`` with nothing), the last first, so that no number shifts meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.clients.ecm.answers import number
from app.clients.ecm.attributes import Attribute, Value, form_text
from app.clients.http import Form

#: An attribute, and what it is to hold: one value, or a list.
Wanted = tuple[Attribute, Value | tuple[Value, ...]]


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as Content Server takes it, under its full key."""

    key: str
    attribute: Attribute
    value: Value | list[Value]

    def held(self, present: Any) -> bool:
        """Whether the node has this value already."""
        if not isinstance(self.value, list):
            return self.attribute.same(present, self.value)
        items = present if isinstance(present, list) else [present]
        filled = [item for item in items if item not in (None, "")]
        return len(filled) == len(self.value) and all(
            self.attribute.same(item, value) for item, value in zip(filled, self.value, strict=True)
        )

    @property
    def is_empty_number(self) -> bool:
        """Whether this needs null: an empty form field empties texts and dates only."""
        return self.value is None and self.attribute.type != "date"


def cells(wanted: Sequence[Wanted]) -> list[Cell]:
    """Every value under its key. Raises Refused (``attribute_invalid``) for what does not fit."""
    rows = _rows(wanted)
    return [cell for attribute, value in wanted for cell in _cells(attribute, value, rows)]


def rows_to_remove(wanted: Sequence[Wanted], present: Mapping[str, Any]) -> list[str]:
    """The keys of the rows that lie beyond the lists of their set, the last first."""
    gone: list[str] = []
    for group, count in _rows(wanted).items():
        last = max((row for row, filled in _filled(group, present) if filled), default=0)
        gone += [f"{group}_{row}" for row in range(last, count, -1)]
    return gone


def fills_rows(values: Iterable[Any]) -> bool:
    """Whether there is a list among the values."""
    return any(isinstance(value, tuple) for value in values)


def form_of(changes: Iterable[Cell], removed: Iterable[str]) -> Form:
    """Cells and removed rows as form fields (F); an empty list is an empty field."""
    form: dict[str, str | list[str]] = {cell.key: _field(cell.value) for cell in changes}
    return form | dict.fromkeys(removed, "")


def _field(value: Value | list[Value]) -> str | list[str]:
    if isinstance(value, list):
        return [form_text(item) for item in value] or ""
    return form_text(value)


def _rows(wanted: Sequence[Wanted]) -> dict[str, int]:
    """How many rows each set has whose attributes are given as lists."""
    rows: dict[str, int] = {}
    for attribute, value in wanted:
        if attribute.group is not None and isinstance(value, tuple):
            rows[attribute.group] = max(rows.get(attribute.group, 0), len(value))
    return rows


def _cells(
    attribute: Attribute, value: Value | tuple[Value, ...], rows: Mapping[str, int]
) -> list[Cell]:
    if not isinstance(value, tuple):
        return [Cell(attribute.key, attribute, attribute.wire(value))]
    if attribute.group is not None:
        padded = (*value, *[None] * (rows[attribute.group] - len(value)))
        return [
            Cell(attribute.in_row(row), attribute, attribute.wire(one))
            for row, one in enumerate(padded, start=1)
        ]
    if not attribute.multi_value:
        raise attribute.refused(f"takes one value, not a list of {len(value)}")
    filled = [attribute.wire(one) for one in value if one not in (None, "")]
    return [Cell(attribute.key, attribute, filled)]


def _filled(group: str, present: Mapping[str, Any]) -> Iterable[tuple[int, bool]]:
    """For each cell of a set its row, and whether it holds anything."""
    for key, value in present.items():
        rest = key.removeprefix(f"{group}_").split("_")
        row = number(rest[0]) if key.startswith(f"{group}_") and len(rest) == 2 else None
        if row is not None:
            yield row, value not in (None, "", [])
