"""Which partitions this worker has, and the way of each from assigned to working to given back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import OffsetAndMetadata

from streams.engine.batches import BatchUnit
from streams.engine.checkpoint import Checkpointer
from streams.engine.errors import Fenced
from streams.engine.host import Host
from streams.engine.lanes import LaneUnit
from streams.engine.overlay import NoRows
from streams.engine.records import TopicPartition
from streams.engine.recovery import TableTask
from streams.engine.stages import forget
from streams.engine.starts import Start, planned
from streams.engine.stores import Stores
from streams.engine.twins import Twins
from streams.engine.units import Unit, UnitContext
from tables.store import PartitionStore

log = logging.getLogger(__name__)


class Partitions:
    """All units of this worker. ``epoch`` changes whenever they do."""

    def __init__(self, engine: Host) -> None:
        self.epoch = 0
        self.room = asyncio.Event()
        self._reading = False
        self._engine = engine
        self._stores = Stores(engine.settings)
        self._units: dict[TopicPartition, Unit] = {}
        self._assigned: frozenset[TopicPartition] = frozenset()
        self._bringing_up: asyncio.Task[None] | None = None
        self._winding_down = asyncio.Lock()
        self._closed = False
        self._twins = Twins()

    @property
    def units(self) -> list[Unit]:
        """The units that work now, each once."""
        return list({id(unit): unit for unit in self._units.values()}.values())

    def store(self, partition: int) -> PartitionStore | None:
        """Return the open store of a partition whose units work, else None."""
        working = any(unit.partition == partition for unit in self.units)
        return self._stores.get(partition) if working else None

    def with_room(self) -> frozenset[TopicPartition]:
        """Return the places to fetch from."""
        self.room.clear()
        if not self._reading:
            return frozenset()
        return frozenset(place for place, unit in self._units.items() if unit.has_room())

    def some_without_room(self) -> bool:
        """True when a place is assigned and cannot take records at the moment."""
        return any(
            place not in self._units or not self._units[place].has_room()
            for place in self._assigned
        )

    def deliver(self, fetched: Mapping[TopicPartition, list[Any]]) -> None:
        """Hand fetched records to their units."""
        for raw, records in fetched.items():
            place = TopicPartition(*raw)
            unit = self._units.get(place)
            if unit is not None:
                unit.offer(place, records)

    def begin(self, assigned: frozenset[TopicPartition], generation: int) -> None:
        """Start on the partitions of a new generation, in the background; not after ``close``."""
        if self._engine.board.halted is not None or self._closed:
            return
        instance = self._engine.settings.instance_id
        if instance and self._twins.are_there(generation, time.monotonic()):
            self._engine.halt(
                f"Another worker has the instance id {instance} too, and takes this one's place "
                "again and again: give each worker a DOVETAIL_INSTANCE_ID of its own"
            )
            return
        self.epoch += 1
        self._reading = True
        self._assigned = assigned
        board = self._engine.board
        board.assigned = assigned
        board.phase = "recovering"
        self._engine.observer.rebalanced(len(assigned))
        self._bringing_up = asyncio.create_task(self._bring_up(assigned, generation))

    def stop_reading(self) -> None:
        """Fetch nothing more, and deliver nothing of what is being fetched now."""
        self._reading = False
        self.epoch += 1

    async def wind_down(self) -> None:
        """Finish or abandon all work within the budget. Nothing runs afterwards.

        A stop may come in the middle of a revoke: then it waits for what the revoke does.
        """
        self.stop_reading()
        async with self._winding_down:
            await self._engine.app.member.interrupt()
            self._assigned = frozenset()
            self._engine.board.assigned = frozenset()
            await self._cancel_bring_up()
            budget = self._engine.settings.revoke_budget_seconds
            deadline = asyncio.get_running_loop().time() + budget
            units = self.units
            await asyncio.gather(*(unit.wind_down(deadline) for unit in units))
            self._units.clear()
            for entry in self._engine.stages:
                self._engine.inbox(entry.name).clear()
            for unit in units:
                forget(unit.entry.stage, unit.partition)

    def abandon(self) -> None:
        """Drop all work at once."""
        self.stop_reading()
        if self._bringing_up is not None and self._bringing_up is not asyncio.current_task():
            self._bringing_up.cancel()
        for unit in self.units:
            unit.abandon()

    async def close(self) -> None:
        """Wind down and close the stores, for good."""
        self._closed = True
        try:
            await self.wind_down()
        finally:
            await self._stores.keep(frozenset())

    async def _cancel_bring_up(self) -> None:
        task, self._bringing_up = self._bringing_up, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _bring_up(self, assigned: frozenset[TopicPartition], generation: int) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                await self._start_all(group, assigned, generation)
        except* Fenced as errors:
            log.warning("The group moved on while tables recovered: %r", errors.exceptions)
        except* Exception as errors:
            error = errors.exceptions[0]
            self._engine.halt(f"Partitions cannot be taken up: {error}", error)
        else:
            self._engine.board.recovering = {}
            self._engine.board.phase = "running"
            self._engine.became_ready()

    async def _start_all(
        self,
        group: asyncio.TaskGroup,
        assigned: frozenset[TopicPartition],
        generation: int,
    ) -> None:
        engine = self._engine
        committed = await engine.app.member.committed(assigned)
        starts = planned(assigned, engine.stages)
        stored = frozenset(start.partition for start in starts if start.entry.tables)
        await self._stores.keep(stored)
        for start in starts:
            if start.entry.tables:
                start.store = await self._stores.open(start.partition)
                self._plan_tables(start, committed)
            else:
                group.create_task(self._start_unit(start, generation))
        tasks = {task.place: start for start in starts for task in start.tasks.values()}

        def done(task: TableTask) -> None:
            start = tasks[task.place]
            self._recovered(task)
            start.done.add(task.table)
            if len(start.done) == len(start.tasks):
                group.create_task(self._start_unit(start, generation))

        everything = [task for start in starts for task in start.tasks.values()]
        await engine.reader.recover(everything, done, lambda: self._progress(everything))

    def _plan_tables(
        self, start: Start, committed: Mapping[TopicPartition, OffsetAndMetadata]
    ) -> None:
        assert start.store is not None
        known = start.committed_positions(committed)
        for table in start.entry.tables:
            place = TopicPartition(self._engine.changelog(table), start.partition)
            limit = None if start.entry.waits else known.get(table)
            start.tasks[table] = TableTask(table, place, start.store, limit)

    def _recovered(self, task: TableTask) -> None:
        seconds = time.monotonic() - task.began
        self._engine.observer.recovered(task.table, task.place.partition, task.records, seconds)
        if task.records:
            rate = task.records / max(seconds, 0.001)
            log.info("Recovered %s: %d records, %.0f/s", task.place, task.records, rate)

    def _progress(self, tasks: Iterable[TableTask]) -> None:
        remaining: dict[str, int] = defaultdict(int)
        for task in tasks:
            remaining[task.table] += task.remaining
        self._engine.board.recovering = {table: n for table, n in remaining.items() if n}

    async def _start_unit(
        self,
        start: Start,
        generation: int,
    ) -> None:
        engine = self._engine
        offsets = await engine.app.member.positions(start.places)
        checkpointer = self._checkpointer(start, generation)
        for task in start.tasks.values():
            checkpointer.positions[task.table] = task.limit
            if not start.entry.waits:
                await checkpointer.reconcile(task.table, task.limit, task.end)
        self._note_corrections(start, checkpointer)
        if any(task.committed is None for task in start.tasks.values()) and not start.entry.waits:
            await checkpointer.commit(offsets)  # from here on a crash can be told from a commit
        if start.store is not None:
            start.store.write({}, checkpointer.positions)
        unit = self._unit(start, checkpointer, offsets)
        for place in start.places:
            self._units[place] = unit
        self.room.set()

    def _note_corrections(self, start: Start, checkpointer: Checkpointer) -> None:
        for table, rows in checkpointer.corrected.items():
            log.warning(
                "Overruled %d rows of %s, partition %d, that were written and never committed",
                rows,
                table,
                start.partition,
            )
            self._engine.observer.corrected(table, start.partition, rows)
        checkpointer.corrected.clear()

    def _checkpointer(self, start: Start, generation: int) -> Checkpointer:
        engine = self._engine
        return Checkpointer(
            partition=start.partition,
            generation=generation,
            topics={table: engine.changelog(table) for table in start.entry.tables},
            publisher=engine.app.publisher,
            committer=engine.app.member,
            reader=engine.reader,
            store=start.store if start.store is not None else NoRows(),
        )

    def _unit(
        self, start: Start, checkpointer: Checkpointer, offsets: dict[TopicPartition, int]
    ) -> Unit:
        engine = self._engine
        context = UnitContext(
            entry=start.entry,
            partition=start.partition,
            checkpointer=checkpointer,
            below=checkpointer.store,
            settings=engine.settings,
            observer=engine.observer,
            inbox=engine.inbox(start.entry.name),
            room=self.room,
            fail=engine.halt,
        )
        if start.entry.waits:
            return LaneUnit(context, offsets, engine.slots(start.entry.name))
        return BatchUnit(context, offsets)
