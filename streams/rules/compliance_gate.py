"""The rules of flow 6, compliance_gate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from streams.catalogue import ColumnKind, ColumnValue
from streams.rules.artifacts import ArtifactRule, artifact_faults
from streams.rules.base import (
    FlowRule,
    LinkColumns,
    Trail,
)
from streams.rules.expressions import (
    Cel,
    Expression,
    Span,
)
from streams.rules.hints import nearest
from tables.gates import GateStatus


class GateColumns(LinkColumns):
    """The record's columns that show its gate."""

    kinds: ClassVar[Mapping[str, tuple[ColumnKind, ...]]] = {
        **LinkColumns.kinds,
        "status": (ColumnKind.TEXT,),
        "missing": (ColumnKind.TEXT,),
    }

    #: Shows the gate's status, in the words of statuses.
    status: str | None = None
    #: Shows what is missing; make it a text of 1000 characters.
    missing: str | None = None
    #: Shows when the record was last finalised although its gate was not open.
    violated_on: str | None = None


class ComplianceGateRule(FlowRule):
    """A record that meets ``when`` may be finalised only once its evidence is complete."""

    flow: ClassVar[str] = "compliance_gate"

    #: The process has begun; holds on when it is finalised.
    when: Cel = Expression("true")
    #: The record is finalised.
    finalized: Cel
    #: The rule of flow 1 whose workspace for the same record becomes the parent.
    record_workspace: str | None = None
    artifacts: tuple[ArtifactRule, ...] = Field(min_length=1)
    #: How long evidence may be under way when the record is finalised, before that is judged.
    grace: Span = 0
    #: What takes a finalisation back that should not have been; nothing is taken back without it.
    revert: Mapping[str, ColumnValue] = Field(default_factory=dict)
    #: Category and attribute that show the gate's status.
    status_attribute: str | None = None
    #: Category and attribute that show what is missing.
    missing_attribute: str | None = None
    #: The words for open, closed, expired and not_required.
    statuses: Mapping[str, str] = Field(default_factory=dict)
    write_back: GateColumns = GateColumns()
    known_statuses: ClassVar[tuple[str, ...]] = tuple(s.value for s in GateStatus)

    def watched(self) -> frozenset[str]:
        """Since when the record is finalised is what judges it."""
        return self.finalized.columns()

    def sets(self) -> Iterator[tuple[Trail, Mapping[str, ColumnValue]]]:
        """What takes a finalisation back."""
        yield ("revert",), self.revert

    def faults(self) -> Iterator[tuple[Trail, str, str]]:
        """Artifacts have titles of their own, and only the gate's own statuses have words."""
        yield from artifact_faults(self.artifacts)
        for status in self.statuses:
            if status not in set(GateStatus):
                what = f"{status!r} is no status of a gate"
                yield ("statuses", status), what, nearest(status, [*GateStatus])
        if self.revert and not self.finalized.columns() & self.revert.keys():
            what = "what is set here changes nothing about 'finalized'"
            yield ("revert",), what, "set a column that finalized looks at"
