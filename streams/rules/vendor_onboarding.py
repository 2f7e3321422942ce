"""The rules of flow 7, vendor_onboarding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from streams.catalogue import ColumnKind, ColumnValue
from streams.rules.approval import DecisionColumns, WorkflowPart
from streams.rules.artifacts import ArtifactRule, artifact_faults
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
from streams.rules.hints import nearest


class VendorStatus(StrEnum):
    """How far a vendor is."""

    NOT_REQUIRED = "not_required"
    COLLECTING = "collecting"
    EXPIRED = "expired"
    IN_APPROVAL = "in_approval"
    REJECTED = "rejected"
    ACTIVE = "active"
    BLOCKED = "blocked"


class VendorColumns(DecisionColumns, LinkColumns):
    """The vendor's columns that show its onboarding."""

    kinds: ClassVar[Mapping[str, tuple[ColumnKind, ...]]] = {
        **LinkColumns.kinds,
        **DecisionColumns.kinds,
        "status": (ColumnKind.TEXT,),
        "missing": (ColumnKind.TEXT,),
        "progress": (ColumnKind.TEXT,),
    }

    #: Shows how far the vendor is, in the words of statuses.
    status: str | None = None
    #: Shows what is missing; make it a text of 1000 characters.
    missing: str | None = None
    #: Shows how much of the checklist is there, as "3 of 4".
    progress: str | None = None


class VendorApprovalPart(WorkflowPart):
    """The workflow that approves the vendor."""

    #: When it is started; when nothing is said, once the checklist is complete.
    when: Cel | None = None
    #: Category and attribute that show the decision.
    decision_attribute: str | None = None
    #: Category and attribute that show who decided.
    approver_attribute: str | None = None


class ActivationPart(RuleModel):
    """What the vendor's columns hold while it may not be used, and once it may."""

    held: Mapping[str, ColumnValue] = Field(min_length=1)
    active: Mapping[str, ColumnValue] = Field(min_length=1)


class VendorOnboardingRule(FlowRule):
    """A vendor that meets ``when`` is on hold until its evidence is complete and it is approved."""

    flow: ClassVar[str] = "vendor_onboarding"

    #: Which vendors are onboarded. All of them are held until they are approved.
    when: Cel
    #: Whether people have blocked the vendor, where a column tells; then it is left as it is.
    blocked: Cel = Expression("false")
    #: The columns of bank and tax: each change of one is approved anew.
    details: tuple[str, ...] = ()
    artifacts: tuple[ArtifactRule, ...] = Field(min_length=1)
    approval: VendorApprovalPart
    activation: ActivationPart
    #: The rule of flow 1 whose workspace for the same record becomes the parent.
    record_workspace: str | None = None
    #: Category and attribute that show how far the vendor is.
    status_attribute: str | None = None
    #: Category and attribute that show what is missing.
    missing_attribute: str | None = None
    #: Category and attribute that show whether the vendor is on hold: Yes or No.
    hold_attribute: str | None = None
    #: Category and attribute that show the day from which bank and tax columns are as they are.
    details_attribute: str | None = None
    #: The words for the statuses.
    statuses: Mapping[str, str] = Field(default_factory=dict)
    write_back: VendorColumns = VendorColumns()
    known_statuses: ClassVar[tuple[str, ...]] = tuple(s.value for s in VendorStatus)

    def watched(self) -> frozenset[str]:
        """Since when bank and tax columns are as they are is shown in the workspace."""
        return frozenset(self.details)

    def patterns(self) -> Iterator[tuple[Trail, str]]:
        yield from super().patterns()
        for trail, pattern in self.approval.patterns():
            yield ("approval", *trail), pattern

    def columns_used(self) -> Iterator[tuple[Trail, str, tuple[ColumnKind, ...]]]:
        for index, column in enumerate(self.details):
            yield ("details", index), column, tuple(ColumnKind)

    def sets(self) -> Iterator[tuple[Trail, Mapping[str, ColumnValue]]]:
        """What holds a vendor, and what activates it."""
        yield ("activation", "held"), self.activation.held
        yield ("activation", "active"), self.activation.active

    def faults(self) -> Iterator[tuple[Trail, str, str]]:
        """Both ends of the activation speak of the same columns, and differ."""
        yield from artifact_faults(self.artifacts)
        for trail, what, fix in self.approval.faults():
            yield ("approval", *trail), what, fix
        for status in self.statuses:
            if status not in set(VendorStatus):
                what = f"{status!r} is no status of a vendor"
                yield ("statuses", status), what, nearest(status, [*VendorStatus])
        held, active = self.activation.held, self.activation.active
        if held.keys() != active.keys():
            what = "held and active do not set the same columns"
            yield ("activation",), what, "name each column under both"
        elif held == active:
            yield ("activation",), "held and active are the same", "nothing would be held by it"
        for index, column in enumerate(self.details):
            if column in held:
                what = f"{column!r} is set by activation: each activation would ask for approval"
                yield ("details", index), what, "remove it here"
