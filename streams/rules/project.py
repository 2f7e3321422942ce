"""The rules of flow 5, project_workspace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from streams.catalogue import ColumnKind
from streams.rules.base import (
    FlowRule,
    RecordRule,
    RuleModel,
    Trail,
    WrittenColumns,
)
from streams.rules.expressions import (
    Cel,
    Expression,
)
from streams.rules.hints import nearest

#: What the deliverables of a milestone come to.
DELIVERABLE_STATUSES = ("awaited", "in_review", "rejected", "approved")


class FolderRule(RuleModel):
    """A milestone's folder in the project's workspace."""

    #: The names of the folders above it.
    path: tuple[str, ...] = ()
    #: How it is named, as workspaces are.
    name: str = Field(min_length=1)
    attributes: Mapping[str, Mapping[str, Cel]] = Field(default_factory=dict)
    #: Category and attribute that show the milestone's state, e.g. "Business Record/Record State".
    state_attribute: str | None = None


class DeliverableColumns(WrittenColumns):
    """The milestone's columns that show its folder and its documents."""

    kinds: ClassVar[Mapping[str, tuple[ColumnKind, ...]]] = {
        "folder_id": (ColumnKind.TEXT,),
        "folder_url": (ColumnKind.TEXT,),
        "status": (ColumnKind.TEXT,),
        "deliverables": (ColumnKind.INTEGER,),
        "approved": (ColumnKind.INTEGER,),
        "change_requests": (ColumnKind.INTEGER,),
        "open_change_requests": (ColumnKind.INTEGER,),
        "document_id": (ColumnKind.TEXT,),
        "document_name": (ColumnKind.TEXT,),
        "document_url": (ColumnKind.TEXT,),
    }

    folder_id: str | None = None
    folder_url: str | None = None
    status: str | None = None
    deliverables: str | None = None
    approved: str | None = None
    approved_on: str | None = None
    change_requests: str | None = None
    open_change_requests: str | None = None
    document_id: str | None = None
    document_name: str | None = None
    document_url: str | None = None


class MilestoneRule(RecordRule):
    """The milestones of a project: rows of their own that point to it."""

    #: The lookup column that points to the project.
    project: str
    when: Cel = Expression("true")
    done: Cel = Expression("false")
    folder: FolderRule
    #: The attribute of an event that names the milestone, by row id or as ``table:row id``.
    named_by: str = "milestone"
    #: The document types that are deliverables.
    deliverable_types: tuple[str, ...] = ("Deliverable",)
    #: The document types that are change requests.
    change_request_types: tuple[str, ...] = ("Change Request",)
    #: The words for awaited, in_review, rejected and approved.
    statuses: Mapping[str, str] = Field(default_factory=dict)
    write_back: DeliverableColumns = DeliverableColumns()
    known_statuses: ClassVar[tuple[str, ...]] = DELIVERABLE_STATUSES

    def patterns(self) -> Iterator[tuple[Trail, str]]:
        yield ("folder", "name"), self.folder.name

    def columns_used(self) -> Iterator[tuple[Trail, str, tuple[ColumnKind, ...]]]:
        yield ("project",), self.project, (ColumnKind.LOOKUP,)


class ProjectRule(FlowRule):
    """A project that meets ``when`` has a workspace that follows it, and its milestones do."""

    flow: ClassVar[str] = "project_workspace"

    when: Cel = Expression("true")
    closed: Cel = Expression("false")
    milestones: MilestoneRule | None = None

    def parts(self) -> Iterator[tuple[Trail, RecordRule]]:
        yield (), self
        if self.milestones is not None and self.milestones.table != self.table:
            yield ("milestones",), self.milestones

    def faults(self) -> Iterator[tuple[Trail, str, str]]:
        """Milestones are rows of their own, and their statuses are known."""
        milestones = self.milestones
        if milestones is None:
            return
        if milestones.table == self.table:
            what = f"{self.table} is the table of the projects"
            yield ("milestones", "table"), what, "milestones are rows of another table"
        for status in milestones.statuses:
            if status not in DELIVERABLE_STATUSES:
                what = f"{status!r} is no status of deliverables"
                fix = nearest(status, DELIVERABLE_STATUSES)
                yield ("milestones", "statuses", status), what, fix
        for kind in sorted({*milestones.deliverable_types} & {*milestones.change_request_types}):
            what = f"{kind!r} is a deliverable and a change request"
            yield ("milestones", "change_request_types"), what, "count it as one of them"
