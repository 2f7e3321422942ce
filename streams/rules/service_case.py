"""The rules of flow 3, service_case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from streams.catalogue import ColumnKind
from streams.rules.approval import DecisionColumns, WorkflowPart
from streams.rules.base import (
    FlowRule,
    LinkColumns,
    Trail,
)
from streams.rules.expressions import (
    Cel,
    Expression,
)
from streams.rules.retention import RetentionPart


class CaseColumns(DecisionColumns, LinkColumns):
    """The case's columns that show its workspace and the approval of its resolution."""

    kinds: ClassVar[Mapping[str, tuple[ColumnKind, ...]]] = {
        **LinkColumns.kinds,
        **DecisionColumns.kinds,
    }


class ResolutionPart(WorkflowPart):
    """The approval of a resolution."""

    #: Which resolutions have to be approved.
    when: Cel = Expression("true")
    #: Category and attribute that show the decision, e.g. "Approval/Decision".
    decision_attribute: str | None = None
    #: Category and attribute that show who decided.
    approver_attribute: str | None = None


class ServiceCaseRule(FlowRule):
    """A case that meets ``when`` has a workspace that few may open and that is kept for long."""

    flow: ClassVar[str] = "service_case"

    #: Which cases are worth a workspace of their own.
    when: Cel
    resolved: Cel = Expression("false")
    cancelled: Cel = Expression("false")
    #: The column that is true on a case that was merged into another.
    merged: str | None = None
    #: The lookup of the case that it was merged into.
    merged_into: str | None = None
    #: The roles whose members may open the workspace; without any, its template decides.
    restricted_to: tuple[str, ...] = ()
    retention: RetentionPart | None = None
    approval: ResolutionPart | None = None
    write_back: CaseColumns = CaseColumns()

    def watched(self) -> frozenset[str]:
        merged = {self.merged} if self.merged else set()
        return self.resolved.columns() | self.cancelled.columns() | merged

    def patterns(self) -> Iterator[tuple[Trail, str]]:
        yield from super().patterns()
        for trail, pattern in self.approval.patterns() if self.approval else ():
            yield ("approval", *trail), pattern

    def roles_used(self) -> Iterator[tuple[Trail, str]]:
        yield from super().roles_used()
        for index, role in enumerate(self.restricted_to):
            yield ("restricted_to", index), role

    def words(self) -> Iterator[tuple[Trail, str, int | str]]:
        found = self.approval.words(self.write_back.decision) if self.approval else ()
        for trail, column, word in found:
            yield ("approval", *trail), column, word

    def columns_used(self) -> Iterator[tuple[Trail, str, tuple[ColumnKind, ...]]]:
        if self.merged:
            yield ("merged",), self.merged, (ColumnKind.BOOLEAN,)
        if self.merged_into:
            yield ("merged_into",), self.merged_into, (ColumnKind.LOOKUP,)
        if self.retention and self.retention.starts_on:
            kinds = (ColumnKind.DATE, ColumnKind.DATETIME)
            yield ("retention", "starts_on"), self.retention.starts_on, kinds

    def faults(self) -> Iterator[tuple[Trail, str, str]]:
        """Merge columns come in a pair; a decision needs an approval, and both need an end."""
        if (self.merged is None) != (self.merged_into is None):
            keys = ("merged", "merged_into")
            present, absent = keys if self.merged else reversed(keys)
            yield (present,), f"{present!r} needs {absent!r} beside it", ""
        if self.approval is not None:
            for trail, what, fix in self.approval.faults():
                yield ("approval", *trail), what, fix
        elif column := next(iter(self._decision_columns()), None):
            what = f"{column!r} shows the decision of an approval, and the rule has none"
            yield ("write_back", column), what, "add approval, or remove the column"
        never = Expression("false")
        for part in ("approval", "retention"):
            if getattr(self, part) is not None and self.resolved == never:
                what = f"{part} begins when the case is resolved, and resolved is never true"
                yield (part,), what, "add resolved, such as record.statecode == 1"
        for role in {r for r in self.restricted_to if self.restricted_to.count(r) > 1}:
            yield ("restricted_to",), f"{role!r} is named twice", "keep one of them"

    def _decision_columns(self) -> Iterator[str]:
        """The keys of ``write_back`` that only an approval fills."""
        for key in DecisionColumns.model_fields:
            if getattr(self.write_back, key) is not None:
                yield key
