"""Text that fits its column: Dynamics refuses a longer one, and all that is written beside it."""

from __future__ import annotations

from collections.abc import Mapping

from streams.catalogue import ColumnValue, Table

_MORE = "…"


def fitted(table: Table, columns: Mapping[str, ColumnValue]) -> dict[str, ColumnValue]:
    """The values as the table's columns take them, where the rules say how long a text may be.

    Of several lines as many are kept as fit, a longer line is cut, and a link is left out: the
    beginning of one opens nothing.
    """
    declared = table.columns
    return {
        name: _fitted(value, declared[name].length if name in declared else None)
        for name, value in columns.items()
    }


def _fitted(value: ColumnValue, length: int | None) -> ColumnValue:
    if length is None or not isinstance(value, str) or len(value) <= length:
        return value
    lines = value.splitlines()
    kept: list[str] = []
    for line in lines[:-1]:
        if len("\n".join([*kept, line, _MORE])) > length:
            break
        kept.append(line)
    if kept:
        return "\n".join([*kept, _MORE])
    if "://" in value and not any(map(str.isspace, value)):
        return None
    return f"{value[: length - 1]}{_MORE}"
