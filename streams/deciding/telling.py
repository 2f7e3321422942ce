"""What records tell each other: workspaces, columns, events, to those who asked; folders (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from streams.catalogue import ColumnValue
from streams.deciding.memory import Memory
from streams.deciding.reading import was_absent
from streams.messages.facts import (
    ColumnsKnown,
    EventsKnown,
    EventsWanted,
    FolderOwned,
    WorkspaceEvent,
    WorkspaceKnown,
)
from streams.rules import RuleBook
from tables.evidence import DOCUMENT_TYPE, Item
from tables.keys import RecordRef
from tables.neighbours import Interest, NeighboursRow
from tables.parts import PartedRow
from tables.rows import Row

P = TypeVar("P", bound=Row)

#: So many documents go into one message.
_TOLD_AT_ONCE = 200


def answers_with_workspace(
    book: RuleBook, record: RecordRef, memory: Memory, asking: Iterable[tuple[str, str | None]]
) -> Iterable[WorkspaceKnown]:
    """Tell each asking record (key and rule) this one's workspace, once it has one or never will.

    A record that is gone gets none any more; whoever waited for one would keep what it had before.
    """
    homes = (memory.links.get(name) for name in book.homes(record.table))
    home = next((link for link in homes if link), None)
    gone = was_absent(memory) or (memory.row.known and not memory.row.alive)
    for key, rule in asking:
        link = memory.links.get(rule) if rule else home
        if link is not None or gone:
            yield WorkspaceKnown(
                record=RecordRef.parse(key),
                about=record,
                workspace_id=link.workspace_id if link else None,
                rule=rule,
            )


def answers_with_columns(
    record: RecordRef, memory: Memory, asking: Mapping[str, Iterable[str]]
) -> Iterable[ColumnsKnown]:
    """Tell each asking record the columns it asked for, once all of them are known.

    A part of the answer would be asked for again at once, and answered in part again.
    """
    newest = memory.row.newest
    for key, wanted in asking.items():
        if newest is not None and all(column in memory.row.cells for column in wanted):
            told = {column: memory.row.value(column) for column in wanted}
            yield _columns_known(key, record, told, newest.at_ms)


def news_for_askers(
    record: RecordRef, memory: Memory, changed: frozenset[str]
) -> Iterable[ColumnsKnown]:
    """Tell those who asked for columns that have changed."""
    return answers_with_columns(record, memory, memory.askers.for_columns(changed))


def news_of_removal(book: RuleBook, record: RecordRef, memory: Memory) -> Iterable[WorkspaceKnown]:
    """The record is gone: whoever asks for its workspace hears whether it left one."""
    return answers_with_workspace(book, record, memory, memory.askers.for_workspace())


def news_of_absence(
    book: RuleBook, record: RecordRef, memory: Memory
) -> Iterable[ColumnsKnown | WorkspaceKnown]:
    """The record is not there: it has no workspace, and columns that nobody knows yet are empty."""
    yield from news_of_removal(book, record, memory)
    newest = memory.row.newest
    for key, wanted in memory.askers.for_columns().items():
        told = {column: memory.row.value(column) for column in wanted}
        yield _columns_known(key, record, told, newest.at_ms if newest else 0)


def answers_with_events(
    book: RuleBook, wanted: EventsWanted, memory: Memory
) -> Iterator[EventsKnown]:
    """Tell a listener all that is known of what it asked for; that may be nothing yet.

    Many documents are told in several messages, so that none is too large; the last says that this
    is all.
    """
    of, interest = _listened_to(book, wanted.record, wanted.interest), wanted.interest
    documents = [
        (number, item)
        for rule in of
        for number, item in (memory.evidence.of(rule) if interest.documents else {}).items()
        if _concerns(interest, number, item)
    ]
    workflows = {
        number: workflow
        for rule in of
        for number in interest.workflows
        if (workflow := memory.approvals.get(f"{rule}/{number}"))
    }
    for start in range(0, max(1, len(documents)), _TOLD_AT_ONCE):
        rest = documents[start + _TOLD_AT_ONCE :]
        yield EventsKnown(
            record=wanted.wanted_by,
            about=wanted.record,
            rule=wanted.rule,
            interest=None if rest else interest,
            documents=dict(documents[start : start + _TOLD_AT_ONCE]),
            workflows={} if rest else workflows,
        )


def news_for_listeners(
    book: RuleBook, told: WorkspaceEvent, before: Memory, after: Memory
) -> Iterable[EventsKnown]:
    """Tell those who listen of the document or workflow that something happened to."""
    documents = _news(told.rule, before.evidence, after.evidence)
    workflows = _news(told.rule, before.approvals, after.approvals)
    if not documents and not workflows:
        return
    for key, rule, interest in after.listeners.all():
        # A document that has just become one of another type is heard of once more.
        heard = {
            number: now
            for number, (was, now) in documents.items()
            if _concerns(interest, number, now) or (was and _concerns(interest, number, was))
        }
        seen = {number: now for number, (_, now) in workflows.items()}
        seen = {number: now for number, now in seen.items() if number in interest.workflows}
        if (heard or seen) and told.rule in _listened_to(book, told.record, interest):
            yield EventsKnown(
                record=RecordRef.parse(key),
                about=told.record,
                rule=rule,
                documents=heard,
                workflows=seen,
            )


def _news(rule: str, before: PartedRow[P], after: PartedRow[P]) -> dict[int, tuple[P | None, P]]:
    """What has changed in the workspace of a rule, by id: as it was before, and as it is."""
    start = f"{rule}/"
    changed = {name: part for name, part in after.changed.items() if name.startswith(start)}
    return {
        int(name.removeprefix(start)): (before.get(name), part)
        for name, part in changed.items()
        if part is not None and part is not before.changed.get(name)
    }


def _concerns(interest: Interest, number: int, item: Item) -> bool:
    """Whether a listener wants to hear of the document."""
    if not interest.documents:
        return False
    if not interest.types and not interest.named:
        return True
    return number in interest.named or item.attribute(DOCUMENT_TYPE) in interest.types


def _listened_to(book: RuleBook, record: RecordRef, interest: Interest) -> tuple[str, ...]:
    """The rules in whose workspaces of the record the listener is interested."""
    return (interest.of,) if interest.of else book.homes(record.table)


def learnt(
    cause: WorkspaceKnown | ColumnsKnown | FolderOwned, known: NeighboursRow
) -> NeighboursRow:
    """What a record knows of others after one of them has told it."""
    match cause:
        case WorkspaceKnown():
            return known.workspace_known(cause.about.key, cause.workspace_id, cause.rule)
        case ColumnsKnown():
            return known.columns_known(cause.about.key, cause.columns, cause.at_ms)
        case FolderOwned():
            return known.folder_owned(cause.rule, cause.folder_id, cause.owner.key)


def _columns_known(
    to: str, about: RecordRef, columns: Mapping[str, ColumnValue], at_ms: int
) -> ColumnsKnown:
    return ColumnsKnown(record=RecordRef.parse(to), about=about, columns=columns, at_ms=at_ms)
