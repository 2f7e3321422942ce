"""What records tell each other: workspaces and columns, to those who asked, and folders (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streams.catalogue import ColumnValue
from streams.memory import Memory
from streams.messages.facts import ColumnsKnown, FolderOwned, WorkspaceKnown
from streams.rules import RuleBook
from tables.keys import RecordRef
from tables.neighbours import NeighboursRow


def answers_with_workspace(
    book: RuleBook, record: RecordRef, memory: Memory, asking: Iterable[tuple[str, str | None]]
) -> Iterable[WorkspaceKnown]:
    """Tell each asking record (key and rule) this one's workspace, once it has one."""
    homes = (memory.links.get(name) for name in book.homes(record.table))
    home = next((link for link in homes if link), None)
    for key, rule in asking:
        link = memory.links.get(rule) if rule else home
        if link is not None:
            yield WorkspaceKnown(
                record=RecordRef.parse(key),
                about=record,
                workspace_id=link.workspace_id,
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


def news_of_absence(record: RecordRef, memory: Memory) -> Iterable[ColumnsKnown]:
    """The record is not there: what those who wait for its columns do not know yet is empty."""
    newest = memory.row.newest
    for key, wanted in memory.neighbours.columns_wanted_by.items():
        told = {column: memory.row.value(column) for column in wanted}
        yield _columns_known(key, record, told, newest.at_ms if newest else 0)


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
