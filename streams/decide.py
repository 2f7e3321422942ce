"""Stage 2, decide: facts and outcomes in, commands and facts out. The only writer of its tables.

Changes and outcomes are read as one stream, in one partition per key, so a record is decided by one
worker, one cause after another. All judgement is pure and lives elsewhere (``absorb``, ``owners``,
``flows``); this file loads the rows, asks, and sends what was decided.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from streams.deciding import story
from streams.deciding.absorb import Absorbed, Absorber
from streams.deciding.aliases import decide_alias
from streams.deciding.memory import ALIASES, WORKSPACE_OWNERS, Memory
from streams.deciding.owners import decide_owner
from streams.deciding.reading import own_columns
from streams.deciding.shelves import TableShelf
from streams.deciding.times import caused_at, happened_at
from streams.engine.records import Outgoing, Record, Rows
from streams.flows.registry import FLOWS
from streams.flows.shape import Cause, Decision, Flow, Note, NoteKind, Reason, View
from streams.guard import Guard
from streams.messages.audit import AuditLine
from streams.messages.base import Told
from streams.messages.commands import AnyCommand, ReadRecord, SetRecordColumns
from streams.messages.facts import (
    FACTS,
    AliasKnown,
    EcmEvent,
    Fact,
    Question,
    RecordChange,
    TimeReached,
    WorkspaceEvent,
    WorkspaceOwned,
)
from streams.messages.links import RecordLinks, WorkspaceLinked
from streams.messages.outcomes import OUTCOMES
from streams.metrics import Metrics
from streams.own_messages import read_own
from streams.rules import RuleBook
from streams.topics import AUDIT, CHANGES, DYNAMICS_COMMANDS, ECM_COMMANDS, LINKS
from streams.topics import OUTCOMES as TOLD
from tables.aliases import AliasRow
from tables.keys import RecordRef, is_workspace_key
from tables.wakes import WakesRow
from tables.workspace_owners import OwnerRow

NAME = "decide-records"
TOPICS = (CHANGES, TOLD)


@dataclass
class DecideStage:
    """Decides about each cause of a batch, in order; one that cannot be read is a dead letter."""

    book: RuleBook
    absorber: Absorber
    metrics: Metrics
    guard: Guard
    now_ms: Callable[[], int]
    _flows: dict[str, list[tuple[Flow, object]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._noted = {
            NoteKind.GATE_VIOLATED: self.metrics.gate_violations,
            NoteKind.APPROVAL_OVERDUE: self.metrics.approvals_overdue,
        }
        for flow in FLOWS:
            for rule in flow.rules(self.book):
                for _, part in rule.parts():
                    self._flows.setdefault(part.table, []).append((flow, rule))

    def handle(self, batch: Sequence[Record], rows: Rows) -> Sequence[Outgoing]:
        started = time.perf_counter()
        sent: list[Outgoing] = []
        for record in batch:
            self.metrics.received.labels(NAME, record.topic).inc()
            try:
                sent.extend(self.decide(_cause(record), rows))
            except Exception as error:  # what decide cannot take is kept, never lost or retried
                sent.append(self.guard.dead_letter(record, error))
            else:
                self.guard.passed()
        sent = _once_each(sent)
        for message in sent:
            self.metrics.emitted.labels(NAME, message.topic).inc()
        self.metrics.stage_seconds.labels(NAME).observe(time.perf_counter() - started)
        return sent

    def decide(self, cause: Cause, rows: Rows) -> list[Outgoing]:
        """Decide about one cause; rows are written only when all of it went well."""
        if is_workspace_key(cause.key):
            assert isinstance(cause, EcmEvent | WorkspaceOwned)
            return self._decide_owner(cause, rows)
        if isinstance(cause, AliasKnown | RecordChange) and self._is_of_alias(cause):
            return self._decide_alias(cause, rows)
        record = cause.record
        assert record is not None
        before = Memory.load(rows, record)
        absorbed = self.absorber.absorb(cause, before)
        self._count(absorbed)
        decided = _Decided(absorbed.memory, list(absorbed.commands), list(absorbed.facts))
        if absorbed.skip is None and absorbed.cause is not None:
            self._run_flows(record, absorbed, decided)
            decided.wake()
            decided.ask(record, happened_at(cause))
        told = [story.of_note(note, record, happened_at(cause)) for note in decided.notes]
        lines = [*story.of_cause(cause, absorbed), *self._asked(decided, cause), *told]
        links = [_links(record, decided.memory)] if absorbed.linked else []
        sent = [*decided.outgoing(self.book.digest, cause), *links, *map(_audit, lines)]
        decided.memory.save(rows, record, before)
        return sent

    def _run_flows(self, record: RecordRef, absorbed: Absorbed, decided: _Decided) -> None:
        """Let each rule of the record's table decide, one after the other."""
        cause = absorbed.cause
        assert cause is not None
        # A change that our own write brought about would be answered by a refusal for ever.
        retries = isinstance(cause, RecordChange) and not absorbed.near_miss
        for flow, rule in self._flows.get(record.table, ()):
            view = self._view(record, cause, flow, decided.memory, retries=retries)
            decision = flow.decide(cause, view, rule)
            decided.add(flow, decision)
            for reason in decision.reasons:
                self.metrics.decisions.labels(flow.name, reason.value).inc()
            for command in decision.commands:
                self.metrics.commands.labels(flow.name, command.kind).inc()
            for note in decision.notes:
                self._noted[note.kind].labels(note.rule).inc()

    def _view(
        self, record: RecordRef, cause: Cause, flow: Flow, memory: Memory, *, retries: bool
    ) -> View:
        return memory.view(
            record,
            flow,
            self.book,
            at_ms=caused_at(cause),
            now_ms=self.now_ms(),
            repeats=isinstance(cause, RecordChange | WorkspaceEvent | TimeReached),
            retries=retries,
        )

    def _asked(self, decided: _Decided, cause: Cause) -> list[AuditLine]:
        """Remember what was asked and since when, and what we write; tell of what is new."""
        lines = []
        at_ms = happened_at(cause)
        steps, echoes = decided.memory.steps, decided.memory.echoes
        for command in decided.commands:
            step = steps.get(command.rule, command.step)
            if step.asked != command.desired or step.is_refused(command.desired):
                lines.append(story.of_command(command, at_ms))
            steps = steps.asked(command.rule, command.step, command.desired, at_ms)
            if isinstance(command, SetRecordColumns):
                echoes = echoes.wrote(command.columns)
        decided.memory = decided.memory.with_(steps=steps, echoes=echoes)
        return lines

    def _decide_owner(self, cause: EcmEvent | WorkspaceOwned, rows: Rows) -> list[Outgoing]:
        shelf = TableShelf(rows, WORKSPACE_OWNERS, cause.key)
        owned = decide_owner(cause, OwnerRow.load(shelf), self.book)
        sent = [*map(_fact, owned.told), *map(_audit, story.of_owner(cause, owned))]
        shelf.save(owned.row.pending())
        if owned.held:
            self.metrics.held_events.inc()
        return sent

    def _is_of_alias(self, cause: AliasKnown | RecordChange) -> bool:
        return isinstance(cause, AliasKnown) or self.book.catalogue.is_alias(cause.record)

    def _decide_alias(self, cause: AliasKnown | RecordChange, rows: Rows) -> list[Outgoing]:
        stored = rows.get(ALIASES, cause.key)
        aliased = decide_alias(cause, AliasRow.from_bytes(stored))
        sent = [*map(_fact, aliased.told), *map(_audit, story.of_alias(cause, aliased))]
        after = aliased.row.to_bytes()
        if after != stored:
            rows.put(ALIASES, cause.key, after)
        if aliased.held:
            self.metrics.held_events.inc()
        return sent

    def _count(self, absorbed: Absorbed) -> None:
        if absorbed.skip is not None:
            self.metrics.skipped.labels(NAME, absorbed.skip.value).inc()
        if absorbed.near_miss:
            self.metrics.near_misses.inc()


@dataclass(frozen=True, slots=True)
class _Command(Outgoing):
    """A command on its way, known by its id."""

    id: str = ""


def _once_each(sent: Sequence[Outgoing]) -> list[Outgoing]:
    """Of a command that several causes of a batch ask for, send the last: it is the newest told.

    All of a batch is sent in one checkpoint, so nothing is lost by it. Of a name that goes A, B, A
    the last two are left, and it ends as A.
    """
    last = {message.id: message for message in sent if isinstance(message, _Command)}
    return [m for m in sent if not isinstance(m, _Command) or last[m.id] is m]


@dataclass
class _Decided:
    """What the absorber and the flows have come to so far."""

    memory: Memory
    commands: list[AnyCommand]
    facts: list[Fact]
    reasons: list[tuple[str, Reason]] = field(default_factory=list)
    wakes: list[int] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def add(self, flow: Flow, decision: Decision) -> None:
        # One reading tells all that want one: the absorber, or several rules.
        read = any(isinstance(command, ReadRecord) for command in self.commands)
        for command in decision.commands:
            if not (read and isinstance(command, ReadRecord)):
                self.commands.append(command)
        self.facts.extend(decision.facts)
        self.notes.extend(decision.notes)
        self.reasons.extend((flow.name, reason) for reason in decision.reasons)
        if decision.wake_ms is not None:
            self.wakes.append(decision.wake_ms)
        if decision.own is not None and flow.own_table:
            self.memory = self.memory.with_own(flow, decision.own)

    def wake(self) -> None:
        """Decide again at the earliest time that a rule waits for."""
        wakes = WakesRow(at_ms=min(self.wakes, default=None))
        self.memory = self.memory.with_(wakes=wakes)

    def ask(self, record: RecordRef, at_ms: int) -> None:
        """Remember what is asked, and since when; what is asked no more is forgotten."""
        questions = [fact.name for fact in self.facts if isinstance(fact, Question)]
        if any(reason is Reason.WAITING_FOR_COLUMNS for _, reason in self.reasons):
            questions.append(own_columns(record))
        before = self.memory.neighbours
        if questions or before.asked:
            self.memory = self.memory.with_(neighbours=before.asking(questions, at_ms))

    def outgoing(self, rules: str, cause: Cause) -> list[Outgoing]:
        unique = {command.id: command for command in self.commands}
        headers = (("dovetail-rules", rules.encode()),)
        commands = [
            _Command(_topic_of(c), c.key.encode(), c.to_json(), headers, id=c.id)
            for c in unique.values()
        ]
        return [*commands, *(_fact(_timed(fact, cause)) for fact in self.facts)]


def _cause(record: Record) -> Cause:
    """Read one of our own messages; raises Unreadable when it is none."""
    cause: Cause = read_own(record, OUTCOMES if record.topic == TOLD.name else FACTS)
    return cause


def _topic_of(command: AnyCommand) -> str:
    dynamics = isinstance(command, SetRecordColumns | ReadRecord)
    return DYNAMICS_COMMANDS.name if dynamics else ECM_COMMANDS.name


def _timed(fact: Fact, cause: Cause) -> Fact:
    """What a record tells of its own accord, with the times of what made it tell."""
    return fact.at(happened_at(cause), caused_at(cause)) if isinstance(fact, Told) else fact


def _fact(fact: Fact) -> Outgoing:
    return Outgoing(CHANGES.name, fact.key.encode(), fact.to_json())


def _audit(line: AuditLine) -> Outgoing:
    return Outgoing(AUDIT.name, line.subject.encode(), line.to_json())


def _links(record: RecordRef, memory: Memory) -> Outgoing:
    workspaces = {
        rule: WorkspaceLinked(
            workspace_id=link.workspace_id, name=link.name, url=link.url, linked_ms=link.linked_ms
        )
        for rule, link in memory.links.links.items()
    }
    message = RecordLinks(record=record, workspaces=workspaces)
    return Outgoing(LINKS.name, record.key.encode(), message.to_json())
