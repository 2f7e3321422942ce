"""Evidence and approvals: what events reported, in whichever order they came."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tables import approvals, evidence
from tables.approvals import ApprovalsRow, Workflow, WorkflowEvent
from tables.documents import DocumentRef
from tables.evidence import EvidenceRow, Item, ItemEvent, ItemStatus
from tables.keys import RecordRef
from tables.wakes import WakesRow, parse_timer, timer_key

LAW = settings(max_examples=60, deadline=None)
RULE = "vendor-file"
VENDOR = RecordRef("account", "00000000-0000-0000-0000-000000000001")


def item(*told: tuple[str, int], **attributes: str | int | bool | None) -> Item:
    """A document after events, each told as kind and time."""
    after = Item()
    for kind, at_ms in told:
        event = ItemEvent(at_ms=at_ms, event_id=f"{kind}-{at_ms}", attributes=attributes)
        after = after.reported(kind, event)
    return after


class TestEvidence:
    @pytest.mark.parametrize(
        ("told", "status", "since_ms"),
        [
            ([], ItemStatus.ADDED, 0),
            ([("added", 1)], ItemStatus.ADDED, 1),
            ([("added", 1), ("approved", 2)], ItemStatus.APPROVED, 2),
            ([("added", 1), ("rejected", 2)], ItemStatus.REJECTED, 2),
            ([("approved", 2), ("expired", 3)], ItemStatus.EXPIRED, 3),
            ([("approved", 2), ("version_added", 3)], ItemStatus.ADDED, 3),
            ([("approved", 2), ("renamed", 3), ("changed", 4)], ItemStatus.APPROVED, 2),
            ([("approved", 2), ("deleted", 3)], ItemStatus.REMOVED, 3),
            ([("deleted", 3), ("added", 4)], ItemStatus.ADDED, 4),
            # It left for another workspace and came back: as it was, or never seen before.
            ([("approved", 2), ("deleted", 3), ("moved", 4)], ItemStatus.APPROVED, 2),
            ([("added", 1), ("deleted", 3), ("moved", 4)], ItemStatus.ADDED, 1),
            ([("deleted", 3), ("moved", 4)], ItemStatus.ADDED, 0),
            ([("approved", 2), ("moved", 3), ("deleted", 4)], ItemStatus.REMOVED, 4),
            ([("approved", 2), ("moved", 3), ("deleted", 3)], ItemStatus.REMOVED, 3),
            # Within one moment the later step of a document's life counts.
            ([("approved", 2), ("added", 2)], ItemStatus.APPROVED, 2),
        ],
    )
    def test_the_status_is_that_of_the_newest_event_that_gives_one(
        self, told: list[tuple[str, int]], status: ItemStatus, since_ms: int
    ) -> None:
        found = item(*told)
        assert (found.status, found.since_ms) == (status, since_ms)

    def test_who_decided_and_what_the_newest_event_says(self) -> None:
        document = DocumentRef(id=7, version=2, name="Certificate.pdf")
        events = [
            ("added", ItemEvent(at_ms=1, actor="ann", attributes={"expires_on": "2027-01-01"})),
            ("changed", ItemEvent(at_ms=3, attributes={"expires_on": None}, document=document)),
            ("approved", ItemEvent(at_ms=2, actor="bob", attributes={"comment": "seen"})),
        ]
        found = Item()
        for kind, event in events:
            found = found.reported(kind, event)
        assert (found.actor, found.document) == ("bob", document)
        assert (found.attribute("comment"), found.attribute("expires_on")) == ("seen", None)
        assert found.attribute("never_told") is None
        assert (Item().actor, Item().document) == (None, None)

    def test_documents_are_kept_by_the_rule_of_their_workspace(self) -> None:
        row = EvidenceRow()
        for rule, number in ((RULE, 7), (RULE, 8), ("other", 9)):
            row = row.reported(rule, number, "added", ItemEvent(at_ms=1, event_id="e"))
        assert sorted(row.of(RULE)) == [7, 8]
        assert sorted(row.of("vendor")) == []
        assert row.reported(RULE, 7, "added", ItemEvent(at_ms=1, event_id="e")) is row

    @LAW
    @given(
        told=st.lists(
            st.tuples(st.sampled_from([7, 8]), st.sampled_from(evidence.KINDS), st.integers(0, 3)),
            max_size=8,
        ),
        seed=st.integers(0, 2**32),
    )
    def test_any_order_and_repetition_ends_in_the_same_row(
        self, told: list[tuple[int, str, int]], seed: int
    ) -> None:
        def row(events: Sequence[tuple[int, str, int]]) -> EvidenceRow:
            after = EvidenceRow()
            for number, kind, at_ms in events:
                event = ItemEvent(at_ms=at_ms, event_id=f"{number}{kind}{at_ms}")
                after = after.reported(RULE, number, kind, event)
            return after

        assert row(_shuffled(told, seed)) == row(told)

    def test_what_a_newer_event_of_its_kind_does_not_repeat_is_not_forgotten(self) -> None:
        """A workflow's approval approves its attachments too, and says nothing of their type."""
        told = {"document_type": "Certificate", "expires_on": "2027-01-01"}
        first = ItemEvent(at_ms=1, event_id="a", attributes=told)
        again = ItemEvent(at_ms=2, event_id="b", attributes={"expires_on": "2028-01-01"})
        for events in ((first, again), (again, first), (first, again, first)):
            found = Item()
            for event in events:
                found = found.reported("approved", event)
            assert found.attribute("document_type") == "Certificate"
            assert found.attribute("expires_on") == "2028-01-01"
            assert found.since_ms == 2

    @LAW
    @given(
        told=st.lists(
            st.tuples(
                st.sampled_from(("added", "changed", "approved")),
                st.integers(0, 4),
                st.dictionaries(st.sampled_from("ab"), st.integers(0, 3)),
            ),
            max_size=8,
            unique_by=lambda one: one[:2],
        ),
        seed=st.integers(0, 2**32),
    )
    def test_of_each_attribute_the_newest_word_counts_in_any_order(
        self, told: list[tuple[str, int, dict[str, int]]], seed: int
    ) -> None:
        def after(events: Sequence[tuple[str, int, dict[str, int]]]) -> Item:
            found = Item()
            for kind, at_ms, attributes in events:
                event = ItemEvent(at_ms=at_ms, event_id=f"{at_ms}", attributes=attributes)
                found = found.reported(kind, event)
            return found

        found = after(told)
        assert after(_shuffled(told, seed)) == found
        # Two who heard a part each know together what one knows who heard all.
        here = seed % (len(told) + 1)
        assert after(told[:here]).merged(after(told[here:])) == found
        assert after(told[here:]).merged(after(told[:here])) == found
        for name in "ab":
            words = [
                (at_ms, evidence.KINDS.index(kind), said[name])
                for kind, at_ms, said in told
                if name in said
            ]
            assert found.attribute(name) == (max(words)[2] if words else None)


class TestApprovals:
    @pytest.mark.parametrize(
        ("told", "state"),
        [
            ([], "started"),
            ([("started", 1)], "started"),
            ([("started", 1), ("step", 2)], "step"),
            ([("step", 2), ("approved", 3)], "approved"),
            ([("step", 2), ("rejected", 3)], "rejected"),
            ([("stopped", 3)], "stopped"),
            # An end is an end, also when a step's event carries a later time.
            ([("approved", 3), ("step", 4)], "approved"),
            ([("stopped", 3), ("approved", 3)], "approved"),
            # What was decided stays so, though somebody puts the workflow away afterwards.
            ([("approved", 3), ("stopped", 4)], "approved"),
            ([("rejected", 3), ("stopped", 4)], "rejected"),
            ([("stopped", 3), ("approved", 4)], "approved"),
            # A map may send it back and ask once more: the last word counts.
            ([("rejected", 3), ("approved", 4)], "approved"),
        ],
    )
    def test_the_state_of_a_workflow(self, told: list[tuple[str, int]], state: str) -> None:
        workflow = Workflow()
        for kind, at_ms in told:
            workflow = workflow.reported(kind, WorkflowEvent(at_ms=at_ms, event_id=kind))
        assert workflow.state == state
        assert workflow.newest == (workflow.events[state] if told else None)

    def test_a_round_has_its_workflow_and_runs_until_it_ended(self) -> None:
        row = ApprovalsRow().started(RULE, "r1", 5).started(RULE, "r2", 6).started("other", "r1", 7)
        assert row.started(RULE, "r1", 5) is row
        assert (row.workflow_of(RULE, "r1"), row.workflow_of(RULE, "r3")) == (5, None)
        assert row.running(RULE) == {"r1": 5, "r2": 6}
        ended = row.reported(RULE, 5, "stopped", WorkflowEvent(at_ms=1))
        assert ended.running(RULE) == {"r2": 6}
        assert ended.workflow(RULE, 5).state == "stopped"

    @LAW
    @given(
        told=st.lists(
            st.tuples(st.sampled_from([5, 6]), st.sampled_from(approvals.KINDS), st.integers(0, 3)),
            max_size=8,
        ),
        seed=st.integers(0, 2**32),
    )
    def test_any_order_and_repetition_ends_in_the_same_row(
        self, told: list[tuple[int, str, int]], seed: int
    ) -> None:
        def row(events: Sequence[tuple[int, str, int]]) -> ApprovalsRow:
            after = ApprovalsRow()
            for number, kind, at_ms in events:
                event = WorkflowEvent(at_ms=at_ms, event_id=f"{number}{kind}{at_ms}")
                after = after.reported(RULE, number, kind, event)
            return after

        assert row(_shuffled(told, seed)) == row(told)


def _shuffled(told: list[Any], seed: int) -> list[Any]:
    chance = random.Random(seed)
    shuffled = [*told, *(chance.choices(told, k=3) if told else [])]
    chance.shuffle(shuffled)
    return shuffled


class TestTimers:
    def test_a_timer_is_read_back(self) -> None:
        assert parse_timer(timer_key(1_700_000_000_000, VENDOR)) == (1_700_000_000_000, VENDOR)

    @given(times=st.lists(st.integers(0, 10**15)))
    def test_timers_sort_by_time(self, times: list[int]) -> None:
        keys = sorted(timer_key(at_ms, VENDOR) for at_ms in times)
        assert [parse_timer(key)[0] for key in keys] == sorted(times)

    def test_a_row_without_a_time_waits_for_nothing(self) -> None:
        assert WakesRow.from_bytes(None).at_ms is None
