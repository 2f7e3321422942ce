"""What was before: the same events in any order are one row, and long stories stay short."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from tables.pasts import LENGTH, LIMIT, WHOLE, Moment, PastRow
from tables.records import RecordRow, Stamp

_COLUMNS = st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from([None, 1, 2]), max_size=2)
_EVENTS = st.lists(
    st.tuples(st.integers(0, 40), _COLUMNS, st.booleans()), unique_by=lambda e: e[0], max_size=20
)
Event = tuple[int, dict[str, int | None], bool]


def told(*events: Event) -> PastRow:
    row = PastRow()
    for second, columns, deleted in events:
        row = row.seen(Stamp(second), columns)
        row = row.removed(Stamp(second)) if deleted else row
    return row


def states(row: PastRow) -> list[tuple[int, dict[str, object], bool]]:
    return [(s.stamp.at_ms, dict(s.columns), s.alive) for s in row.states()]


@given(events=_EVENTS, seed=st.integers(0, 1000))
def test_any_order_and_repetition_is_one_row(events: list[Event], seed: int) -> None:
    chance = random.Random(seed)
    shuffled = [*events, *events[:3]]
    chance.shuffle(shuffled)
    assert told(*shuffled) == told(*events)


@given(events=_EVENTS)
def test_the_last_state_is_the_row_of_the_record(events: list[Event]) -> None:
    record = RecordRow()
    for second, columns, _ in events:
        record = record.merged(columns, Stamp(second)).row
    found = states(told(*events))
    assert (found[-1][1] if found else {}) == record.values()


@given(events=_EVENTS)
def test_it_is_stored_and_read_back(events: list[Event]) -> None:
    row = told(*events)
    assert PastRow.from_bytes(row.to_bytes()) == row


def test_each_state_has_all_columns_as_they_were() -> None:
    row = told((1, {"a": 1}, False), (3, {"a": 2}, False), (2, {"b": 1}, False), (4, {}, True))
    assert states(row) == [
        (1, {"a": 1}, True),
        (2, {"a": 1, "b": 1}, True),
        (3, {"a": 2, "b": 1}, True),
        (4, {"a": 2, "b": 1}, False),
    ]


def test_what_says_nothing_of_these_columns_changes_nothing() -> None:
    row = told((1, {"a": 1}, False))
    assert row.seen(Stamp(2), {}) is row
    assert row.seen(Stamp(1), {"a": 1}) is row


def test_of_one_moment_the_first_told_counts() -> None:
    row = told((1, {"a": 1}, False)).seen(Stamp(1), {"a": 2, "b": 2})
    assert states(row) == [(1, {"a": 1, "b": 2}, True)]


def test_repetitions_of_a_long_story_go_and_its_turns_stay() -> None:
    events: list[Event] = [(n, {"a": 0 if n < 40 else 1}, False) for n in range(WHOLE + 30)]
    row = told(*events)
    found = states(row)
    assert (len(found) <= WHOLE, row.forgotten) == (True, 0)
    assert (0, {"a": 0}, True) in found
    assert (40, {"a": 1}, True) in found
    assert found[-1] == (WHOLE + 29, {"a": 1}, True)


def long(turns: int, words: str = "") -> PastRow:
    """A past of so many turns, each of which says something else."""
    moments = tuple(Moment(Stamp(n), {"a": f"{n}{words}"}) for n in range(1, turns))
    return PastRow(moments=(Moment(Stamp(0), {"a": "0", "b": 7}), *moments))


def test_of_too_many_turns_the_oldest_go_and_their_columns_stay() -> None:
    row = long(LIMIT + 140).seen(Stamp(LIMIT + 140), {"a": "new"})
    found = states(row)
    assert (len(found), row.forgotten) == (LIMIT, 141)
    assert found[0] == (141, {"a": "141", "b": 7}, True)
    assert found[-1] == (LIMIT + 140, {"a": "new", "b": 7}, True)


def test_of_long_turns_fewer_are_kept_and_the_newest_always() -> None:
    row = long(200, "x" * 10_000).seen(Stamp(900), {"a": "new"})
    assert len(row.to_bytes()) < 1.1 * LENGTH
    assert len(row.moments) + row.forgotten == 201
    assert [state.columns["b"] for state in row.states()] == [7] * len(row.moments)
    huge = long(100).seen(Stamp(900), {"a": "x" * 2 * LENGTH})
    assert [state.columns["a"][-1:] for state in huge.states()] == ["x"]  # type: ignore[index]
