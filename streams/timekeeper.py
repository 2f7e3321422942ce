"""Time: records that a decision wants to see again later are told that their time has come.

Two reasons to tell a record ``TimeReached``: a rule waits for a moment (a certificate expires, an
approval is overdue), kept durably in ``timers``; or something that was asked for has been without
outcome over a whole pass through ``flow_steps``, so that decide asks for it again. Both read what
is committed on this worker's partitions, so they survive restarts and move with a partition;
telling twice does no harm.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from streams.deciding.memory import FLOW_STEPS, TIMERS
from streams.engine.records import Outgoing
from streams.messages.facts import TimeReached
from streams.metrics import Metrics
from streams.topics import CHANGES
from streams.writers.patience import Clock
from tables.flow_steps import StepsRow
from tables.keys import RecordRef
from tables.wakes import parse_timer

log = logging.getLogger(__name__)

#: So many timers ring in one tick at most; the others in the next.
_AT_ONCE = 500
#: So many rows of ``flow_steps`` are looked at in one tick.
_SWEPT_AT_ONCE = 500
#: A timer that rang and is still there rings again after this time.
_AGAIN_MS = 60_000
#: Clocks of workers differ: what is older than this has been looked at by whoever had it before.
_SKEW_MS = 600_000


class Shelf(Protocol):
    """The engine, as far as it is needed here."""

    def held(self, table: str) -> Sequence[int]:
        """The partitions of a table that this worker has."""
        ...

    def scan(
        self, table: str, partition: int, *, after: str = "", limit: int = 1000
    ) -> list[tuple[str, bytes]]:
        """Committed rows in key order; nothing when the partition has gone."""
        ...

    async def publish(self, records: Sequence[Outgoing]) -> Any:
        """Produce records and wait for their delivery."""
        ...


@dataclass
class _Pass:
    """One pass through a partition's steps: where it is, what it and the last found open."""

    began_ms: int
    after: str = ""
    done: bool = False
    found: set[tuple[str, str, str]] = field(default_factory=set)
    before: set[tuple[str, str, str]] = field(default_factory=set)


@dataclass
class Timekeeper:
    """Tells records that their time has come. ``stuck_after_seconds``: how long a pass lasts."""

    shelf: Shelf
    clock: Clock
    metrics: Metrics
    stuck_after_seconds: float = 900.0
    tick_seconds: float = 1.0
    _floors: dict[int, str] = field(init=False, default_factory=dict)
    _rang: dict[str, int] = field(init=False, default_factory=dict)
    _passes: dict[int, _Pass] = field(init=False, default_factory=dict)

    async def run(self) -> None:
        """Ring and sweep until cancelled."""
        while True:
            await self.ring()
            await self.sweep()
            await self.clock.sleep(self.tick_seconds)

    async def ring(self) -> int:
        """Tell the records whose time has come; return how many."""
        now = self.clock.now_ms()
        due = [key for partition in self.shelf.held(TIMERS) for key in self._due(partition, now)]
        again = now - _AGAIN_MS
        self._rang = {key: at for key, at in self._rang.items() if at > again}
        fresh = [key for key in due if key not in self._rang]
        await self._tell("timer", (parse_timer(key)[1] for key in fresh), now)
        self._rang |= dict.fromkeys(fresh, now)
        return len(fresh)

    def _due(self, partition: int, now: int) -> list[str]:
        # Rows that rang are deleted at the table's beginning; starting behind them spares RocksDB
        # the walk over what it has not compacted yet.
        start = self._floors.get(partition, "")
        rows = self.shelf.scan(TIMERS, partition, after=start, limit=_AT_ONCE)
        due = [key for key, _ in rows if parse_timer(key)[0] <= now]
        floor = min([now - _SKEW_MS, *(parse_timer(key)[0] for key in due[:1])])
        self._floors[partition] = f"{floor:016d}"
        return due

    async def sweep(self) -> int:
        """Look at some more steps; tell records of what stays without outcome; return how many."""
        now = self.clock.now_ms()
        held = self.shelf.held(FLOW_STEPS)
        self._passes = {p: kept for p, kept in self._passes.items() if p in held}
        stuck = [key for partition in held for key in self._sweep(partition, now)]
        await self._tell("stuck", map(RecordRef.parse, stuck), now)
        open_now = sum(len(kept.before & kept.found) for kept in self._passes.values())
        self.metrics.stuck_steps.set(open_now)
        return len(stuck)

    def _sweep(self, partition: int, now: int) -> list[str]:
        turn = self._passes.setdefault(partition, _Pass(now))
        if turn.done:
            if now - turn.began_ms < self.stuck_after_seconds * 1000:
                return []
            turn = self._passes[partition] = _Pass(now, before=turn.found)
        rows = self.shelf.scan(FLOW_STEPS, partition, after=turn.after, limit=_SWEPT_AT_ONCE)
        turn.done = len(rows) < _SWEPT_AT_ONCE
        stuck: dict[str, None] = {}
        for key, value in rows:
            turn.after = key
            found = {(key, *step) for step in _open_steps(value)}
            turn.found |= found
            if found & turn.before:
                stuck[key] = None
        return list(stuck)

    async def _tell(self, why: str, records: Iterable[RecordRef], now: int) -> None:
        facts = [TimeReached(record=record, at_ms=now) for record in records]
        if facts:
            await self.shelf.publish(
                [Outgoing(CHANGES.name, fact.key.encode(), fact.to_json()) for fact in facts]
            )
            self.metrics.times_reached.labels(why).inc(len(facts))


def _open_steps(value: bytes) -> Iterable[tuple[str, str]]:
    """What was asked for and has no outcome: step and digest."""
    for name, step in StepsRow.from_bytes(value).steps.items():
        if step.asked is not None and not step.is_closed(step.asked):
            yield name, step.asked
