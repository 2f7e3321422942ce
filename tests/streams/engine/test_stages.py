"""What stages may ask of the engine: topics, tables, keys, and to be told when it is over."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer

from streams.engine import Engine, NotHere, Outgoing, Record, Rows, TopicSpec, partition_of
from tests.streams.engine.lab import Lab, halted, numbered, running, until
from tests.streams.engine.stages import Calls, Count


class Pass:
    """Hands records on, without tables."""

    def __init__(self, output: str) -> None:
        self.output = output

    def handle(self, batch: Sequence[Record], rows: Rows) -> Sequence[Outgoing]:
        """One for one."""
        return [Outgoing(self.output, record.key, record.value) for record in batch]


def test_a_name_a_topic_or_a_table_belongs_to_one_stage(lab: Lab) -> None:
    engine = lab.engine()
    engine.batch_stage(name="a", topics=["t1", "t2"], tables=["x"], stage=Count("out"))
    with pytest.raises(ValueError, match="There is a stage 'a' already"):
        engine.batch_stage(name="a", topics=["t3"], stage=Count("out"))
    with pytest.raises(ValueError, match="t2 is read by the stage 'a' already"):
        engine.batch_stage(name="b", topics=["t2"], stage=Count("out"))
    with pytest.raises(ValueError, match="'x' already belongs to the stage 'a'"):
        engine.lane_stage(name="c", topics=["t4"], tables=["x"], stage=Calls("out"))


def test_settings_that_cannot_work_together_are_refused(lab: Lab) -> None:
    with pytest.raises(ValueError, match="min_insync_replicas=2 can never be met"):
        lab.settings(min_insync_replicas=2)
    with pytest.raises(ValueError, match="leaves no second try"):
        lab.settings(heartbeat_interval_seconds=11.0)
    with pytest.raises(ValueError, match="revoke_budget_seconds=99"):
        lab.settings(revoke_budget_seconds=99.0)


@pytest.mark.broker
async def test_a_stage_without_tables_reads_topics_of_any_partition_count(lab: Lab) -> None:
    engine = lab.engine("out", partitions=4)
    for name, partitions in (("a", 1), ("b", 3), ("c", 5)):
        engine.declare(TopicSpec(lab.topic(name), partitions))
    engine.batch_stage(
        name="pass", topics=[lab.topic(name) for name in "abc"], stage=Pass(lab.topic("out"))
    )
    engine.batch_stage(
        name="count", topics=[lab.topic("out")], tables=["counts"], stage=Count(lab.topic("end"))
    )
    engine.declare(TopicSpec(lab.topic("end"), 1))
    async with running(engine):
        for name in "abc":
            await lab.produce(name, numbered("klm", 30))
        await until(lambda: every_committed(lab, "abc"))
        await until(lambda: lab.all_committed("out"))
        await until(lambda: counts_are(lab, 30))


async def every_committed(lab: Lab, names: str) -> bool:
    """Whether all these topics are read to their ends."""
    return all([await lab.all_committed(name) for name in names])


async def counts_are(lab: Lab, number: int) -> bool:
    """Whether each key was counted so often."""
    return await lab.table("counts") == dict.fromkeys("klm", str(number))


@pytest.mark.broker
async def test_keys_go_where_kafkas_own_partitioner_sends_them(lab: Lab) -> None:
    engine = lab.engine("in", "out", partitions=6)
    engine.batch_stage(name="pass", topics=[lab.topic("in")], stage=Pass(lab.topic("out")))
    keys = [f"account:{number}" for number in range(40)]
    async with running(engine):
        await lab.produce("in", [(key, "x") for key in keys])
        await until(lambda: lab.all_committed("in"))
    by_client = {record.key: record.partition for record in await lab.read(lab.topic("in"))}
    by_engine = {record.key: record.partition for record in await lab.read(lab.topic("out"))}
    assert by_engine == by_client
    assert by_engine == {key.encode(): partition_of(key.encode(), 6) for key in keys}


@pytest.mark.broker
async def test_records_without_a_key_are_spread(lab: Lab) -> None:
    class Keyless(Pass):
        def handle(self, batch: Sequence[Record], rows: Rows) -> Sequence[Outgoing]:
            return [Outgoing(self.output, None, record.value) for record in batch]

    engine = lab.engine("in", "out", partitions=3)
    engine.batch_stage(name="pass", topics=[lab.topic("in")], stage=Keyless(lab.topic("out")))
    async with running(engine):
        await lab.produce("in", numbered("a", 30))
        await until(lambda: lab.all_committed("in"))
    assert {record.partition for record in await lab.read(lab.topic("out"))} == {0, 1, 2}


@pytest.mark.broker
async def test_a_stage_is_told_when_a_partition_is_gone(lab: Lab) -> None:
    stage = Count(lab.topic("out"))
    engine = lab.engine("in", "out", partitions=2)
    engine.batch_stage(name="count", topics=[lab.topic("in")], tables=["counts"], stage=stage)
    async with running(engine):
        assert stage.forgotten == []
    assert sorted(stage.forgotten) == [0, 1]


@pytest.mark.broker
async def test_a_row_that_another_worker_has_is_named_with_its_partition(lab: Lab) -> None:
    engines = []
    for name in ("one", "two"):
        engine = lab.engine("in", "out", partitions=2, worker=name)
        engine.batch_stage(
            name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
        )
        engines.append(engine)
    keys = [f"k{number}" for number in range(8)]
    async with running(*engines):
        await until(lambda: all(len(engine.status().assigned) == 1 for engine in engines))
        await until(lambda: all(engine.status().ready for engine in engines))
        await lab.produce("in", [(key, "x") for key in keys])
        await until(lambda: lab.all_committed("in"))
        for key in keys:
            told = sorted([b"1", partition_of(key.encode(), 2)], key=str)
            await until(lambda key=key, told=told: reads(engines, key) == told)


def reads(engines: Sequence[Engine], key: str) -> list[bytes | int | None]:
    """What the engines tell of a key in turn: its row, or where it is."""
    found: list[bytes | int | None] = []
    for engine in engines:
        try:
            found.append(engine.read("counts", key))
        except NotHere as elsewhere:
            found.append(elsewhere.partition)
    return sorted(found, key=str)


@pytest.mark.broker
async def test_a_strangers_record_in_the_changelog_is_overruled_while_running(lab: Lab) -> None:
    engine = lab.engine("in", "out", partitions=1)
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
    )
    async with running(engine):
        await lab.produce("in", numbered("ab", 10))
        await until(lambda: lab.all_committed("in"))
        await lab.produce_raw(
            lab.changelog("counts"), key=b"a", value=b"-1", headers=[("cause", b"a sleeper")]
        )
        await lab.produce("in", [("b", "x")])
        await until(lambda: lab.all_committed("in"))
        assert engine.read("counts", "a") == b"5"
    assert await lab.table("counts") == {"a": "5", "b": "6"}


@pytest.mark.broker
async def test_an_undeclared_table_halts_with_its_name(lab: Lab) -> None:
    engine = lab.engine("in", "out", partitions=1)
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], stage=Count(lab.topic("out"), table="counts")
    )
    async with running(engine):
        await lab.produce("in", [("a", "1")])
        assert "did not declare the table 'counts'" in await halted(engine)


@pytest.mark.broker
async def test_gaps_that_transactions_leave_hold_nothing_back(lab: Lab) -> None:
    engine = lab.engine("in", "out", partitions=1)
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
    )
    async with running(engine):
        await transactions(lab, ["1", "2", "abort", "3"])
        await lab.produce("in", [("a", "4")])
        await until(lambda: lab.all_committed("in"))
        ends = await lab.ends(lab.topic("in"))
        assert ends[0] > 5
    assert await lab.table("counts") == {"a": "4"}


async def transactions(lab: Lab, values: Sequence[str]) -> None:
    """Send each value in a transaction of its own; skips where the broker has none."""
    producer = AIOKafkaProducer(bootstrap_servers=lab.bootstrap, transactional_id=lab.app_id)
    try:
        await producer.start()
    except Exception as error:
        await producer.stop()
        pytest.skip(f"this broker has no transactions: {error!r}")
    try:
        for value in values:
            await producer.begin_transaction()
            await producer.send_and_wait(lab.topic("in"), value.encode(), key=b"a")
            if value == "abort":
                await producer.abort_transaction()
            else:
                await producer.commit_transaction()
    finally:
        await producer.stop()
