"""Changes by alias: sent on to the record that the alias stands for, or held until it is known.

Rows of finance and operations are named by their natural keys; a source that tells of one by its
own guid alone is understood here (app/decisions/0005). Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from streams.deciding.memory import Memory
from streams.messages.facts import FACTS, AliasKnown, Operation, RecordChange
from tables.aliases import AliasRow
from tables.keys import RecordRef
from tables.records import Stamp

#: So many changes wait for a record's name, one by one.
MOST_HELD = 100


@dataclass(frozen=True, slots=True)
class Aliased:
    """The alias's row afterwards, and the changes that the record is told."""

    row: AliasRow
    told: tuple[RecordChange, ...] = ()
    held: bool = False


def decide_alias(cause: AliasKnown | RecordChange, row: AliasRow) -> Aliased:
    """Learn which record the alias stands for, and send on what concerns it.

    A change is sent on as often as it comes: the record knows what it has heard before.
    """
    if isinstance(cause, AliasKnown):
        return _known(cause, row)
    after = row.holding(_place(cause), cause.model_dump_json())
    if after.record is None:
        return Aliased(_bounded(after), held=True)
    return Aliased(after.released(), _release(after))


def _place(change: RecordChange) -> str:
    origin = change.origin
    return f"{origin.topic}/{origin.partition}/{origin.offset}"


def _bounded(row: AliasRow) -> AliasRow:
    """Of too many changes that wait only the newest is kept: it has the row read, which has all."""
    if len(row.held) <= MOST_HELD:
        return row
    newest = max(_held(row), key=lambda change: (change.at_ms, change.sequence))
    kept = newest
    if newest.operation is not Operation.DELETE:
        kept = newest.model_copy(update={"columns": {}, "thin": True})
    return row.holding_only(_place(kept), kept.model_dump_json())


def _held(row: AliasRow) -> list[RecordChange]:
    changes = [FACTS.validate_json(text) for _, text in sorted(row.held.items())]
    return [change for change in changes if isinstance(change, RecordChange)]


def introduced(memory: Memory, change: RecordChange) -> tuple[Memory, tuple[AliasKnown, ...]]:
    """Tell the source's own guid which record it stands for: once, until the record is deleted."""
    alias = change.alias
    if alias is None or alias in memory.row.aliases:
        return memory, ()
    told = AliasKnown(
        record=RecordRef(change.record.table, alias),
        about=change.record,
        at_ms=change.at_ms,
        version=change.version,
        sequence=change.sequence,
        origin=change.origin,
    )
    return memory.with_(row=memory.row.known_as(alias)), (told,)


def _known(cause: AliasKnown, row: AliasRow) -> Aliased:
    version = -1 if cause.version is None else cause.version
    after = row.stands_for(cause.about.key, Stamp(cause.at_ms, version, cause.sequence))
    moved = row.record is not None and row.record != after.record
    gone = (_gone(RecordRef.parse(row.record), cause),) if moved and row.record else ()
    return Aliased(after.released(), (*gone, *_release(after)))


def _gone(before: RecordRef, cause: AliasKnown) -> RecordChange:
    """The row's key was renamed: the record that it was is no more."""
    return RecordChange(
        record=before,
        operation=Operation.DELETE,
        at_ms=cause.at_ms,
        version=cause.version,
        sequence=cause.sequence,
        origin=cause.origin,
    )


def _release(row: AliasRow) -> tuple[RecordChange, ...]:
    assert row.record is not None
    record = RecordRef.parse(row.record)
    return tuple(change.model_copy(update={"record": record}) for change in _held(row))
