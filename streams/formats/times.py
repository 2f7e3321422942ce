"""Moments as the producers write them, as Unix milliseconds in UTC, and as canonical text.

Read are ISO 8601 text (without an offset it is UTC), .NET's ``/Date(ms)/``, the lake's
``1/31/2024 10:15:02 AM`` and integers since 1970 (reference/dataverse.md 1.1 to 1.3).
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - all arithmetic is on naive UTC
_MS = timedelta(milliseconds=1)
_DAY_MS = 86_400_000
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?\s?(Z|z|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
_DOTNET = re.compile(r"/Date\((-?\d{1,18})(?:[+-]\d{4})?\)/", re.ASCII)
_LAKE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d\d):(\d\d) ([AP]M)", re.ASCII | re.I)

#: Integers carry no unit. Up to the year 2200 a count of milliseconds is below the first bound;
#: counts of micro- and nanoseconds after 1973 are above the second and the third. Between the
#: first two nothing sensible lies, so nothing is guessed there.
_MS_BELOW, _US_FROM, _NS_FROM = 7_300_000_000_000, 10**14, 10**17
#: "Never" in many systems: the year 9999 in milliseconds, which is above the second bound.
_YEAR_9999 = range(253_370_764_800_000, 253_402_300_800_000)
#: More days than calendars hold; as milliseconds such an integer is within an hour of 1970.
_DAYS_BELOW = 3_000_000


def instant_ms(raw: Any) -> int:
    """Return a moment as Unix milliseconds, cut below; raises ValueError when it is none."""
    if isinstance(raw, bool):
        raise ValueError("a boolean is no moment")
    if isinstance(raw, int):
        return _checked(_from_integer(raw))
    if not isinstance(raw, str):
        raise ValueError("neither text nor an integer")
    return _checked(_from_text(raw.strip()))


def instant_text(at_ms: int) -> str:
    """Return the canonical text: ``2024-01-31T10:15:00Z``, with ``.123`` only when it is not 0."""
    moment = _EPOCH + at_ms * _MS
    fraction = f".{at_ms % 1000:03d}" if at_ms % 1000 else ""
    return f"{moment.replace(microsecond=0).isoformat()}{fraction}Z"


def date_text(raw: Any) -> str:
    """Return a date as ``2024-01-31``.

    A date has no zone: of a text the date that is written counts, of a moment the one in UTC.
    Small integers are days since 1970. Raises ValueError when it is no date.
    """
    if isinstance(raw, str) and (match := _ISO.fullmatch(raw.strip())):
        return date(int(match[1]), int(match[2]), int(match[3])).isoformat()
    if isinstance(raw, int) and not isinstance(raw, bool) and abs(raw) < _DAYS_BELOW:
        return instant_text(_checked(raw * _DAY_MS))[:10]
    return instant_text(instant_ms(raw))[:10]


def whole_second(at_ms: int) -> int:
    """Cut to the second, the precision of ``modifiedon``."""
    return at_ms - at_ms % 1000


def _checked(at_ms: int) -> int:
    """Refuse what no calendar holds (years 1 to 9999)."""
    try:
        _EPOCH + at_ms * _MS
    except OverflowError:
        raise ValueError("outside of the years 1 to 9999") from None
    return at_ms


def _from_integer(raw: int) -> int:
    size = abs(raw)
    if size < _MS_BELOW or raw in _YEAR_9999:
        return raw
    if size < _US_FROM:
        raise ValueError("an integer of unknown unit")
    return raw // 1000 if size < _NS_FROM else raw // 1_000_000


def _from_text(text: str) -> int:
    if match := _ISO.fullmatch(text):
        return _from_iso(match)
    if match := _DOTNET.fullmatch(text):
        return int(match[1])
    if match := _LAKE.fullmatch(text):
        month, day, year, hour = (int(match[n]) for n in range(1, 5))
        if not 1 <= hour <= 12:
            raise ValueError("no hour of a twelve-hour clock")
        hour = hour % 12 + (12 if match[7].upper() == "PM" else 0)
        return _ms(datetime(year, month, day, hour, int(match[5]), int(match[6])))  # noqa: DTZ001
    raise ValueError("no known way to write a moment")


def _from_iso(match: re.Match[str]) -> int:
    year, month, day, hour, minute, second = (int(match[n] or 0) for n in range(1, 7))
    fraction_ms = int((match[7] or "").ljust(3, "0")[:3])
    zone = match[8]
    offset = 0
    if zone and zone not in "Zz":
        sign = -1 if zone[0] == "-" else 1
        offset = sign * (int(zone[1:3]) * 60 + int(zone[-2:]))
    moment = _ms(datetime(year, month, day, hour, minute, second))  # noqa: DTZ001
    return moment + fraction_ms - offset * 60_000


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MS
