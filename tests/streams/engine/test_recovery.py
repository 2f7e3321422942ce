"""Tables come back from their changelogs: whole, from where they were, or it halts, saying why."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.engine import Engine, SilentObserver, TopicSpec
from tests.streams.engine.lab import Lab, halted, numbered, running, until
from tests.streams.engine.stages import Count

pytestmark = pytest.mark.broker


class Seen(SilentObserver):
    """Notes what was recovered and corrected."""

    def __init__(self) -> None:
        self.records = 0
        self.rows = 0

    def recovered(self, table: str, partition: int, records: int, seconds: float) -> None:
        self.records += records

    def corrected(self, table: str, partition: int, rows: int) -> None:
        self.rows += rows


def counting(lab: Lab, worker: str = "one", **changes: object) -> tuple[Engine, Seen]:
    """An engine that counts into a table, on one partition."""
    engine = lab.engine("in", "out", partitions=1, worker=worker, **changes)
    seen = Seen()
    engine.observer = seen
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
    )
    return engine, seen


async def count_some(lab: Lab, number: int = 40, worker: str = "one") -> Seen:
    """Run an engine until it counted so many records."""
    engine, seen = counting(lab, worker)
    async with running(engine):
        await lab.produce("in", numbered("abcd", number))
        await until(lambda: lab.all_committed("in"))
        await until(lambda: lab.all_stored(engine, "counts"))
    return seen


async def test_an_empty_disk_is_filled_from_the_changelog(lab: Lab) -> None:
    await count_some(lab)
    engine, seen = counting(lab, "another")
    async with running(engine):
        assert engine.read("counts", "a") == b"10"
        assert seen.records == (await lab.ends(lab.changelog("counts")))[0]


async def test_a_disk_that_is_up_to_date_reads_nothing(lab: Lab) -> None:
    await count_some(lab)
    engine, seen = counting(lab)
    async with running(engine):
        assert engine.read("counts", "a") == b"10"
        assert seen.records == 0


async def test_an_old_disk_reads_only_what_it_missed(lab: Lab) -> None:
    await count_some(lab)
    before = (await lab.ends(lab.changelog("counts")))[0]
    await count_some(lab, worker="another")
    after = (await lab.ends(lab.changelog("counts")))[0]
    engine, seen = counting(lab)
    async with running(engine):
        assert engine.read("counts", "a") == b"20"
        assert seen.records == after - before


async def test_what_was_never_committed_is_overruled(lab: Lab) -> None:
    await count_some(lab)
    for key in ("a", "new"):
        await lab.produce_raw(
            lab.changelog("counts"),
            key=key.encode(),
            value=b"999",
            headers=[("cause", b"a crash before the commit")],
        )
    engine, seen = counting(lab, "another")
    async with running(engine):
        assert engine.read("counts", "a") == b"10"
        assert engine.read("counts", "new") is None
        assert seen.rows == 2
    assert await lab.table("counts") == dict.fromkeys("abcd", "10")


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"key": b"a", "value": b"1"}, "has no 'cause' header"),
        ({"key": b"\xff", "value": b"1", "headers": [("cause", b"x")]}, "is not UTF-8"),
    ],
)
async def test_a_record_that_the_engine_did_not_write_halts_with_its_offset(
    lab: Lab, fields: dict[str, object], complaint: str
) -> None:
    await count_some(lab)
    bad = await lab.produce_raw(lab.changelog("counts"), **fields)
    engine, _ = counting(lab)
    async with running(engine):
        reason = await halted(engine)
        assert complaint in reason
        assert f"{lab.changelog('counts')}-0 at offset {bad.offset}" in reason


async def test_a_changelog_made_anew_is_noticed_and_the_table_rebuilt(lab: Lab) -> None:
    await count_some(lab)
    await make_anew(lab, lab.changelog("counts"))
    engine, _ = counting(lab)
    async with running(engine):
        assert engine.read("counts", "a") is None
        await lab.produce("in", numbered("abcd", 4))
        await until(lambda: lab.all_committed("in"))
        await until(lambda: engine.read("counts", "a") == b"1")


async def make_anew(lab: Lab, topic: str) -> None:
    """Delete a topic and create it, empty."""
    admin = AIOKafkaAdminClient(bootstrap_servers=lab.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([topic])

        async def gone() -> bool:
            return topic not in await admin.list_topics()

        await until(gone)
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def test_an_unreadable_database_is_set_aside_and_rebuilt(lab: Lab) -> None:
    await count_some(lab)
    place = lab.directory / "one" / lab.app_id / "0"
    spoil(place)
    engine, seen = counting(lab)
    async with running(engine):
        assert engine.read("counts", "a") == b"10"
        assert seen.records > 0
    assert place.with_name("0.corrupted").is_dir()


def spoil(place: Path) -> None:
    """Make a database unreadable."""
    for manifest in place.glob("MANIFEST-*"):
        manifest.write_bytes(b"garbage" * 10)


async def test_offsets_set_back_by_hand_keep_the_rows_and_replay_the_input(lab: Lab) -> None:
    await count_some(lab)
    engine, _ = counting(lab)
    async with running(engine):
        place = next(iter(engine.status().assigned))
        generation = engine.app.consumer_generation_id
        await engine.app.consumer.commit_offsets({place: 0}, "", generation)
    engine, _ = counting(lab, "another")
    async with running(engine):
        await until(lambda: lab.all_committed("in"))
        await until(lambda: engine.read("counts", "a") == b"20")


async def test_recovery_tells_its_progress_and_does_not_hold_the_loop(lab: Lab) -> None:
    engine, _ = counting(lab)
    async with running(engine):
        await lab.produce("in", [(f"key {number}", "x") for number in range(12_000)])
        await until(lambda: lab.all_committed("in"))
    engine, seen = counting(lab, "another", recovery_max_records=250)
    told = [12_000]

    async def watch() -> None:
        """Note at each turn of the loop what is left."""
        while True:
            left = engine.status().recovering.get("counts", told[-1])
            if left != told[-1]:
                told.append(left)
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    async with running(engine):
        watching.cancel()
        assert seen.records == 12_000
        assert engine.status().recovering == {}
    # Others have their turn after each 250 records, and see how many are left.
    assert {before - after for before, after in pairwise([*told, 0])} <= set(range(1, 251))


async def test_a_table_that_moves_to_another_stage_keeps_its_rows(lab: Lab) -> None:
    await count_some(lab)
    engine = lab.engine("other", "out", partitions=1)
    engine.batch_stage(
        name="other",
        topics=[lab.topic("other")],
        stage=Count(lab.topic("out"), "visits"),
        tables=["visits"],
    )
    async with running(engine):
        await lab.produce("other", numbered("a", 3))
        await until(lambda: lab.all_committed("other"))
    engine = lab.engine("other", "out", partitions=1, worker="another")
    engine.batch_stage(
        name="other",
        topics=[lab.topic("other")],
        stage=Count(lab.topic("out"), "visits"),
        tables=["visits", "counts"],
    )
    async with running(engine):
        assert engine.read("counts", "a") == b"10"
        assert engine.read("visits", "a") == b"3"
    assert await lab.table("counts") == dict.fromkeys("abcd", "10")


async def test_topics_that_must_share_partitions_and_do_not_are_named(lab: Lab) -> None:
    engine = lab.engine("in", partitions=2)
    engine.declare(TopicSpec(lab.topic("other"), 3))
    engine.batch_stage(
        name="count",
        topics=[lab.topic("in"), lab.topic("other")],
        tables=["counts"],
        stage=Count(lab.topic("out")),
    )
    try:
        with pytest.raises(Exception, match="need one partition count"):
            await engine.app.start()
        reason = engine.status().halted or ""
        assert f"{lab.topic('in')} has 2" in reason and f"{lab.topic('other')} has 3" in reason
    finally:
        await engine.app.stop()
