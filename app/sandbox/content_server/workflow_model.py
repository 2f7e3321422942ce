"""Workflow maps, drafts of workflows, and workflows that run (reference/extended-ecm.md 6).

Plain records; the rules are in `workflows`. The attributes of a map are kept like a category whose
id is the map's, which is how the product numbers them (``25397_10``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from app.sandbox.content_server.model import Category, CategoryValues

ProcessState = Literal["running", "suspended", "completed", "stopped"]


@dataclass(frozen=True)
class Step:
    """One step of a map: who does it, and with which dispositions it may end.

    ``assignee_id`` is a user or a group; a user attribute named ``assignee_attribute`` goes first
    when it has a value. A disposition in ``rejecting`` ends the whole workflow. ``signing`` asks
    for the assignee's password (21 CFR 11).
    """

    name: str
    assignee_id: int
    instructions: str = ""
    dispositions: tuple[str, ...] = ("Approve", "Reject")
    rejecting: tuple[str, ...] = ("Reject",)
    assignee_attribute: int | None = None
    signing: bool = False


@dataclass(frozen=True)
class WorkflowMap:
    """What workflows are started from; ``id`` is its node.

    ``skips_start``: the start step is disabled, so a workflow starts in one call. ``offered``: it
    is listed for documents and places.
    """

    id: int
    name: str
    steps: tuple[Step, ...]
    attributes: Category
    manager_id: int
    skips_start: bool = False
    offered: bool = True


@dataclass
class Draft:
    """A workflow that is being prepared by ``user_id``."""

    id: int
    map_id: int
    user_id: int
    documents: tuple[int, ...]
    title: str
    values: CategoryValues
    due: str = ""


@dataclass
class Task:
    """One step of a workflow, numbered from 1, since it was reached.

    ``accepted_by`` is the member of the group who took it.
    """

    id: int
    name: str
    assignee_id: int
    started: datetime
    ended: datetime | None = None
    disposition: str = ""
    comment: str = ""
    accepted_by: int | None = None


@dataclass(frozen=True)
class Activity:
    """One line of a workflow's story: start, sendon, disposition, forward, attachment, stop."""

    action: str
    label: str
    comment: str
    at: datetime
    user_id: int
    node_id: int | None = None


@dataclass
class Process:
    """A workflow that was started; ``workspace_id`` is where its documents lie, None elsewhere."""

    id: int
    map_id: int
    title: str
    initiator_id: int
    manager_id: int
    attachment_folder_id: int
    documents: tuple[int, ...]
    workspace_id: int | None
    started: datetime
    values: CategoryValues
    due: str = ""
    state: ProcessState = "running"
    ended: datetime | None = None
    archived: bool = False
    tasks: list[Task] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)

    @property
    def open_task(self) -> Task | None:
        """The step that waits for somebody, None when the workflow is over or suspended."""
        task = self.tasks[-1] if self.tasks else None
        return task if task and task.ended is None and self.state == "running" else None


@dataclass
class WorkflowState:
    """Every map, draft and workflow of one server, by id."""

    maps: dict[int, WorkflowMap] = field(default_factory=dict)
    drafts: dict[int, Draft] = field(default_factory=dict)
    processes: dict[int, Process] = field(default_factory=dict)
