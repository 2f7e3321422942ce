"""Times as people write them on a command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

_AGO = re.compile(r"(\d+)\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def since_ms(text: str | None, now: datetime | None = None) -> int | None:
    """``30m``, ``24h``, ``7d`` before now, or a date or time (UTC without a zone), in Unix ms.

    Raises typer.BadParameter for anything else.
    """
    if text is None:
        return None
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago:
            past = timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            moment = (now or datetime.now(UTC)) - past
        else:
            moment = datetime.fromisoformat(text.strip())
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0, int(moment.timestamp() * 1000))
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no time: write 30m, 24h, 7d, 2024-01-31 or 2024-01-31T10:15:00Z"
        ) from None
