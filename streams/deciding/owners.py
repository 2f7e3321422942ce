"""ECM events by workspace: sent on to the record that owns it, or held until it is known (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from streams.messages.facts import FACTS, EcmEvent, WorkspaceEvent, WorkspaceOwned
from streams.rules import RuleBook
from tables.keys import RecordRef
from tables.workspace_owners import OwnerRow


@dataclass(frozen=True, slots=True)
class Owned:
    """The workspace's row afterwards, and the events that its owner is told."""

    row: OwnerRow
    told: tuple[WorkspaceEvent, ...] = ()
    held: bool = False


def decide_owner(cause: EcmEvent | WorkspaceOwned, row: OwnerRow, book: RuleBook) -> Owned:
    """Learn who owns the workspace, and send on what concerns the owner.

    An event is sent on as often as it comes; the record keeps what it has heard before.
    """
    if isinstance(cause, WorkspaceOwned):
        after = row.owned(cause.record.key, cause.rule)
        return Owned(after.released(), _release(after))
    after = _learnt(cause, row, book).holding(cause.event_id, cause.model_dump_json())
    if after.record is None:
        return Owned(after, held=True)
    return Owned(after.released(), _release(after))


def _learnt(event: EcmEvent, row: OwnerRow, book: RuleBook) -> OwnerRow:
    """An event that also names its business object tells the owner itself."""
    named = event.business_object
    if row.record is not None or event.record is None or named is None:
        return row
    rule = book.rule_for_business_object(named.external_system, named.type)
    return row.owned(event.record.key, rule) if rule else row


def _release(row: OwnerRow) -> tuple[WorkspaceEvent, ...]:
    assert row.record is not None and row.rule is not None
    record = RecordRef.parse(row.record)
    told = []
    for _, text in sorted(row.held.items()):
        event = FACTS.validate_json(text)
        assert isinstance(event, EcmEvent)
        told.append(WorkspaceEvent(record=record, rule=row.rule, event=event))
    return tuple(told)
