"""Workers that join, leave, stop answering and come back, in processes of their own."""

from __future__ import annotations

import signal
import time

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.streams.engine.lab import Lab, numbered, until
from tests.streams.engine.processes import WorkerProcess, make_topics

pytestmark = pytest.mark.broker


async def test_a_killed_workers_partitions_are_taken_over_with_their_rows(lab: Lab) -> None:
    await make_topics(lab, 4)
    first = await WorkerProcess.start(lab, "one")
    await first.ready()
    second = await WorkerProcess.start(lab, "two")
    try:
        joined = await second.ready()
        assert joined["assigned"]
        await lab.produce("in", numbered("abcdefgh", 400))
        await until(lambda: lab.all_committed("in"))
        await first.kill()
        killed = time.time()
        await lab.produce("in", numbered("abcdefgh", 400))
        await until(lambda: lab.all_committed("in"), 20)
        print(f"taken over {time.time() - killed:.2f} s after the kill (session timeout 6 s)")
        assert time.time() - killed < 6 + 3
        assert await lab.table("counts") == dict.fromkeys("abcdefgh", "100")
    finally:
        await first.kill()
        assert await second.stop() == 0


async def test_two_workers_join_in_less_than_four_seconds(lab: Lab) -> None:
    await make_topics(lab, 4)
    workers = [await WorkerProcess.start(lab, name) for name in ("one", "two")]
    try:
        for told in [await worker.ready() for worker in workers]:
            print(f"ready {told['ready'] - told['began']:.2f} s after it began to join")
            assert told["ready"] - told["began"] < 4
        await until(lambda: group_is_shared(lab))
    finally:
        codes = [await worker.stop() for worker in workers]
    assert codes == [0, 0]


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
    other = await WorkerProcess.start(lab, "two", instance_id="two")
    first = await WorkerProcess.start(lab, "one", instance_id="one")
    try:
        await other.ready()
        await first.ready()
        await until(lambda: group_is_shared(lab))
        await lab.produce("in", numbered("abcd", 40))
        await until(lambda: lab.all_committed("in"))
        before = await generation(lab)
        assert await first.stop() == 0
        first = await WorkerProcess.start(lab, "one", instance_id="one")
        await first.ready()
        await lab.produce("in", numbered("abcd", 40))
        await until(lambda: lab.all_committed("in"))
        assert await lab.table("counts") == dict.fromkeys("abcd", "20")
        assert await generation(lab) == before
    finally:
        await first.stop()
        await other.stop()


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
        await until(lambda: lab.all_committed("in"), 30)
        sleeper.signal(signal.SIGCONT)
        await until(lambda: group_is_shared(lab), 30)
        await lab.produce("in", numbered(keys, 400))
        await until(lambda: lab.all_committed("in"), 30)
        assert await lab.table("counts") == dict.fromkeys(keys, "350")
        outputs = await lab.outputs("out")
        assert set(outputs) == {(key, str(count)) for key in keys for count in range(1, 351)}
    finally:
        sleeper.signal(signal.SIGCONT)
        await sleeper.stop()
        if other is not None:
            await other.stop()
