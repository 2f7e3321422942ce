"""Workers that are really killed, in processes of their own."""

from __future__ import annotations

import pytest

from streams.engine import Engine
from tests.streams.engine.lab import Lab, numbered, running, until
from tests.streams.engine.processes import WorkerProcess, make_topics
from tests.streams.engine.stages import Calls, Count

pytestmark = pytest.mark.broker

POINTS = (
    "before publishing",
    "between outputs and changelog",
    "before the commit",
    "after the commit",
)


async def finish_in_process(lab: Lab, worker: str, partitions: int = 2) -> None:
    """Let an engine in this process do what is left, as the member that was killed."""
    engine = lab.engine(worker=worker, partitions=partitions, instance_id="one")
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
    )
    async with running(engine):
        await until(lambda: lab.all_committed("in"))
        # A checkpoint's rows are written after its offsets are committed: a moment later.
        await until(lambda: stored_as_told(lab, engine))


async def stored_as_told(lab: Lab, engine: Engine) -> bool:
    """Whether the stores hold what the changelog says."""
    stores = [engine.partitions.store(number) for number in range(2)]
    rows = dict(row for store in stores if store for row in store.scan("counts"))
    return {key: value.decode() for key, value in rows.items()} == await lab.table("counts")


@pytest.mark.parametrize("directory", ["one", "another"], ids=["disk kept", "disk lost"])
@pytest.mark.parametrize("point", POINTS)
async def test_a_worker_killed_between_two_steps_counts_everything_once(
    lab: Lab, point: str, directory: str
) -> None:
    await make_topics(lab, 2)
    await lab.produce("in", numbered("abc", 60))
    worker = await WorkerProcess.start(lab, "one", instance_id="one", kill_at=point, kill_after=1)
    await worker.ready()
    await until(lambda: lab.all_committed("in"))  # so the first checkpoint took these alone
    await lab.produce("in", numbered("abc", 60))
    await lab.produce("in", numbered("abc", 60))
    assert await worker.ended() == -9
    await finish_in_process(lab, directory)
    assert await lab.table("counts") == dict.fromkeys("abc", "60")
    outputs = await lab.outputs("out")
    assert set(outputs) == {(key, str(count)) for key in "abc" for count in range(1, 61)}


async def test_what_a_worker_wrote_before_its_very_first_commit_does_not_count(lab: Lab) -> None:
    await make_topics(lab, 1)
    worker = await WorkerProcess.start(lab, instance_id="one", kill_at="before the commit")
    await worker.ready()
    await lab.produce("in", numbered("abc", 60))
    assert await worker.ended() == -9
    assert await lab.table("counts")  # it is in the changelog
    await finish_in_process(lab, "another", partitions=1)
    assert await lab.table("counts") == dict.fromkeys("abc", "20")


async def test_killed_in_the_middle_of_20000_increments_the_count_is_exact(lab: Lab) -> None:
    await make_topics(lab, 1)
    await lab.produce("in", numbered("a", 20_000))
    worker = await WorkerProcess.start(lab, instance_id="one")
    await worker.ready()
    await until(lambda: some_but_not_all(lab, 20_000))
    await worker.kill()
    engine = lab.engine(partitions=1, instance_id="one")
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
    )
    async with running(engine):
        await until(lambda: lab.all_committed("in"))
    assert await lab.table("counts") == {"a": "20000"}


async def some_but_not_all(lab: Lab, number: int) -> bool:
    """Whether the group is in the middle."""
    return 0 < (await lab.committed("in")).get(0, 0) <= number


@pytest.mark.parametrize("stuck", [0, 3, 10], ids=["the first of the group", "3", "one below"])
async def test_a_stuck_record_comes_again_after_kill_9_though_later_ones_finished(
    lab: Lab, stuck: int
) -> None:
    await make_topics(lab, 1)
    worker = await WorkerProcess.start(lab, stage="calls", hold=str(stuck), instance_id="one")
    await worker.ready()
    await lab.produce("in", [(str(number), str(number)) for number in range(12)])
    await until(lambda: outputs_are(lab, 11))
    await until(lambda: committed_is(lab, stuck))
    await worker.kill()
    assert (await lab.committed("in")).get(0, 0) == stuck

    stage = Calls(lab.topic("out"))
    engine = lab.engine(partitions=1, worker="two", instance_id="one")
    engine.lane_stage(name="calls", topics=[lab.topic("in")], tables=["ledger"], stage=stage)
    async with running(engine):
        await until(lambda: lab.all_committed("in"))
    assert stage.calls == [str(stuck)]


async def outputs_are(lab: Lab, number: int) -> bool:
    """Whether so many outputs are there."""
    return len(await lab.outputs("out")) == number


async def committed_is(lab: Lab, offset: int) -> bool:
    """Whether the broker has this offset, or none for 0."""
    return (await lab.committed("in")).get(0, 0) == offset


async def test_a_halt_ends_the_process_with_a_failure(lab: Lab) -> None:
    await make_topics(lab, 1)
    worker = await WorkerProcess.start(lab, fail=True)
    await worker.ready()
    await lab.produce("in", [("a", "1")])
    assert await worker.ended() == 3
    assert await lab.committed("in") in ({}, {0: 0})


async def test_a_halt_ends_fausts_own_worker_with_a_failure(lab: Lab) -> None:
    await make_topics(lab, 1)
    worker = await WorkerProcess.start(lab, fail=True, faust_worker=True)
    await worker.ready()
    await lab.produce("in", [("a", "1")])
    assert await worker.ended() == 1
    assert await lab.committed("in") in ({}, {0: 0})
