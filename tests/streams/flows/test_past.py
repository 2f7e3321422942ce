"""Runs of a record's past: since when, and for which time, whatever came in which order."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streams.catalogue import ColumnValue
from streams.flows.past import Key, Run, newest_run, runs
from streams.flows.shape import View
from tables.records import Stamp
from tests.streams.flows.views import ACCOUNT, view

_EVENTS = st.lists(
    st.tuples(st.integers(1, 30), st.sampled_from([0, 1, None])),
    unique_by=lambda event: event[0],
    max_size=12,
)
Event = tuple[int, int | None]


def state(columns: Mapping[str, ColumnValue]) -> Key:
    value = columns.get("statecode")
    return None if value is None else str(value)


def seen(*events: Event) -> View:
    """An account that had these states at these seconds; None: it was deleted."""
    before = view(ACCOUNT)
    row, past = before.row, before.past
    for second, value in events:
        if value is None:
            row, past = row.removed(Stamp(second)), past.removed(Stamp(second))
        else:
            columns = {"statecode": value}
            row = row.merged(columns, Stamp(second)).row
            past = past.seen(Stamp(second), columns)
    return replace(before, row=row, past=past)


def shown(found: View) -> list[tuple[Key, int, int]]:
    return [(run.key, run.since.at_ms, run.number) for run in runs(found, state)]


def test_equal_states_are_one_run_and_each_is_counted_by_itself() -> None:
    found = seen((1, 0), (2, 0), (3, 1), (4, 0), (5, 1), (6, 1))
    assert shown(found) == [("0", 1, 1), ("1", 3, 1), ("0", 4, 2), ("1", 5, 2)]
    assert newest_run(found, state) == Run("1", Stamp(5), 2)


def test_a_late_repetition_moves_the_beginning_and_not_the_number() -> None:
    assert newest_run(seen((5, 1)), state) == Run("1", Stamp(5), 1)
    assert newest_run(seen((5, 1), (3, 1)), state) == Run("1", Stamp(3), 1)


def test_a_late_event_between_makes_two_of_one() -> None:
    assert newest_run(seen((3, 1), (5, 1), (4, 0)), state) == Run("1", Stamp(5), 2)


def test_a_deleted_record_is_in_no_state_and_a_restored_one_in_a_new_run() -> None:
    assert newest_run(seen((1, 1), (2, None)), state) == Run(None, Stamp(2), 1)
    assert newest_run(seen((1, 1), (2, None), (3, 1)), state) == Run("1", Stamp(3), 2)


def test_without_a_past_the_present_counts() -> None:
    found = seen((4, 1))
    assert newest_run(replace(found, past=view(ACCOUNT).past), state) == Run("1", Stamp(4), 1)
    assert newest_run(view(ACCOUNT), state) == Run(None, Stamp(0), 0)


def test_a_change_that_says_nothing_of_it_restores_the_record_too() -> None:
    found = seen((1, 1), (2, None))
    restored = replace(found, row=found.row.merged({"name": "Back"}, Stamp(3)).row)
    assert newest_run(restored, state) == Run("1", Stamp(3), 2)


@given(events=_EVENTS, seed=st.integers(0, 1000))
def test_any_order_of_the_events_makes_the_same_runs(events: list[Event], seed: int) -> None:
    shuffled = [*events, *events[:2]]
    random.Random(seed).shuffle(shuffled)
    assert shown(seen(*shuffled)) == shown(seen(*events))
