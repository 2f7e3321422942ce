"""How far behind the ends of their topics the partitions of this worker are, in records and time.

Behind in time means: since when there has been something that is not committed yet. It is measured
by what the ends were at earlier moments, so it is right to a tick, however busy the topic is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from streams.engine.records import TopicPartition
from streams.engine.units import Unit

#: Of a partition that does not get on, so many ends are remembered; the oldest is what counts.
_REMEMBERED = 1000


@dataclass
class _Ends:
    """The ends of a partition that are not reached yet, and when the last one was that is."""

    reached_at: float
    ahead: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def seen(self, end: int, position: int, now: float) -> None:
        if not self.ahead or self.ahead[-1][1] < end:
            if len(self.ahead) == _REMEMBERED:
                self.ahead.pop()  # the oldest tells how long it has been
            self.ahead.append((now, end))
        while self.ahead and self.ahead[0][1] <= position:
            self.ahead.popleft()
        if not self.ahead:
            self.reached_at = now

    def behind_seconds(self, now: float) -> float:
        return now - self.ahead[0][0] if self.ahead else now - self.reached_at


class Progress:
    """Looks at all partitions each time it is asked to."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._ends: dict[TopicPartition, _Ends] = {}

    def look(
        self, units: Iterable[Unit], end_of: Callable[[TopicPartition], int | None]
    ) -> Mapping[TopicPartition, int]:
        """Note where everything is; return how many records each partition is behind."""
        now, lag = self._now(), dict[TopicPartition, int]()
        ends: dict[TopicPartition, _Ends] = {}
        for unit in units:
            for place, position in unit.offsets.items():
                kept = ends[place] = self._ends.get(place) or _Ends(now)
                end = end_of(place)
                if end is not None:
                    lag[place] = max(0, end - position)
                    kept.seen(end, position, now)
        self._ends = ends
        return lag

    def behind_seconds(self, places: Iterable[TopicPartition]) -> float:
        """How long the furthest of these has been behind; those of other workers count as not."""
        now = self._now()
        known = (self._ends[place] for place in places if place in self._ends)
        return max((kept.behind_seconds(now) for kept in known), default=0.0)
