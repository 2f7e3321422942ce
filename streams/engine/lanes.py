"""A lane stage on one partition: many keys at once, each key's records one after the other."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, cast

from streams.engine import changelog
from streams.engine.errors import Fenced, in_words
from streams.engine.offsets import ContiguousEnd, OffsetTracker
from streams.engine.overlay import Overlay
from streams.engine.records import Outgoing, Record, TopicPartition
from streams.engine.stages import LaneStage
from streams.engine.units import UnitContext, new_records
from streams.engine.waiting import settle


class LaneUnit:
    """Implements ``Unit``. Offsets are committed below the lowest unfinished record.

    ``slots`` is shared by all partitions of the stage: it bounds the calls of this worker.
    """

    def __init__(
        self,
        context: UnitContext,
        offsets: dict[TopicPartition, int],
        slots: asyncio.Semaphore,
    ) -> None:
        self.entry = context.entry
        self.partition = context.partition
        self.offsets = dict(offsets)
        self._context = context
        self._stage = cast(LaneStage, context.entry.stage)
        self._slots = slots
        self._read = dict(offsets)
        self._trackers = {place: OffsetTracker(offset) for place, offset in offsets.items()}
        self._tables = frozenset(context.entry.tables)
        self._rows = Overlay(context.below, self._tables)
        self._arrived: list[Record] = []
        self._lanes: dict[str, deque[Record]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._queueing: set[asyncio.Task[None]] = set()  # those that wait for a slot
        self._publishing = 0
        self._whole = True  # False once a record may be in a changelog without our knowing where
        self._ends = {
            table: ContiguousEnd(offset) for table, offset in context.checkpointer.positions.items()
        }
        self._dirty = asyncio.Event()
        self._closing = False
        self._committer = asyncio.create_task(self._commit_now_and_then())

    def offer(self, place: TopicPartition, records: Iterable[Any]) -> None:
        """Note fetched records and have the agent start them."""
        fresh = new_records(self._read, place, records)
        if fresh and not self._closing:
            self._read[place] = fresh[-1].offset + 1
            for record in fresh:
                self._trackers[place].begin(record.offset)
            self._arrived.extend(fresh)
            self._context.inbox.put(self)

    def has_room(self) -> bool:
        """True while neither too many are unfinished nor too many would come again."""
        settings = self._context.settings
        return (
            not self._closing
            and self.unfinished < settings.lane_window_records
            and max(tracker.span for tracker in self._trackers.values())
            < settings.lane_span_records
        )

    @property
    def unfinished(self) -> int:
        """How many records are read and not finished."""
        return sum(tracker.unfinished for tracker in self._trackers.values())

    def take(self) -> _Starts | None:
        """Return what has arrived."""
        if self._closing or not self._arrived:
            return None
        records, self._arrived = self._arrived, []
        return _Starts(self, records)

    def run(self, records: Sequence[Record]) -> None:
        """Put records into their lanes and start the lanes that stand still."""
        for record in records:
            try:
                key = self._stage.key(record)
            except Exception as error:
                self._failed(record, error)
                return
            lane = self._lanes.get(key)
            if lane is not None:
                lane.append(record)
                continue
            self._lanes[key] = deque([record])
            task = asyncio.create_task(self._run_lane(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._report()

    async def wind_down(self, deadline: float) -> None:
        """Finish records whose handling began, start no others, commit, stop for good."""
        self._closing = True
        self._arrived.clear()
        for lane in self._lanes.values():
            while len(lane) > 1:
                lane.pop()
        for task in self._queueing:
            task.cancel()
        await settle(list(self._tasks), deadline)
        self._committer.cancel()
        await asyncio.gather(self._committer, return_exceptions=True)
        last = asyncio.create_task(self._commit())
        await settle([last], deadline + self._context.settings.revoke_budget_seconds / 4)

    def abandon(self) -> None:
        """Cancel everything."""
        self._closing = True
        self._arrived.clear()
        for task in [*self._tasks, self._committer]:
            if task is not asyncio.current_task():
                task.cancel()

    async def _run_lane(self, key: str) -> None:
        lane = self._lanes[key]
        try:
            while lane and not self._closing:
                await self._take_slot()
                try:
                    await self._handle(lane[0])
                finally:
                    self._slots.release()
                lane.popleft()
        except Fenced:
            self.abandon()
        except asyncio.CancelledError as error:
            if not self._closing:  # the stage cancelled itself: the record would be stuck, unseen
                self._failed(lane[0], error)
            raise
        except Exception as error:
            self._failed(lane[0], error)
        finally:
            del self._lanes[key]

    async def _take_slot(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._queueing.add(task)
        try:
            await self._slots.acquire()
        finally:
            self._queueing.discard(task)

    async def _handle(self, record: Record) -> None:
        began = time.perf_counter()
        rows = Overlay(self._rows, self._tables)
        outputs = await self._stage.handle(record, rows)
        await self._publish(record, outputs, rows)
        self._trackers[TopicPartition(record.topic, record.partition)].finish(record.offset)
        self._dirty.set()
        self._context.room.set()
        self._context.observer.record_done(
            self.entry.name, self.partition, time.perf_counter() - began
        )
        self._report()

    async def _publish(self, record: Record, outputs: Sequence[Outgoing], rows: Overlay) -> None:
        checkpointer = self._context.checkpointer
        why = changelog.cause(record.topic, record.partition, record.offset)
        changed = changelog.to_records(
            rows.changes.items(), checkpointer.topics, self.partition, why
        )
        if outputs or changed:
            self._publishing += 1
            try:
                deliveries = await checkpointer.publisher.publish([*outputs, *changed])
            except BaseException:
                self._whole = False
                raise
            finally:
                self._publishing -= 1
            for table, end in self._ends.items():
                place = TopicPartition(checkpointer.topics[table], self.partition)
                for base, count in deliveries.get(place, ()):
                    end.add(base, count)
        self._rows.merge(rows.changes)

    async def _commit_now_and_then(self) -> None:
        pause = self._context.settings.lane_commit_interval_ms / 1000
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            await self._commit()
            await asyncio.sleep(pause)

    async def _commit(self) -> None:
        """Commit below the lowest unfinished record, and move delivered rows to the store.

        The rows need not wait for the offsets: they say what was done outside, and that stays
        done. A record that comes again meets its own row.
        """
        began = time.perf_counter()
        offsets = {place: tracker.committable for place, tracker in self._trackers.items()}
        count = sum(offset - self.offsets[place] for place, offset in offsets.items())
        changes = dict(self._rows.changes)
        positions = self._positions()
        checkpointer = self._context.checkpointer
        try:
            if offsets != self.offsets:
                await checkpointer.commit(offsets)
                self.offsets = offsets
            if self._tables and changes:
                checkpointer.positions.update(positions)
                checkpointer.store.write(changes, positions)
                self._rows.settle(changes)
        except Fenced:
            self.abandon()
        except Exception as error:
            self.abandon()
            self._context.fail(
                f"The stage {self.entry.name} cannot commit {offsets}: {error!r}", error
            )
        else:
            self._context.observer.checkpoint_done(
                self.entry.name, self.partition, count, time.perf_counter() - began
            )

    def _positions(self) -> dict[str, int]:
        """Return up to where the changelogs are known whole."""
        if self._whole and not self._publishing:
            for end in self._ends.values():
                end.settle()
        return {table: end.end for table, end in self._ends.items()}

    def _report(self) -> None:
        self._context.observer.in_flight(self.entry.name, self.partition, self.unfinished)

    def _failed(self, record: Record, error: BaseException) -> None:
        self.abandon()
        self._context.fail(
            f"The stage {self.entry.name} raised at {record.topic}-{record.partition} offset "
            f"{record.offset}: {in_words(error)}. The record is not committed; it comes "
            "again after a restart",
            error,
        )


class _Starts:
    """Records to start, as the agent sees them."""

    __slots__ = ("_unit", "records")

    def __init__(self, unit: LaneUnit, records: Sequence[Record]) -> None:
        self._unit = unit
        self.records = records

    def run(self) -> None:
        self._unit.run(self.records)
