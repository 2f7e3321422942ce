"""The rules of flow 1, record_workspace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from streams.catalogue import ColumnKind
from streams.rules.base import (
    FlowRule,
    Trail,
)
from streams.rules.expressions import (
    Cel,
    Expression,
)


class RecordWorkspaceRule(FlowRule):
    """A record that meets ``when`` has a workspace that follows it."""

    flow: ClassVar[str] = "record_workspace"

    when: Cel = Expression("true")
    closed: Cel = Expression("false")
    #: Columns of a merged record: the flag and the lookup of the surviving record.
    merged: str | None = None
    merged_into: str | None = None

    def columns_used(self) -> Iterator[tuple[Trail, str, tuple[ColumnKind, ...]]]:
        if self.merged:
            yield ("merged",), self.merged, (ColumnKind.BOOLEAN,)
        if self.merged_into:
            yield ("merged_into",), self.merged_into, (ColumnKind.LOOKUP,)

    def faults(self) -> Iterator[tuple[Trail, str, str]]:
        """The columns of a merge come in a pair."""
        if (self.merged is None) != (self.merged_into is None):
            keys = ("merged", "merged_into")
            present, absent = keys if self.merged else reversed(keys)
            yield (present,), f"{present!r} needs {absent!r} beside it", ""
