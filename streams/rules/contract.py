"""The rules of flow 2, contract_lifecycle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from streams.catalogue import ColumnKind
from streams.rules.base import (
    FlowRule,
    LinkColumns,
    Trail,
)
from streams.rules.expressions import (
    Cel,
    Expression,
)
from streams.rules.hints import nearest
from tables.contracts import STATUSES


class ContractColumns(LinkColumns):
    """The record's columns that show its contract."""

    kinds: ClassVar[Mapping[str, tuple[ColumnKind, ...]]] = {
        **LinkColumns.kinds,
        "status": (ColumnKind.TEXT,),
        "document_id": (ColumnKind.TEXT,),
        "document_version": (ColumnKind.INTEGER,),
        "document_url": (ColumnKind.TEXT,),
    }

    status: str | None = None
    approved_on: str | None = None
    signed_on: str | None = None
    effective_on: str | None = None
    expires_on: str | None = None
    terminated_on: str | None = None
    document_id: str | None = None
    document_version: str | None = None
    document_url: str | None = None


class ContractRule(FlowRule):
    """A record that reaches ``stage_reached`` has a contract workspace."""

    flow: ClassVar[str] = "contract_lifecycle"

    stage_reached: Cel
    won: Cel = Expression("false")
    lost: Cel = Expression("false")
    #: The rule of flow 1 whose workspace for the same record becomes the parent.
    record_workspace: str | None = None
    #: Category and attribute that show the contract's status, e.g. "Contract/Status".
    status_attribute: str | None = None
    statuses: Mapping[str, str] = Field(default_factory=dict)
    write_back: ContractColumns = ContractColumns()
    known_statuses: ClassVar[tuple[str, ...]] = STATUSES

    def faults(self) -> Iterator[tuple[Trail, str, str]]:
        """Only the statuses of a contract have words of their own."""
        for status in self.statuses:
            if status not in STATUSES:
                what = f"{status!r} is no status of a contract"
                yield ("statuses", status), what, nearest(status, STATUSES)
