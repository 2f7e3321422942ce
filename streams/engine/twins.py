"""Two workers with one instance id: each takes the other's place, again and again.

The group takes whoever comes with the id for the one that had it. The other is told at its next
heartbeat that it is unknown, comes back, and takes the place in turn. aiokafka's heartbeat does not
carry the id, so no broker can tell it that it is fenced.
"""

from __future__ import annotations

import random
from collections import deque

#: A member is given one generation this often only when it was replaced. Workers differ in this, so
#: that as a rule one halts and the other has its peace.
_TIMES = (4, 6, 8)
#: At most so many seconds apart: two heartbeats, as a rule.
_SECONDS = 8.0


class Twins:
    """Notices that another worker has our instance id, by the generations that we are given."""

    def __init__(self, times: int | None = None) -> None:
        self._times = times or random.choice(_TIMES)
        self._given: deque[tuple[float, int]] = deque(maxlen=self._times)

    def are_there(self, generation: int, now: float) -> bool:
        """Note that partitions were given, at ``now`` (monotonic seconds); True when it is so."""
        self._given.append((now, generation))
        soon = now - self._given[0][0] < self._times * _SECONDS
        full = len(self._given) == self._times
        return full and soon and {given for _, given in self._given} == {generation}
