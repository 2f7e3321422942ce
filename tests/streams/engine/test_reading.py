"""Reading committed rows in key order, and publishing from beside the stages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from streams.engine.fetching import EngineFetcher
from streams.engine.host import Fetched
from streams.engine.records import Outgoing, TopicPartition
from tests.streams.engine.lab import Lab, numbered, running, until
from tests.streams.engine.stages import Count

pytestmark = pytest.mark.broker


async def test_committed_rows_are_read_in_key_order_by_partition(lab: Lab) -> None:
    engine = lab.engine("in", "out", partitions=2)
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
    )
    keys = "abcdefgh"
    async with running(engine):
        await lab.produce("in", numbered(keys, 80))
        await until(lambda: lab.all_committed("in"))
        await until(lambda: lab.all_stored(engine, "counts"))
        assert engine.held("counts") == [0, 1]
        found = [engine.scan("counts", partition) for partition in (0, 1)]
        assert sorted(row for rows in found for row in rows) == [(key, b"10") for key in keys]
        for partition, rows in enumerate(found):
            assert rows == sorted(rows)
            first, *others = rows
            assert engine.scan("counts", partition, limit=1) == [first]
            assert engine.scan("counts", partition, after=first[0]) == others
        assert engine.scan("counts", 7) == []
        with pytest.raises(KeyError):
            engine.held("nothing")


async def test_what_is_published_is_delivered_when_the_call_returns(lab: Lab) -> None:
    engine = lab.engine("in", "out", partitions=1)
    engine.batch_stage(
        name="count", topics=[lab.topic("in")], tables=["counts"], stage=Count(lab.topic("out"))
    )
    async with running(engine):
        await engine.publish([Outgoing(lab.topic("in"), b"a", b"1")])
        assert (await lab.ends(lab.topic("in")))[0] == 1
        await until(lambda: lab.all_committed("in"))
        await until(lambda: engine.read("counts", "a") == b"1")


@pytest.mark.parametrize("moves", [False, True], ids=["stay", "move"])
async def test_what_was_fetched_while_partitions_moved_reaches_nobody(
    lab: Lab, moves: bool
) -> None:
    """The new owner, which may be this worker again, reads it from the committed offset."""
    place = TopicPartition("in", 0)
    delivered: list[Fetched] = []

    async def fetch(*_: object) -> Fetched:
        partitions.epoch += moves
        return {place: []}

    partitions = SimpleNamespace(
        epoch=1,
        with_room=lambda: frozenset({place}),
        some_without_room=lambda: False,
        deliver=delivered.append,
    )
    app = SimpleNamespace(
        member=SimpleNamespace(fetch=fetch), engine=SimpleNamespace(settings=lab.settings())
    )
    fetcher = cast(EngineFetcher, SimpleNamespace(app=app))
    await EngineFetcher._fetch_once(fetcher, cast(Any, partitions))
    assert delivered == ([] if moves else [{place: []}])
