"""The types that all flows share: what a flow sees, and what it decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from streams.catalogue import Catalogue, Table
from streams.messages.commands import AnyCommand
from streams.messages.facts import Fact
from streams.messages.outcomes import AnyOutcome
from streams.rules import RuleBook
from tables.approvals import ApprovalsRow
from tables.evidence import EvidenceRow
from tables.flow_steps import StepsRow
from tables.keys import RecordRef
from tables.neighbours import NeighboursRow
from tables.parts import PartedRow
from tables.pasts import PastRow
from tables.records import RecordRow
from tables.rows import Row
from tables.stages import StagesRow
from tables.workspace_links import LinksRow

#: What a decision is made about: a fact from the changes topic, or an outcome of our own command.
Cause = Fact | AnyOutcome
#: A flow's own row: stored whole, or in parts.
AnyRow = Row | PartedRow[Any]


class Reason(StrEnum):
    """Why a rule did, or did not do, something; a closed list, shown by ``rules explain``."""

    CONDITION_FALSE = "condition_false"
    CONDITION_UNDECIDED = "condition_undecided"
    RECORD_DELETED = "record_deleted"
    RECORD_UNKNOWN = "record_unknown"
    NO_RELATED_RECORD = "no_related_record"
    STAGE_NOT_REACHED = "stage_not_reached"
    CASE_ENDED = "case_ended"
    NOT_REQUESTED = "not_requested"
    WAITING_FOR_DOCUMENTS = "waiting_for_documents"
    OPPORTUNITY_LOST = "opportunity_lost"
    WAITING_FOR_COLUMNS = "waiting_for_columns"
    WAITING_FOR_WORKSPACE = "waiting_for_workspace"
    WAITING_FOR_RELATED_RECORD = "waiting_for_related_record"
    WAITING_FOR_RELATED_WORKSPACE = "waiting_for_related_workspace"
    WAITING_FOR_STAGE_NAME = "waiting_for_stage_name"
    WAITING_FOR_MEMBER = "waiting_for_member"
    MEMBER_HAS_NO_NAME = "member_has_no_name"
    WAITING_FOR_OUTCOME = "waiting_for_outcome"
    STEP_REFUSED = "step_refused"
    WRITE_CONTESTED = "write_contested"
    GATE_CLOSED = "gate_closed"
    GATE_EXPIRED = "gate_expired"
    GATE_VIOLATED = "gate_violated"
    WAITING_FOR_ARTIFACTS = "waiting_for_artifacts"
    ARTIFACT_EXPIRED = "artifact_expired"
    WAITING_FOR_APPROVAL = "waiting_for_approval"
    APPROVAL_REFUSED = "approval_refused"
    BLOCKED_BY_PEOPLE = "blocked_by_people"
    ALL_TRUE = "all_true"


@dataclass(frozen=True, slots=True)
class View:
    """What a decision sees: the rows of one record, and nothing else.

    ``own`` is the flow's own row. ``at_ms`` is the time of the cause, ``now_ms`` the time of the
    decision (both Unix milliseconds): nothing here reads a clock. ``repeats``: what was asked for
    already is asked for again. That is so for what comes from outside, which may be a replay; an
    outcome or an answer only adds what is new. ``retries``: what was refused is asked for again, as
    after a change that is not our own.
    """

    record: RecordRef
    row: RecordRow
    links: LinksRow
    steps: StepsRow
    neighbours: NeighboursRow
    stages: StagesRow
    evidence: EvidenceRow
    approvals: ApprovalsRow
    past: PastRow
    own: AnyRow
    catalogue: Catalogue
    members: Mapping[str, str]
    at_ms: int
    now_ms: int
    repeats: bool = True
    retries: bool = False

    @property
    def table(self) -> Table:
        """The record's table; decide only calls a flow for tables that the rules declare."""
        return self.catalogue.tables[self.record.table]

    def knows(self, columns: Iterable[str]) -> bool:
        """True when each of these columns was heard of at least once."""
        return all(column in self.row.cells for column in columns)


class NoteKind(StrEnum):
    """What a note is about; a closed list."""

    GATE_VIOLATED = "gate_violated"
    APPROVAL_OVERDUE = "approval_overdue"


@dataclass(frozen=True, slots=True)
class Note:
    """Something that people have to hear of: a line of the record's story, and counted."""

    kind: NoteKind
    rule: str
    words: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What shall become true: commands, facts for other records, the flow's own row, and why.

    ``wake_ms``: decide again at this time (Unix ms), whatever happens until then. ``notes``: what
    people are told, once: only a change of the flow's own row is a reason for one.
    """

    commands: tuple[AnyCommand, ...] = ()
    facts: tuple[Fact, ...] = ()
    own: AnyRow | None = None
    reasons: tuple[Reason, ...] = ()
    wake_ms: int | None = None
    notes: tuple[Note, ...] = ()


class DecideFlow(Protocol):
    """A flow's decision: pure, the same answer for the same arguments."""

    def __call__(self, cause: Cause, view: View, rule: Any) -> Decision: ...


class RulesOf(Protocol):
    """The rules of a flow in a rule book."""

    def __call__(self, book: RuleBook) -> Iterable[Any]: ...


@dataclass(frozen=True, slots=True)
class Flow:
    """One business flow: its rules, its decision, and the table of its own rows, if any."""

    name: str
    rules: RulesOf
    decide: DecideFlow
    own_table: str | None = None
    own_row: type[AnyRow] = field(default=Row)
