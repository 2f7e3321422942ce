"""Which nodes have changed since the search index looked, and when it may know."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present time in UTC."""
    return datetime.now(UTC)


class Changes:
    """Ids of changed nodes with the time of the first change that is not indexed yet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[int, datetime] = {}

    def notice(self, node_id: int) -> None:
        """The node was made, changed or removed."""
        self._waiting.setdefault(node_id, self._clock())

    def due(self, lag_seconds: float) -> list[int]:
        """Take the nodes that changed at least ``lag_seconds`` ago, oldest change first."""
        latest = self._clock() - timedelta(seconds=lag_seconds)
        found: list[int] = []
        for node_id, at in self._waiting.items():
            if at > latest:
                break
            found.append(node_id)
        for node_id in found:
            del self._waiting[node_id]
        return found

    def forget(self) -> None:
        """Everything is indexed."""
        self._waiting.clear()
