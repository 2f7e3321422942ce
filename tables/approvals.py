"""``approvals``: the workflows that we started for a record, and what became of each.

A round is one version of what is to be approved (a digest): when the request changes, a new round
begins with a workflow of its own. For each workflow and kind of event the newest one is kept, so
any order of the same events ends in the same row; an event may come before we hear that its
workflow is ours. Each workflow is a part of its own (``tables.parts``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tables.documents import DocumentRef
from tables.parts import PartedRow
from tables.rows import Row

Value = str | int | bool | None

#: The events of a workflow in the order of its life; the later one wins within one moment.
KINDS = ("started", "step", "stopped", "rejected", "approved")
#: What people decide; a workflow that is stopped or put away afterwards was decided all the same.
DECIDED = ("rejected", "approved")
#: These end a workflow.
ENDS = ("stopped", *DECIDED)


class WorkflowEvent(Row):
    """The newest event of one kind: when, which, by whom, and what it said."""

    at_ms: int = 0
    event_id: str = ""
    actor: str | None = None
    document: DocumentRef | None = None
    attributes: Mapping[str, Value] = {}


class Workflow(Row):
    """One workflow: its newest events by kind."""

    events: Mapping[str, WorkflowEvent] = {}

    def reported(self, kind: str, event: WorkflowEvent) -> Workflow:
        """Return the workflow after an event; an older one of the same kind changes nothing."""
        before = self.events.get(kind)
        if before is not None and (before.at_ms, before.event_id) >= (event.at_ms, event.event_id):
            return self
        return self.model_copy(update={"events": {**self.events, kind: event}})

    def merged(self, other: Workflow) -> Workflow:
        """Return the workflow with all events that are known of either."""
        merged = self
        for kind, event in other.events.items():
            merged = merged.reported(kind, event)
        return merged

    @property
    def state(self) -> str:
        """The newest decision, else the end, else the newest event; ``started`` without any."""
        decided = [kind for kind in self.events if kind in DECIDED]
        ended = [kind for kind in self.events if kind in ENDS]
        return max(decided or ended or self.events, key=self._order, default="started")

    @property
    def newest(self) -> WorkflowEvent | None:
        """The event that brought the workflow into its state."""
        return self.events.get(self.state)

    def _order(self, kind: str) -> tuple[int, int, str]:
        event = self.events[kind]
        return event.at_ms, KINDS.index(kind), event.event_id


class ApprovalsHead(Row):
    """The workflow of each round by ``rule/round``; in the first release also all workflows."""

    rounds: Mapping[str, int] = {}
    workflows: Mapping[str, Workflow] = {}


class ApprovalsRow(PartedRow[Workflow]):
    """A record's workflows by ``rule/workflow id``, and the one of each round by ``rule/round``."""

    part: ClassVar[type[Row]] = Workflow
    head_row: ClassVar[type[Row]] = ApprovalsHead

    @classmethod
    def moved_out(cls, head: Any) -> tuple[Row, Mapping[str, Row]]:
        return ApprovalsHead(rounds=head.rounds), head.workflows

    @property
    def rounds(self) -> Mapping[str, int]:
        """The workflows that we started, by ``rule/round``."""
        rounds: Mapping[str, int] = self.head.rounds
        return rounds

    def workflow_of(self, rule: str, round_: str) -> int | None:
        """The workflow that was started for this round, None while none is known."""
        return self.rounds.get(f"{rule}/{round_}")

    def workflow(self, rule: str, workflow_id: int) -> Workflow:
        return self.get(f"{rule}/{workflow_id}") or Workflow()

    def of(self, rule: str) -> dict[int, Workflow]:
        """The workflows in the workspace of a rule, by id, whoever started them."""
        start = f"{rule}/"
        return {int(name.removeprefix(start)): workflow for name, workflow in self.under(start)}

    def started(self, rule: str, round_: str, workflow_id: int) -> ApprovalsRow:
        """Return the row after a workflow was started; telling it again changes nothing."""
        name = f"{rule}/{round_}"
        if self.rounds.get(name) == workflow_id:
            return self
        return self.with_head(ApprovalsHead(rounds={**self.rounds, name: workflow_id}))

    def all_started(self, rule: str) -> tuple[int, ...]:
        """The workflows that were started for a rule, of whichever round."""
        start = f"{rule}/"
        return tuple(sorted(n for name, n in self.rounds.items() if name.startswith(start)))

    def running(self, rule: str) -> dict[str, int]:
        """The workflows of a rule that have not ended, by round."""
        start = f"{rule}/"
        return {
            name.removeprefix(start): number
            for name, number in sorted(self.rounds.items())
            if name.startswith(start) and self.workflow(rule, number).state not in ENDS
        }

    def reported(
        self, rule: str, workflow_id: int, kind: str, event: WorkflowEvent
    ) -> ApprovalsRow:
        return self.told(rule, workflow_id, Workflow(events={kind: event}))

    def told(self, rule: str, workflow_id: int, workflow: Workflow) -> ApprovalsRow:
        """Return the row with what another record knows of a workflow; nothing new, no change."""
        before = self.workflow(rule, workflow_id)
        after = before.merged(workflow)
        if after is before:
            return self
        return self.with_parts({f"{rule}/{workflow_id}": after})
