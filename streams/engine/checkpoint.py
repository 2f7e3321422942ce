"""The checkpoint of one partition of a batch stage: four steps in the one order that is safe.

1. Outputs and changed rows are produced, and every delivery is confirmed.
2. If somebody else wrote into our changelog meanwhile, that is overruled (see ``changelog``).
3. Source offsets are committed, fenced by the group generation, with the changelog positions.
4. Rows and positions go into the store in one write.

A crash before 3 leaves nothing that counts: the batch comes again, and what it wrote into the
changelog lies above the committed position. A crash after 3 leaves the store behind the changelog,
and recovery reads on from there. After Quix Streams (reference/stream-engines.md 3.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streams.engine import changelog
from streams.engine.overlay import Change
from streams.engine.records import Outgoing, TopicPartition

#: Where records went: per topic partition the (base offset, count) of each run, in order.
#: A base offset of -1 means that the broker could not tell.
Deliveries = Mapping[TopicPartition, Sequence[tuple[int, int]]]


class Publisher(Protocol):
    """Produces records and waits until each is confirmed by all in-sync replicas."""

    async def publish(self, records: Sequence[Outgoing]) -> Deliveries:
        """Raise Undeliverable when a record can never be produced; wait out everything else."""
        ...


class Committer(Protocol):
    """Commits source offsets for one group generation."""

    async def commit_offsets(
        self, offsets: Mapping[TopicPartition, int], metadata: str, generation: int
    ) -> None:
        """Raise Fenced when the group has moved on."""
        ...


class ChangelogReader(Protocol):
    """Reads a part of a changelog."""

    async def end(self, place: TopicPartition) -> int:
        """Return the offset after the last record."""
        ...

    async def last_values(
        self, place: TopicPartition, start: int, stop: int
    ) -> Mapping[str, bytes | None]:
        """Return the last value of each key within ``[start, stop)``."""
        ...


class Store(Protocol):
    """Where committed rows are."""

    def get(self, table: str, key: str) -> bytes | None: ...

    def under(self, table: str, prefix: str) -> Iterable[tuple[str, bytes]]: ...

    def write(
        self, changes: Mapping[tuple[str, str], bytes | None], positions: Mapping[str, int]
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Work:
    """What one or more handled batches want to make true."""

    outputs: Sequence[Outgoing]
    changes: Change
    offsets: Mapping[TopicPartition, int]  # every source partition of the stage: next to read
    cause: bytes


@dataclass(slots=True)
class Checkpointer:
    """Runs the checkpoints of one (stage, partition). One at a time."""

    partition: int
    generation: int
    topics: Mapping[str, str]  # table -> changelog topic
    publisher: Publisher
    committer: Committer
    reader: ChangelogReader
    store: Store
    positions: dict[str, int] = field(default_factory=dict)  # table -> next changelog offset
    corrected: dict[str, int] = field(default_factory=dict)  # table -> rows overruled so far

    async def run(self, work: Work) -> None:
        """Make ``work`` true, whole or not at all; raises Fenced or Undeliverable."""
        await self.publish(work)
        await self.commit(work.offsets)
        self.store.write(work.changes, self.positions)

    async def publish(self, work: Work) -> None:
        """Steps 1 and 2."""
        rows = changelog.to_records(work.changes.items(), self.topics, self.partition, work.cause)
        deliveries = await self.publisher.publish([*work.outputs, *rows])
        await self._overrule_strangers(deliveries, work.changes)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Step 3; also the first commit of a partition that nobody committed before."""
        metadata = changelog.encode_positions(self.positions) if self.topics else ""
        await self.committer.commit_offsets(offsets, metadata, self.generation)

    async def reconcile(self, table: str, start: int, stop: int) -> None:
        """Overrule ``[start, stop)`` of a changelog: nothing in it is committed.

        The rows of the store are the truth. Leaves the position after the corrections.
        """
        place = TopicPartition(self.topics[table], self.partition)
        self.positions[table] = stop
        if start >= stop:
            return
        strangers = await self.reader.last_values(place, start, stop)
        await self._restore(table, strangers, {})

    async def _overrule_strangers(self, deliveries: Deliveries, changes: Change) -> None:
        for table, topic in self.topics.items():
            place = TopicPartition(topic, self.partition)
            for start, stop in await self._holes(table, place, deliveries.get(place, ())):
                strangers = await self.reader.last_values(place, start, stop)
                await self._restore(table, strangers, changes)

    async def _holes(
        self, table: str, place: TopicPartition, runs: Sequence[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Return the parts of a changelog that grew without us, and move the position on."""
        holes: list[tuple[int, int]] = []
        position = self.positions.get(table, 0)
        for base, count in runs:
            if base < 0:
                end = await self.reader.end(place)
                holes.append((position, end))
                position = end
                continue
            if base > position:
                holes.append((position, base))
            position = max(position, base + count)
        self.positions[table] = position
        return holes

    async def _restore(
        self, table: str, found: Mapping[str, bytes | None], changes: Change
    ) -> None:
        """Write the true value again for every key whose value in ``found`` is not it."""
        true: Change = {}
        for key, value in found.items():
            place = (table, key)
            wanted = changes[place] if place in changes else self.store.get(table, key)
            if wanted != value:
                true[place] = wanted
        if not true:
            return
        why = changelog.correction(self.positions[table])
        records = changelog.to_records(true.items(), self.topics, self.partition, why)
        deliveries = await self.publisher.publish(records)
        self.corrected[table] = self.corrected.get(table, 0) + len(true)
        await self._overrule_strangers(deliveries, changes)
