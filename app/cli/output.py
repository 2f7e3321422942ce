"""What commands write: results on standard output, talk on standard error, never a secret."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from app.logs import MASK


def say(text: str) -> None:
    """Talk to the person at the terminal."""
    sys.stderr.write(MASK(text) + "\n")


def show(text: str) -> None:
    """A line of the result."""
    sys.stdout.write(MASK(_one_line(text)) + "\n")


def show_json(value: Mapping[str, Any]) -> None:
    """One object of the result, on a line of its own."""
    sys.stdout.write(MASK(json.dumps(value, ensure_ascii=False, default=str)) + "\n")


def show_table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Columns, aligned; the last one may be as long as it is, so that nothing is cut in a pipe."""
    cells = [[_one_line(str(cell)) for cell in row] for row in (headings, *rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(headings))]
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        show("  ".join([*padded, row[-1]]).rstrip())


def moment(at_ms: int) -> str:
    """A time in UTC, to the millisecond; ``-`` when the clock of a producer was beyond any time."""
    try:
        text = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return "-"
    return text.replace("+00:00", "Z")


def _one_line(text: str) -> str:
    """Text of other systems must not move the cursor or fake a line."""
    return "".join(c if c.isprintable() else " " for c in text)
