"""How far behind a partition is, in records and in time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from streams.engine.progress import Progress
from streams.engine.records import TopicPartition

HERE, THERE = TopicPartition("changes", 0), TopicPartition("changes", 1)


class Scene:
    """One unit whose position and end the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.unit: Any = SimpleNamespace(offsets={HERE: 0})
        self.end: int | None = 0
        self.progress = Progress(lambda: self.now)

    def at(self, now: float, position: int, end: int | None) -> float:
        self.now, self.end = now, end
        self.unit.offsets = {HERE: position}
        self.lag = self.progress.look([self.unit], lambda _: self.end)
        return self.progress.behind_seconds([HERE, THERE])


def test_what_has_nothing_left_is_not_behind() -> None:
    scene = Scene()
    assert scene.at(100, 5, 5) == 0
    assert scene.lag == {HERE: 0}
    assert scene.at(200, 5, 5) == 0


def test_it_is_behind_since_there_was_something_left() -> None:
    scene = Scene()
    scene.at(100, 5, 5)
    assert scene.at(110, 5, 8) == 0
    assert scene.at(115, 5, 9) == 5
    assert scene.lag == {HERE: 4}
    # What was there at 110 is done, what came until 115 is not.
    assert scene.at(120, 8, 12) == 5
    assert scene.at(121, 12, 12) == 0


def test_a_busy_partition_that_keeps_up_is_not_behind() -> None:
    scene = Scene()
    ages = [scene.at(100 + tick, 10 * tick, 10 * tick + 10) for tick in range(200)]
    assert max(ages) <= 1


def test_one_that_stands_still_for_long_grows_no_memory_and_forgets_nothing() -> None:
    scene = Scene()
    scene.at(0, 0, 1)
    for tick in range(1, 5000):
        age = scene.at(tick, 0, 1 + tick)
    assert age == 4999
    assert scene.at(6000, 5000, 5000) == 0


def test_an_end_that_is_not_known_counts_from_when_it_was_looked_for() -> None:
    scene = Scene()
    assert scene.at(100, 0, None) == 0
    assert scene.at(107, 0, None) == 7
    assert scene.lag == {}


def test_partitions_that_went_are_forgotten() -> None:
    scene = Scene()
    scene.at(0, 0, 9)
    assert scene.progress.look([], lambda _: 9) == {}
    scene.now = 50
    assert scene.progress.behind_seconds([HERE]) == 0
