"""Which changes are left aside on purpose: our own writes that come back, and stale ones (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from streams.deciding.memory import Memory
from streams.messages.facts import Operation, RecordChange
from tables.records import Stamp


class Skip(StrEnum):
    """Why a change was left aside on purpose; a closed list, also a metric's label."""

    STALE = "stale"
    OWN_ECHO = "own_echo"


@dataclass(frozen=True, slots=True)
class Ourselves:
    """How our own changes are known: by who made them, or by the tag that they carry."""

    users: frozenset[str]
    tag: str

    def made(self, change: RecordChange) -> bool:
        return change.actor in self.users or change.tag == self.tag


def left_aside(
    change: RecordChange,
    before: Memory,
    after: Memory,
    changed: frozenset[str],
    stamp: Stamp,
    ourselves: Ourselves,
) -> tuple[Skip | None, bool]:
    """Whether the change is an echo of our own write, or stale; and whether it is a near miss.

    An echo is known by what it says: all of it, or all that is new in it, is what we wrote. A
    whole row by our own user that says nothing new is one too. Our user and something new that
    we did not write is a near miss: decided, and counted. A stale change that tells how things were
    before, where a rule looks at that, is not left aside.
    """
    stale = before.row.is_stale(stamp) and after.past == before.past
    if change.operation is Operation.DELETE:
        return (Skip.STALE if stale else None), False
    news = {name: change.columns[name] for name in changed}
    if before.echoes.explains(news) or before.echoes.explains(change.columns):
        return Skip.OWN_ECHO, False
    ours = ourselves.made(change)
    if ours and news:
        return None, True
    if ours and before.echoes.shares(change.columns):
        return Skip.OWN_ECHO, False
    return (Skip.STALE if not changed and stale else None), False
