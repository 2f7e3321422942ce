"""Service-protection limits: per user, over a sliding window (reference/dataverse.md 2.12)."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from app.sandbox.dataverse.errors import Refusal


@dataclass(frozen=True, slots=True)
class Limits:
    """What one user may use in ``window_seconds``; counted always, refused when ``enabled``."""

    requests: int = 6000
    execution_seconds: float = 1200.0
    concurrent: int = 52
    window_seconds: float = 300.0
    enabled: bool = False


class Throttled(Refusal):
    """429; ``retry_after`` in whole seconds, one more for each time that it was not obeyed."""

    def __init__(self, code: str, message: str, retry_after: int) -> None:
        super().__init__(429, code, message)
        self.retry_after = retry_after


@dataclass(slots=True)
class _Usage:
    running: int = 0
    finished: deque[tuple[float, float]] = field(default_factory=deque)
    spent: float = 0.0
    ignored: int = 0
    wait_until: float = 0.0


class ServiceProtection:
    """Counts requests; ``limits`` may be replaced at any time."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.throttled = 0
        self._clock = clock
        self._usage: dict[str, _Usage] = {}

    def enable(self, enabled: bool) -> None:
        """Refuse from now on, or only count."""
        self.limits = replace(self.limits, enabled=enabled)

    def enter(self, user: str) -> float:
        """Count a request in; the time it began. Raises `Throttled`."""
        usage, now = self._usage.setdefault(user, _Usage()), self._clock()
        self._forget(usage, now)
        if self.limits.enabled:
            try:
                self._check(usage, now)
            except Throttled as throttled:
                self.throttled += 1
                usage.ignored = usage.ignored + 1 if now < usage.wait_until else 0
                throttled.retry_after += usage.ignored
                usage.wait_until = now + throttled.retry_after
                raise
        usage.running += 1
        return now

    def leave(self, user: str, began: float) -> None:
        """Count a request out, whatever became of it."""
        usage, now = self._usage[user], self._clock()
        usage.running -= 1
        usage.finished.append((now, now - began))
        usage.spent += now - began

    def headers(self, user: str) -> dict[str, str]:
        """What is left, as every answer tells it."""
        usage = self._usage.get(user, _Usage())
        requests = self.limits.requests - len(usage.finished) - usage.running
        seconds = self.limits.execution_seconds - usage.spent
        return {
            "x-ms-ratelimit-burst-remaining-xrm-requests": str(max(requests, 0)),
            "x-ms-ratelimit-time-remaining-xrm-requests": f"{max(seconds, 0.0):,.2f}",
            "x-ms-dop-hint": "4",
        }

    def _check(self, usage: _Usage, now: float) -> None:
        limits, window = self.limits, f"{self.limits.window_seconds:g} seconds"
        if usage.running >= limits.concurrent:
            text = f"Number of concurrent requests exceeded the limit of {limits.concurrent}."
            raise Throttled("0x80072326", text, 1)
        if len(usage.finished) + usage.running >= limits.requests:
            text = f"Number of requests exceeded the limit of {limits.requests} over time window"
            raise Throttled("0x80072322", f"{text} of {window}.", self._until_room(usage, now))
        if usage.spent >= limits.execution_seconds:
            allowed = f"{limits.execution_seconds:g}"
            text = f"Combined execution time of incoming requests exceeded limit of {allowed} "
            text += f"seconds over time window of {window}."
            raise Throttled("0x80072321", text, self._until_room(usage, now))

    def _until_room(self, usage: _Usage, now: float) -> int:
        """Seconds until the oldest request leaves the window, at least one."""
        oldest = usage.finished[0][0] if usage.finished else now
        return max(1, math.ceil(oldest + self.limits.window_seconds - now))

    def _forget(self, usage: _Usage, now: float) -> None:
        while usage.finished and usage.finished[0][0] <= now - self.limits.window_seconds:
            usage.spent -= usage.finished.popleft()[1]
