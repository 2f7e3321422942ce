"""Moments as people and documents write them, and as columns hold them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from streams.catalogue import ColumnKind, ColumnValue
from streams.flows.shape import View


def told_ms(told: Any) -> int | None:
    """A moment from ISO text, in Unix ms: a day is its beginning in UTC; None when it is none."""
    if not isinstance(told, str):
        return None
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def end_ms(told: Any) -> int | None:
    """When something ends that is good until then, in Unix ms: a day counts to its end in UTC."""
    if not isinstance(told, str):
        return None
    try:
        after = date.fromisoformat(told) + timedelta(days=1)
    except (ValueError, OverflowError):
        return told_ms(told)
    return told_ms(after.isoformat())


def as_column(view: View, column: str, at_ms: int | None) -> ColumnValue:
    """A moment as the column holds it: whole seconds, as Dataverse keeps them, or the date."""
    if at_ms is None:
        return None
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    declared = view.table.columns.get(column)
    if declared is not None and declared.kind is ColumnKind.DATE:
        return moment.date().isoformat()
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def day_of(at_ms: int) -> str:
    """The day of a moment, in UTC."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).date().isoformat()
