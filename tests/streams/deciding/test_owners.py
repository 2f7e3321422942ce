"""ECM events of workspaces: sent on to the record that owns them, or held until it is known."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.deciding.owners import Owned, decide_owner
from streams.messages.facts import EcmEvent, WorkspaceOwned
from tables.workspace_owners import OwnerRow
from tests.streams.rulebook import BOOK, CONTRACT_RULE
from tests.streams.samples import event, ref
from tests.tables.shelf import stored_again

DEAL, OTHER = ref("opportunity", 3), ref("opportunity", 4)
OWNED = WorkspaceOwned(workspace_id=7, record=DEAL, rule="opportunity-contract")


def happened(name: str, second: int = 1) -> EcmEvent:
    return event(f"contract.{name}", second, workspace_id=7)


def through(*causes: EcmEvent | WorkspaceOwned) -> tuple[OwnerRow, list[tuple[str, str]]]:
    """The row after these, and what the owner was told, ``(record, event id)``."""
    row = OwnerRow()
    told: list[tuple[str, str]] = []
    for cause in causes:
        owned = decide_owner(cause, row, BOOK)
        row = stored_again(owned.row)
        told += [(fact.key, fact.event.event_id) for fact in owned.told]
    return row, told


def test_an_event_before_its_owner_is_held_and_released_whole() -> None:
    signed = happened("signed")
    waiting = decide_owner(signed, OwnerRow(), BOOK)
    assert (waiting.held, waiting.told) == (True, ())
    assert [event_id for event_id, _ in waiting.row.held] == [signed.event_id]
    released = decide_owner(OWNED, waiting.row, BOOK)
    (told,) = released.told
    assert (told.record, told.rule, told.event) == (DEAL, "opportunity-contract", signed)
    assert [*released.row.held] == []


def test_an_event_after_its_owner_goes_straight_on() -> None:
    row = decide_owner(OWNED, OwnerRow(), BOOK).row
    owned = decide_owner(happened("signed"), row, BOOK)
    assert [fact.key for fact in owned.told] == [DEAL.key]
    assert (owned.held, owned.row) == (False, row)


def test_an_event_that_comes_again_is_held_once_and_sent_on_each_time() -> None:
    signed = happened("signed")
    assert through(signed, signed, OWNED)[1] == [(DEAL.key, signed.event_id)]
    assert len(through(OWNED, signed, signed)[1]) == 2


def test_being_told_the_owner_again_sends_nothing_again() -> None:
    assert len(through(happened("signed"), OWNED, OWNED)[1]) == 1


def test_an_event_that_names_its_business_object_tells_the_owner_itself() -> None:
    named = event("contract.signed", 1, record=DEAL).model_copy(update={"workspace_id": 7})
    row, told = through(happened("draft"), named)
    assert (row.record, row.rule) == (DEAL.key, CONTRACT_RULE.name)
    assert sorted(told) == [(DEAL.key, "contract.draft-1"), (DEAL.key, "contract.signed-1")]


def test_a_business_object_that_no_rule_knows_tells_nothing() -> None:
    named = event("contract.signed", 1, record=DEAL)
    assert named.business_object is not None
    strange = named.business_object.model_copy(update={"type": "shipment"})
    update = {"workspace_id": 7, "business_object": strange}
    assert through(named.model_copy(update=update))[0].record is None


def test_what_the_link_says_counts_more_than_what_an_event_says() -> None:
    named = event("contract.signed", 1, record=OTHER).model_copy(update={"workspace_id": 7})
    assert through(OWNED, named)[1] == [(DEAL.key, named.event_id)]


def test_a_decision_does_not_change_the_row_that_it_was_given() -> None:
    row = OwnerRow()
    assert isinstance(decide_owner(happened("signed"), row, BOOK), Owned)
    assert row == OwnerRow()


@settings(max_examples=40, deadline=None)
@given(names=st.lists(st.sampled_from(["draft", "signed"]), max_size=5), seed=st.integers(0, 999))
def test_in_any_order_every_event_reaches_the_owner(names: list[str], seed: int) -> None:
    causes: list[EcmEvent | WorkspaceOwned] = [
        OWNED,
        *(happened(name, second) for second, name in enumerate(names)),
    ]
    random.Random(seed).shuffle(causes)
    row, told = through(*causes)
    assert {event_id for _, event_id in told} == {
        cause.event_id for cause in causes if isinstance(cause, EcmEvent)
    }
    assert {key for key, _ in told} <= {DEAL.key}
    assert [*row.held] == []
