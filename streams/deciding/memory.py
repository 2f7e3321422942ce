"""The rows of one key, read and written as one: what decide knows of a record."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

from streams.deciding.shelves import Rows, TableShelf
from streams.flows.registry import FLOWS
from streams.flows.shape import AnyRow, Flow, View
from streams.rules import RuleBook
from tables.approvals import ApprovalsRow
from tables.askers import AskersRow, ListenersRow
from tables.echoes import EchoesRow
from tables.evidence import EvidenceRow
from tables.flow_steps import StepsRow
from tables.keys import RecordRef
from tables.neighbours import NeighboursRow
from tables.parts import PartedRow
from tables.pasts import PastRow
from tables.records import RecordRow
from tables.rows import Row
from tables.stages import StagesRow
from tables.wakes import WakesRow, timer_key
from tables.workspace_links import LinksRow

RECORDS = "records"
WORKSPACE_LINKS = "workspace_links"
FLOW_STEPS = "flow_steps"
NEIGHBOURS = "neighbours"
ASKERS = "askers"
LISTENERS = "listeners"
STAGES = "stages"
ECHOES = "echoes"
EVIDENCE = "evidence"
APPROVALS = "approvals"
PASTS = "pasts"
WAKES = "wakes"
TIMERS = "timers"
WORKSPACE_OWNERS = "workspace_owners"
ALIASES = "aliases"

_OWN_TABLES = tuple(flow.own_table for flow in FLOWS if flow.own_table)
#: Every table that decide writes; nobody else writes any of them.
DECIDE_TABLES = (
    RECORDS,
    WORKSPACE_LINKS,
    FLOW_STEPS,
    NEIGHBOURS,
    ASKERS,
    LISTENERS,
    STAGES,
    ECHOES,
    EVIDENCE,
    APPROVALS,
    PASTS,
    WAKES,
    TIMERS,
    WORKSPACE_OWNERS,
    ALIASES,
    *_OWN_TABLES,
)


@dataclass(frozen=True, slots=True)
class Memory:
    """All rows of a record. ``own`` holds the flows' own rows by flow name."""

    row: RecordRow = field(default_factory=RecordRow)
    links: LinksRow = field(default_factory=LinksRow)
    steps: StepsRow = field(default_factory=StepsRow)
    neighbours: NeighboursRow = field(default_factory=NeighboursRow)
    askers: AskersRow = field(default_factory=AskersRow)
    listeners: ListenersRow = field(default_factory=ListenersRow)
    stages: StagesRow = field(default_factory=StagesRow)
    echoes: EchoesRow = field(default_factory=EchoesRow)
    evidence: EvidenceRow = field(default_factory=EvidenceRow)
    approvals: ApprovalsRow = field(default_factory=ApprovalsRow)
    past: PastRow = field(default_factory=PastRow)
    wakes: WakesRow = field(default_factory=WakesRow)
    own: dict[str, AnyRow] = field(default_factory=dict)

    @classmethod
    def load(cls, rows: Rows, record: RecordRef) -> Self:
        key = record.key
        own = {
            flow.name: _loaded(flow.own_row, rows, flow.own_table, key)
            for flow in FLOWS
            if flow.own_table
        }
        neighbours = NeighboursRow.from_bytes(rows.get(NEIGHBOURS, key))
        askers = AskersRow.load(TableShelf(rows, ASKERS, key))
        listeners = ListenersRow.load(TableShelf(rows, LISTENERS, key))
        return cls(
            row=RecordRow.from_bytes(rows.get(RECORDS, key)),
            links=LinksRow.from_bytes(rows.get(WORKSPACE_LINKS, key)),
            steps=StepsRow.from_bytes(rows.get(FLOW_STEPS, key)),
            neighbours=neighbours,
            askers=askers.moved_in(neighbours),
            listeners=listeners.moved_in(neighbours.listeners),
            stages=StagesRow.from_bytes(rows.get(STAGES, key)),
            echoes=EchoesRow.from_bytes(rows.get(ECHOES, key)),
            evidence=EvidenceRow.load(TableShelf(rows, EVIDENCE, key)),
            approvals=ApprovalsRow.load(TableShelf(rows, APPROVALS, key)),
            past=PastRow.from_bytes(rows.get(PASTS, key)),
            wakes=WakesRow.from_bytes(rows.get(WAKES, key)),
            own=own,
        )

    def save(self, rows: Rows, record: RecordRef, before: Memory) -> None:
        """Write the rows that differ from ``before``, or none when one cannot be written."""
        moved = self.with_(neighbours=self.neighbours.without_askers())
        after_tables, before_tables = moved._whole(), before._whole()
        changed = {
            table: row.to_bytes()
            for table, row in after_tables.items()
            if row is not before_tables.get(table) and row != before_tables.get(table)
        }
        pending = {table: row.pending() for table, row in moved._parted().items()}
        for table, value in changed.items():
            rows.put(table, record.key, value)
        for table, parts in pending.items():
            TableShelf(rows, table, record.key).save(parts)
        if WAKES in changed:
            _move_timer(rows, record, before.wakes.at_ms, self.wakes.at_ms)

    def view(
        self,
        record: RecordRef,
        flow: Flow,
        book: RuleBook,
        *,
        at_ms: int,
        now_ms: int,
        repeats: bool,
        retries: bool = False,
    ) -> View:
        """What a flow sees of the record (``streams.flows.shape.View``)."""
        return View(
            record=record,
            row=self.row,
            links=self.links,
            steps=self.steps,
            neighbours=self.neighbours,
            stages=self.stages,
            evidence=self.evidence,
            approvals=self.approvals,
            past=self.past,
            own=self.own_row(flow),
            catalogue=book.catalogue,
            members=book.members,
            at_ms=at_ms,
            now_ms=now_ms,
            repeats=repeats,
            retries=retries,
        )

    def own_row(self, flow: Flow) -> AnyRow:
        return self.own.get(flow.name) or flow.own_row()

    def with_own(self, flow: Flow, row: AnyRow) -> Memory:
        return replace(self, own={**self.own, flow.name: row})

    def with_(self, **changes: Any) -> Memory:
        """Return the memory with these rows changed."""
        return replace(self, **changes)

    def _whole(self) -> dict[str, Row]:
        """The rows that are stored whole."""
        return {
            RECORDS: self.row,
            WORKSPACE_LINKS: self.links,
            FLOW_STEPS: self.steps,
            NEIGHBOURS: self.neighbours,
            STAGES: self.stages,
            ECHOES: self.echoes,
            PASTS: self.past,
            WAKES: self.wakes,
            **{table: row for table, row in self._own_rows().items() if isinstance(row, Row)},
        }

    def _parted(self) -> dict[str, PartedRow[Any]]:
        """The rows that are stored in parts."""
        own = self._own_rows().items()
        return {
            ASKERS: self.askers,
            LISTENERS: self.listeners,
            EVIDENCE: self.evidence,
            APPROVALS: self.approvals,
            **{table: row for table, row in own if isinstance(row, PartedRow)},
        }

    def _own_rows(self) -> dict[str, AnyRow]:
        return {flow.own_table: self.own_row(flow) for flow in FLOWS if flow.own_table}


def _loaded(kind: type[AnyRow], rows: Rows, table: str, key: str) -> AnyRow:
    if issubclass(kind, PartedRow):
        return kind.load(TableShelf(rows, table, key))
    return kind.from_bytes(rows.get(table, key))


def _move_timer(rows: Rows, record: RecordRef, before: int | None, after: int | None) -> None:
    if before is not None:
        rows.delete(TIMERS, timer_key(before, record))
    if after is not None:
        rows.put(TIMERS, timer_key(after, record), b"{}")
