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
        return _told(row, row.owned(cause.record.key, cause.rule))
    after = _learnt(cause, row, book)
    if after.record is None:
        return Owned(after.holding(cause.event_id, cause.model_dump_json()), held=True)
    return _told(row, after, cause)


def _learnt(event: EcmEvent, row: OwnerRow, book: RuleBook) -> OwnerRow:
    """An event that also names its business object tells the owner itself."""
    named = event.business_object
    if row.record is not None or event.record is None or named is None:
        return row
    rule = book.rule_for_business_object(named.external_system, named.type)
    return row.owned(event.record.key, rule) if rule else row


def _told(before: OwnerRow, after: OwnerRow, event: EcmEvent | None = None) -> Owned:
    """Tell the owner of the event, and of all that waited, if it is only known now."""
    assert after.record is not None and after.rule is not None
    record, rule = RecordRef.parse(after.record), after.rule
    waited = [FACTS.validate_json(text) for _, text in after.held] if before != after else []
    events = {one.event_id: one for one in (*waited, event) if isinstance(one, EcmEvent)}
    told = (
        WorkspaceEvent(record=record, rule=rule, event=one) for _, one in sorted(events.items())
    )
    return Owned(after.released() if waited else after, tuple(told))
