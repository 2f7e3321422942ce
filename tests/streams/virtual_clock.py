"""Time for many tasks at once: it moves when all of them wait, and to the moment one waits for."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Coroutine
from typing import Any


class VirtualClock:
    """A clock whose sleepers wake in the order of their moments, without any real waiting."""

    def __init__(self, seconds: float = 1_700_010_000.0) -> None:
        self.start = seconds
        self._now = seconds
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    @property
    def passed(self) -> float:
        """Seconds since the start."""
        return self._now - self.start

    def monotonic(self) -> float:
        return self._now

    def now_ms(self) -> int:
        return int(self._now * 1000)

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, self._count, woken))
        await woken

    async def run(self, *work: Coroutine[Any, Any, Any], most_seconds: float = 1e6) -> list[Any]:
        """Run all of it to its end and return the results; an exception is raised here."""
        tasks = [asyncio.create_task(part) for part in work]
        try:
            await self._turn()
            while not all(task.done() for task in tasks):
                self._wake_the_next(most_seconds)
                await self._turn()
            return [task.result() for task in tasks]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _turn(self) -> None:
        """Let everybody go on who can: until nothing but this task is ready to run."""
        ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
        for _ in range(1_000_000):
            await asyncio.sleep(0)
            if not ready:
                return
        raise AssertionError("somebody goes round and round without waiting")

    def _wake_the_next(self, most_seconds: float) -> None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        assert self._sleepers, "everybody waits, and nobody for a moment in time"
        self._now = max(self._now, self._sleepers[0][0])
        assert self.passed <= most_seconds, f"still not done after {self.passed} seconds"
        while self._sleepers and self._sleepers[0][0] <= self._now:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)
