"""A batch stage on one partition: take what has arrived, handle it, checkpoint, again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any, cast

from streams.engine import changelog
from streams.engine.checkpoint import Work
from streams.engine.errors import Fenced, in_words
from streams.engine.overlay import Overlay
from streams.engine.records import Outgoing, Record, TopicPartition
from streams.engine.stages import BatchStage
from streams.engine.units import UnitContext, new_records
from streams.engine.waiting import settle


class BatchUnit:
    """Implements ``Unit``. Either a batch is being handled or a checkpoint runs, never both."""

    def __init__(self, context: UnitContext, offsets: dict[TopicPartition, int]) -> None:
        self.entry = context.entry
        self.partition = context.partition
        self.offsets = dict(offsets)
        self._context = context
        self._stage = cast(BatchStage, context.entry.stage)
        self._read = dict(offsets)
        self._buffer: list[Record] = []
        self._rows = Overlay(context.below, frozenset(context.entry.tables))
        self._outputs: list[Outgoing] = []
        self._handled: dict[TopicPartition, int] = dict(offsets)
        self._count = 0
        self._since = 0.0
        self._last: Record | None = None
        self._checkpoint: asyncio.Task[None] | None = None
        self._closing = False

    def offer(self, place: TopicPartition, records: Iterable[Any]) -> None:
        """Buffer fetched records."""
        fresh = new_records(self._read, place, records)
        if fresh and not self._closing:
            self._read[place] = fresh[-1].offset + 1
            self._buffer.extend(fresh)
            self._call_agent()

    def has_room(self) -> bool:
        """True while less than a batch is waiting."""
        return not self._closing and len(self._buffer) < self._context.settings.batch_max_records

    def take(self) -> _Batch | None:
        """Return what has arrived, unless a checkpoint is running."""
        if self._closing or self._checkpoint is not None or not self._buffer:
            return None
        limit = self._context.settings.batch_max_records
        records = self._buffer[:limit]
        del self._buffer[:limit]
        self._context.room.set()
        return _Batch(self, records)

    def run(self, records: Sequence[Record]) -> None:
        """Hand a batch to the stage and keep what comes out for the next checkpoint."""
        if self._closing:
            return
        began = time.perf_counter()
        try:
            outputs = self._stage.handle(records, self._rows)
        except Exception as error:
            self._failed("raised", records, error)
            return
        name = self.entry.name
        self._context.observer.batch_done(
            name, self.partition, len(records), time.perf_counter() - began
        )
        self._outputs.extend(outputs)
        for record in records:
            self._handled[TopicPartition(record.topic, record.partition)] = record.offset + 1
        self._count += len(records)
        self._since = self._since or time.monotonic()
        self._last = records[-1]
        if self._is_due():
            self._checkpoint = asyncio.create_task(self._run_checkpoint())
        else:
            self._call_agent()

    async def wind_down(self, deadline: float) -> None:
        """Finish the running checkpoint, or one for what is handled; then stop for good."""
        self._closing = True
        if self._checkpoint is None and self._count:
            self._checkpoint = asyncio.create_task(self._run_checkpoint())
        if self._checkpoint is not None:
            await settle([self._checkpoint], deadline)
        self._buffer.clear()

    def abandon(self) -> None:
        """Drop everything; a running checkpoint is cancelled."""
        self._closing = True
        self._buffer.clear()
        current = asyncio.current_task()
        if self._checkpoint is not None and self._checkpoint is not current:
            self._checkpoint.cancel()

    def _is_due(self) -> bool:
        settings = self._context.settings
        return (
            not self._buffer
            or self._count >= settings.checkpoint_max_records
            or (time.monotonic() - self._since) * 1000 >= settings.checkpoint_interval_ms
        )

    async def _run_checkpoint(self) -> None:
        began = time.perf_counter()
        last = self._last
        assert last is not None
        work = Work(
            self._outputs,
            self._rows.changes,
            dict(self._handled),
            changelog.cause(last.topic, last.partition, last.offset),
        )
        try:
            await self._context.checkpointer.run(work)
        except Fenced:
            self.abandon()
            return
        except asyncio.CancelledError as error:
            if not self._closing:  # from inside: nobody would try again, or notice
                self._failed("cannot be checkpointed", [last], error)
            raise
        except Exception as error:
            self._failed("cannot be checkpointed", [last], error)
            return
        self.offsets.update(work.offsets)
        self._context.observer.checkpoint_done(
            self.entry.name, self.partition, self._count, time.perf_counter() - began
        )
        self._rows.taken()
        self._outputs = []
        self._count, self._since, self._last = 0, 0.0, None
        self._checkpoint = None
        self._call_agent()

    def _call_agent(self) -> None:
        if self._buffer and self._checkpoint is None and not self._closing:
            self._context.inbox.put(self)

    def _failed(self, what: str, records: Sequence[Record], error: BaseException) -> None:
        first, last = records[0], records[-1]
        self.abandon()
        self._context.fail(
            f"The stage {self.entry.name} {what} at {first.topic}-{first.partition} offsets "
            f"{first.offset} to {last.offset}: {in_words(error)}. Nothing of this batch is "
            "committed; it comes again after a restart",
            error,
        )


class _Batch:
    """A batch as the agent sees it."""

    __slots__ = ("_unit", "records")

    def __init__(self, unit: BatchUnit, records: Sequence[Record]) -> None:
        self._unit = unit
        self.records = records

    def run(self) -> None:
        self._unit.run(self.records)
