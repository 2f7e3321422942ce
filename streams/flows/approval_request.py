"""Flow 8, approval_request: a discount, other terms or a special price are decided in a workflow.

A request is a record of its own. While the rule's ``requested`` is true, a workflow of Extended ECM
runs in the workspace of the record that it is about, with notes and attachments; whoever decides it
there is shown on the request. What approvers are told (title, notes, attributes, the attachments'
column, the record that it is about) is the round: when any of it changes, the workflow stops and
another one starts. Each time that it is asked for counts by itself.

| the request is                   | the workflow                      | the request shows         |
|----------------------------------|-----------------------------------|---------------------------|
| not asked for, and never was     | none                              | nothing                   |
| asked for, no workspace yet      | waits for it                      | pending                   |
| asked for                        | one runs                          | pending                   |
| changed                          | stopped; another one runs         | pending                   |
| approved, rejected               | has ended                         | that, by whom, when, with |
|                                  |                                   | what words, the documents |
| stopped by somebody              | has ended                         | stopped, by whom, when    |
| asked for with what cannot be    | could not be started              | failed, and why           |
|  (a document that is not there)  |                                   |                           |
| not decided in time              | goes on; people are told          | overdue, since when       |
| withdrawn before it was decided  | stopped                           | withdrawn                 |
| withdrawn after it was decided   | has ended                         | the decision              |
| asked for once more              | another one runs                  | pending                   |
| deleted                          | stopped                           | -                         |
| restored                         | another one runs                  | pending                   |

Attachments are what is known when the workflow starts: a document that is filed later does not
start it again. An outcome counts for the round of its own workflow and for no other, and for a
withdrawn request only if it came before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from streams.catalogue import ColumnValue, lookup
from streams.flows import approving, moments
from streams.flows.approving import PENDING, Outcome
from streams.flows.conditions import as_of, context, holds
from streams.flows.past import Key, runs
from streams.flows.plan import Plan
from streams.flows.shape import Cause, Decision, Flow, NoteKind, Reason, View
from streams.rules import ApprovalRequestRule
from tables.evidence import DOCUMENT_TYPE, Item, ItemStatus
from tables.keys import RecordRef, digest
from tables.neighbours import Interest
from tables.records import Stamp
from tables.requests import RequestsRow

Variables = Mapping[str, Any]

_NUMBER = re.compile(r"\d+")
#: What people decided; withdrawing the request afterwards does not undo it.
_DECIDED = ("approved", "rejected")


@dataclass(frozen=True, slots=True)
class Request:
    """One round: about which record, since when, and until when; None while it is asked for."""

    round: str
    about: RecordRef | None
    since: Stamp
    until: Stamp | None = None

    def overdue_ms(self, rule: ApprovalRequestRule) -> int | None:
        """When it becomes overdue (Unix ms), None when it never does."""
        return self.since.at_ms + rule.escalation.after if rule.escalation else None


def decide(cause: Cause, view: View, rule: ApprovalRequestRule) -> Decision:
    """Compare what the rule wants for the request with what is confirmed (see the table above)."""
    assert isinstance(view.own, RequestsRow)
    plan = Plan(view, rule.name)
    known = plan.look_up(rule)
    variables = context(view, rule)
    request = newest_request(view, rule, variables)
    running = request if request and request.until is None else None
    approving.want_none_but(plan, running.round if running else None)
    heard = _listen(plan, rule, request) if request else False
    if running is None:
        plan.because(Reason.NOT_REQUESTED if view.row.alive else plan.absence())
    elif known and view.knows(rule.watched()):
        _want_workflow(plan, rule, variables, running, heard=heard)
    outcome = _outcome(view, rule, request) if request else None
    own = _watch_time(plan, rule, view.own, request, outcome)
    if view.row.alive:
        if not view.knows(rule.watched()):
            plan.read_record()
        plan.want_columns("columns", request_columns(view, rule, request, outcome))
    return plan.decision(own=own)


def newest_request(view: View, rule: ApprovalRequestRule, variables: Variables) -> Request | None:
    """The newest round, whether it is still asked for or not; None when there was none."""
    abouts: dict[Key, RecordRef | None] = {}

    def key(columns: Mapping[str, ColumnValue]) -> Key:
        content = _content(view, rule, variables, columns)
        abouts[content] = lookup(columns.get(rule.about.column))
        return content

    found: Request | None = None
    for run in runs(view, key):
        if run.key is not None:
            round_ = digest(["request", run.key, run.number])
            found = Request(round_, abouts[run.key], run.since)
        elif found is not None and found.until is None:
            found = replace(found, until=run.since)
    return found


def _content(
    view: View,
    rule: ApprovalRequestRule,
    variables: Variables,
    columns: Mapping[str, ColumnValue],
) -> Key:
    """What was asked for with these columns; None when nothing was."""
    if not holds(rule.requested, as_of(view, variables, columns)):
        return None
    return digest([[column, columns.get(column)] for column in sorted(rule.content())])


def _want_workflow(
    plan: Plan,
    rule: ApprovalRequestRule,
    variables: Variables,
    request: Request,
    *,
    heard: bool,
) -> None:
    """Want the workflow of this round in the workspace of the record that it is about."""
    view = plan.view
    if request.about is None or request.about.table not in view.catalogue.tables:
        plan.because(Reason.NO_RELATED_RECORD)
        return
    workspace_id = plan.workspace_of(request.about, rule.about.to)
    if workspace_id is None:
        plan.because(Reason.WAITING_FOR_RELATED_WORKSPACE)
        return
    if not heard and view.approvals.workflow_of(rule.name, request.round) is None:
        plan.because(Reason.WAITING_FOR_DOCUMENTS)
        return
    asked = approving.asked(view, rule.approval, variables, workspace_id, request.round)
    attached = tuple(attachments(view, rule))
    documents = tuple(number for number, _ in attached)
    news_ms = max((item.since_ms for _, item in attached if item), default=0)
    approving.want_workflow(plan, replace(asked, documents=documents, news_ms=news_ms))


def _listen(plan: Plan, rule: ApprovalRequestRule, request: Request) -> bool:
    """Hear of documents and of our workflows there; True once all of that is known."""
    started = plan.view.approvals.all_started(rule.name)
    named, types = _named(plan.view, rule), tuple(sorted(rule.attachments.types))
    interest = Interest(
        of=rule.about.to,
        documents=bool(types or named),
        types=types,
        named=named,
        workflows=started,
    )
    if not interest.documents and not started:
        return True
    if request.about is None or request.about.table not in plan.view.catalogue.tables:
        return False
    return plan.events_of(request.about, interest)


def attachments(view: View, rule: ApprovalRequestRule) -> Iterator[tuple[int, Item | None]]:
    """The documents that belong to the request, each with what is known of it."""
    filed, types = view.evidence.of(rule.name), rule.attachments.types
    typed = [
        number
        for number, item in filed.items()
        if item.attribute(DOCUMENT_TYPE) in types and item.status is not ItemStatus.REMOVED
    ]
    for number in dict.fromkeys([*_named(view, rule), *typed]):
        yield number, filed.get(number)


def _named(view: View, rule: ApprovalRequestRule) -> tuple[int, ...]:
    """The documents that the request itself names, by id."""
    column = rule.attachments.column
    told = str(view.row.value(column) or "") if column else ""
    return tuple(dict.fromkeys(int(number) for number in _NUMBER.findall(told)))


def _outcome(view: View, rule: ApprovalRequestRule, request: Request) -> Outcome:
    """What became of the request so far."""
    outcome = approving.outcome_of(view, rule.name, request.round)
    if request.until is not None:
        # Dataverse keeps the time of a change in whole seconds: within that one nobody knows which
        # came first, and a decision that people have made is not theirs to lose.
        second = request.until.at_ms // 1000
        in_time = outcome.at_ms is not None and outcome.at_ms // 1000 <= second
        return outcome if outcome.decision in _DECIDED and in_time else Outcome("withdrawn")
    due_ms = request.overdue_ms(rule)
    if outcome == PENDING and due_ms is not None and view.now_ms >= due_ms:
        return Outcome("overdue")
    return outcome


def _watch_time(
    plan: Plan,
    rule: ApprovalRequestRule,
    own: RequestsRow,
    request: Request | None,
    outcome: Outcome | None,
) -> RequestsRow:
    """Look again when the request becomes overdue, and tell people once when it is."""
    due_ms = request.overdue_ms(rule) if request else None
    if request is None or outcome is None or due_ms is None:
        return own
    if outcome == PENDING:
        plan.wake_at(due_ms)
    after = own.told(rule.name, request.round) if outcome.decision == "overdue" else own
    if after is not own:
        plan.note(NoteKind.APPROVAL_OVERDUE, f"nobody decided {plan.view.record} in time")
    return after


def request_columns(
    view: View, rule: ApprovalRequestRule, request: Request | None, outcome: Outcome | None
) -> dict[str, ColumnValue]:
    """What the request shows; nothing before it was asked for."""
    if request is None or outcome is None:
        return {}
    columns = rule.write_back
    ended = outcome.decision in _DECIDED
    document = _decided_document(view, rule, request) if ended else None
    links = [item.document.url for _, item in attachments(view, rule) if item and item.document]
    escalated_ms = _escalated_ms(rule, request, outcome)
    shown: dict[str | None, ColumnValue] = {
        columns.document_id: str(document.id) if document else None,
        columns.document_url: (document.url or None) if document else None,
        columns.documents: ("\n".join(filter(None, links)) or None) if ended else None,
        columns.escalated_on: moments.as_column(view, columns.escalated_on or "", escalated_ms),
    }
    extra = {column: value for column, value in shown.items() if column}
    return approving.outcome_columns(view, columns, rule.approval, outcome) | extra


def _decided_document(view: View, rule: ApprovalRequestRule, request: Request) -> Any:
    """The document that the deciding event is about."""
    number = view.approvals.workflow_of(rule.name, request.round)
    newest = view.approvals.workflow(rule.name, number).newest if number is not None else None
    return newest.document if newest else None


def _escalated_ms(rule: ApprovalRequestRule, request: Request, outcome: Outcome) -> int | None:
    """When it became overdue, if it was before it came to its end."""
    due_ms = request.overdue_ms(rule)
    if due_ms is None or outcome == PENDING:
        return None
    ended_ms = request.until.at_ms if outcome.decision == "withdrawn" and request.until else None
    ended_ms = outcome.at_ms if ended_ms is None else ended_ms
    return due_ms if ended_ms is None or ended_ms >= due_ms else None


FLOW = Flow(
    "approval_request",
    lambda book: book.of(ApprovalRequestRule),
    decide,
    own_table="requests",
    own_row=RequestsRow,
)
