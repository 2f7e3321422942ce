"""Bringing a partition's tables to what is committed, from its changelogs.

One reader serves all partitions at once, in large batches, and yields to the event loop between
them, so that probes are answered meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition

from streams.engine.changelog import row_key
from streams.engine.clients import connection_options, patiently
from streams.engine.overlay import Change
from streams.engine.records import TopicPartition
from streams.engine.settings import EngineSettings
from streams.engine.waiting import let_go
from streams.errors import Misconfigured

log = logging.getLogger(__name__)


class TableStore(Protocol):
    """What recovery needs of ``tables.store.PartitionStore``."""

    def position(self, table: str) -> int | None: ...

    def clear(self, table: str) -> None: ...

    def write(
        self, changes: Mapping[tuple[str, str], bytes | None], positions: Mapping[str, int]
    ) -> None: ...


@dataclass(slots=True)
class TableTask:
    """One table partition to recover.

    ``committed`` is the changelog position of the group's last commit, None when everything counts
    (a lane stage's table; a group whose offsets somebody set by hand or that expired).
    """

    table: str
    place: TopicPartition
    store: TableStore
    committed: int | None
    position: int = 0  # next offset to read
    limit: int = 0  # records from here on are not committed
    end: int = 0
    records: int = 0
    began: float = field(default_factory=time.monotonic)

    def plan(self, begin: int, end: int) -> None:
        """Decide what to read, given the offsets that the changelog has now.

        Raises Misconfigured when records that are needed were thrown away: reading on without
        them would lose rows, and nobody would see it.
        """
        local = self.store.position(self.table)
        if local is not None and local > end:
            log.warning(
                "The store of %s is at %d, its changelog ends at %d: the topic was made anew. "
                "Dropping the table and reading the changelog from its beginning",
                self.place,
                local,
                end,
            )
            self.store.clear(self.table)
            local = None
        self.position = local or 0
        if self.position < begin:
            raise Misconfigured(
                f"The changelog {self.place} begins at offset {begin}, and the store needs what "
                f"was at {self.position}: records of the table {self.table} were deleted",
                advice="set its cleanup.policy to compact alone; to go on, restore the data "
                "directory, or delete the changelog, reset the group's offsets and replay",
            )
        self.end = end
        limit = end if self.committed is None else min(self.committed, end)
        self.limit = max(limit, self.position)

    @property
    def remaining(self) -> int:
        """How many offsets are still to be read."""
        return max(0, self.limit - self.position)

    def apply(self, records: Iterable[Any]) -> None:
        """Put changelog records into the store; raises ForeignRecord for what we did not write."""
        changes: Change = {}
        topic, partition = self.place
        for record in records:
            if record.offset >= self.limit:
                break
            key = row_key(topic, partition, record.offset, record.key, record.headers)
            changes[(self.table, key)] = record.value
            self.records += 1
        self.store.write(changes, {self.table: self.position})

    def finish(self) -> None:
        """Note in the store how far it is, also when the last offsets held no record."""
        self.position = self.limit
        self.store.write({}, {self.table: self.limit})


class ChangelogConsumer:
    """Reads changelogs: whole for recovery, in part for corrections. Belongs to no group.

    Implements ``checkpoint.ChangelogReader``.
    """

    def __init__(self, settings: EngineSettings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say

    async def end(self, place: TopicPartition) -> int:
        """Return the offset after the last record."""
        consumer = await self._connect([place])
        try:
            return (await self._bounds(consumer, [place]))[place][1]
        finally:
            await let_go(consumer.stop(), consumer._client)

    async def last_values(
        self, place: TopicPartition, start: int, stop: int
    ) -> Mapping[str, bytes | None]:
        """Return the last value of each key within ``[start, stop)``."""
        found: dict[str, bytes | None] = {}
        consumer = await self._connect([place])
        try:
            consumer.seek(KafkaPartition(*place), start)
            while await consumer.position(KafkaPartition(*place)) < stop:
                for record in await self._next(consumer, place):
                    if record.offset < stop:
                        key = row_key(*place, record.offset, record.key, record.headers)
                        found[key] = record.value
        finally:
            await let_go(consumer.stop(), consumer._client)
        return found

    async def recover(
        self,
        tasks: Iterable[TableTask],
        done: Callable[[TableTask], None],
        progress: Callable[[], None],
    ) -> None:
        """Run all tasks; ``done`` is called for each as it is finished.

        Raises ForeignRecord with the offset of a record that the engine did not write.
        """
        open_tasks = {task.place: task for task in tasks}
        if not open_tasks:
            return
        consumer = await self._connect(list(open_tasks))
        try:
            bounds = await self._bounds(consumer, list(open_tasks))
            for place, task in open_tasks.items():
                task.plan(*bounds[place])
                consumer.seek(KafkaPartition(*place), task.position)
            self._close_finished(consumer, open_tasks, done)
            while open_tasks:
                await self._read(consumer, open_tasks)
                self._close_finished(consumer, open_tasks, done)
                progress()
        finally:
            await let_go(consumer.stop(), consumer._client)

    async def _read(
        self, consumer: AIOKafkaConsumer, tasks: Mapping[TopicPartition, TableTask]
    ) -> None:
        fetched = await consumer.getmany(
            timeout_ms=200, max_records=self._settings.recovery_max_records
        )
        for place, records in fetched.items():
            task = tasks.get(TopicPartition(*place))
            if task is not None:
                task.position = min(records[-1].offset + 1, task.limit)
                task.apply(records)
                await asyncio.sleep(0)
        for place, task in tasks.items():
            reached = await consumer.position(KafkaPartition(*place))
            task.position = min(max(task.position, reached), task.limit)

    def _close_finished(
        self,
        consumer: AIOKafkaConsumer,
        tasks: dict[TopicPartition, TableTask],
        done: Callable[[TableTask], None],
    ) -> None:
        for place, task in list(tasks.items()):
            if task.remaining == 0:
                del tasks[place]
                consumer.pause(KafkaPartition(*place))
                task.finish()
                done(task)

    async def _next(self, consumer: AIOKafkaConsumer, place: TopicPartition) -> list[Any]:
        fetched = await consumer.getmany(timeout_ms=200)
        records: list[Any] = fetched.get(KafkaPartition(*place), [])
        return records

    async def _connect(self, places: list[TopicPartition]) -> AIOKafkaConsumer:
        async def attempt() -> AIOKafkaConsumer:
            consumer = AIOKafkaConsumer(
                **connection_options(self._settings),
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_partition_fetch_bytes=4 * self._settings.fetch_max_partition_bytes,
                request_timeout_ms=int(self._settings.request_timeout_seconds * 1000),
            )
            try:
                await consumer.start()
                consumer.assign([KafkaPartition(*place) for place in places])
            except BaseException:
                await let_go(consumer.stop(), consumer._client)
                raise
            return consumer

        return await patiently(
            attempt, self._settings, what="the brokers, to read changelogs", say=self._say
        )

    async def _bounds(
        self, consumer: AIOKafkaConsumer, places: list[TopicPartition]
    ) -> dict[TopicPartition, tuple[int, int]]:
        wanted = [KafkaPartition(*place) for place in places]

        async def attempt() -> dict[TopicPartition, tuple[int, int]]:
            begins = await consumer.beginning_offsets(wanted)
            ends = await consumer.end_offsets(wanted)
            return {TopicPartition(*place): (begins[place], ends[place]) for place in wanted}

        return await patiently(
            attempt, self._settings, what="the changelogs' offsets", say=self._say
        )
