"""A broker and a disk as small as can be, in which a worker may die between any two steps."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from streams.engine import changelog
from streams.engine.checkpoint import Checkpointer, Deliveries, Work
from streams.engine.errors import Fenced
from streams.engine.overlay import Overlay
from streams.engine.records import Outgoing, TopicPartition
from streams.engine.recovery import TableTask

TABLE = "counts"
SOURCE = TopicPartition("in", 0)
CHANGELOG = TopicPartition("app-counts-changelog", 0)
OUTPUT = TopicPartition("out", 0)


class Killed(BaseException):
    """The process is gone."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A record in the changelog, as aiokafka would give it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


@dataclass
class Disk:
    """A store: survives the process unless it is lost."""

    rows: dict[tuple[str, str], bytes] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)

    def get(self, table: str, key: str) -> bytes | None:
        return self.rows.get((table, key))

    def position(self, table: str) -> int | None:
        return self.positions.get(table)

    def clear(self, table: str) -> None:
        self.rows.clear()
        self.positions.clear()

    def write(
        self, changes: Mapping[tuple[str, str], bytes | None], positions: Mapping[str, int]
    ) -> None:
        for place, value in changes.items():
            if value is None:
                self.rows.pop(place, None)
            else:
                self.rows[place] = value
        self.positions.update(positions)


@dataclass
class World:
    """What outlives workers. ``truth`` is what the committed work amounts to."""

    source: Sequence[str]
    log: list[Logged] = field(default_factory=list)
    end: int = 0
    outputs: list[tuple[bytes | None, bytes | None]] = field(default_factory=list)
    offset: int | None = None
    metadata: str = ""
    generation: int = 0
    truth: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def append(self, record: Outgoing) -> int:
        self.log.append(Logged(self.end, record.key, record.value, record.headers))
        self.end += 1
        return self.end - 1

    def committed_position(self) -> int | None:
        known = None if self.offset is None else changelog.decode_positions(self.metadata)
        return None if known is None else known.get(TABLE, 0)

    def compact(self) -> None:
        """Keep the last record of each key, except what the compaction lag protects."""
        limit = self.committed_position() or 0
        last = {record.key: record.offset for record in self.log if record.offset < limit}
        self.log = [
            record
            for record in self.log
            if record.offset >= limit or last[record.key] == record.offset
        ]


class Worker:
    """One life of one worker. ``at_step`` is called before and after each thing that lasts."""

    def __init__(self, world: World, disk: Disk, at_step: Callable[[str], None]) -> None:
        self.world = world
        self.disk = disk
        self.step = at_step
        world.generation += 1
        self.generation = world.generation
        self.next = 0
        self.pending: Work | None = None
        self.checkpointer = Checkpointer(
            partition=0,
            generation=self.generation,
            topics={TABLE: CHANGELOG.topic},
            publisher=self,
            committer=self,
            reader=self,
            store=self,
        )

    async def publish(self, records: Sequence[Outgoing]) -> Deliveries:
        runs: dict[TopicPartition, list[tuple[int, int]]] = {}
        for record in records:
            self.step("before a record is produced")
            if record.topic == CHANGELOG.topic:
                runs.setdefault(CHANGELOG, []).append((self.world.append(record), 1))
            else:
                self.world.outputs.append((record.key, record.value))
        self.step("after all records are produced")
        return runs

    async def commit_offsets(
        self, offsets: Mapping[TopicPartition, int], metadata: str, generation: int
    ) -> None:
        self.step("before the commit")
        if generation != self.world.generation:
            raise Fenced("somebody else")
        self.world.offset = offsets[SOURCE]
        self.world.metadata = metadata
        for place, value in (self.pending.changes if self.pending else {}).items():
            if value is None:
                self.world.truth.pop(place, None)
            else:
                self.world.truth[place] = value
        self.step("after the commit")

    async def end(self, place: TopicPartition) -> int:
        return self.world.end

    async def last_values(
        self, place: TopicPartition, start: int, stop: int
    ) -> Mapping[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        for record in self.world.log:
            if start <= record.offset < stop:
                found[changelog.row_key(*place, record.offset, record.key, record.headers)] = (
                    record.value
                )
        return found

    def get(self, table: str, key: str) -> bytes | None:
        return self.disk.get(table, key)

    def write(
        self, changes: Mapping[tuple[str, str], bytes | None], positions: Mapping[str, int]
    ) -> None:
        self.step("before the rows are written")
        self.disk.write(changes, positions)
        self.step("after the rows are written")

    async def recover(self) -> None:
        """As ``Partitions`` does it: apply what is committed, overrule the rest, set a baseline."""
        world = self.world
        task = TableTask(TABLE, CHANGELOG, self.disk, world.committed_position())
        task.plan(0, world.end)
        while task.remaining:
            self.step("during recovery")
            chunk = [record for record in world.log if record.offset >= task.position][:3]
            task.position = min(chunk[-1].offset + 1 if chunk else task.limit, task.limit)
            task.apply(chunk)
        task.finish()
        self.checkpointer.positions[TABLE] = task.limit
        await self.checkpointer.reconcile(TABLE, task.limit, task.end)
        self.next = world.offset or 0
        if world.committed_position() is None:
            await self.checkpointer.commit({SOURCE: self.next})
        self.write({}, self.checkpointer.positions)

    async def work(self, size: int) -> bool:
        """Handle and checkpoint one batch; False at the end of the source."""
        batch = list(enumerate(self.world.source))[self.next : self.next + size]
        if not batch:
            return False
        rows = Overlay(self, frozenset({TABLE}))
        outputs: list[Outgoing] = []
        for offset, key in batch:
            count = int(rows.get(TABLE, key) or b"0") + 1
            rows.put(TABLE, key, str(count).encode())
            rows.put(TABLE, f"by generation {self.generation}", str(offset).encode())
            if count % 3 == 0:
                rows.delete(TABLE, f"by generation {self.generation}")
            outputs.append(Outgoing("out", key.encode(), str(count).encode()))
        self.next = batch[-1][0] + 1
        last = changelog.cause(*SOURCE, self.next - 1)
        self.pending = Work(outputs, rows.changes, {SOURCE: self.next}, last)
        await self.checkpointer.run(self.pending)
        self.pending = None
        return True

    async def live(self, size: int) -> None:
        """Recover, then work to the end of the source."""
        await self.recover()
        while await self.work(size):
            pass


def rebuilt(world: World) -> dict[tuple[str, str], bytes]:
    """The rows that a worker with an empty disk would recover now."""
    disk = Disk()
    task = TableTask(TABLE, CHANGELOG, disk, world.committed_position())
    task.plan(0, world.end)
    task.position = task.limit
    task.apply(world.log)
    return disk.rows


def counted(source: Sequence[str]) -> tuple[dict[str, int], set[tuple[bytes, bytes]]]:
    """What counting the source once gives: the last count of each key, and every output."""
    counts: dict[str, int] = {}
    outputs: set[tuple[bytes, bytes]] = set()
    for key in source:
        counts[key] = counts.get(key, 0) + 1
        outputs.add((key.encode(), str(counts[key]).encode()))
    return counts, outputs


def some_source(seed: int, length: int) -> list[str]:
    """Keys in a fixed disorder."""
    source = random.Random(seed)
    return [f"k{source.randrange(4)}" for _ in range(length)]
