"""Records that listen to what happens in the workspaces of others, and the past that is kept."""

from __future__ import annotations

from typing import Any

import pytest

from streams.deciding.absorb import Absorbed, Absorber
from streams.deciding.memory import Memory
from streams.deciding.skips import Skip
from streams.flows.shape import Cause
from streams.messages.facts import FACTS, Document, EventsKnown, EventsWanted, WorkspaceEvent
from streams.messages.outcomes import RecordRead
from tables.neighbours import Interest
from tables.records import Stamp
from tests.streams.rulebook import BOOK
from tests.streams.samples import START_MS, change, deleted, event, ref

DEAL, REQUEST, CASE = ref("opportunity", 3), ref("new_request", 31), ref("incident", 5)
HOME, RULE = "opportunity-workspace", "discount-approval"
KNOWN = Absorber(BOOK).absorb(change(DEAL, 0, name="Deal"), Memory()).memory


def absorbed(*causes: Cause, memory: Memory = KNOWN) -> Absorbed:
    result = Absorbed(memory)
    for cause in causes:
        result = Absorber(BOOK).absorb(cause, result.memory)
    return result


def wanted(**interest: Any) -> EventsWanted:
    return EventsWanted(
        record=DEAL, wanted_by=REQUEST, rule=RULE, interest=Interest.model_validate(interest)
    )


def happened(
    name: str, second: int, *, rule: str = HOME, number: int = 71, **attributes: Any
) -> WorkspaceEvent:
    document = Document(id=number, version=second) if name.startswith("document") else None
    told = event(name, second, record=DEAL, document=document, **attributes)
    return WorkspaceEvent(record=DEAL, rule=rule, event=told)


def news(result: Absorbed) -> list[EventsKnown]:
    return [fact for fact in result.facts if isinstance(fact, EventsKnown)]


def test_a_question_is_answered_at_once_with_nothing() -> None:
    result = absorbed(wanted(of=HOME, documents=True))
    (answer,) = news(result)
    assert answer.key == REQUEST.key
    assert (answer.rule, answer.interest) == (RULE, Interest(of=HOME, documents=True))
    assert (dict(answer.documents), dict(answer.workflows)) == ({}, {})
    assert result.cause is None, "nobody decides because somebody asked"


def test_and_with_all_that_was_heard_of_before() -> None:
    before = (
        happened("document.added", 1),
        happened("workflow.approved", 2, workflow_id=801),
        happened("workflow.approved", 3, workflow_id=802),
    )
    (answer,) = news(absorbed(*before, wanted(of=HOME, documents=True, workflows=[802])))
    assert set(answer.documents) == {71}
    assert set(answer.workflows) == {802}


def test_news_of_the_first_release_are_read() -> None:
    told = EventsKnown(record=REQUEST, about=DEAL, rule=RULE, told_ms=7)
    text = told.to_json().decode()
    before = text.replace('"told_ms":7,', '"at_ms":7,').replace('"caused_at_ms":0,', "")
    assert '"at_ms":7' in before
    assert "told_ms" not in before
    assert "caused_at_ms" not in before
    assert FACTS.validate_json(before) == told
    assert FACTS.validate_json(text) == told


def test_from_then_on_news_are_told_of_what_was_asked_for() -> None:
    asked = wanted(of=HOME, workflows=[801])
    (told,) = news(absorbed(asked, happened("workflow.approved", 5, workflow_id=801)))
    assert told.interest is None
    assert told.workflows[801].state == "approved"
    assert news(absorbed(asked, happened("workflow.approved", 5, workflow_id=802))) == []
    assert news(absorbed(asked, happened("document.added", 5))) == []


def test_of_documents_only_those_of_the_types_or_that_are_named() -> None:
    filed = (
        happened("document.added", 1, document_type="Quote"),
        happened("document.added", 2, number=72, document_type="Menu"),
        happened("document.added", 3, number=73),
    )
    asked = wanted(of=HOME, documents=True, types=["Quote"], named=[73])
    (answer,) = news(absorbed(*filed, asked))
    assert set(answer.documents) == {71, 73}
    told = [news(absorbed(asked, one)) for one in filed]
    assert [len(one) for one in told] == [1, 0, 1]


def test_a_document_that_becomes_one_of_another_type_is_heard_of_once_more() -> None:
    before = absorbed(
        wanted(of=HOME, documents=True, types=["Quote"]),
        happened("document.added", 1, document_type="Quote"),
    )
    (told,) = news(absorbed(happened("document.renamed", 2), memory=before.memory))
    assert told.documents[71].attribute("document_type") == "Quote"
    menu = happened("document.changed", 3, document_type="Menu")
    now = absorbed(menu, memory=before.memory)
    assert news(now)[0].documents[71].attribute("document_type") == "Menu"
    assert news(absorbed(happened("document.renamed", 4), memory=now.memory)) == []


def test_many_documents_are_told_in_several_messages_and_the_last_says_so() -> None:
    filed = [happened("document.added", 1, number=number) for number in range(1, 451)]
    told = news(absorbed(*filed, wanted(of=HOME, documents=True)))
    assert [len(one.documents) for one in told] == [200, 200, 50]
    assert [one.interest is not None for one in told] == [False, False, True]
    assert {number for one in told for number in one.documents} == set(range(1, 451))


def test_an_event_that_is_told_again_is_no_news() -> None:
    event_ = happened("workflow.approved", 5, workflow_id=801)
    assert news(absorbed(wanted(of=HOME, workflows=[801]), event_, event_)) == []


@pytest.mark.parametrize(
    ("of", "rule", "heard"),
    [
        (HOME, HOME, 1),
        (HOME, "opportunity-contract", 0),
        ("opportunity-contract", "opportunity-contract", 1),
        (None, HOME, 1),
        (None, "opportunity-contract", 0),
    ],
)
def test_of_several_workspaces_the_one_that_was_meant(
    of: str | None, rule: str, heard: int
) -> None:
    told = happened("workflow.approved", 5, rule=rule, workflow_id=801)
    assert len(news(absorbed(wanted(of=of, workflows=[801]), told))) == heard
    assert len(news(absorbed(told, wanted(of=of, workflows=[801])))[-1].workflows) == heard


def test_the_listener_keeps_what_it_hears_under_its_own_rule() -> None:
    asked = wanted(of=HOME, documents=True, workflows=[801])
    about = absorbed(
        happened("document.added", 1), happened("workflow.approved", 2, workflow_id=801), asked
    )
    (answer,) = news(about)
    request = absorbed(change(REQUEST, 0, new_name="Pumps"), answer, memory=Memory())
    assert request.cause == answer
    assert request.memory.approvals.workflow(RULE, 801).state == "approved"
    assert set(request.memory.evidence.of(RULE)) == {71}
    assert request.memory.neighbours.hears(DEAL.key, RULE, asked.interest)
    again = absorbed(answer, memory=request.memory)
    assert again.cause is None, "what is known already is no reason to decide"


class TestThePast:
    """Columns that a rule looks back at are kept with each event that names them."""

    def states(self, result: Absorbed) -> list[tuple[int, object, bool]]:
        states = result.memory.past.states()
        return [
            ((s.stamp.at_ms - START_MS) // 1000, s.columns["statecode"], s.alive) for s in states
        ]

    def test_an_older_change_of_such_a_column_is_no_stale_one(self) -> None:
        result = absorbed(
            change(CASE, 9, statecode=1), change(CASE, 3, statecode=0), memory=Memory()
        )
        assert result.skip is None
        assert self.states(result) == [(3, 0, True), (9, 1, True)]
        again = absorbed(change(CASE, 3, statecode=0), memory=result.memory)
        assert again.skip is Skip.STALE

    def test_an_older_change_of_another_column_is(self) -> None:
        result = absorbed(
            change(CASE, 9, statecode=1, title="New"), change(CASE, 3, title="Old"), memory=Memory()
        )
        assert result.skip is Skip.STALE
        assert self.states(result) == [(9, 1, True)]

    def test_what_was_read_counts_and_a_delete(self) -> None:
        read = RecordRead(
            command_id="id", command="read_record", rule="upkeep", record=CASE, step="read",
            desired="D", at_ms=START_MS, caused_at_ms=START_MS, columns={"statecode": 2},
            modified_ms=START_MS + 5000,
        )  # fmt: skip
        result = absorbed(change(CASE, 1, statecode=0), read, deleted(CASE, 7), memory=Memory())
        assert self.states(result) == [(1, 0, True), (5, 2, True), (7, 2, False)]

    def test_of_a_table_that_no_rule_looks_back_at_nothing_is_kept(self) -> None:
        result = absorbed(change(DEAL, 1, statecode=0), deleted(DEAL, 7))
        assert result.memory.past.moments == ()

    def test_stamps_are_those_of_the_events(self) -> None:
        result = absorbed(change(CASE, 1, version=4, sequence=9, statecode=0), memory=Memory())
        assert result.memory.past.moments[0].stamp == Stamp(START_MS + 1000, 4, 9)
