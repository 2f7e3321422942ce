"""``contracts``: status, dates and document from events in any order; restarts void a round."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tables.contracts import (
    FINAL,
    RESTARTS,
    STATUSES,
    ContractEvent,
    ContractsRow,
    ContractState,
    DocumentRef,
)

LAW = settings(max_examples=40, deadline=None)
Told = tuple[str, ContractEvent]
DOCUMENTS = st.none() | st.builds(
    DocumentRef, id=st.integers(1, 9), version=st.integers(1, 3), name=st.just("a.pdf")
)


@st.composite
def stories(draw: st.DrawFn) -> list[Told]:
    """Events with unique ids; some at the same moment."""
    names = draw(st.lists(st.sampled_from(STATUSES), max_size=9))
    return [
        (
            name,
            ContractEvent(
                at_ms=draw(st.integers(0, 5)),
                event_id=f"e{number}",
                document=draw(DOCUMENTS),
                attributes=draw(
                    st.dictionaries(st.sampled_from(["expires_on", "x"]), st.integers(0, 3))
                ),
            ),
        )
        for number, name in enumerate(names)
    ]


def after(*told: Told) -> ContractState:
    state = ContractState()
    for status, event in told:
        state = state.reported(status, event)
    return state


def at(status: str, at_ms: int, document: int | None = None, **attributes: str) -> Told:
    ref = DocumentRef(id=document, version=1) if document else None
    event_id = f"{status}-{at_ms}"
    return status, ContractEvent(
        at_ms=at_ms, event_id=event_id, document=ref, attributes=attributes
    )


@LAW
@given(story=stories(), seed=st.integers(0, 2**32))
def test_any_order_and_repetition_tells_the_same(story: list[Told], seed: int) -> None:
    chance = random.Random(seed)
    shuffled = [*story, *(chance.choices(story, k=3) if story else [])]
    chance.shuffle(shuffled)
    one, other = after(*story), after(*shuffled)
    assert one == other
    assert (one.status, one.document) == (other.status, other.document)
    assert [one.when(s) for s in STATUSES] == [other.when(s) for s in STATUSES]


@LAW
@given(story=stories())
def test_what_is_told_is_what_a_reader_of_the_whole_story_would_say(story: list[Told]) -> None:
    """A model that keeps all events: the round starts at the newest restart."""

    def order(told: Told) -> tuple[int, int, str]:
        return told[1].at_ms, STATUSES.index(told[0]), told[1].event_id

    ordered = sorted(story, key=order)
    restart = max((i for i, t in enumerate(ordered) if t[0] in RESTARTS), default=0)
    lasting = ordered[restart:]
    state = after(*story)
    assert state.status == (ordered[-1][0] if ordered else None)
    for status in STATUSES:
        times = [e.at_ms for s, e in lasting if s == status]
        assert state.when(status) == (times[-1] if times else None)
    newest_of_kind = dict(lasting)
    final = [(s, e) for s, e in ordered if s in FINAL and newest_of_kind.get(s) is e and e.document]
    assert state.document == (final[-1][1].document if final else None)


@LAW
@given(story=stories())
def test_a_row_survives_being_stored(story: list[Told]) -> None:
    row = ContractsRow()
    for status, event in story:
        row = row.reported("rule", status, event)
    assert ContractsRow.from_bytes(row.to_bytes()) == row
    assert ContractsRow.from_bytes(None).get("rule").status is None


@pytest.mark.parametrize("restart", RESTARTS)
def test_a_restart_voids_dates_document_and_attributes_of_the_round(restart: str) -> None:
    state = after(
        at("approved", 3, 11), at("signed", 5, 12, expires_on="2027-01-31"), at("executed", 6)
    )
    assert (state.when("approved"), state.when("signed"), state.when("executed")) == (3, 5, 6)
    assert state.document == DocumentRef(id=12, version=1)
    assert state.attribute("expires_on") == "2027-01-31"
    again = state.reported(*at(restart, 7))
    assert again.status == restart
    assert [again.when(s) for s in FINAL] == [None, None, None]
    assert again.document is None
    assert again.attribute("expires_on") is None


def test_what_a_former_draft_said_does_not_come_back_with_a_new_round() -> None:
    state = after(
        at("draft", 1, expires_on="2025-01-01"),
        at("signed", 5, expires_on="2027-01-31"),
        at("in_negotiation", 7),
    )
    assert state.attribute("expires_on") is None
    assert state.when("draft") is None


@pytest.mark.parametrize("ending", ["expired", "terminated"])
def test_an_ending_keeps_dates_and_document(ending: str) -> None:
    state = after(at("approved", 3, 11), at("signed", 5, 12), at(ending, 9))
    assert state.status == ending
    assert (state.when("approved"), state.when("signed"), state.when(ending)) == (3, 5, 9)
    assert state.document == DocumentRef(id=12, version=1)


def test_within_one_moment_the_later_of_a_contracts_life_counts() -> None:
    assert after(at("signed", 5, 1), at("approved", 5, 2)).status == "signed"
    assert after(at("signed", 5), at("in_negotiation", 5)).when("signed") == 5


def test_an_attribute_is_that_of_the_newest_event_that_carries_it() -> None:
    state = after(
        at("approved", 3, expires_on="a"), at("signed", 5, expires_on="b"), at("executed", 6)
    )
    assert state.attribute("expires_on") == "b"
    assert state.attribute("nothing") is None


def test_rules_do_not_see_each_others_contracts() -> None:
    row = ContractsRow().reported("one", *at("signed", 5))
    assert row.get("one").status == "signed"
    assert row.get("other").status is None
    assert row.reported("one", *at("signed", 4)) is row, "an older event changes nothing"
