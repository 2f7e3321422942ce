"""A milestone's documents: which are its own, and what its deliverables come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streams.catalogue import ColumnValue
from streams.flows.moments import as_column
from streams.flows.shape import View
from streams.rules import MilestoneRule
from tables.evidence import DOCUMENT_TYPE, Item, ItemStatus
from tables.keys import RecordRef

#: The attribute of a document's event that says in which folder it is.
FOLDER = "folder_id"
#: Nobody has decided about documents of these statuses.
_UNDECIDED = frozenset({ItemStatus.ADDED, ItemStatus.EXPIRED})


def columns(view: View, name: str, rule: MilestoneRule) -> dict[str | None, ColumnValue]:
    """What the milestone shows of its documents; the link opens the newest that counts most."""
    documents = _own(view, name, rule)
    handed_in = _of_kinds(documents, rule.deliverable_types)
    requests = _of_kinds(documents, rule.change_request_types)
    approved = [item for item in handed_in if item.status is ItemStatus.APPROVED]
    status = deliverable_status(handed_in)
    done_ms = max((i.since_ms for i in approved), default=None) if status == "approved" else None
    newest = max(approved or handed_in, key=_order, default=None)
    document = newest.document if newest else None
    shown = rule.write_back
    return {
        shown.status: rule.statuses.get(status, status),
        shown.deliverables: len(handed_in),
        shown.approved: len(approved),
        shown.approved_on: as_column(view, shown.approved_on or "", done_ms),
        shown.change_requests: len(requests),
        shown.open_change_requests: sum(item.status in _UNDECIDED for item in requests),
        shown.document_id: str(document.id) if document else None,
        shown.document_name: document.name if document else None,
        shown.document_url: document.url if document else None,
    }


def deliverable_status(deliverables: Iterable[Item]) -> str:
    """One of ``streams.rules.project.DELIVERABLE_STATUSES``."""
    found = {item.status for item in deliverables}
    if not found:
        return "awaited"
    if ItemStatus.REJECTED in found:
        return "rejected"
    return "approved" if found == {ItemStatus.APPROVED} else "in_review"


def milestone_named(attributes: Mapping[str, ColumnValue], rule: MilestoneRule) -> RecordRef | None:
    """The milestone that an event names, by its row id or as ``table:row id``."""
    told = attributes.get(rule.named_by)
    if not isinstance(told, str):
        return None
    table, _, row_id = told.rpartition(":")
    try:
        named = RecordRef.of(table or rule.table, row_id)
    except ValueError:
        return None
    return named if named.table == rule.table else None


def folder_in(attributes: Mapping[str, ColumnValue]) -> int | None:
    """The folder that an event says the document is in."""
    told = attributes.get(FOLDER)
    if isinstance(told, str) and told.isascii() and told.isdigit():
        return int(told)
    return told if isinstance(told, int) and not isinstance(told, bool) else None


def _own(view: View, name: str, rule: MilestoneRule) -> list[Item]:
    """The documents that are the milestone's now: the newest name counts, else the folder."""
    folders = {folder.folder_id for folder in view.links.folders_of(name).values()}
    found = []
    for item in view.evidence.of(name).values():
        told = {key: item.attribute(key) for key in (rule.named_by, FOLDER)}
        named = milestone_named(told, rule)
        own = named == view.record if named else folder_in(told) in folders
        if own and item.status is not ItemStatus.REMOVED:
            found.append(item)
    return found


def _of_kinds(documents: Iterable[Item], kinds: Iterable[str]) -> list[Item]:
    wanted = {kind.casefold() for kind in kinds}
    return [
        item for item in documents if str(item.attribute(DOCUMENT_TYPE) or "").casefold() in wanted
    ]


def _order(item: Item) -> tuple[int, int]:
    return item.since_ms, item.document.id if item.document else 0
