"""What a relay does to a stream of events on its way: some come twice, some come late.

    unruly = Unruly(Habits(duplicates=0.1, reordering=0.1, seed=7))
    for event in events:
        send(unruly.passed(event))
    send(unruly.rest())

Nothing is ever lost: what is held back leaves after at most `Habits.reach` later events, or with
`rest`. The same seed does the same to the same events.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Event = TypeVar("Event")


@dataclass(frozen=True, slots=True)
class Habits:
    """How unruly the relay is; without arguments it is not.

    ``duplicates`` and ``reordering`` are shares from 0 to 1: of the events that are sent again
    later, and of those that others overtake. ``reach`` is how many events may overtake one.
    """

    duplicates: float = 0.0
    reordering: float = 0.0
    reach: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("duplicates", "reordering"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, not {getattr(self, name)}.")
        if self.reach < 1:
            raise ValueError(f"reach is at least 1 event, not {self.reach}.")


@dataclass
class _Held(Generic[Event]):
    event: Event
    waits_for: int


@dataclass
class Unruly(Generic[Event]):
    """Events as they leave a relay with these habits."""

    habits: Habits
    _random: random.Random = field(init=False)
    _held: list[_Held[Event]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.habits.seed)

    def passed(self, event: Event, *, late: bool = False, again: bool = False) -> list[Event]:
        """What leaves now that this event has come, in order.

        ``late`` and ``again`` let this very event be overtaken or sent twice, whatever the shares.
        """
        habits, chance = self.habits, self._random
        overtaken = (chance.random() < habits.reordering) or late
        twice = (chance.random() < habits.duplicates) or again
        leaving = [] if overtaken else [event]
        held = [event] * (overtaken + twice)
        due = self._due()
        self._held += [_Held(one, chance.randint(1, habits.reach)) for one in held]
        return leaving + due

    @property
    def held(self) -> int:
        """How many events are held back."""
        return len(self._held)

    def rest(self) -> list[Event]:
        """Everything that is still held back; for when no more events come."""
        held, self._held = self._held, []
        return [one.event for one in held]

    def _due(self) -> list[Event]:
        for one in self._held:
            one.waits_for -= 1
        due = [one.event for one in self._held if one.waits_for <= 0]
        self._held = [one for one in self._held if one.waits_for > 0]
        return due
