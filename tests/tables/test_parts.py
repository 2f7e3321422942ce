"""Rows in parts: each entry a row of its own, also those that once lay in one row."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tables.approvals import ApprovalsRow, Workflow, WorkflowEvent
from tables.askers import Asker, AskersRow, ListenersRow
from tables.evidence import EvidenceRow, Item, ItemEvent
from tables.milestones import MilestonesRow, Told
from tables.neighbours import Interest, NeighboursRow
from tables.parts import PartedRow
from tables.workspace_owners import Held, OwnerRow
from tests.tables.shelf import DictShelf, stored_again

LAW = settings(max_examples=60, deadline=None)
ADDED = ItemEvent(at_ms=1, event_id="a")


@LAW
@given(
    told=st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(1, 12), st.integers(0, 3)), max_size=12
    ),
    seed=st.integers(0, 2**32),
)
def test_stored_now_or_later_it_is_the_same_row(
    told: list[tuple[str, int, int]], seed: int
) -> None:
    chance, once, often = random.Random(seed), EvidenceRow(), EvidenceRow()
    for rule, number, at_ms in told:
        event = ItemEvent(at_ms=at_ms, event_id=str(at_ms))
        once = once.reported(rule, number, "added", event)
        often = often.reported(rule, number, "added", event)
        often = stored_again(often) if chance.random() < 0.5 else often
    for rule in "ab":
        assert once.of(rule) == often.of(rule) == stored_again(once).of(rule)
        assert list(once.of(rule)) == list(often.of(rule)), "the same order too"


def test_one_document_more_reads_and_writes_no_other() -> None:
    row = EvidenceRow()
    for number in range(500):
        row = row.reported("r", number, "added", ADDED)
    row = stored_again(row)
    assert isinstance(row.shelf, DictShelf)
    row.shelf.read, row.shelf.written = 0, []
    row.shelf.save(row.reported("r", 7, "approved", ItemEvent(at_ms=2, event_id="b")).pending())
    assert (row.shelf.read, row.shelf.written) == (1, ["r/7"])
    assert row.pending() == {}, "nothing was changed"


def test_one_who_asks_more_reads_and_writes_no_other() -> None:
    row = AskersRow()
    for number in range(500):
        row = row.columns_asked(f"account:{number}", ["fullname"])
    row = stored_again(row)
    assert isinstance(row.shelf, DictShelf)
    row.shelf.read, row.shelf.written = 0, []
    assert row.for_columns({"jobtitle"}) == {}
    row.shelf.save(row.columns_asked("account:9999", ["fullname"]).pending())
    assert (row.shelf.read <= 2, row.shelf.written) == (True, ["account:9999"])
    assert len(row.for_columns({"fullname"})) == 501


def test_a_part_that_is_taken_away_is_gone() -> None:
    row = stored_again(OwnerRow().holding("e1", "{}").holding("e2", "{}"))
    row = row.released()
    assert [*row.held] == [*stored_again(row).held] == []
    assert isinstance(row.shelf, DictShelf)
    assert row.shelf.rows == {}


def test_who_asks_for_workspaces_is_remembered_with_all_rules() -> None:
    row = AskersRow().workspace_asked("x:1").workspace_asked("x:1", "r").workspace_asked("w:2")
    assert [*row.for_workspace()] == [("w:2", None), ("x:1", None), ("x:1", "r")]
    assert row.workspace_asked("x:1", "r") is row
    assert row.for_columns() == {}


@LAW
@given(
    asked=st.lists(
        st.tuples(st.sampled_from(["x:1", "y:2"]), st.lists(st.sampled_from("abc"), min_size=1))
    ),
    changed=st.sets(st.sampled_from("abcd")),
)
def test_who_asks_for_columns_hears_of_those_and_no_other(
    asked: list[tuple[str, list[str]]], changed: set[str]
) -> None:
    row = AskersRow()
    expected: dict[str, set[str]] = {}
    for asker, columns in asked:
        row = stored_again(row.columns_asked(asker, columns))
        expected.setdefault(asker, set()).update(columns)
    assert {key: set(wanted) for key, wanted in row.for_columns().items()} == expected
    heard = {key for key, wanted in expected.items() if wanted & changed}
    assert set(row.for_columns(changed)) == heard


STEP = WorkflowEvent(at_ms=3, event_id="s")
#: Rows as the first release stored them, all entries in one; and their parts.
OLD: dict[type[PartedRow[Any]], tuple[bytes, Mapping[str, Any]]] = {
    EvidenceRow: (
        b'{"items":{"r/5":{"events":{"added":{"at_ms":1,"event_id":"a"}}}}}',
        {"r/5": Item(events={"added": ADDED})},
    ),
    ApprovalsRow: (
        b'{"workflows":{"r/7":{"events":{"step":{"at_ms":3,"event_id":"s"}}}},"rounds":{"r/a":7}}',
        {"r/7": Workflow(events={"step": STEP})},
    ),
    MilestonesRow: (b'{"told":{"r/5":["t:1","t:2"]}}', {"r/5": Told(milestones=("t:1", "t:2"))}),
    OwnerRow: (b'{"record":"a:1","rule":"r","held":{"e":"{}"}}', {"e": Held(event="{}")}),
}


@pytest.mark.parametrize("kind", OLD, ids=lambda kind: kind.__name__)
def test_entries_of_the_first_release_move_out_of_their_row(kind: type[PartedRow[Any]]) -> None:
    stored, parts = OLD[kind]
    shelf = DictShelf({"": stored})
    row = kind.load(shelf)
    assert dict(row.under()) == dict(parts)
    shelf.save(row.pending())
    back = kind.load(shelf)
    assert (dict(back.under()), back.head, back.pending()) == (dict(parts), row.head, {})


def test_what_else_was_in_such_a_row_stays_there() -> None:
    shelf = DictShelf({"": b'{"workflows":{"r/7":{}},"rounds":{"r/a":7}}'})
    shelf.save(ApprovalsRow.load(shelf).started("r", "b", 8).pending())
    assert ApprovalsRow.load(shelf).running("r") == {"a": 7, "b": 8}


def test_those_who_asked_in_the_first_release_move_in() -> None:
    old = NeighboursRow.from_bytes(
        b'{"workspaces":{"a:1":7},"workspace_wanted_by":["x:1","x:1#r"],'
        b'"columns_wanted_by":{"y:2":["a","b"]},"listeners":{"z:3#r":{"documents":true}}}'
    )
    askers = AskersRow().moved_in(old)
    assert dict(askers.under()) == {
        "x:1": Asker(workspaces=("", "r")),
        "y:2": Asker(columns=("a", "b")),
    }
    listeners = ListenersRow().moved_in(old.listeners)
    assert [*listeners.all()] == [("z:3", "r", Interest(documents=True))]
    assert old.without_askers() == NeighboursRow(workspaces={"a:1": 7})
    assert NeighboursRow().without_askers() is not None
