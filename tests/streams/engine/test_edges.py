"""Where records, rows and offsets are at an edge: any bytes, trimmed logs, partitions that change
hands, deliveries that wait. Which of stock Faust's faults each answers: test_stock_faust.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.engine import Engine, Fenced, Outgoing, Record, Rows, TopicPartition, TopicSpec
from tables.store import PartitionStore
from tests.streams.engine.lab import Lab, halted, numbered, running, until
from tests.streams.engine.stages import Calls, Count, key_of

pytestmark = pytest.mark.broker


def counting(lab: Lab, worker: str = "one", partitions: int = 1, **changes: Any) -> Engine:
    """An engine that counts the records of a topic by key."""
    engine = lab.engine("in", "out", partitions=partitions, worker=worker, **changes)
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
    )
    return engine


async def count_some(lab: Lab, keys: str = "ab", number: int = 10, **options: Any) -> None:
    """Run an engine until it counted so many records."""
    async with running(engine := counting(lab, **options)):
        await lab.produce("in", numbered(keys, number))
        await until(lambda: lab.all_committed("in"))
        await until(lambda: lab.all_stored(engine, "counts"))


class Admin:
    """An administrator of the lab's broker."""

    def __init__(self, lab: Lab) -> None:
        self._client = AIOKafkaAdminClient(bootstrap_servers=lab.bootstrap)

    async def __aenter__(self) -> AIOKafkaAdminClient:
        await self._client.start()
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()


async def test_a_source_record_of_any_bytes_reaches_the_stage(lab: Lab) -> None:
    seen: list[tuple[bytes | None, bytes | None]] = []

    class Keep:
        def handle(self, batch: Sequence[Record], rows: Rows) -> Sequence[Outgoing]:
            seen.extend((record.key, record.value) for record in batch)
            return []

    engine = lab.engine("in", partitions=1)
    engine.batch_stage(name="keep", topics=[lab.topic("in")], stage=Keep())
    sent = [(b"\xff\xfe", b"{not json"), (None, b"\x00\x80"), (b"k", None), (None, b"")]
    async with running(engine):
        for key, value in sent:
            await lab.produce_raw(lab.topic("in"), key=key, value=value)
        await until(lambda: lab.all_committed("in"))
        assert engine.status().halted is None
    assert seen == sent


async def test_what_cannot_be_delivered_now_holds_the_commit_until_it_is(lab: Lab) -> None:
    engine = counting(lab)
    async with running(engine), Admin(lab) as admin:
        await lab.produce("in", numbered("ab", 4))
        await until(lambda: lab.all_committed("in"))
        await until(lambda: lab.all_stored(engine, "counts"))
        await admin.delete_topics([lab.topic("out")])
        await until(lambda: _is_gone(admin, lab.topic("out")))
        await lab.produce("in", numbered("ab", 6))
        await until(lambda: engine.status().producer_stall_seconds > 1)
        assert await lab.committed("in") == {0: 4}
        assert engine.read("counts", "a") == b"2"
        await admin.create_topics([NewTopic(lab.topic("out"), 1, 1)])
        await until(lambda: lab.all_committed("in"))
    assert sorted(await lab.outputs("out")) == [(k, n) for k in "ab" for n in "345"]
    assert await lab.table("counts") == {"a": "5", "b": "5"}


async def _is_gone(admin: AIOKafkaAdminClient, topic: str) -> bool:
    return topic not in await admin.list_topics()


async def test_a_key_that_comes_by_several_partitions_has_one_row(lab: Lab) -> None:
    class Pass:
        def handle(self, batch: Sequence[Record], rows: Rows) -> Sequence[Outgoing]:
            return [Outgoing(lab.topic("in"), record.key, record.value) for record in batch]

    engine = counting(lab, partitions=2)
    engine.declare(TopicSpec(lab.topic("raw"), 3))
    engine.batch_stage(name="pass", topics=[lab.topic("raw")], stage=Pass())
    async with running(engine):
        for partition in range(3):
            await lab.produce("raw", numbered("abc", 30), partition=partition)
        await until(lambda: lab.all_committed("raw"))
        await until(lambda: lab.all_committed("in"))
        await until(lambda: lab.all_stored(engine, "counts"))
        rows = [row for part in range(2) for row in engine.scan("counts", part)]
        assert sorted(rows) == [("a", b"30"), ("b", b"30"), ("c", b"30")]


class Remember:
    """Keeps a record's value as the row of two tables, reversed in the second; an empty value
    deletes both."""

    def handle(self, batch: Sequence[Record], rows: Rows) -> Sequence[Outgoing]:
        for record in batch:
            sent = record.value or b""
            for table, value in (("here", sent), ("there", sent[::-1])):
                if value:
                    rows.put(table, key_of(record), value)
                else:
                    rows.delete(table, key_of(record))
        return []


async def test_rows_of_any_bytes_and_deleted_rows_come_back_so_table_by_table(lab: Lab) -> None:
    def remembering(worker: str) -> Engine:
        engine = lab.engine("in", partitions=1, worker=worker)
        engine.batch_stage(
            name="keep", topics=[lab.topic("in")], tables=["here", "there"], stage=Remember()
        )
        return engine

    values = {"a": b"\xff\x00\x80", "b": b'{"half', "gone": b"x", "c": bytes(range(256))}
    async with running(remembering("one")):
        for key, value in [*values.items(), ("gone", b"")]:
            await lab.produce_raw(lab.topic("in"), key=key.encode(), value=value)
        await until(lambda: lab.all_committed("in"))
    del values["gone"]
    async with running(engine := remembering("another")):
        assert dict(engine.scan("here", 0)) == values
        assert dict(engine.scan("there", 0)) == {k: v[::-1] for k, v in values.items()}


async def test_topics_of_one_stage_are_shared_out_by_partition_number(lab: Lab) -> None:
    engines = []
    for worker in ("one", "two"):
        engine = lab.engine("changes", "outcomes", "out", partitions=4, worker=worker)
        names = [lab.topic("changes"), lab.topic("outcomes")]
        engine.batch_stage(
            name="count", topics=names, tables=["counts"], stage=Count(lab.topic("out"))
        )
        engines.append(engine)
    async with running(*engines):
        await until(lambda: all(len(engine.status().assigned) == 4 for engine in engines))
        for engine in engines:
            by_topic = [
                {place.partition for place in engine.status().assigned if place.topic == name}
                for name in names
            ]
            assert by_topic[0] == by_topic[1]
        await lab.produce("changes", numbered("abcdefgh", 80))
        await lab.produce("outcomes", numbered("abcdefgh", 80))
        await until(lambda: lab.all_committed("changes"))
        await until(lambda: lab.all_committed("outcomes"))
    assert await lab.table("counts") == dict.fromkeys("abcdefgh", "20")


async def test_a_changelog_that_lost_its_beginning_halts_and_says_what_to_do(lab: Lab) -> None:
    await count_some(lab, "abcd", 20)
    place = KafkaPartition(lab.changelog("counts"), 0)
    async with Admin(lab) as admin:
        policy = {"cleanup.policy": "delete"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, place.topic, policy)])
        await until(lambda: _deleted(admin, place, 3))
    async with running(engine := counting(lab)):
        assert engine.read("counts", "a") == b"5"  # the store on this disk has all of it
    engine = counting(lab, "another")
    async with running(engine):
        reason = await halted(engine)
        assert f"{place.topic}-0 begins at offset 3" in reason
        assert "cleanup.policy to compact alone" in reason


async def test_a_worker_that_stops_before_its_tables_recovered_leaves_the_group_in_order(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    await count_some(lab)
    engine = counting(lab, "another")
    await lab.produce_raw(lab.changelog("counts"), key=b"a", value=b"not ours")
    async with running(engine):
        await halted(engine)  # so recovery never ends, and to Faust the group rebalances for ever
        assert engine.app.rebalancing
    assert engine.app.crash_reason is None
    assert not [entry.getMessage() for entry in caplog.records if "rashed" in entry.getMessage()]


async def test_a_consumer_thread_that_ends_halts_the_worker(lab: Lab) -> None:
    engine = counting(lab)
    async with running(engine):
        await engine.until_ready()
        engine.app.consumer._thread._stopped_set()
        assert "consumer thread" in await halted(engine)


async def test_the_group_knows_the_time_limits_of_the_settings(lab: Lab) -> None:
    limits = {"session": 7.0, "rebalance": 41.0}
    engine = counting(lab, **{f"{name}_timeout_seconds": limit for name, limit in limits.items()})
    async with running(engine):
        consumer = engine.app.consumer._thread._consumer
        assert consumer is not None
        told = consumer._coordinator
        assert {name: getattr(told, f"_{name}_timeout_ms") for name in limits} == {
            name: limit * 1000 for name, limit in limits.items()
        }
        assert told._heartbeat_interval_ms == 500


async def test_a_commit_for_a_generation_that_is_over_is_not_even_asked_for(lab: Lab) -> None:
    engine = counting(lab)
    async with running(engine):
        await lab.produce("in", numbered("a", 5))
        await until(lambda: lab.all_committed("in"))
        # aiokafka would commit it for the generation of the moment, and the broker take it
        over = engine.app.consumer_generation_id - 1
        with pytest.raises(Fenced):
            await engine.app.consumer.commit_offsets(
                {TopicPartition(lab.topic("in"), 0): 2}, "", over
            )
        assert await lab.committed("in") == {0: 5}


async def _deleted(admin: AIOKafkaAdminClient, place: KafkaPartition, before: int) -> bool:
    """Delete records, as soon as the changed policy is known everywhere."""
    try:
        await admin.delete_records({place: RecordsToDelete(before_offset=before)})
    except Exception as error:
        assert "Policy" in repr(error), error
        return False
    return True


async def test_partitions_whose_changelog_is_empty_are_ready_too(lab: Lab) -> None:
    await count_some(lab, "a", partitions=6)
    engine = counting(lab, "another", partitions=6)
    async with running(engine):
        await until(lambda: len(engine.held("counts")) == 6)
        await until(lambda: engine.status().ready)
        await lab.produce("in", numbered("abcdefgh", 8))
        await until(lambda: lab.all_committed("in"))
    assert await lab.table("counts") == {"a": "11"} | dict.fromkeys("bcdefgh", "1")


async def test_a_source_that_was_trimmed_past_the_commit_goes_on_at_its_first_record(
    lab: Lab,
) -> None:
    await count_some(lab, "a", 10)
    await lab.produce("in", numbered("b", 20))
    async with Admin(lab) as admin:
        await admin.delete_records(
            {KafkaPartition(lab.topic("in"), 0): RecordsToDelete(before_offset=25)}
        )
    async with running(engine := counting(lab)):
        await until(lambda: lab.all_committed("in"))
        assert engine.status().halted is None
    assert await lab.table("counts") == {"a": "10", "b": "5"}


async def test_a_store_that_somebody_still_holds_is_waited_for(lab: Lab) -> None:
    await count_some(lab)
    holder = PartitionStore.open(lab.directory / "one" / lab.app_id / "0")
    engine = counting(lab, store_lock_wait_seconds=60.0)
    starting = asyncio.create_task(engine.app.start())
    try:
        await until(lambda: engine.status().phase == "recovering")
        await asyncio.sleep(0.5)
        assert not engine.status().ready
        holder.close()
        await starting
        await engine.until_ready()
        assert engine.read("counts", "a") == b"5"
    finally:
        await engine.app.stop()

    holder = PartitionStore.open(lab.directory / "one" / lab.app_id / "0")
    engine = counting(lab, store_lock_wait_seconds=0.5)
    async with running(engine):
        assert "is open in another process" in await halted(engine)
    holder.close()


async def four_are_done(lab: Lab) -> bool:
    """Whether four calls have left an output and a row."""
    return len(await lab.outputs("done")) == len(await lab.table("ledger")) == 4


async def test_a_revoke_abandons_a_stuck_call_in_time_and_the_other_worker_makes_it(
    lab: Lab,
) -> None:
    stages = [Calls(lab.topic("done")) for _ in range(2)]
    held = [str(number) for number in range(8)]
    for value in held:
        stages[0].hold(value)
    engines = []
    for worker, stage in zip(("one", "two"), stages, strict=True):
        engine = lab.engine("commands", "done", partitions=2, worker=worker)
        engine.lane_stage(
            name="write", topics=[lab.topic("commands")], tables=["ledger"], stage=stage
        )
        engines.append(engine)
    async with running(engines[0]):
        for partition in range(2):
            values = held[partition * 4 : partition * 4 + 4]
            await lab.produce("commands", [(v, v) for v in values], partition=partition)
        await until(lambda: stages[0].running == 8)
        async with running(engines[1]):
            # Who waits for a call for ever is thrown out when the group's patience, 60 s, is over.
            await until(lambda: len(stages[1].finished) == 4, 50)
            assert len(stages[0].cancelled) == 8
            await until(lambda: four_are_done(lab))
            for value in held:
                stages[0].hold(value).set()
            await until(lambda: lab.all_committed("commands"))
    assert sorted(await lab.outputs("done")) == [(value, value) for value in held]
    assert sorted(stages[0].finished + stages[1].finished) == held
