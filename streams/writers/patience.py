"""How a writer waits: backoff, the limiter and the circuit breaker of one outside system.

An outage is waited out (DESIGN, promise 7): a call that may succeed later is repeated for as long
as it takes, but neither faster than the system allows nor while it is clearly down.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    """Time, so that tests can move it."""

    def monotonic(self) -> float: ...

    def now_ms(self) -> int: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The real time."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling pauses with jitter: between half of and the whole of the step's pause."""

    first_seconds: float = 0.5
    longest_seconds: float = 60.0

    def pause(self, attempt: int, chance: random.Random) -> float:
        """Seconds to wait after the ``attempt``-th failure (1 for the first)."""
        step = min(self.longest_seconds, self.first_seconds * 2 ** min(attempt - 1, 30))
        return float(step * (0.5 + chance.random() / 2))


@dataclass
class Limiter:
    """One system's limits: calls at a time, calls per second, and pauses that it asked for.

    Calls are spaced evenly; a burst of up to one second's calls may go at once.
    """

    calls_in_flight: int
    calls_per_second: float
    clock: Clock
    waited_seconds: float = 0.0
    _slots: asyncio.Semaphore = field(init=False)
    _next: float = field(init=False, default=0.0)
    _paused_until: float = field(init=False, default=0.0)
    in_flight: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.calls_in_flight)

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Wait for a turn, and keep a slot while the call is under way."""
        async with self._slots:
            await self._turn()
            self.in_flight += 1
            try:
                yield
            finally:
                self.in_flight -= 1

    def pause(self, seconds: float) -> None:
        """The system asked for a pause: nobody calls before it is over."""
        self._paused_until = max(self._paused_until, self.clock.monotonic() + seconds)

    async def _turn(self) -> None:
        """Wait for a turn. Who waited for a pause takes a new one: else all would go at once."""
        while True:
            await self._until(self._paused_until)
            turn = max(self._next, self.clock.monotonic() - 1.0)
            self._next = turn + 1.0 / self.calls_per_second
            await self._until(turn)
            if self.clock.monotonic() >= self._paused_until:
                return

    async def _until(self, moment: float) -> None:
        while (wait := moment - self.clock.monotonic()) > 0:
            self.waited_seconds += wait
            await self.clock.sleep(wait)


@dataclass
class Breaker:
    """Opens after ``threshold`` failures in a row; then one call at a time tries again.

    While it is open, everybody waits in ``admitted``: the lanes are held, nothing is given up.
    """

    clock: Clock
    chance: random.Random
    threshold: int = 5
    backoff: Backoff = field(default_factory=lambda: Backoff(1.0, 30.0))
    _failures: int = field(init=False, default=0)
    _open_until: float = field(init=False, default=0.0)
    _probe: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    @property
    def is_open(self) -> bool:
        return self._failures >= self.threshold

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[bool]:
        """Wait until a call may be made; True: the circuit is open, and the call is its probe."""
        probing = await self._waited() if self.is_open else False
        try:
            yield probing
        finally:
            if probing:
                self._probe.release()

    async def _waited(self) -> bool:
        """Wait for the pause to end; True, holding the probe, when the circuit is still open."""
        await self._probe.acquire()
        try:
            while self.is_open and (wait := self._open_until - self.clock.monotonic()) > 0:
                await self.clock.sleep(wait)
        except BaseException:
            self._probe.release()
            raise
        if not self.is_open:
            self._probe.release()
            return False
        return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, *, probing: bool = False) -> None:
        """Count a failure, but not of a call that was under way already when the circuit opened."""
        if self.is_open and not probing:
            return
        self._failures += 1
        if self.is_open:
            pause = self.backoff.pause(self._failures - self.threshold + 1, self.chance)
            self._open_until = self.clock.monotonic() + pause
