"""``pasts``: what a record's columns were before, as far as a flow looks at it.

A record's row knows what is so; some rules ask since when, or for which time (a case that is
resolved again, a request that says again what it said once). Events come in any order and one that
is late may part two that looked like one, so the events themselves are kept; the same events in
any order end in the same row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tables.records import Stamp
from tables.rows import Row

Value = str | int | bool | None

#: So many events are kept whole; of more only those that changed something.
WHOLE = 60
#: So many of those are kept, and so many characters of what they say, which is below what Kafka
#: takes; then the oldest are forgotten.
LIMIT = 2000
LENGTH = 400_000


class Moment(NamedTuple):
    """What one event said of the columns that are looked at, or that the record was deleted."""

    stamp: Stamp
    columns: Mapping[str, Value]
    deleted: bool = False


class State(NamedTuple):
    """All these columns from a moment on; ``alive`` is False where the record was deleted."""

    stamp: Stamp
    columns: Mapping[str, Value]
    alive: bool


class PastRow(Row):
    """The events of a record by their stamps, and how many older ones are forgotten."""

    moments: tuple[Moment, ...] = ()
    forgotten: int = 0

    def seen(self, stamp: Stamp, columns: Mapping[str, Value]) -> PastRow:
        """Return the row after an event; one that says nothing of these columns changes nothing."""
        return self._with(Moment(stamp, dict(columns))) if columns else self

    def removed(self, stamp: Stamp) -> PastRow:
        """Return the row after the record was deleted."""
        return self._with(Moment(stamp, {}, deleted=True))

    def states(self) -> Iterator[State]:
        """The columns after each event, the oldest first."""
        columns: Mapping[str, Value] = {}
        for moment in self.moments:
            columns = {**columns, **moment.columns}
            yield State(moment.stamp, columns, not moment.deleted)

    def _with(self, moment: Moment) -> PastRow:
        """Of two events with one stamp the first told counts, as in the record's row."""
        kept = {known.stamp: known for known in self.moments}
        before = kept.get(moment.stamp)
        if before is not None:
            columns = {**moment.columns, **before.columns}
            moment = Moment(moment.stamp, columns, moment.deleted or before.deleted)
        if moment == before:
            return self
        kept[moment.stamp] = moment
        moments = tuple(kept[stamp] for stamp in sorted(kept))
        if len(moments) <= WHOLE:
            return self.model_copy(update={"moments": moments})
        telling = _telling(moments)
        newest = _newest(telling)
        forgotten = self.forgotten + len(telling) - len(newest)
        return self.model_copy(update={"moments": newest, "forgotten": forgotten})


def _telling(moments: tuple[Moment, ...]) -> list[Moment]:
    """The events that changed something, and the newest."""
    telling: list[Moment] = []
    columns: Mapping[str, Value] = {}
    for moment in moments:
        after = {**columns, **moment.columns}
        if moment.deleted or after != columns or not telling or telling[-1].deleted:
            telling.append(moment)
        columns = after
    if telling[-1] is not moments[-1]:
        telling.append(moments[-1])
    return telling


def _newest(telling: list[Moment]) -> tuple[Moment, ...]:
    """As many as may be kept; the oldest of them knows what the columns were by then."""
    length, first = 0, len(telling)
    while first > max(0, len(telling) - LIMIT):
        length += sum(len(str(value)) for value in telling[first - 1].columns.values())
        if length > LENGTH and first < len(telling):
            break
        first -= 1
    columns: dict[str, Value] = {}
    for moment in telling[: first + 1]:
        columns.update(moment.columns)
    return (telling[first]._replace(columns=columns), *telling[first + 1 :])
