"""``neighbours``: what a record learnt of other records, and who wants to learn of it.

Records speak to each other only by facts (DESIGN, section 1). The one that asks is remembered by
the one that is asked, so that it hears of each change; the answer is remembered by the one that
asked, so that its decision sees it as a row of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from tables.rows import Row

Value = str | int | bool | None


class KnownColumns(Row):
    """Columns of another record as of ``at_ms``."""

    columns: Mapping[str, Value] = {}
    at_ms: int = 0


class NeighboursRow(Row):
    """What is known of others (by their key), and which others asked for what of this record."""

    workspaces: Mapping[str, int] = {}
    columns: Mapping[str, KnownColumns] = {}
    workspace_wanted_by: tuple[str, ...] = ()
    columns_wanted_by: Mapping[str, tuple[str, ...]] = {}

    def workspace_known(self, about: str, workspace_id: int) -> NeighboursRow:
        return self.model_copy(update={"workspaces": {**self.workspaces, about: workspace_id}})

    def columns_known(self, about: str, columns: Mapping[str, Value], at_ms: int) -> NeighboursRow:
        """Return the row with the answer, unless a newer one is known."""
        before = self.columns.get(about)
        if before is not None and before.at_ms > at_ms:
            return self
        merged = {**(before.columns if before else {}), **columns}
        known = KnownColumns(columns=merged, at_ms=at_ms)
        return self.model_copy(update={"columns": {**self.columns, about: known}})

    def workspace_asked(self, wanted_by: str) -> NeighboursRow:
        asking = tuple(sorted({*self.workspace_wanted_by, wanted_by}))
        return self.model_copy(update={"workspace_wanted_by": asking})

    def columns_asked(self, wanted_by: str, columns: tuple[str, ...]) -> NeighboursRow:
        asked = tuple(sorted({*self.columns_wanted_by.get(wanted_by, ()), *columns}))
        return self.model_copy(
            update={"columns_wanted_by": {**self.columns_wanted_by, wanted_by: asked}}
        )
