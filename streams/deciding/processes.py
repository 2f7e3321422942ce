"""Business process rows: which record each guides, and what that record is told of it (pure).

A stage change is an update of the process row, not of the record (reference/dataverse.md 3.3).
"""

from __future__ import annotations

from collections.abc import Iterable

from streams.catalogue import lookup
from streams.messages.facts import StageChanged
from streams.rules import ProcessRule, RuleBook
from tables.keys import RecordRef
from tables.records import RecordRow


def is_partial(book: RuleBook, record: RecordRef, row: RecordRow) -> bool:
    """True for a process row of which we have not seen yet which record it guides, or where to."""
    rule = _rule(book, record)
    if rule is None or not row.alive:
        return False
    return not {rule.record_column, rule.stage_column} <= row.cells.keys()


def moves(
    book: RuleBook, record: RecordRef, before: RecordRow, after: RecordRow
) -> Iterable[StageChanged]:
    """A process row tells the record that it guides; the one it left hears of that too.

    A stage that was not seen yet is not told: it would say that the process is gone.
    """
    rule = _rule(book, record)
    newest = after.newest
    if rule is None or newest is None:
        return
    if after.alive and rule.stage_column not in after.cells:
        return
    guided, left = lookup(after.value(rule.record_column)), lookup(before.value(rule.record_column))
    stage = lookup(after.value(rule.stage_column)) if after.alive else None
    for target, now in ((guided, stage), (left if left != guided else None, None)):
        if target is not None:
            yield StageChanged(
                record=target,
                process=record,
                stage=now,
                at_ms=newest.at_ms,
                version=newest.version,
                sequence=newest.sequence,
            )


def _rule(book: RuleBook, record: RecordRef) -> ProcessRule | None:
    return next((rule for rule in book.processes if rule.table == record.table), None)
