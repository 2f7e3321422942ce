"""Which offset may be committed, whatever finishes first."""

from __future__ import annotations

import pytest
from aiokafka.structs import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.offsets import ContiguousEnd, OffsetTracker
from streams.engine.records import TopicPartition
from streams.engine.units import new_records


def test_nothing_begun_leaves_the_position_as_it_was() -> None:
    assert OffsetTracker(7).committable == 7


def test_the_lowest_unfinished_record_holds_the_commit_back() -> None:
    tracker = OffsetTracker(0)
    for offset in range(5):
        tracker.begin(offset)
    for offset in (4, 0, 1, 3):
        tracker.finish(offset)
    assert (tracker.committable, tracker.unfinished, tracker.span) == (2, 1, 3)
    tracker.finish(2)
    assert (tracker.committable, tracker.unfinished, tracker.span) == (5, 0, 0)


def test_gaps_from_compaction_and_transaction_markers_are_stepped_over() -> None:
    tracker = OffsetTracker(0)
    for offset in (0, 7, 1000):
        tracker.begin(offset)
    tracker.finish(0)
    assert tracker.committable == 7
    tracker.finish(7)
    tracker.finish(1000)
    assert tracker.committable == 1001


def test_a_gap_at_the_very_head_holds_nothing_back() -> None:
    tracker = OffsetTracker(0)
    tracker.begin(40)
    tracker.finish(40)
    assert tracker.committable == 41


def test_an_offset_that_goes_back_is_refused() -> None:
    tracker = OffsetTracker(5)
    with pytest.raises(ValueError, match="offset 4 was read after 4"):
        tracker.begin(4)


def test_memory_does_not_grow_with_what_finished_above_a_stuck_record() -> None:
    tracker = OffsetTracker(0)
    tracker.begin(0)
    for offset in range(1, 50_000):
        tracker.begin(offset)
        tracker.finish(offset)
    assert (tracker.committable, tracker.unfinished, tracker.span) == (0, 1, 50_000)


@given(
    st.sets(st.integers(0, 60), min_size=1, max_size=25),
    st.randoms(use_true_random=False),
)
def test_everything_below_the_commit_is_finished_and_the_commit_is_as_high_as_can_be(
    offsets: set[int], random: st.DrawFn
) -> None:
    begun = sorted(offsets)
    tracker = OffsetTracker(0)
    for offset in begun:
        tracker.begin(offset)
    order = list(begun)
    random.shuffle(order)  # type: ignore[attr-defined]
    finished: set[int] = set()
    for offset in order:
        tracker.finish(offset)
        finished.add(offset)
        open_offsets = [candidate for candidate in begun if candidate not in finished]
        assert tracker.committable == (open_offsets[0] if open_offsets else begun[-1] + 1)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_end_of_a_run_is_known_when_all_its_pieces_are(
    sizes: list[int], random: st.DrawFn
) -> None:
    pieces: list[tuple[int, int]] = []
    base = 10
    for size in sizes:
        pieces.append((base, size))
        base += size
    shuffled = list(pieces)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    end = ContiguousEnd(10)
    seen: set[tuple[int, int]] = set()
    for piece in shuffled:
        end.add(*piece)
        seen.add(piece)
        unbroken = 10
        for candidate in pieces:
            if candidate not in seen:
                break
            unbroken = candidate[0] + candidate[1]
        assert end.end == unbroken


def test_a_hole_that_nobody_fills_is_passed_once_nothing_is_outstanding() -> None:
    end = ContiguousEnd(0)
    end.add(5, 2)
    assert end.end == 0
    end.settle()
    assert end.end == 7


def test_records_that_were_read_already_are_not_taken_twice() -> None:
    place = TopicPartition("in", 0)
    fetched = [
        ConsumerRecord("in", 0, offset, 0, 0, b"k", b"v", None, 1, 1, ()) for offset in range(3, 8)
    ]
    taken = new_records({place: 5}, place, fetched)
    assert [record.offset for record in taken] == [5, 6, 7]
    assert new_records({place: 8}, place, fetched) == []
