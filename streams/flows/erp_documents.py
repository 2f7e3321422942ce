"""Flow 4, erp_documents: a sales order, purchase order, invoice or credit memo has a workspace.

Its attributes follow number, amount and status; it is related to the workspace of its customer or
vendor, and to those of the order or invoice that it points to (either may exist first, and each
sees the other). The documents that people file in it come back as links where the rule names
columns for them.

| the transaction is        | its workspace                           | retention      | shows     |
|---------------------------|-----------------------------------------|----------------|-----------|
| alive, ``when`` not true  | is not made; one that exists follows    | classified     | link and  |
| alive, ``when`` true      | exists, state Active; follows; related  | classified     | documents |
| ``closed``                | state Closed; follows                   | from that day  | the same  |
| ``paid``                  | state Paid; follows                     | from that day  | the same  |
| ``cancelled``             | state Cancelled; follows                | from that day  | the same  |
| reopened                  | as alive                                | open again     | the same  |
| deleted, workspace exists | state Deleted; is marked, never removed | stays as it is | -         |
| deleted before it had one | is not made                             | -              | -         |

Of several conditions that hold, cancelled comes before paid, and paid before closed.

| the documents are          | it shows                                                            |
|----------------------------|---------------------------------------------------------------------|
| none, and there never were | nothing of them                                                     |
| filed                      | how many; the newest with its link and when it was filed; a line    |
|                            | with name and link for each of the newest                           |
| renamed, of a new version  | the new name and link                                               |
| removed, or of other types | nothing of those                                                    |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from streams.catalogue import ColumnValue
from streams.flows import retention, workspaces
from streams.flows.conditions import as_of, context, holds
from streams.flows.moments import as_column
from streams.flows.plan import Plan
from streams.flows.shape import Cause, Decision, Flow, View
from streams.flows.workspaces import Wanted
from streams.rules import TransactionRule
from tables.evidence import DOCUMENT_TYPE, Item, ItemStatus
from tables.workspace_links import Link


class TransactionState(StrEnum):
    """The transaction's state as its workspace shows it."""

    ACTIVE = "Active"
    CLOSED = "Closed"
    PAID = "Paid"
    CANCELLED = "Cancelled"
    DELETED = "Deleted"


#: These end a transaction: from then on its documents are kept for their time.
_ENDED = (TransactionState.CLOSED, TransactionState.PAID, TransactionState.CANCELLED)


def decide(cause: Cause, view: View, rule: TransactionRule) -> Decision:
    """Compare what the rule wants for the transaction with what is confirmed."""
    plan = Plan(view, rule.name)
    plan.look_up(rule)
    variables = context(view, rule)
    state = transaction_state(view, rule, variables)
    wanted = Wanted(state.value, columns=document_columns(view, rule))
    link = workspaces.keep(plan, rule, variables, wanted, lambda: plan.meets(rule.when, variables))
    if link is not None:
        _want_kept(plan, rule, link, variables, state)
    return plan.decision()


def transaction_state(
    view: View, rule: TransactionRule, variables: Mapping[str, Any]
) -> TransactionState:
    return _end(rule, variables) if view.row.alive else TransactionState.DELETED


def _end(rule: TransactionRule, variables: Mapping[str, Any]) -> TransactionState:
    """How the transaction has ended; Active while it has not."""
    if holds(rule.cancelled, variables):
        return TransactionState.CANCELLED
    if holds(rule.paid, variables):
        return TransactionState.PAID
    return TransactionState.CLOSED if holds(rule.closed, variables) else TransactionState.ACTIVE


def _want_kept(
    plan: Plan,
    rule: TransactionRule,
    link: Link,
    variables: Mapping[str, Any],
    state: TransactionState,
) -> None:
    """Want the classification, and the day from which the documents are kept once it has ended."""
    # Until it is known how it has ended the documents are kept as they were.
    if rule.retention is None or not plan.view.knows(rule.asked):
        return
    starts_on = None
    if state in _ENDED:
        starts_on = retention.first_day(
            plan.view,
            rule.retention,
            lambda columns: _end(rule, as_of(plan.view, variables, columns)) in _ENDED,
        )
    retention.want_kept(plan, rule.retention, link, starts_on)


def document_columns(view: View, rule: TransactionRule) -> dict[str, ColumnValue]:
    """What the transaction shows of its documents; nothing before the first."""
    filed = view.evidence.of(rule.name)
    if not filed:
        return {}
    documents = _newest_first(filed.values(), rule)
    newest = documents[0] if documents else None
    document = newest.document if newest else None
    columns = rule.write_back
    shown: dict[str | None, ColumnValue] = {
        columns.documents: len(documents),
        columns.document_links: _lines(documents[: rule.documents.newest]),
        columns.document_id: str(document.id) if document else None,
        columns.document_name: document.name if document else None,
        columns.document_url: document.url if document else None,
        columns.filed_on: as_column(view, columns.filed_on or "", _filed_ms(newest)),
    }
    return {column: value for column, value in shown.items() if column}


def _newest_first(filed: Iterable[Item], rule: TransactionRule) -> list[Item]:
    """The documents in the workspace that come back to the record, the last filed one first."""
    kinds = {kind.casefold() for kind in rule.documents.types}
    found = [
        item
        for item in filed
        if item.status is not ItemStatus.REMOVED
        and (not kinds or str(item.attribute(DOCUMENT_TYPE) or "").casefold() in kinds)
    ]
    return sorted(found, key=_order, reverse=True)


def _order(item: Item) -> tuple[int, int]:
    return _filed_ms(item) or 0, item.document.id if item.document else 0


def _filed_ms(item: Item | None) -> int | None:
    """When the document was filed: its first version that we heard of (Unix ms)."""
    if item is None:
        return None
    filed = item.events.get("added") or min(item.events.values(), key=lambda event: event.at_ms)
    return filed.at_ms


def _lines(documents: list[Item]) -> str | None:
    """A line with name and link for each."""
    told = [item.document for item in documents if item.document]
    lines = [f"{document.name or document.id}: {document.url}" for document in told]
    return "\n".join(lines) or None


FLOW = Flow("erp_documents", lambda book: book.of(TransactionRule), decide)
