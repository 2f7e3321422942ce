"""The query functions of the platform, ``Microsoft.Dynamics.CRM.<name>(PropertyName=..)``.

Each makes a test of one column's value, in its comparable form, from the values it was given.
Days are those of UTC.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.queries.crm_periods import Make, Test, older, this, within


@dataclass(frozen=True, slots=True)
class Function:
    """``typed``: its values are of the column's own type, otherwise plain; ``of_dates``: only on
    columns that hold a date or time."""

    test: Make
    typed: bool = True
    of_dates: bool = False


def _in(values: Sequence[Any], _: dt.datetime, __: str) -> Test:
    return lambda value: value in values


def _not_in(values: Sequence[Any], _: dt.datetime, __: str) -> Test:
    return lambda value: value is not None and value not in values


def _between(values: Sequence[Any], _: dt.datetime, __: str) -> Test:
    if len(values) != 2 or None in values:
        raise Refusal.bad_query("Between needs two values.")
    low, high = values
    return lambda value: value is not None and low <= value <= high


def _not_between(values: Sequence[Any], now: dt.datetime, user: str) -> Test:
    between = _between(values, now, user)
    return lambda value: value is not None and not between(value)


def _contain_values(values: Sequence[Any], _: dt.datetime, __: str) -> Test:
    wanted = {str(value) for value in values}
    return lambda value: bool(wanted & set(str(value or "").split(",")))


def _lack_values(values: Sequence[Any], now: dt.datetime, user: str) -> Test:
    contains = _contain_values(values, now, user)
    return lambda value: not contains(value)


def _days(first: int, last: int) -> Make:
    """From the day ``first`` after today to the day ``last`` after today, both included."""

    def make(_: Sequence[Any], now: dt.datetime, __: str) -> Test:
        start, end = (_day(now, offset) for offset in (first, last))
        return lambda value: value is not None and start <= value[:10] <= end

    return make


def _x_days(first: int, last: int) -> Make:
    """As `_days`, each multiplied by the number of days that was given."""

    def make(values: Sequence[Any], now: dt.datetime, user: str) -> Test:
        count = _count(values)
        return _days(first * count, last * count)((), now, user)

    return make


def _older(values: Sequence[Any], now: dt.datetime, _: str) -> Test:
    limit = _day(now, -_count(values))
    return lambda value: value is not None and value[:10] < limit


def _on(compare: Callable[[str, str], bool]) -> Make:
    def make(values: Sequence[Any], _: dt.datetime, __: str) -> Test:
        if len(values) != 1:
            raise Refusal.bad_query("This function needs one date.")
        day = str(values[0])[:10]
        return lambda value: value is not None and compare(value[:10], day)

    return make


def _own(*, equal: bool) -> Make:
    def make(_: Sequence[Any], __: dt.datetime, user: str) -> Test:
        return lambda value: (value == user) is equal

    return make


def _day(now: dt.datetime, offset: int) -> str:
    try:
        return (now.astimezone(dt.UTC) + dt.timedelta(days=offset)).date().isoformat()
    except OverflowError as error:
        raise Refusal.bad_query(f"{offset} days from now is no date.") from error


def _count(values: Sequence[Any]) -> int:
    if len(values) == 1 and str(values[0]).isdecimal():
        return int(values[0])
    raise Refusal.bad_query("This function needs a number of days.")


FUNCTIONS = {
    "In": Function(_in),
    "NotIn": Function(_not_in),
    "Between": Function(_between),
    "NotBetween": Function(_not_between),
    "ContainValues": Function(_contain_values, typed=False),
    "DoesNotContainValues": Function(_lack_values, typed=False),
    "Today": Function(_days(0, 0), of_dates=True),
    "Yesterday": Function(_days(-1, -1), of_dates=True),
    "Tomorrow": Function(_days(1, 1), of_dates=True),
    "Last7Days": Function(_days(-7, 0), of_dates=True),
    "Next7Days": Function(_days(0, 7), of_dates=True),
    "LastXDays": Function(_x_days(-1, 0), typed=False, of_dates=True),
    "NextXDays": Function(_x_days(0, 1), typed=False, of_dates=True),
    "OlderThanXDays": Function(_older, typed=False, of_dates=True),
    **{
        f"{word}{unit.capitalize()}": Function(this(unit, offset), of_dates=True)
        for word, offset in (("Last", -1), ("This", 0), ("Next", 1))
        for unit in ("week", "month", "year")
    },
    **{
        f"{word}X{unit.capitalize()}s": Function(within(unit, sign), typed=False, of_dates=True)
        for word, sign in (("Last", -1), ("Next", 1))
        for unit in ("hour", "week", "month", "year")
    },
    **{
        f"OlderThanX{unit.capitalize()}s": Function(older(unit), typed=False, of_dates=True)
        for unit in ("minute", "hour", "week", "month", "year")
    },
    "On": Function(_on(lambda value, day: value == day), typed=False, of_dates=True),
    "OnOrAfter": Function(_on(lambda value, day: value >= day), typed=False, of_dates=True),
    "OnOrBefore": Function(_on(lambda value, day: value <= day), typed=False, of_dates=True),
    "EqualUserId": Function(_own(equal=True)),
    "NotEqualUserId": Function(_own(equal=False)),
}
