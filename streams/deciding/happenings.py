"""What has happened, kept for every flow alike: events of documents and workflows, the past (pure).

The kind of a document and of what an event says of it come as attributes (``document_type``,
``expires_on``, ``workflow_id``, ``comment``), see ``streams.formats.ecm_events``.
"""

from __future__ import annotations

from collections.abc import Mapping

from streams.catalogue import ColumnValue
from streams.deciding.memory import Memory
from streams.messages.facts import DocumentTold, EcmEvent, EventsKnown, WorkspaceEvent
from streams.rules import RuleBook
from tables import approvals, evidence
from tables.documents import DocumentRef
from tables.keys import RecordRef
from tables.pasts import PastRow
from tables.records import Stamp

#: The kinds that rows keep, by the event's name.
_ITEM_KINDS = {f"document.{kind}": kind for kind in evidence.KINDS} | {
    "attribute.changed": "changed"
}
_WORKFLOW_KINDS = {f"workflow.{kind}": kind for kind in approvals.KINDS}


def remembered(memory: Memory, told: WorkspaceEvent | DocumentTold | EventsKnown) -> Memory:
    """Return the memory after an event of a workspace; most events leave it as it is."""
    if isinstance(told, EventsKnown):
        return _heard(memory, told)
    if isinstance(told, DocumentTold):
        row = memory.evidence.told(told.rule, told.document_id, told.item)
        return memory if row is memory.evidence else memory.with_(evidence=row)
    event = told.event
    if event.event in _ITEM_KINDS and event.document is not None:
        return _item(memory, told.rule, event, event.document.id)
    if event.event in _WORKFLOW_KINDS:
        return _workflow(memory, told.rule, event)
    return memory


def _heard(memory: Memory, told: EventsKnown) -> Memory:
    """What happened in another record's workspace, kept under the rule that asked for it."""
    evidence_row, approvals_row = memory.evidence, memory.approvals
    for number, item in told.documents.items():
        evidence_row = evidence_row.told(told.rule, number, item)
    for number, workflow in told.workflows.items():
        approvals_row = approvals_row.told(told.rule, number, workflow)
    neighbours = memory.neighbours
    if told.interest is not None:
        neighbours = neighbours.heard(told.about.key, told.rule, told.interest)
    after = memory.with_(evidence=evidence_row, approvals=approvals_row, neighbours=neighbours)
    return memory if after == memory else after


def with_past(
    book: RuleBook,
    record: RecordRef,
    past: PastRow,
    stamp: Stamp,
    columns: Mapping[str, ColumnValue],
    *,
    removed: bool = False,
) -> PastRow:
    """What was so before, of the columns whose past some rule looks at, with one event more."""
    watched = book.watched(record.table)
    after = past.seen(stamp, {c: v for c, v in columns.items() if c in watched})
    return after.removed(stamp) if removed and watched else after


def _item(memory: Memory, rule: str, event: EcmEvent, document_id: int) -> Memory:
    happened = evidence.ItemEvent(
        at_ms=event.at_ms,
        event_id=event.event_id,
        actor=event.actor,
        document=_document(event),
        attributes=event.attributes,
    )
    kind = _ITEM_KINDS[event.event]
    row = memory.evidence.reported(rule, document_id, kind, happened)
    return memory.with_(evidence=row)


def _workflow(memory: Memory, rule: str, event: EcmEvent) -> Memory:
    number = workflow_id(event)
    if number is None:
        return memory
    happened = approvals.WorkflowEvent(
        at_ms=event.at_ms,
        event_id=event.event_id,
        actor=event.actor,
        document=_document(event),
        attributes=event.attributes,
    )
    kind = _WORKFLOW_KINDS[event.event]
    return memory.with_(approvals=memory.approvals.reported(rule, number, kind, happened))


def workflow_id(event: EcmEvent) -> int | None:
    """Which workflow the event is about, None when it does not say."""
    told = event.attributes.get("workflow_id")
    if isinstance(told, str) and told.isascii() and told.isdigit():
        return int(told)
    return told if isinstance(told, int) and not isinstance(told, bool) else None


def _document(event: EcmEvent) -> DocumentRef | None:
    told = event.document
    return DocumentRef(**told.model_dump()) if told else None
