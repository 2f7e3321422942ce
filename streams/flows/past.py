"""Since when, and for which time, something is so: runs of a record's past (``tables.pasts``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from streams.catalogue import ColumnValue
from streams.flows.shape import View
from tables.pasts import State
from tables.records import Stamp

#: What tells one time from another: an answer, or a digest of what is asked for.
Key = str | bool | None


@dataclass(frozen=True, slots=True)
class Run:
    """A time over which the key stayed the same; ``number`` counts those of this key, from 1.

    Where the oldest events are forgotten nobody knows how many there were: the count begins behind
    all of them, so that no time ever bears the number of an earlier one.

    All of it follows from the record's events, so any order of them ends in the same run. A late
    event may move the beginning; it changes the number only if it parts two times of one key.
    """

    key: Key
    since: Stamp
    number: int


def runs(view: View, key: Callable[[Mapping[str, ColumnValue]], Key]) -> Iterator[Run]:
    """All runs, the oldest first; ``key`` is None over a record that is not alive."""
    keyed = ((state.stamp, key(state.columns) if state.alive else None) for state in _states(view))
    counted: Counter[Key] = Counter()
    for value, states in groupby(keyed, key=lambda pair: pair[1]):
        counted[value] += 1
        yield Run(value, next(states)[0], view.past.forgotten + counted[value])


def newest_run(view: View, key: Callable[[Mapping[str, ColumnValue]], Key]) -> Run:
    """The run that lasts until now."""
    *_, newest = Run(None, Stamp(0), 0), *runs(view, key)
    return newest


def _states(view: View) -> Iterator[State]:
    """The past, and the present where the past does not know of it: it is new, or was restored."""
    last = None
    for last in view.past.states():
        yield last
    newest = view.row.newest
    if newest is not None and (last is None or last.alive != view.row.alive):
        yield State(newest, view.row.values(), view.row.alive)
