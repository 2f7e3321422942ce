"""``aliases``: which row of finance and operations a source's own guid stands for.

A row is named by its natural key, but a source may tell of it by a guid of its own alone: the
deletes of Synapse Link, data events without a pre-image. Such a change waits here, visibly, until a
change that knows both has told the alias (app/decisions/0005).
"""

from __future__ import annotations

from collections.abc import Mapping

from tables.records import Stamp
from tables.rows import Row


class AliasRow(Row):
    """The record that an alias stands for, and the changes (JSON, by origin) that wait for it."""

    record: str | None = None
    told: Stamp | None = None
    held: Mapping[str, str] = {}

    def stands_for(self, record: str, stamp: Stamp) -> AliasRow:
        """Return the row after the alias was told; what an older change knew does not count."""
        if self.told is not None and stamp < self.told:
            return self
        return self.model_copy(update={"record": record, "told": stamp})

    def holding(self, origin: str, change: str) -> AliasRow:
        return self.model_copy(update={"held": {**self.held, origin: change}})

    def holding_only(self, origin: str, change: str) -> AliasRow:
        return self.model_copy(update={"held": {origin: change}})

    def released(self) -> AliasRow:
        return self.model_copy(update={"held": {}})
