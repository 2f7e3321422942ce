"""Laws of an unruly relay: nothing is lost, nothing is invented, and nothing is late for ever."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sandbox.events.habits import Habits, Unruly

HABITS = st.builds(
    Habits,
    duplicates=st.floats(0, 1),
    reordering=st.floats(0, 1),
    reach=st.integers(1, 6),
    seed=st.integers(0, 999),
)


def relayed(habits: Habits, count: int) -> list[int]:
    unruly: Unruly[int] = Unruly(habits)
    sent = [event for number in range(count) for event in unruly.passed(number)]
    return sent + unruly.rest()


@given(HABITS, st.integers(0, 40))
def test_every_event_leaves_once_or_twice(habits: Habits, count: int) -> None:
    counts = Counter(relayed(habits, count))
    assert set(counts) == set(range(count))
    assert all(1 <= times <= 2 for times in counts.values())


@given(HABITS, st.integers(0, 40))
def test_no_event_is_overtaken_by_more_than_the_reach(habits: Habits, count: int) -> None:
    sent = relayed(habits, count)
    for event in range(count):
        overtakers = [one for one in set(sent[: sent.index(event)]) if one > event]
        assert len(overtakers) <= habits.reach


@given(HABITS, st.integers(0, 40))
def test_the_same_seed_does_the_same(habits: Habits, count: int) -> None:
    assert relayed(habits, count) == relayed(habits, count)


def test_without_habits_events_pass_as_they_come_and_with_them_some_do_not() -> None:
    assert relayed(Habits(), 50) == list(range(50))
    unruly = relayed(Habits(duplicates=0.3, reordering=0.3, seed=1), 50)
    assert len(unruly) > 50
    first = list(dict.fromkeys(unruly))
    assert first != sorted(first)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"duplicates": 1.5}, "duplicates is a share from 0 to 1, not 1.5."),
        ({"reordering": -0.1}, "reordering is a share from 0 to 1, not -0.1."),
        ({"reach": 0}, "reach is at least 1 event, not 0."),
    ],
)
def test_impossible_habits_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        Habits(**wrong)  # type: ignore[arg-type]
