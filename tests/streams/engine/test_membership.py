"""Workers that join, leave, stop answering and come back, in processes of their own."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from streams.engine import Engine, Halted, Outgoing, Record, Rows
from streams.engine.twins import Twins
from tests.streams.engine.lab import Lab, numbered, running, until
from tests.streams.engine.processes import WorkerProcess, make_topics
from tests.streams.engine.stages import Count

pytestmark = pytest.mark.broker

#: No machine is so busy, and no time limit of a group's but the session's so short (60 s).
_AT_ONCE_SECONDS = 30.0


async def test_a_killed_workers_partitions_are_taken_over_with_their_rows(lab: Lab) -> None:
    await make_topics(lab, 4)
    second = await WorkerProcess.start(lab, "two")
    try:
        await second.ready()
        taken = await taken_over(lab)
        print(f"taken over {taken:.2f} s after the kill (session timeout 6 s)")
        assert await lab.table("counts") == dict.fromkeys("abcdefgh", "100")
        assert taken < 6 + _AT_ONCE_SECONDS
    finally:
        assert await second.stop() == 0


async def taken_over(lab: Lab) -> float:
    """Let another worker join and be killed; how long its partitions stood still, in seconds."""
    first = await WorkerProcess.start(lab, "one")
    try:
        assert (await first.ready())["assigned"]
        await until(lambda: group_is_shared(lab))
        await lab.produce("in", numbered("abcdefgh", 400))
        await until(lambda: lab.all_committed("in"))
    finally:
        await first.kill()
    killed = time.time()
    await lab.produce("in", numbered("abcdefgh", 400))
    await until(lambda: lab.all_committed("in"))
    return time.time() - killed


async def test_two_workers_join_without_waiting_for_a_time_limit(lab: Lab) -> None:
    await make_topics(lab, 4)
    longest = await joined(lab)
    print(f"ready {longest:.2f} s after they began to join")
    assert longest < _AT_ONCE_SECONDS


async def joined(lab: Lab) -> float:
    """Let two workers join and leave; how long it took the later one, in seconds."""
    patient = {"session_timeout_seconds": 60.0}
    workers = [await WorkerProcess.start(lab, name, **patient) for name in ("one", "two")]
    try:
        told = [await worker.ready() for worker in workers]
        await until(lambda: group_is_shared(lab))
    finally:
        codes = [await worker.stop() for worker in workers]
    assert codes == [0, 0]
    return max(worker["ready"] - worker["began"] for worker in told)


async def group_is_shared(lab: Lab) -> bool:
    """Whether the group is stable and has two members with partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=lab.bootstrap)
    await admin.start()
    try:
        (response,) = await admin.describe_consumer_groups([lab.app_id])
        state, members = response.groups[0][2], response.groups[0][5]
        return bool(state == "Stable" and len(members) == 2)
    finally:
        await admin.close()


async def test_a_static_member_comes_back_without_a_rebalance(lab: Lab) -> None:
    await make_topics(lab, 2)
    patient = {"session_timeout_seconds": 60.0}  # a process starts within it on any machine
    other = await WorkerProcess.start(lab, "two", instance_id="two", **patient)
    first = await WorkerProcess.start(lab, "one", instance_id="one", **patient)
    try:
        await other.ready()
        await first.ready()
        await until(lambda: group_is_shared(lab))
        await lab.produce("in", numbered("abcd", 40))
        await until(lambda: lab.all_committed("in"))
        before = await generation(lab)
        assert await first.stop() == 0
        first = await WorkerProcess.start(lab, "one", instance_id="one", **patient)
        await first.ready()
        await lab.produce("in", numbered("abcd", 40))
        await until(lambda: lab.all_committed("in"))
        assert await lab.table("counts") == dict.fromkeys("abcd", "20")
        assert await generation(lab) == before
    finally:
        await first.stop()
        await other.stop()


async def test_a_static_member_that_comes_back_sees_to_it_that_every_partition_is_read(
    lab: Lab,
) -> None:
    class Pass:
        def handle(self, batch: Sequence[Record], rows: Rows) -> Sequence[Outgoing]:
            return []

    def passing() -> Engine:
        engine = lab.engine("grows", partitions=1, instance_id="one")
        engine.batch_stage(name="pass", topics=[lab.topic("grows")], stage=Pass())
        return engine

    async with running(engine := passing()):
        await engine.until_ready()
    admin = AIOKafkaAdminClient(bootstrap_servers=lab.bootstrap)
    await admin.start()
    await admin.create_partitions({lab.topic("grows"): NewPartitions(3)})
    await admin.close()
    async with running(engine := passing()):
        await engine.until_ready()
        for partition in range(3):
            await lab.produce("grows", numbered("a", 5), partition=partition)
        await until(lambda: lab.all_committed("grows"))


@pytest.mark.parametrize("together", [True, False], ids=["at once", "one after the other"])
async def test_of_two_workers_with_one_instance_id_one_halts_and_the_other_works(
    lab: Lab, together: bool
) -> None:
    twins = []
    for worker, patience in (("one", 8), ("two", 4)):
        engine = lab.engine("in", "out", worker=worker, instance_id="same")
        engine.partitions._twins = Twins(patience)
        engine.batch_stage(
            name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
        )
        twins.append(engine)
    runs = [asyncio.create_task(twins[0].run())]
    if not together:
        await twins[0].until_ready()
    runs.append(asyncio.create_task(twins[1].run()))
    done, (other,) = await asyncio.wait(runs, return_when=asyncio.FIRST_COMPLETED, timeout=120)
    with pytest.raises(Halted, match="DOVETAIL_INSTANCE_ID"):
        done.pop().result()
    await lab.produce("in", numbered("ab", 20))
    await until(lambda: lab.all_committed("in"))
    assert await lab.table("counts") == dict.fromkeys("ab", "10")
    twins[runs.index(other)].stop()
    await other


async def generation(lab: Lab) -> list[str]:
    """The members of the group, which change with a rebalance that adds or removes one."""
    admin = AIOKafkaAdminClient(bootstrap_servers=lab.bootstrap)
    await admin.start()
    try:
        (response,) = await admin.describe_consumer_groups([lab.app_id])
        return sorted(member[-1].hex() for member in response.groups[0][5])
    finally:
        await admin.close()


async def test_a_worker_that_slept_through_its_session_wakes_up_and_harms_nothing(lab: Lab) -> None:
    await make_topics(lab, 2)
    keys = "abcdefgh"
    sleeper = await WorkerProcess.start(lab, "one", slow_ms=20, batch_max_records=10)
    other = None
    try:
        await sleeper.ready()
        await lab.produce("in", numbered(keys, 2000))
        await until(lambda: lab.committed("in"))
        sleeper.signal(signal.SIGSTOP)
        other = await WorkerProcess.start(lab, "two", slow_ms=1)
        await other.ready()
        await lab.produce("in", numbered(keys, 400))
        await until(lambda: lab.all_committed("in"))
        sleeper.signal(signal.SIGCONT)
        await until(lambda: group_is_shared(lab))
        await lab.produce("in", numbered(keys, 400))
        await until(lambda: lab.all_committed("in"))
        outputs = await lab.outputs("out")
        assert set(outputs) == {(key, str(count)) for key in keys for count in range(1, 351)}
    finally:
        sleeper.signal(signal.SIGCONT)
        await sleeper.stop()
        if other is not None:
            await other.stop()
    # The sleeper may have written into the changelog until it noticed, and whoever writes there
    # next overrules that: what counts is what somebody without a disk recovers.
    engine = lab.engine(partitions=2, worker="another")
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
    )
    async with running(engine):
        await engine.until_ready()
        rows = [row for partition in range(2) for row in engine.scan("counts", partition)]
        assert dict(rows) == dict.fromkeys(keys, b"350")
        assert len(rows) == len(keys)
