"""``milestones``: which milestones a project has told of which document.

A document that leaves a milestone's folder, or no longer names it, is that milestone's business
once more: it has to hear that the document has gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from tables.parts import PartedRow
from tables.rows import Row


class Told(Row):
    """The keys of the milestones that were told of one document."""

    milestones: tuple[str, ...] = ()


class MilestonesHead(Row):
    """Nothing; in the first release who was told of what, by ``rule/document id``."""

    told: Mapping[str, tuple[str, ...]] = {}


class MilestonesRow(PartedRow[Told]):
    """Who was told of a document, by ``rule/document id``, each a part of its own."""

    part: ClassVar[type[Row]] = Told
    head_row: ClassVar[type[Row]] = MilestonesHead

    @classmethod
    def moved_out(cls, head: Any) -> tuple[Row, Mapping[str, Row]]:
        return MilestonesHead(), {name: Told(milestones=keys) for name, keys in head.told.items()}

    def of(self, rule: str, document_id: int) -> tuple[str, ...]:
        told = self.get(f"{rule}/{document_id}")
        return told.milestones if told else ()

    def telling(self, rule: str, document_id: int, milestones: Iterable[str]) -> MilestonesRow:
        """Return the row after these were told; telling them again changes nothing."""
        before = self.of(rule, document_id)
        after = tuple(sorted({*before, *milestones}))
        if after == before:
            return self
        return self.with_parts({f"{rule}/{document_id}": Told(milestones=after)})
