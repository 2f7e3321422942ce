"""The rules of flow 8, approval_request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from streams.catalogue import ColumnKind
from streams.naming import PatternFault, columns_of
from streams.rules.approval import DECISIONS, DecisionColumns, WorkflowPart
from streams.rules.base import (
    RuleModel,
    TableRule,
    Trail,
)
from streams.rules.expressions import (
    Cel,
    Span,
)


class RequestColumns(DecisionColumns):
    """The request's columns that show what became of it; each may be left out."""

    kinds: ClassVar[Mapping[str, tuple[ColumnKind, ...]]] = {
        **DecisionColumns.kinds,
        "document_id": (ColumnKind.TEXT,),
        "document_url": (ColumnKind.TEXT,),
        "documents": (ColumnKind.TEXT,),
    }

    #: When it became overdue.
    escalated_on: str | None = None
    #: The document that the decision is about: its id in Extended ECM.
    document_id: str | None = None
    #: The link that opens it.
    document_url: str | None = None
    #: The links of all attachments, a line for each.
    documents: str | None = None


class RequestPart(WorkflowPart):
    """The workflow that decides a request."""

    known: ClassVar[tuple[str, ...]] = (*DECISIONS, "overdue", "withdrawn")

    #: The words for pending, approved, rejected, stopped, failed, overdue and withdrawn.
    decisions: Mapping[str, int | str] = Field(default_factory=dict)


class AboutPart(RuleModel):
    """The record that a request is about: the workflow runs in its workspace."""

    #: The lookup of the record.
    column: str
    #: The rule that keeps the workspace; without it, the one that the record is known by.
    to: str | None = None


class AttachmentsPart(RuleModel):
    """The documents that approvers are shown."""

    #: A text column with ids of documents in Extended ECM.
    column: str | None = None
    #: Documents of these types in the workspace (`document_type`), as far as they are known then.
    types: tuple[str, ...] = ()


class EscalationPart(RuleModel):
    """When a request is overdue."""

    #: How long after it was asked for.
    after: Span = Field(gt=0)


class ApprovalRequestRule(TableRule):
    """A record that meets ``requested`` is decided by a workflow in another record's workspace."""

    flow: ClassVar[str] = "approval_request"

    #: What counts as asked for; when it is not so any more, the request is withdrawn.
    requested: Cel
    about: AboutPart
    approval: RequestPart
    attachments: AttachmentsPart = AttachmentsPart()
    escalation: EscalationPart | None = None
    write_back: RequestColumns = RequestColumns()

    def content(self) -> frozenset[str]:
        """The columns that approvers decide on: a change of one is another request."""
        part = self.approval
        cels = [*part.attributes.values(), *([part.comment] if part.comment else [])]
        read = frozenset(column for cel in cels for column in cel.columns())
        attached = {self.attachments.column} if self.attachments.column else set()
        return read | _placed(part.title) | attached | {self.about.column}

    def watched(self) -> frozenset[str]:
        return self.requested.columns() | self.content()

    def patterns(self) -> Iterator[tuple[Trail, str]]:
        for trail, pattern in self.approval.patterns():
            yield ("approval", *trail), pattern

    def homes_used(self) -> Iterator[tuple[Trail, str, str | None]]:
        yield ("about",), self.about.column, self.about.to

    def words(self) -> Iterator[tuple[Trail, str, int | str]]:
        found = self.approval.words(self.write_back.decision)
        for trail, column, word in found:
            yield ("approval", *trail), column, word

    def columns_used(self) -> Iterator[tuple[Trail, str, tuple[ColumnKind, ...]]]:
        if self.attachments.column:
            yield ("attachments", "column"), self.attachments.column, (ColumnKind.TEXT,)

    def faults(self) -> Iterator[tuple[Trail, str, str]]:
        """What the flow writes must neither withdraw a request nor be a new one."""
        for trail, what, fix in self.approval.faults():
            yield ("approval", *trail), what, fix
        for key, column in self.write_back.model_dump().items():
            if column is None or column not in self.watched():
                continue
            if column in self.requested.columns():
                what, fix = "what is written could withdraw the request", "use another column there"
            else:
                what, fix = "what is written would be another request", "leave it out there"
            yield ("write_back", key), f"{column!r} is read by this rule: {what}", fix
        if self.write_back.escalated_on and self.escalation is None:
            what = "'escalated_on' shows when a request became overdue, and none ever does"
            yield ("write_back", "escalated_on"), what, "add escalation, or remove the column"
        if self.write_back.documents and self.attachments == AttachmentsPart():
            what = "'documents' shows the attachments, and there are none"
            yield ("write_back", "documents"), what, "add attachments, or remove the column"


def _placed(pattern: str) -> frozenset[str]:
    """The columns of a pattern; a pattern that is none is told elsewhere."""
    try:
        return frozenset(columns_of(pattern))
    except PatternFault:
        return frozenset()
