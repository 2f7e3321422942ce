"""``milestones``: which milestones a project has told of which document.

A document that leaves a milestone's folder, or no longer names it, is that milestone's business
once more: it has to hear that the document has gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tables.rows import Row


class MilestonesRow(Row):
    """The keys of the milestones that were told of a document, by ``rule/document id``."""

    told: Mapping[str, tuple[str, ...]] = {}

    def of(self, rule: str, document_id: int) -> tuple[str, ...]:
        return self.told.get(f"{rule}/{document_id}", ())

    def telling(self, rule: str, document_id: int, milestones: Iterable[str]) -> MilestonesRow:
        """Return the row after these were told; telling them again changes nothing."""
        before = self.of(rule, document_id)
        after = tuple(sorted({*before, *milestones}))
        if after == before:
            return self
        return self.model_copy(update={"told": {**self.told, f"{rule}/{document_id}": after}})
