"""The rules of flow 4, erp_documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from streams.catalogue import ColumnKind
from streams.rules.base import (
    FlowRule,
    LinkColumns,
    RuleModel,
    Trail,
)
from streams.rules.expressions import (
    Cel,
    Expression,
)
from streams.rules.retention import RetentionPart


class DocumentColumns(LinkColumns):
    """The transaction's columns that show its workspace and the documents in it."""

    kinds: ClassVar[Mapping[str, tuple[ColumnKind, ...]]] = {
        **LinkColumns.kinds,
        "documents": (ColumnKind.INTEGER,),
        "document_links": (ColumnKind.TEXT,),
        "document_id": (ColumnKind.TEXT,),
        "document_name": (ColumnKind.TEXT,),
        "document_url": (ColumnKind.TEXT,),
    }

    documents: str | None = None
    document_links: str | None = None
    document_id: str | None = None
    document_name: str | None = None
    document_url: str | None = None
    filed_on: str | None = None

    def of_documents(self) -> Iterator[str]:
        """The keys that only documents fill."""
        own = DocumentColumns.model_fields.keys() - LinkColumns.model_fields.keys()
        return (key for key in sorted(own) if getattr(self, key) is not None)


class ReturnedDocuments(RuleModel):
    """Which documents come back to the record as links."""

    #: The document types that do; without any, all.
    types: tuple[str, ...] = ()
    #: So many of the newest are named in document_links.
    newest: int = Field(default=5, ge=1, le=50)


class TransactionRule(FlowRule):
    """A transaction that meets ``when`` has a workspace for its supporting documents."""

    flow: ClassVar[str] = "erp_documents"

    when: Cel = Expression("true")
    cancelled: Cel = Expression("false")
    paid: Cel = Expression("false")
    closed: Cel = Expression("false")
    documents: ReturnedDocuments = ReturnedDocuments()
    retention: RetentionPart | None = None
    write_back: DocumentColumns = DocumentColumns()

    def watched(self) -> frozenset[str]:
        return self.cancelled.columns() | self.paid.columns() | self.closed.columns()

    def columns_used(self) -> Iterator[tuple[Trail, str, tuple[ColumnKind, ...]]]:
        if self.retention and self.retention.starts_on:
            kinds = (ColumnKind.DATE, ColumnKind.DATETIME)
            yield ("retention", "starts_on"), self.retention.starts_on, kinds

    def faults(self) -> Iterator[tuple[Trail, str, str]]:
        """Retention needs an end, and a choice of documents somewhere to show them."""
        never = Expression("false")
        if self.retention is not None and {self.cancelled, self.paid, self.closed} == {never}:
            what = "retention begins when the transaction ends, and no condition says when"
            yield ("retention",), what, "add cancelled, paid or closed"
        if self.documents != ReturnedDocuments() and not any(self.write_back.of_documents()):
            what = "documents says which come back, and write_back has no column for them"
            yield ("documents",), what, "add documents or document_links to write_back"
