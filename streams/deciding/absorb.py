"""Taking in a cause: how a record's rows change, and whom else it has to tell.

This is what all flows have in common, and it is pure. A cause is a fact from the changes topic or
an outcome of a command of ours; after it is absorbed, the flows decide over the rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from streams.deciding.aliases import introduced
from streams.deciding.happenings import remembered, with_past
from streams.deciding.memory import Memory
from streams.deciding.processes import is_partial, moves
from streams.deciding.reading import (
    done_before,
    reads_open,
    reads_unknown,
    under_way,
    was_absent,
)
from streams.deciding.skips import Ourselves, Skip, left_aside
from streams.deciding.telling import (
    answers_with_columns,
    answers_with_events,
    answers_with_workspace,
    learnt,
    news_for_askers,
    news_for_listeners,
    news_of_absence,
    news_of_removal,
)
from streams.deciding.times import caused_at
from streams.flows.shape import Cause
from streams.flows.upkeep import read
from streams.messages.commands import AnyCommand
from streams.messages.facts import (
    ColumnsKnown,
    ColumnsWanted,
    DocumentTold,
    EcmEvent,
    EventsKnown,
    EventsWanted,
    Fact,
    FolderOwned,
    Operation,
    RecordChange,
    StageChanged,
    TimeReached,
    WorkspaceEvent,
    WorkspaceKnown,
    WorkspaceOwned,
    WorkspaceWanted,
)
from streams.messages.outcomes import (
    FolderEnsured,
    RecordColumnsSet,
    RecordRead,
    StepDone,
    WorkflowStarted,
    WorkspaceEnsured,
    WriteRefused,
)
from streams.rules import RuleBook
from tables.flow_steps import Refusal
from tables.records import Stamp
from tables.stages import Move
from tables.workspace_links import FolderLink, Link


@dataclass(frozen=True, slots=True)
class Absorbed:
    """The rows after the cause, who is told, what is asked, and what the flows are to decide on.

    ``skip``: the change is left aside, no flow decides. ``near_miss``: it came from our own user
    but is not what we wrote. ``linked``: the record's workspaces are to be published.
    """

    memory: Memory
    facts: tuple[Fact, ...] = ()
    commands: tuple[AnyCommand, ...] = ()
    changed: frozenset[str] = frozenset()
    cause: Cause | None = None
    skip: Skip | None = None
    near_miss: bool = False
    linked: bool = False


@dataclass(frozen=True, slots=True)
class Absorber:
    """Absorbs causes under a rule book; ``own_users`` and ``tag`` mark changes that we made."""

    book: RuleBook
    own_users: frozenset[str] = frozenset()
    tag: str = "dovetail"

    def absorb(self, cause: Cause, memory: Memory) -> Absorbed:
        """Return what the cause does to the record's rows."""
        match cause:
            case RecordChange():
                return self._change(cause, memory)
            case EcmEvent():
                return self._own_event(cause, memory)
            case WorkspaceEvent() | DocumentTold() | EventsKnown():
                return self._event(cause, memory)
            case EventsWanted():
                return self._listened(cause, memory)
            case WorkspaceWanted() | ColumnsWanted():
                return self._asked(cause, memory)
            case WorkspaceKnown() | ColumnsKnown() | FolderOwned():
                known = learnt(cause, memory.neighbours)
                # Of a folder that it knew a record has told the owner all that happened in it.
                again = isinstance(cause, FolderOwned) and known is memory.neighbours
                return Absorbed(memory.with_(neighbours=known), cause=None if again else cause)
            case StageChanged():
                return self._stage(cause, memory)
            case TimeReached():
                return Absorbed(memory, commands=reads_open(memory, cause), cause=cause)
            case WorkspaceOwned():
                raise ValueError("a workspace's owner is told to the workspace, not to a record")
            case _:
                return self._outcome(cause, memory)

    def _change(self, change: RecordChange, memory: Memory) -> Absorbed:
        stamp = _stamp(change.at_ms, change.version, change.sequence)
        memory, told = introduced(memory, change)
        before = memory.row
        if change.thin and change.operation is not Operation.DELETE:
            reading = read(change.record, [stamp, "thin"], change.at_ms)
            reads = () if done_before(memory, reading) else (reading,)
            return Absorbed(memory, told, commands=reads, cause=change)
        merge = before.merged(change.columns, stamp)
        removed = change.operation is Operation.DELETE
        row = merge.row.removed(stamp) if removed else merge.row
        past = with_past(
            self.book, change.record, memory.past, stamp, change.columns, removed=removed
        )
        news = {name: change.columns[name] for name in merge.changed}
        after = memory.with_(row=row, past=past, echoes=memory.echoes.superseded(news))
        why = (
            "tie" if merge.tie else "partial" if is_partial(self.book, change.record, row) else None
        )
        commands: tuple[AnyCommand, ...] = ()
        if why:
            commands = (read(change.record, [stamp, why], change.at_ms),)
        elif not merge.changed:
            commands = reads_open(memory, change)  # it may be a replay
        facts: tuple[Fact, ...] = (
            *told,
            *moves(self.book, change.record, before, row),
            *news_for_askers(change.record, after, merge.changed),
            *(news_of_removal(self.book, change.record, after) if removed else ()),
        )
        ourselves = Ourselves(self.own_users, self.tag)
        skip, near_miss = left_aside(change, memory, after, merge.changed, stamp, ourselves)
        return Absorbed(
            after,
            facts=facts,
            commands=commands,
            changed=merge.changed,
            cause=change,
            skip=None if why else skip,
            near_miss=near_miss,
        )

    def _own_event(self, event: EcmEvent, memory: Memory) -> Absorbed:
        """An event that names our business object instead of a workspace."""
        assert event.record is not None
        named = event.business_object
        rule = (
            self.book.rule_for_business_object(named.external_system, named.type) if named else None
        )
        told = WorkspaceEvent(record=event.record, rule=rule or "", event=event)
        return self._event(told, memory)

    def _event(
        self, event: WorkspaceEvent | DocumentTold | EventsKnown, memory: Memory
    ) -> Absorbed:
        after = remembered(memory, event)
        facts: tuple[Fact, ...] = ()
        if isinstance(event, WorkspaceEvent):
            facts = tuple(news_for_listeners(self.book, event, memory, after))
        # What another record tells comes again as often as something happens there.
        elif after is memory:
            return Absorbed(memory)
        reads = reads_unknown(event.record, memory, caused_at(event))
        return Absorbed(after, facts, reads, cause=event)

    def _listened(self, cause: EventsWanted, memory: Memory) -> Absorbed:
        """Remember who listens, and answer at once; no flow decides, as with any question."""
        listeners = memory.listeners.listened(cause.wanted_by.key, cause.rule, cause.interest)
        answers = tuple(answers_with_events(self.book, cause, memory))
        return Absorbed(memory.with_(listeners=listeners), answers)

    def _asked(self, cause: WorkspaceWanted | ColumnsWanted, memory: Memory) -> Absorbed:
        """Remember who asks, answer when the answer is known, read the record when nothing is."""
        by = cause.wanted_by.key
        facts: tuple[Fact, ...]
        if isinstance(cause, WorkspaceWanted):
            asking = (by, cause.rule)
            askers = memory.askers.workspace_asked(*asking)
            facts = tuple(answers_with_workspace(self.book, cause.record, memory, (asking,)))
            # Of a record that is not there nothing comes of reading it once more.
            enough = memory.row.known or was_absent(memory)
        else:
            askers = memory.askers.columns_asked(by, cause.columns)
            facts = tuple(answers_with_columns(cause.record, memory, {by: cause.columns}))
            enough = all(column in memory.row.cells for column in cause.columns)
        reading = read(cause.record, [memory.row.newest, "asked"], caused_at(cause))
        # Hundreds may ask for one owner before the answer is there: one reading serves them all.
        reads = () if enough or under_way(memory, reading) else (reading,)
        # No flow decides because somebody asked: two records that ask each other would never end.
        return Absorbed(memory.with_(askers=askers), facts, reads)

    def _stage(self, cause: StageChanged, memory: Memory) -> Absorbed:
        stage = cause.stage.key if cause.stage else None
        move = Move(stage, Stamp(cause.at_ms, cause.version, cause.sequence))
        stages = memory.stages.moved(cause.process.key, move)
        reads = reads_unknown(cause.record, memory, cause.at_ms)
        return Absorbed(memory.with_(stages=stages), commands=reads, cause=cause)

    def _outcome(self, outcome: Any, memory: Memory) -> Absorbed:
        match outcome:
            case WorkspaceEnsured():
                return self._ensured(outcome, memory)
            case WriteRefused():
                refusal = Refusal(
                    desired=outcome.desired,
                    code=outcome.code,
                    message=outcome.message,
                    at_ms=outcome.at_ms,
                )
                steps = memory.steps.refused(outcome.rule, outcome.step, refusal)
                return Absorbed(memory.with_(steps=steps), cause=outcome)
            case RecordColumnsSet() | RecordRead():
                return self._row_known(outcome, memory)
            case WorkflowStarted():
                approvals = memory.approvals.started(
                    outcome.rule, outcome.round, outcome.workflow_id
                )
                after = _confirmed(outcome, memory.with_(approvals=approvals), outcome.at_ms)
                return Absorbed(after, cause=outcome)
            case FolderEnsured():
                folder = FolderLink(folder_id=outcome.folder_id, name=outcome.name, url=outcome.url)
                links = memory.links.with_folder(outcome.rule, outcome.workspace_id, folder)
                after = _confirmed(outcome, memory.with_(links=links), outcome.at_ms)
                return Absorbed(after, cause=outcome)
            case StepDone():
                return Absorbed(_confirmed(outcome, memory, outcome.at_ms), cause=outcome)
        raise TypeError(f"{type(outcome).__name__} is neither a fact nor an outcome")

    def _ensured(self, outcome: WorkspaceEnsured, memory: Memory) -> Absorbed:
        link = Link(
            workspace_id=outcome.workspace_id,
            name=outcome.name,
            url=outcome.url,
            linked_ms=outcome.at_ms,
            created=outcome.created,
        )
        links = memory.links.linked(outcome.rule, link)
        after = _confirmed(outcome, memory.with_(links=links), outcome.at_ms)
        if outcome.properties is not None:
            steps = after.steps.confirmed(
                outcome.rule, "properties", outcome.properties, outcome.at_ms
            )
            after = after.with_(steps=steps)
        owned = WorkspaceOwned(
            workspace_id=outcome.workspace_id, record=outcome.record, rule=outcome.rule
        )
        asking = after.askers.for_workspace()
        answers = answers_with_workspace(self.book, outcome.record, after, asking)
        return Absorbed(after, facts=(owned, *answers), cause=outcome, linked=True)

    def _row_known(self, outcome: RecordColumnsSet | RecordRead, memory: Memory) -> Absorbed:
        """A row that we read or wrote: its columns are as good as any event's."""
        done = _confirmed(outcome, memory, outcome.modified_ms)
        if outcome.columns is None:
            news = tuple(news_of_absence(self.book, outcome.record, done))
            return Absorbed(done, facts=news, cause=outcome)
        sequence = outcome.modified_ms if outcome.read_ms is None else outcome.read_ms
        stamp = _stamp(outcome.modified_ms, outcome.version, sequence)
        merge = done.row.merged(outcome.columns, stamp)
        past = with_past(self.book, outcome.record, done.past, stamp, outcome.columns)
        after = done.with_(row=merge.row, past=past)
        facts: tuple[Fact, ...] = (
            *moves(self.book, outcome.record, memory.row, merge.row),
            *news_for_askers(outcome.record, after, merge.changed),
        )
        return Absorbed(after, facts=facts, changed=merge.changed, cause=outcome)


def _stamp(at_ms: int, version: int | None, sequence: int) -> Stamp:
    return Stamp(at_ms, -1 if version is None else version, sequence)


def _confirmed(outcome: Any, memory: Memory, at_ms: int) -> Memory:
    steps = memory.steps.confirmed(outcome.rule, outcome.step, outcome.desired, at_ms)
    return replace(memory, steps=steps)
