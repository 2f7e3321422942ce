"""Batch stages against a broker: everything once, nothing acknowledged that is not done."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from streams.engine import Outgoing, Record, Rows, changelog
from tests.streams.engine.lab import Lab, halted, numbered, running, until
from tests.streams.engine.stages import Count, CountUntil

pytestmark = pytest.mark.broker


async def test_counts_outputs_offsets_and_changelog_agree(lab: Lab) -> None:
    engine = lab.engine("in", "out")
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
    )
    async with running(engine):
        await lab.produce("in", numbered("abcde", 100))
        await until(lambda: lab.all_committed("in"))
        assert await lab.table("counts") == dict.fromkeys("abcde", "20")
        assert sorted(await lab.outputs("out")) == sorted(
            (key, str(count)) for key in "abcde" for count in range(1, 21)
        )
        await until(lambda: engine.read("counts", "a") == b"20")


async def test_agents_carry_the_names_and_help_of_their_stages(lab: Lab) -> None:
    engine = lab.engine("in", "out")
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
    )
    agent = engine.app.agents["count"]
    assert agent.help == "Counts the records of each key and tells the count."
    assert list(agent.get_topic_names()) == [lab.topic("in")]


async def test_the_commit_carries_the_changelog_position(lab: Lab) -> None:
    engine = lab.engine("in", "out", partitions=1)
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
    )
    async with running(engine):
        await lab.produce("in", numbered("ab", 10))
        await until(lambda: lab.all_committed("in"))
        (commit,) = (await lab.commits()).values()
        ends = await lab.ends(lab.changelog("counts"))
        assert changelog.decode_positions(commit.metadata) == {"counts": ends[0]}
        store = engine.partitions.store(0)
        assert store is not None
        await until(lambda: store.position("counts") == ends[0])


async def test_changelog_records_name_their_cause(lab: Lab) -> None:
    engine = lab.engine("in", "out", partitions=1)
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
    )
    async with running(engine):
        await lab.produce("in", [("a", "1")])
        await until(lambda: lab.all_committed("in"))
    (record,) = await lab.read(lab.changelog("counts"))
    assert record.headers == (("cause", f"{lab.topic('in')}-0@0".encode()),)


async def test_co_partitioned_topics_share_their_rows(lab: Lab) -> None:
    engine = lab.engine("changes", "outcomes", "out")
    topics = [lab.topic("changes"), lab.topic("outcomes")]
    engine.batch_stage(
        name="count", topics=topics, tables=["counts"], stage=Count(lab.topic("out"))
    )
    async with running(engine):
        await lab.produce("changes", numbered("ab", 20))
        await lab.produce("outcomes", numbered("ab", 30))
        await until(lambda: lab.all_committed("changes"))
        await until(lambda: lab.all_committed("outcomes"))
    assert await lab.table("counts") == {"a": "25", "b": "25"}


async def test_a_restart_goes_on_where_the_commit_ended(lab: Lab) -> None:
    for round_number in (1, 2):
        engine = lab.engine("in", "out")
        engine.batch_stage(
            name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
        )
        async with running(engine):
            await lab.produce("in", numbered("abc", 30))
            await until(lambda: lab.all_committed("in"))
        assert await lab.table("counts") == dict.fromkeys("abc", str(10 * round_number))
    assert len(await lab.outputs("out")) == 60


async def test_an_exception_acknowledges_nothing_and_a_restart_handles_the_record(lab: Lab) -> None:
    def broken(record: Record) -> Exception | None:
        return ValueError("cannot") if record.value == b"5" else None

    engine = lab.engine("in", "out", partitions=1)
    engine.batch_stage(
        name="count",
        topics=[lab.topic("in")],
        tables=["counts"],
        stage=CountUntil(lab.topic("out"), broken),
    )
    async with running(engine):
        await lab.produce("in", numbered("a", 5))
        await until(lambda: lab.all_committed("in"))
        await lab.produce("in", [("a", "5"), ("a", "6")])
        reason = await halted(engine)
        assert "The stage count raised" in reason
        assert f"{lab.topic('in')}-0 offsets 5" in reason
        assert await lab.committed("in") == {0: 5}
        assert not engine.status().ready
        await lab.produce("in", [("a", "7")])
    assert await lab.committed("in") == {0: 5}
    assert await lab.table("counts") == {"a": "5"}

    engine = lab.engine("in", "out", partitions=1)
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
    )
    async with running(engine):
        await until(lambda: lab.all_committed("in"))
    assert await lab.outputs("out") == [("a", str(count)) for count in range(1, 9)]


async def test_a_record_that_is_too_large_halts_and_is_named(lab: Lab) -> None:
    class Enlarge:
        """Answers with more than the broker takes."""

        def handle(self, batch: Sequence[Record], rows: Rows) -> Sequence[Outgoing]:
            return [Outgoing(lab.topic("out"), b"big", b"x" * 2_000_000)]

    engine = lab.engine("in", "out", partitions=1)
    engine.batch_stage(name="enlarge", topics=[lab.topic("in")], stage=Enlarge())
    async with running(engine):
        await lab.produce("in", [("a", "1")])
        reason = await halted(engine)
        assert "2000003 bytes" in reason and "b'big'" in reason and "max_record_bytes" in reason
        assert await lab.committed("in") == {}


async def test_an_idle_stream_waits_for_nothing_and_a_busy_one_makes_batches(lab: Lab) -> None:
    stage = Count(lab.topic("out"))
    engine = lab.engine("in", "out", partitions=1)
    engine.batch_stage(name="count", topics=[lab.topic("in")], tables=["counts"], stage=stage)
    async with running(engine):
        await lab.produce("in", [("a", "1")])
        await until(lambda: lab.all_committed("in"))
        assert stage.batches == [1]
    await lab.produce("in", numbered("ab", 3000))
    stage = Count(lab.topic("out"))
    engine = lab.engine("in", "out", partitions=1)
    engine.batch_stage(name="count", topics=[lab.topic("in")], tables=["counts"], stage=stage)
    async with running(engine):
        await until(lambda: lab.all_committed("in"))
    assert sum(stage.batches) == 3000
    assert max(stage.batches) > 50
