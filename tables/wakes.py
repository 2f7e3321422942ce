"""``wakes`` and ``timers``: when a record has to be decided again, and all of it in time order.

``wakes`` holds one row per record; ``timers`` is its index: one empty row per waiting record under
a key that sorts by time, so that what is due is found at the table's beginning. Both are written by
the same decision, so they agree after every checkpoint.
"""

from __future__ import annotations

from tables.keys import RecordRef
from tables.rows import Row


class WakesRow(Row):
    """When the record has to be decided again (Unix ms), None when only news matter."""

    at_ms: int | None = None


def timer_key(at_ms: int, record: RecordRef) -> str:
    """``0001700000000000/account:<guid>``: sorts by time."""
    return f"{at_ms:016d}/{record.key}"


def parse_timer(key: str) -> tuple[int, RecordRef]:
    """Read a timer's key back: the time in Unix ms, and the record."""
    at_ms, _, record = key.partition("/")
    return int(at_ms), RecordRef.parse(record)
