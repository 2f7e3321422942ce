"""``records``: any order of the same events ends in the same row."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from tables.records import Cell, RecordRow, Stamp, Value

LAW = settings(max_examples=40, deadline=None)
COLUMNS = ("a", "b", "c")
VALUES: st.SearchStrategy[Value] = (
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]))
)
STAMPS = st.builds(Stamp, st.integers(0, 4), st.integers(-1, 3), st.integers(0, 2))


@dataclass(frozen=True)
class Event:
    """One event: the columns that it sets, or the delete."""

    stamp: Stamp
    columns: dict[str, Value]
    delete: bool = False


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    """Events with unique stamps."""
    stamps = draw(st.lists(STAMPS, unique=True, max_size=8))
    return [
        Event(
            stamp,
            draw(st.dictionaries(st.sampled_from(COLUMNS), VALUES, max_size=3)),
            draw(st.integers(0, 3)) == 0,
        )
        for stamp in stamps
    ]


def told(*happened: Event) -> RecordRow:
    row = RecordRow()
    for event in happened:
        row = row.merged(event.columns, event.stamp).row
        row = row.removed(event.stamp) if event.delete else row
    return row


@LAW
@given(history=events(), seed=st.integers(0, 2**32))
def test_any_order_and_repetition_ends_in_the_same_row(history: list[Event], seed: int) -> None:
    chance = random.Random(seed)
    shuffled = [*history, *(chance.choices(history, k=3) if history else [])]
    chance.shuffle(shuffled)
    assert told(*shuffled) == told(*history)


@LAW
@given(history=events())
def test_hearing_it_all_again_changes_nothing(history: list[Event]) -> None:
    row = told(*history)
    for event in history:
        merge = row.merged(event.columns, event.stamp)
        assert merge.row == row
        assert merge.changed == frozenset()
    assert told(*history, *history) == row


@LAW
@given(history=events())
def test_the_row_is_what_the_newest_events_say(history: list[Event]) -> None:
    """A model: each column as its newest event set it; alive unless the newest is a delete."""
    row = told(*history)
    in_order = sorted(history, key=lambda event: event.stamp)
    expected = {c: Cell(v, e.stamp) for e in in_order for c, v in e.columns.items()}
    assert row.cells == expected
    assert row.values() == {column: cell.value for column, cell in expected.items()}
    assert row.alive == (bool(in_order) and not in_order[-1].delete)
    assert row.known == bool(history)
    assert row.newest == (in_order[-1].stamp if in_order else None)


@LAW
@given(history=events(), stamp=STAMPS)
def test_stale_is_what_is_older_than_anything_known(history: list[Event], stamp: Stamp) -> None:
    assert told(*history).is_stale(stamp) == any(event.stamp > stamp for event in history)


@LAW
@given(history=events())
def test_a_row_survives_being_stored(history: list[Event]) -> None:
    row = told(*history)
    back = RecordRow.from_bytes(row.to_bytes())
    assert back == row
    for column, value in row.values().items():
        assert type(back.value(column)) is type(value)


def test_a_row_that_was_never_written_is_empty() -> None:
    row = RecordRow.from_bytes(None)
    assert (row.known, row.alive, row.newest, row.value("a")) == (False, False, None, None)


def test_changed_names_only_what_became_different() -> None:
    row = told(Event(Stamp(1), {"a": 1, "b": 2}))
    merge = row.merged({"a": 1, "b": 3, "c": None}, Stamp(2))
    assert merge.changed == {"b", "c"}
    assert merge.row.cells["a"] == Cell(1, Stamp(2))


def test_an_older_event_fills_in_what_nobody_said_since() -> None:
    merge = told(Event(Stamp(5), {"a": "new"})).merged({"a": "old", "b": "only"}, Stamp(3))
    assert merge.row.values() == {"a": "new", "b": "only"}
    assert merge.changed == {"b"}


def test_of_one_moment_the_version_decides_and_then_the_operation() -> None:
    assert Stamp(1, 5) > Stamp(1, 4, 9) > Stamp(1, -1, 8) > Stamp(1, -1, 7) > Stamp(0, 99)


def test_a_versioned_and_an_unversioned_event_of_one_moment_are_a_tie() -> None:
    row = told(Event(Stamp(1, 7), {"a": 1, "b": 2}))
    assert row.merged({"a": 9}, Stamp(1, -1, 5)).tie
    assert not row.merged({"a": 1}, Stamp(1, -1, 5)).tie, "they agree"
    assert not row.merged({"a": 9}, Stamp(1, 8)).tie, "versions decide"
    assert not row.merged({"a": 9}, Stamp(2, -1)).tie, "another moment"
    assert not row.merged({"c": 9}, Stamp(1, -1)).tie, "another column"


def test_a_restored_row_is_alive_and_a_delete_between_is_no_matter() -> None:
    row = told(Event(Stamp(1), {"a": 1}), Event(Stamp(9), {"a": 2}), Event(Stamp(5), {}, True))
    assert row.alive
    assert not row.removed(Stamp(9, 1)).alive
    assert row.removed(Stamp(10)).values() == {"a": 2}, "its columns stay readable"
