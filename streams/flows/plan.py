"""The plan of one decision: compares what a rule wants with what is confirmed, step by step.

Level-triggered (DESIGN, promise 2): each difference becomes a command, again at each decision about
a change or event until an outcome closes it. The same difference always becomes the same command
under the same id. Outcomes and answers of other records ask only for what was not asked for yet: a
command that was sent is in its topic, and repeating all that is open at each outcome would square
the traffic (app/decisions/0003). What was refused is asked for again when the record changes, as
people may have put the cause right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from streams.catalogue import ColumnValue, lookup
from streams.flows.conditions import columns_wanted, holds
from streams.flows.fitting import fitted
from streams.flows.shape import AnyRow, Decision, Note, NoteKind, Reason, View
from streams.flows.upkeep import open_reading, read, reading
from streams.messages.commands import AnyCommand, SetRecordColumns
from streams.messages.facts import ColumnsWanted, EventsWanted, Fact, WorkspaceWanted
from streams.rules import Expression, RecordRule
from tables.flow_steps import Step
from tables.keys import RecordRef, command_id, digest
from tables.neighbours import Interest

#: So often is a column that others overwrite set right again, before we leave it to people.
REPAIR_LIMIT = 5


class Plan:
    """Collects what one rule wants for one record."""

    def __init__(self, view: View, rule: str) -> None:
        self.view = view
        self.rule = rule
        self._commands: list[AnyCommand] = []
        self._facts: list[Fact] = []
        self._reasons: list[Reason] = []
        self._notes: list[Note] = []
        self._wake_ms: int | None = None

    def decision(self, own: AnyRow | None = None) -> Decision:
        reasons = tuple(dict.fromkeys(self._reasons))
        if not reasons and not self._commands:
            reasons = (Reason.ALL_TRUE,)
        commands, facts = tuple(self._commands), tuple(self._facts)
        return Decision(commands, facts, own, reasons, self._wake_ms, tuple(self._notes))

    def wake_at(self, at_ms: int) -> None:
        """Want to decide again at this time (Unix ms); the earliest counts, the past never."""
        if at_ms > self.view.now_ms:
            self._wake_ms = at_ms if self._wake_ms is None else min(at_ms, self._wake_ms)

    def note(self, kind: NoteKind, words: str) -> None:
        """Tell people of something that has just come to be."""
        self._notes.append(Note(kind, self.rule, words))

    def tell(self, fact: Fact) -> None:
        """Tell another record."""
        self._facts.append(fact)

    def because(self, reason: Reason) -> None:
        self._reasons.append(reason)

    def meets(self, condition: Expression, variables: Mapping[str, Any]) -> bool:
        """Whether the record meets a condition; says why not.

        A column that was never heard of is not empty: the record is read when that may be why.
        """
        met = holds(condition, variables)
        if not met and not self.view.knows(condition.columns()):
            self.read_record()
        elif met is None:
            self.because(Reason.CONDITION_UNDECIDED)
        elif not met:
            self.because(Reason.CONDITION_FALSE)
        return met is True

    def absence(self) -> Reason:
        """Why a record that is not alive is not: never heard of, or deleted."""
        return Reason.RECORD_DELETED if self.view.row.known else Reason.RECORD_UNKNOWN

    def want(
        self,
        step: str,
        desired: Any,
        command: Callable[..., AnyCommand],
        *,
        in_parts: bool = False,
        news_ms: int = 0,
    ) -> None:
        """Want ``desired`` (JSON-like) to be true; ``command`` makes it so.

        ``in_parts``: it takes several calls, so one that was refused may have undone what was true.
        ``news_ms``: what was refused before this moment (Unix ms) is worth a try.
        """
        self._want(step, digest(desired), command, in_parts=in_parts, news_ms=news_ms)

    def _want(
        self,
        step: str,
        desired: str,
        command: Callable[..., AnyCommand],
        *,
        in_parts: bool = False,
        news_ms: int = 0,
    ) -> None:
        state = self._step(step)
        undone = in_parts and state.refusal is not None
        if state.confirmed == desired and not undone:
            return
        refused_ms = state.refusal.at_ms if state.refusal else 0
        retries = self.view.retries or news_ms > refused_ms
        if state.is_refused(desired) and not retries:
            self.because(Reason.STEP_REFUSED)
            return
        open_ = state.asked == desired and not state.is_refused(desired)
        if open_ and not self.view.repeats:
            self.because(Reason.WAITING_FOR_OUTCOME)
            return
        self._commands.append(
            command(
                id=command_id(self.rule, self.view.record, step, desired),
                rule=self.rule,
                record=self.view.record,
                step=step,
                desired=desired,
                caused_at_ms=self.view.at_ms,
            )
        )

    def want_columns(self, step: str, columns: Mapping[str, ColumnValue]) -> None:
        """Want these values in the record's columns, and again when somebody overwrites them."""
        if not columns:
            return
        columns = fitted(self.view.table, columns)
        desired = digest(columns)
        state = self._step(step)
        if (state.confirmed or "").partition("@")[0] == desired:
            drift = self._drift(state, columns)
            if drift is None:
                return
            if state.repairs >= REPAIR_LIMIT:
                self.because(Reason.WRITE_CONTESTED)
                return
            desired = f"{desired}@{drift}"
        self._want(step, desired, lambda **common: SetRecordColumns(columns=columns, **common))

    def _drift(self, state: Step, columns: Mapping[str, ColumnValue]) -> str | None:
        """The stamp at which somebody overwrote what we wrote, None when nobody did."""
        cells = self.view.row.cells
        foreign = [
            cell.stamp
            for column, value in columns.items()
            if (cell := cells.get(column)) is not None
            and cell.value != value
            and cell.stamp.at_ms >= state.confirmed_ms
        ]
        return "-".join(map(str, max(foreign))) if foreign else None

    def read_record(self) -> bool:
        """Want the record read, because what is known of it is not enough; whoever else wants it
        too, and whatever for: one reading tells all. False when no more is to be had of it."""
        self.because(Reason.WAITING_FOR_COLUMNS)
        view = self.view
        step = reading(view.steps)
        wanted = read(view.record, [view.row.newest, "incomplete"], view.at_ms)
        if open_reading(view.steps) is not None:
            self.because(Reason.WAITING_FOR_OUTCOME)
            return True
        if step.is_refused(wanted.desired) and not view.retries:
            self.because(Reason.STEP_REFUSED)
            return False
        if step.confirmed == wanted.desired:
            return False
        self._commands += [] if wanted in self._commands else [wanted]
        return True

    def columns_of(
        self, about: RecordRef, columns: tuple[str, ...]
    ) -> Mapping[str, ColumnValue] | None:
        """Columns of another record; asks for them and answers None while they are not known."""
        known = self.view.neighbours.columns.get(about.key)
        if known is not None and all(column in known.columns for column in columns):
            return known.columns
        self._facts.append(ColumnsWanted(record=about, wanted_by=self.view.record, columns=columns))
        return None

    def look_up(self, rule: RecordRule) -> bool:
        """Ask for what the rule's conditions read of other records; True when all of it is known.

        See ``RecordRule.lookups``. Each of these records tells us again when it changes.
        """
        complete = True
        for alias, column in rule.lookups.items():
            other = lookup(self.view.row.value(column))
            table = self.view.catalogue.tables.get(other.table) if other else None
            if other is None or table is None:
                continue
            wanted = columns_wanted(rule, alias, table)
            if wanted and self.columns_of(other, wanted) is None:
                self.because(Reason.WAITING_FOR_RELATED_RECORD)
                complete = False
        return complete

    def workspace_of(self, about: RecordRef, rule: str | None = None) -> int | None:
        """Another record's workspace; asks for it and answers None while it is not known.

        ``rule``: the one of this rule; else the one that stands for the record. A record that is
        gone has none; it tells us by itself should it come back.
        """
        known = self.view.neighbours.workspace(about.key, rule)
        if known is None and not self.view.neighbours.has_no_workspace(about.key, rule):
            wanted = WorkspaceWanted(record=about, wanted_by=self.view.record, rule=rule)
            self._facts.append(wanted)
        return known

    def events_of(self, about: RecordRef, interest: Interest) -> bool:
        """Hear of what happens in another record's workspace; True once that was answered."""
        if self.view.neighbours.hears(about.key, self.rule, interest):
            return True
        wanted = EventsWanted(
            record=about, wanted_by=self.view.record, rule=self.rule, interest=interest
        )
        self._facts.append(wanted)
        return False

    def _step(self, step: str) -> Step:
        return self.view.steps.get(self.rule, step)
