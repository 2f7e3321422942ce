"""``stages``: where a record stands in its business processes.

A stage change is an update of the process row, not of the record (reference/dataverse.md 3.3), and
a record may have run through several processes: the newest move counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tables.records import Stamp
from tables.rows import Row


class Move(NamedTuple):
    """A process row's newest move: the stage's key (None: the row was deleted), and its stamp."""

    stage: str | None
    stamp: Stamp


class StagesRow(Row):
    """The newest move of each process of the record, by the process row's key."""

    moves: Mapping[str, Move] = {}

    @property
    def current(self) -> str | None:
        """The key of the stage that the record is in, None when no process runs."""
        running = [(m.stamp, process) for process, m in self.moves.items() if m.stage is not None]
        return self.moves[max(running)[1]].stage if running else None

    def moved(self, process: str, move: Move) -> StagesRow:
        """Return the row after a move; an older one than is known changes nothing.

        Of two with one stamp the later told counts: its process row knew more by then.
        """
        before = self.moves.get(process)
        if before is not None and (before == move or before.stamp > move.stamp):
            return self
        return self.model_copy(update={"moves": {**self.moves, process: move}})
