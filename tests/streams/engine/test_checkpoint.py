"""A worker may die between any two steps, twice, and a thrown-out one may still write: the rows
are those of the committed input, and every output is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.engine.errors import Fenced
from streams.engine.records import Outgoing
from tests.streams.engine.world import (
    CHANGELOG,
    TABLE,
    Disk,
    Killed,
    Worker,
    World,
    counted,
    rebuilt,
    some_source,
)


def never(step: str) -> None:
    """Nobody dies."""


def killer(at: int) -> Callable[[str], None]:
    """Die at the ``at``-th step, counted from 0."""
    left = iter(range(at, -1, -1))

    def step(name: str) -> None:
        if next(left) == 0:
            raise Killed(name)

    return step


async def live_until_killed(world: World, disk: Disk, at: int, size: int) -> bool:
    """Run one life; False when it came to its end instead of being killed."""
    try:
        await Worker(world, disk, killer(at)).live(size)
    except Killed:
        return True
    except StopIteration:
        return False
    return False


def check(world: World, disk: Disk) -> None:
    """Everything was counted once, on disk, in the changelog and in what was committed."""
    counts, outputs = counted(world.source)
    on_disk = {key: int(value) for (_, key), value in disk.rows.items() if key in counts}
    assert on_disk == counts
    assert disk.rows == world.truth
    assert rebuilt(world) == world.truth
    assert set(world.outputs) == outputs
    world.compact()
    assert rebuilt(world) == world.truth


def steps_of_a_whole_life(source: list[str], size: int) -> int:
    taken: list[str] = []
    asyncio.run(Worker(World(source), Disk(), taken.append).live(size))
    return len(taken)


SOURCE = some_source(7, 6)
STEPS = steps_of_a_whole_life(SOURCE, 2)


def test_the_checkpoint_takes_its_steps_in_the_one_safe_order() -> None:
    taken: list[str] = []
    world = World(["a"])
    asyncio.run(Worker(world, Disk(), taken.append).live(1))
    assert taken[-8:] == [
        "before a record is produced",
        "before a record is produced",
        "before a record is produced",
        "after all records are produced",
        "before the commit",
        "after the commit",
        "before the rows are written",
        "after the rows are written",
    ]


@pytest.mark.parametrize("lose_disk", [False, True], ids=["disk kept", "disk lost"])
@pytest.mark.parametrize("at", range(STEPS))
async def test_a_crash_at_any_step_leaves_everything_counted_once(at: int, lose_disk: bool) -> None:
    world, disk = World(SOURCE), Disk()
    assert await live_until_killed(world, disk, at, 2)
    if lose_disk:
        disk = Disk()
    await Worker(world, disk, never).live(3)
    check(world, disk)


@pytest.mark.parametrize("second", range(0, STEPS, 2))
@pytest.mark.parametrize("first", range(STEPS))
async def test_two_crashes_in_a_row_do_not_bring_an_uncommitted_row_back(
    first: int, second: int
) -> None:
    world, disk = World(SOURCE), Disk()
    assert await live_until_killed(world, disk, first, 2)
    await live_until_killed(world, disk, second, 3)
    world.compact()
    await Worker(world, disk, never).live(1)
    check(world, disk)


async def test_an_uncommitted_record_does_not_hide_the_older_committed_one() -> None:
    world, disk = World(["a", "a"]), Disk()
    first = Worker(world, disk, never)
    await first.recover()
    await first.work(1)

    def die_before_the_commit(step: str) -> None:
        if step == "before the commit":
            raise Killed

    first.step = die_before_the_commit
    with pytest.raises(Killed):
        await first.work(1)
    assert world.log[-2].value == b"2"
    second = Worker(world, Disk(), never)
    await second.recover()
    assert second.get(TABLE, "a") == b"1"
    assert rebuilt(world) == world.truth
    world.compact()
    assert rebuilt(world) == world.truth


async def test_a_thrown_out_worker_can_neither_commit_nor_leave_a_row_behind() -> None:
    world = World(SOURCE)
    old_disk, new_disk = Disk(), Disk()
    old = Worker(world, old_disk, never)
    await old.recover()
    await old.work(2)
    new = Worker(world, new_disk, never)
    await new.recover()
    await new.work(1)
    with pytest.raises(Fenced):
        await old.work(2)
    assert old_disk.rows != world.truth
    while await new.work(2):
        pass
    check(world, new_disk)


async def test_a_stray_record_in_the_tail_is_overruled_at_the_next_checkpoint() -> None:
    world, disk = World(["a", "b"]), Disk()
    worker = Worker(world, disk, never)
    await worker.recover()
    await worker.work(1)
    world.append(Outgoing(CHANGELOG.topic, b"a", b"999", (("cause", b"old"),)))
    await worker.work(1)
    assert worker.checkpointer.corrected == {TABLE: 1}
    check(world, disk)


async def test_offsets_set_by_hand_keep_the_rows() -> None:
    world, disk = World(SOURCE), Disk()
    await Worker(world, disk, never).live(2)
    world.offset, world.metadata = 0, ""
    worker = Worker(world, Disk(), never)
    await worker.recover()
    assert worker.disk.rows == world.truth


@settings(max_examples=150, deadline=None)
@given(
    source=st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=10),
    lives=st.lists(
        st.tuples(
            st.integers(0, 60), st.integers(1, 4), st.booleans(), st.booleans(), st.integers(0, 25)
        ),
        max_size=6,
    ),
)
def test_any_history_of_crashes_lost_disks_stray_writers_and_compaction_counts_once(
    source: list[str], lives: list[tuple[int, int, bool, bool, int]]
) -> None:
    asyncio.run(run_history(source, lives))


async def run_history(source: list[str], lives: list[tuple[int, int, bool, bool, int]]) -> None:
    world, disk = World(source), Disk()
    for at, size, lose_disk, compact, stray_at in lives:
        await live_until_killed_beside_a_stray(world, disk, at, size, stray_at)
        if lose_disk:
            disk = Disk()
        if compact:
            world.compact()
    await Worker(world, disk, never).live(2)
    check(world, disk)


async def live_until_killed_beside_a_stray(
    world: World, disk: Disk, at: int, size: int, stray_at: int
) -> None:
    """One life in which a former owner's record lands in the changelog at some step."""
    taken = 0

    def step(name: str) -> None:
        nonlocal taken
        if taken == at:
            raise Killed(name)
        if taken == stray_at:
            world.append(Outgoing(CHANGELOG.topic, b"a", b"-1", (("cause", b"stray"),)))
        taken += 1

    with suppress(Killed):
        await Worker(world, disk, step).live(size)
