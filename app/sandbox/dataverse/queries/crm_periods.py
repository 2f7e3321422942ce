"""Query functions of the platform about weeks, months, years, hours and minutes.

Days are those of UTC, weeks begin on Sunday. ``LastX`` and ``NextX`` reach from or to now.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from app.sandbox.dataverse.errors import Refusal

Test = Callable[[Any], bool]
Make = Callable[[Sequence[Any], dt.datetime, str], Test]
Shift = Callable[[dt.datetime, int], dt.datetime]


def this(unit: str, offset: int = 0) -> Make:
    """In the calendar's week, month or year ``offset`` after that of today."""

    def make(_: Sequence[Any], now: dt.datetime, __: str) -> Test:
        first = _begin(unit, now)
        start = _SHIFTS[unit](first, offset)
        end = _SHIFTS[unit](start, 1)
        return lambda value: value is not None and _day(start) <= value[:10] < _day(end)

    return make


def within(unit: str, sign: int) -> Make:
    """From so many units ago until now (``sign`` -1), or from now on (1)."""

    def make(values: Sequence[Any], now: dt.datetime, _: str) -> Test:
        ends = sorted((_moment(now), _moment(_shifted(unit, now, sign * _count(values)))))
        if unit in _TIMES:
            return lambda value: value is not None and ends[0] <= _whole(value) <= ends[1]
        first, last = ends[0][:10], ends[1][:10]
        return lambda value: value is not None and first <= value[:10] <= last

    return make


def older(unit: str) -> Make:
    """Before so many units ago."""

    def make(values: Sequence[Any], now: dt.datetime, _: str) -> Test:
        limit = _moment(_shifted(unit, now, -_count(values)))
        if unit in _TIMES:
            return lambda value: value is not None and _whole(value) < limit
        return lambda value: value is not None and value[:10] < limit[:10]

    return make


def _shifted(unit: str, now: dt.datetime, count: int) -> dt.datetime:
    try:
        return _SHIFTS[unit](now, count)
    except (OverflowError, ValueError) as error:
        raise Refusal.bad_query(f"{count} {unit}s from now is no date.") from error


def _months(moment: dt.datetime, count: int) -> dt.datetime:
    """The same day of another month, or its last."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + count, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


_SHIFTS: dict[str, Shift] = {
    "minute": lambda moment, count: moment + dt.timedelta(minutes=count),
    "hour": lambda moment, count: moment + dt.timedelta(hours=count),
    "week": lambda moment, count: moment + dt.timedelta(weeks=count),
    "month": _months,
    "year": lambda moment, count: _months(moment, 12 * count),
}
_TIMES = ("minute", "hour")


def _begin(unit: str, now: dt.datetime) -> dt.datetime:
    today = now.astimezone(dt.UTC)
    if unit == "week":
        return today - dt.timedelta(days=today.isoweekday() % 7)
    return today.replace(day=1) if unit == "month" else today.replace(month=1, day=1)


def _day(moment: dt.datetime) -> str:
    return moment.date().isoformat()


def _moment(moment: dt.datetime) -> str:
    """As rows compare: the casefolded form of their times."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dt%H:%M:%Sz")


def _whole(value: str) -> str:
    return value if len(value) > 10 else f"{value}t00:00:00z"


def _count(values: Sequence[Any]) -> int:
    if len(values) == 1 and str(values[0]).isdecimal() and len(str(values[0])) < 7:
        return int(values[0])
    raise Refusal.bad_query("This function needs a number of its unit.")
