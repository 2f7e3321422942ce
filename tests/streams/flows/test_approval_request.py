"""Flow 8 on its own: each row of its state table, attachments, time, and the rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from streams.catalogue import ColumnValue
from streams.flows import approval_request
from streams.flows.conditions import context
from streams.flows.shape import Decision, NoteKind, View
from streams.messages.commands import StartWorkflow
from streams.rules import ApprovalRequestRule, Expression
from streams.rules.approval_request import AttachmentsPart, RequestColumns
from tables.approvals import WorkflowEvent
from tables.documents import DocumentRef
from tables.evidence import ItemEvent
from tables.flow_steps import Refusal
from tables.neighbours import Interest, NeighboursRow
from tables.records import Stamp
from tables.requests import RequestsRow
from tests.streams.flows.views import CAUSE, DEAL, also, asked, confirmed, only, told, view, why
from tests.streams.request_rules import REQUEST_RULE
from tests.streams.samples import START_MS, ref

REQUEST = ref("new_request", 31)
Columns = Mapping[str, ColumnValue]
ASKED: Columns = {
    "new_name": "Pumps",
    "new_opportunityid": DEAL.key,
    "new_percent": "10",
    "new_reason": "They have: another offer",
    "new_files": None,
    "new_submitted": True,
}
DRAFT: Columns = {**ASKED, "new_submitted": False}
HOME = 60
DAY_MS = 86_400_000
START, SHOW = "start_workflow workflow", "set_record_columns columns"
DOCUMENTS = Interest(of="opportunity-workspace", documents=True, types=("Quote",))
KNOWN = (
    NeighboursRow()
    .workspace_known(DEAL.key, HOME, "opportunity-workspace")
    .heard(DEAL.key, REQUEST_RULE.name, DOCUMENTS)
)


def seen(columns: Columns, *, neighbours: NeighboursRow = KNOWN, **given: Any) -> View:
    """A request at the start, its past known; the workspace of what it is about as well."""
    before = replace(view(REQUEST, columns, neighbours=neighbours, **given), own=RequestsRow())
    before = listening(before) if neighbours is KNOWN else before
    return remembering(before, 0, columns)


def listening(before: View) -> View:
    """The view after the other record has answered what is asked of its documents now."""
    files = str(before.row.value("new_files") or "")
    named = tuple(dict.fromkeys(int(number) for number in re.findall(r"\d+", files)))
    started = before.approvals.all_started(REQUEST_RULE.name)
    interest = DOCUMENTS.model_copy(update={"named": named, "workflows": started})
    neighbours = before.neighbours.heard(DEAL.key, REQUEST_RULE.name, interest)
    return replace(before, neighbours=neighbours)


def remembering(before: View, second: int, columns: Columns) -> View:
    watched = {c: v for c, v in columns.items() if c in REQUEST_RULE.watched()}
    return replace(before, past=before.past.seen(Stamp(START_MS + second * 1000), watched))


def then(before: View, second: int, **columns: ColumnValue) -> View:
    """The view after a change of the request."""
    after = also(before, second, **columns)
    after = listening(after) if "new_files" in columns else after
    return remembering(after, second, columns)


def gone(before: View, second: int) -> View:
    """The view after the request was deleted."""
    stamp = Stamp(START_MS + second * 1000)
    return replace(before, row=before.row.removed(stamp), past=before.past.removed(stamp))


def decided(seen: View, rule: ApprovalRequestRule = REQUEST_RULE) -> Decision:
    return approval_request.decide(CAUSE, seen, rule)


def running(before: View, workflow_id: int) -> tuple[View, StartWorkflow]:
    """The view after the workflow that is wanted was started under this number."""
    decision = decided(before)
    start: StartWorkflow = only(decision, "workflow")
    approvals = before.approvals.started(REQUEST_RULE.name, start.round, workflow_id)
    after = listening(replace(before, approvals=approvals))
    return confirmed(after, decision.commands), start


def newest(before: View) -> str:
    """The round of the newest request."""
    variables = context(before, REQUEST_RULE)
    request = approval_request.newest_request(before, REQUEST_RULE, variables)
    assert request is not None
    return request.round


def heard(
    before: View, workflow_id: int, kind: str, second: int = 60, document: DocumentRef | None = None
) -> View:
    """The view after an event of a workflow was told by the record that it is about."""
    event = WorkflowEvent(
        at_ms=START_MS + second * 1000,
        event_id=f"{kind}-{second}",
        actor="hal.head",
        document=document,
        attributes={"comment": "Go ahead"},
    )
    approvals = before.approvals.reported(REQUEST_RULE.name, workflow_id, kind, event)
    return replace(before, approvals=approvals)


def filed(before: View, number: int, kind: str, event: str = "added") -> View:
    """The view after a document in the workspace was reported."""
    item = ItemEvent(
        at_ms=START_MS + number + (event == "deleted"),
        event_id=f"{event}-{number}",
        document=DocumentRef(id=number, version=1, url=f"https://d/{number}"),
        attributes={"document_type": kind},
    )
    evidence = before.evidence.reported(REQUEST_RULE.name, number, event, item)
    return replace(before, evidence=evidence)


def at(before: View, days: float) -> View:
    return replace(before, now_ms=START_MS + int(days * DAY_MS))


def shown(decision: Decision) -> dict[str, ColumnValue]:
    columns: dict[str, ColumnValue] = dict(only(decision, "columns").columns)
    return {name.removeprefix("new_"): value for name, value in columns.items()}


class TestTheStateTable:
    """One case per row of the table in the flow's docstring."""

    def test_not_asked_for(self) -> None:
        decision = decided(seen(DRAFT))
        assert (asked(decision), why(decision)) == ([], ["not_requested"])

    def test_asked_for_without_a_workspace_yet(self) -> None:
        decision = decided(seen(ASKED, neighbours=NeighboursRow()))
        assert asked(decision) == [SHOW]
        assert shown(decision)["status"] == 1
        assert f"workspace_wanted {DEAL.key}" in told(decision)
        assert why(decision) == ["waiting_for_related_workspace"]

    def test_asked_for(self) -> None:
        decision = decided(seen(ASKED))
        assert asked(decision) == [START, SHOW]
        start: StartWorkflow = only(decision, "workflow")
        assert (start.workspace_id, start.workflow_map) == (HOME, "Discount Approval")
        assert start.title == "Discount of 10 % for Pumps"
        assert start.comment == "They have: another offer"
        assert start.attributes == {"Amount": "10"}
        assert shown(decision)["status"] == 1

    def test_changed(self) -> None:
        before, first = running(seen(ASKED), 801)
        decision = decided(then(before, 90, new_percent="15"))
        assert asked(decision) == ["stop_workflow stop/801", START]
        second: StartWorkflow = only(decision, "workflow")
        assert second.title == "Discount of 15 % for Pumps"
        assert (second.round, second.id) != (first.round, first.id)

    def test_changed_and_changed_back_is_a_request_of_its_own(self) -> None:
        before, first = running(seen(ASKED), 801)
        again = then(then(before, 90, new_percent="15"), 120, new_percent="10")
        start: StartWorkflow = only(decided(again), "workflow")
        assert start.round != first.round

    @pytest.mark.parametrize(("kind", "word"), [("approved", 2), ("rejected", 3)])
    def test_decided(self, kind: str, word: int) -> None:
        before, _ = running(seen(ASKED), 801)
        document = DocumentRef(id=77, version=2, url="https://d/77")
        assert shown(decided(heard(before, 801, kind, document=document))) == {
            "status": word,
            "approver": "hal.head",
            "decidedon": "2023-11-14T22:14:20Z",
            "comment": "Go ahead",
            "escalatedon": None,
            "fileid": "77",
            "fileurl": "https://d/77",
            "links": None,
        }

    def test_stopped_by_somebody(self) -> None:
        before, _ = running(seen(ASKED), 801)
        columns = shown(decided(heard(before, 801, "stopped")))
        assert (columns["status"], columns["approver"]) == (4, "hal.head")

    def test_asked_for_with_what_cannot_be(self) -> None:
        before = seen({**ASKED, "new_files": "999"})
        start: StartWorkflow = only(decided(before), "workflow")
        refusal = Refusal(desired=start.desired, code="not_found", message="no document 999")
        refused = replace(before, steps=before.steps.refused(start.rule, start.step, refusal))
        decision = decided(refused)
        assert asked(decision) == [SHOW]
        columns = shown(decision)
        assert (columns["status"], columns["comment"]) == (7, "no document 999")
        again = then(refused, 90, new_files="71")
        assert asked(decided(again)) == [START, SHOW]
        assert shown(decided(again))["status"] == 1

    def test_not_decided_in_time(self) -> None:
        before, _ = running(seen(ASKED), 801)
        assert decided(before).wake_ms == START_MS + 2 * DAY_MS
        decision = decided(at(before, 2))
        assert asked(decision) == [SHOW]
        columns = shown(decision)
        assert (columns["status"], columns["escalatedon"]) == (5, "2023-11-16")
        assert [note.kind for note in decision.notes] == [NoteKind.APPROVAL_OVERDUE]

    def test_withdrawn_before_it_was_decided(self) -> None:
        before, _ = running(seen(ASKED), 801)
        decision = decided(then(before, 90, new_submitted=False))
        assert asked(decision) == ["stop_workflow stop/801", SHOW]
        assert shown(decision)["status"] == 6
        stopped = heard(then(before, 90, new_submitted=False), 801, "stopped", 95)
        assert shown(decided(stopped))["status"] == 6

    def test_withdrawn_after_it_was_decided(self) -> None:
        before, _ = running(seen(ASKED), 801)
        before = heard(before, 801, "approved", 60)
        assert shown(decided(then(before, 90, new_submitted=False)))["status"] == 2

    def test_decided_after_it_was_withdrawn(self) -> None:
        before, _ = running(seen(ASKED), 801)
        late = heard(then(before, 90, new_submitted=False), 801, "approved", 95)
        assert shown(decided(late))["status"] == 6

    @pytest.mark.parametrize(("ms", "status"), [(90_000, 2), (90_999, 2), (91_000, 6)])
    def test_within_the_second_of_its_withdrawal_a_decision_counts(
        self, ms: int, status: int
    ) -> None:
        before, _ = running(seen(ASKED), 801)
        approved = WorkflowEvent(at_ms=START_MS + ms, event_id="approved", actor="hal.head")
        withdrawn = then(before, 90, new_submitted=False)
        told = withdrawn.approvals.reported(REQUEST_RULE.name, 801, "approved", approved)
        assert shown(decided(replace(withdrawn, approvals=told)))["status"] == status

    def test_asked_for_a_hundred_times_each_is_a_request_of_its_own(self) -> None:
        """Were one taken for another, what was decided about that would be its answer."""
        seen_, rounds = seen(ASKED), []
        for second in range(90, 90 + 2 * 100, 2):
            rounds.append(newest(seen_))
            seen_ = then(seen_, second, new_submitted=False)
            seen_ = then(seen_, second + 1, new_submitted=True)
        assert len(set(rounds)) == 100

    def test_asked_for_once_more(self) -> None:
        before, first = running(seen(ASKED), 801)
        before = heard(before, 801, "rejected")
        again = then(then(before, 90, new_submitted=False), 120, new_submitted=True)
        decision = decided(again)
        start: StartWorkflow = only(decision, "workflow")
        assert start.round != first.round
        assert "stop_workflow stop/801" not in asked(decision)
        after, _ = running(again, 802)
        assert asked(decided(heard(after, 801, "approved", 500))) == []

    def test_deleted(self) -> None:
        before, _ = running(seen(ASKED), 801)
        decision = decided(gone(before, 90))
        assert (asked(decision), why(decision)) == (["stop_workflow stop/801"], ["record_deleted"])

    def test_restored(self) -> None:
        before, first = running(seen(ASKED), 801)
        back = then(gone(before, 90), 120, new_percent="10")
        start: StartWorkflow = only(decided(back), "workflow")
        assert start.round != first.round


class TestWhatComesFirst:
    """Nothing is started before all that it is to say is known; and each is heard of once."""

    def test_the_documents_of_the_workspace_are_asked_for_first(self) -> None:
        known = NeighboursRow().workspace_known(DEAL.key, HOME, "opportunity-workspace")
        decision = decided(seen(ASKED, neighbours=known))
        assert asked(decision) == [SHOW]
        assert told(decision) == [f"events_wanted {DEAL.key}"]
        assert why(decision) == ["waiting_for_documents"]

    def test_a_rule_without_attachments_asks_for_none(self) -> None:
        rule = REQUEST_RULE.model_copy(update={"attachments": AttachmentsPart()})
        known = NeighboursRow().workspace_known(DEAL.key, HOME, "opportunity-workspace")
        decision = decided(seen(ASKED, neighbours=known), rule)
        assert START in asked(decision)
        assert told(decision) == []

    def test_the_workflow_that_was_started_is_listened_to(self) -> None:
        before = seen(ASKED)
        start: StartWorkflow = only(decided(before), "workflow")
        approvals = before.approvals.started(REQUEST_RULE.name, start.round, 801)
        (wanted,) = decided(replace(before, approvals=approvals)).facts
        assert wanted.interest.workflows == (801,)  # type: ignore[union-attr]

    def test_also_when_it_was_withdrawn_meanwhile(self) -> None:
        before = seen(ASKED)
        start: StartWorkflow = only(decided(before), "workflow")
        approvals = before.approvals.started(REQUEST_RULE.name, start.round, 801)
        decision = decided(then(replace(before, approvals=approvals), 90, new_submitted=False))
        assert told(decision) == [f"events_wanted {DEAL.key}"]
        assert "stop_workflow stop/801" in asked(decision)

    def test_a_request_about_nothing_waits(self) -> None:
        decision = decided(seen({**ASKED, "new_opportunityid": None}))
        assert (asked(decision), why(decision)) == ([SHOW], ["no_related_record"])

    def test_a_request_of_which_too_little_is_known_is_read(self) -> None:
        columns = {"new_submitted": True, "new_opportunityid": DEAL.key}
        assert asked(decided(seen(columns))) == ["read_record read", SHOW]

    def test_what_was_before_may_be_heard_of_late(self) -> None:
        before, _ = running(seen(ASKED), 801)
        repeated = remembering(before, -60, ASKED)
        assert asked(decided(repeated)) == []
        parted = remembering(repeated, -30, {"new_percent": "15"})
        assert asked(decided(parted)) == ["stop_workflow stop/801", START]


class TestAttachments:
    """Documents of the column, and of a type in the workspace."""

    def documents(self, before: View) -> tuple[int, ...]:
        start: StartWorkflow = only(decided(before), "workflow")
        return start.documents

    def test_those_of_the_column_come_first(self) -> None:
        before = filed(filed(seen({**ASKED, "new_files": "72, 75"}), 71, "Quote"), 73, "Menu")
        assert self.documents(before) == (72, 75, 71)

    def test_none_twice_and_none_that_was_removed(self) -> None:
        before = filed(filed(seen({**ASKED, "new_files": "71"}), 71, "Quote"), 74, "Quote")
        assert self.documents(filed(before, 74, "Quote", "deleted")) == (71,)

    def test_one_that_is_filed_later_starts_nothing(self) -> None:
        before, _ = running(seen(ASKED), 801)
        assert asked(decided(filed(before, 71, "Quote"))) == []

    def test_another_one_in_the_column_is_another_request(self) -> None:
        before, _ = running(seen(ASKED), 801)
        decision = decided(then(before, 90, new_files="71"))
        assert asked(decision) == ["stop_workflow stop/801", START]

    def test_their_links_come_back_with_the_decision(self) -> None:
        before, _ = running(filed(seen({**ASKED, "new_files": "75"}), 71, "Quote"), 801)
        before = filed(before, 75, "Menu")
        columns = shown(decided(heard(before, 801, "approved")))
        assert columns["links"] == "https://d/75\nhttps://d/71"
        assert columns["fileid"] is None


class TestTime:
    """Overdue: counted from when it was asked for, told once, and not undone by a decision."""

    def test_people_are_told_once(self) -> None:
        before, _ = running(seen(ASKED), 801)
        first = decided(at(before, 3))
        assert first.own is not None
        assert decided(replace(at(before, 4), own=first.own)).notes == ()

    def test_another_round_has_a_time_of_its_own(self) -> None:
        before, _ = running(seen(ASKED), 801)
        after = then(before, 86_400, new_percent="15")
        decision = decided(at(after, 2.5))
        assert decision.wake_ms == START_MS + 3 * DAY_MS
        assert decision.notes == ()

    @pytest.mark.parametrize(("days", "escalated"), [(1, None), (3, "2023-11-16")])
    def test_a_decision_that_came_too_late_leaves_the_day(
        self, days: int, escalated: str | None
    ) -> None:
        before, _ = running(seen(ASKED), 801)
        late = heard(at(before, 5), 801, "approved", days * 86_400)
        columns = shown(decided(late))
        assert (columns["status"], columns["escalatedon"]) == (2, escalated)

    def test_without_escalation_nothing_is_ever_overdue(self) -> None:
        rule = REQUEST_RULE.model_copy(update={"escalation": None})
        decision = decided(at(seen(ASKED), 90), rule)
        assert decision.wake_ms is None
        assert shown(decision)["status"] == 1

    def test_it_is_overdue_without_a_workspace_too(self) -> None:
        decision = decided(at(seen(ASKED, neighbours=NeighboursRow()), 3))
        assert shown(decision)["status"] == 5


class TestTheRule:
    """What is wrong within a rule."""

    def faults(self, **changes: Any) -> list[str]:
        return [what for _, what, _ in REQUEST_RULE.model_copy(update=changes).faults()]

    def test_the_rule_itself_is_fine(self) -> None:
        assert self.faults() == []

    def test_what_approvers_decide_on(self) -> None:
        assert REQUEST_RULE.content() == {
            "new_name", "new_percent", "new_reason", "new_files", "new_opportunityid",
        }  # fmt: skip

    def test_what_is_written_must_not_withdraw_it(self) -> None:
        faults = self.faults(requested=Expression("record.new_status == 1"))
        assert faults == [
            "'new_status' is read by this rule: what is written could withdraw the request"
        ]

    def test_what_is_written_must_not_be_another_request(self) -> None:
        columns = RequestColumns(comment="new_reason")
        assert self.faults(write_back=columns) == [
            "'new_reason' is read by this rule: what is written would be another request"
        ]

    def test_columns_that_nothing_fills(self) -> None:
        assert self.faults(escalation=None, attachments=AttachmentsPart()) == [
            "'escalated_on' shows when a request became overdue, and none ever does",
            "'documents' shows the attachments, and there are none",
        ]
