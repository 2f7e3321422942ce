"""Failures on purpose: what tests and demos can make the broker do wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PRODUCE = 0
"""The API key of Produce."""


class Faults:
    """The switches, consulted as each connection is accepted, each request taken and each answer
    sent. All are off at first and take effect at once; connections and requests are not told."""

    def __init__(self, close_connections: Callable[[], None]) -> None:
        self._close_connections = close_connections
        self._produce_flows = asyncio.Event()
        self._produce_flows.set()
        self._timer: asyncio.TimerHandle | None = None
        self._answers_to_lose = 0
        self.refusing = False
        """Whether new connections are closed at once."""

    def stall_produce(self, seconds: float | None = None) -> None:
        """Hold every Produce request before it is appended, for `seconds` or until `resume`."""
        self._cancel_timer()
        self._produce_flows.clear()
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self.resume)

    def resume(self) -> None:
        """End a stall; what was held goes on in order of arrival per connection."""
        self._cancel_timer()
        self._produce_flows.set()

    def lose_produce_answers(self, count: int) -> None:
        """Append the next `count` Produce requests but close their connection instead of
        answering, so that the producer cannot know."""
        self._answers_to_lose = count

    def drop_connections(self) -> None:
        """Close every open connection; clients may connect again."""
        self._close_connections()

    def refuse_connections(self) -> None:
        """Close every open connection and each new one, until `accept_connections`."""
        self.refusing = True
        self._close_connections()

    def accept_connections(self) -> None:
        """End `refuse_connections`."""
        self.refusing = False

    async def before(self, api_key: int) -> None:
        """Called with each request before it is handled."""
        if api_key == PRODUCE:
            await self._produce_flows.wait()

    def loses_answer(self, api_key: int) -> bool:
        """Called with each request after it was handled: whether its answer is not sent."""
        if api_key != PRODUCE or self._answers_to_lose == 0:
            return False
        self._answers_to_lose -= 1
        return True

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
