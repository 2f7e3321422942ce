"""What records tell each other: workspaces, columns, events, to those who asked; folders (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
from tables.keys import RecordRef
from tables.neighbours import Interest, NeighboursRow

T = TypeVar("T")


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
    asking = {
        key: columns
        for key, columns in memory.neighbours.columns_wanted_by.items()
        if changed.intersection(columns)
    }
    return answers_with_columns(record, memory, asking)


def news_of_removal(book: RuleBook, record: RecordRef, memory: Memory) -> Iterable[WorkspaceKnown]:
    """The record is gone: whoever asks for its workspace hears whether it left one."""
    asking = memory.neighbours.asking_for_workspace()
    return answers_with_workspace(book, record, memory, asking)


def news_of_absence(
    book: RuleBook, record: RecordRef, memory: Memory
) -> Iterable[ColumnsKnown | WorkspaceKnown]:
    """The record is not there: it has no workspace, and columns that nobody knows yet are empty."""
    yield from news_of_removal(book, record, memory)
    newest = memory.row.newest
    for key, wanted in memory.neighbours.columns_wanted_by.items():
        told = {column: memory.row.value(column) for column in wanted}
        yield _columns_known(key, record, told, newest.at_ms if newest else 0)


def answer_with_events(book: RuleBook, wanted: EventsWanted, memory: Memory) -> EventsKnown:
    """Tell a listener all that is known of what it asked for; that may be nothing yet."""
    of = _listened_to(book, wanted.record, wanted.interest)
    documents = {n: i for rule in of for n, i in memory.evidence.of(rule).items()}
    workflows = {n: w for rule in of for n, w in memory.approvals.of(rule).items()}
    asked = wanted.interest.workflows
    return EventsKnown(
        record=wanted.wanted_by,
        about=wanted.record,
        rule=wanted.rule,
        interest=wanted.interest,
        documents=documents if wanted.interest.documents else {},
        workflows={number: w for number, w in workflows.items() if number in asked},
    )


def news_for_listeners(
    book: RuleBook, told: WorkspaceEvent, before: Memory, after: Memory
) -> Iterable[EventsKnown]:
    """Tell those who listen of the document or workflow that something happened to."""
    documents = _news(before.evidence.of(told.rule), after.evidence.of(told.rule))
    workflows = _news(before.approvals.of(told.rule), after.approvals.of(told.rule))
    if not documents and not workflows:
        return
    for key, rule, interest in after.neighbours.all_listeners():
        heard = documents if interest.documents else {}
        seen = {n: w for n, w in workflows.items() if n in interest.workflows}
        if (heard or seen) and told.rule in _listened_to(book, told.record, interest):
            yield EventsKnown(
                record=RecordRef.parse(key),
                about=told.record,
                rule=rule,
                at_ms=told.event.at_ms,
                documents=heard,
                workflows=seen,
            )


def _news(before: Mapping[int, T], after: Mapping[int, T]) -> dict[int, T]:
    return {number: one for number, one in after.items() if before.get(number) != one}


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
