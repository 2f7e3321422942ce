"""The smaller rows: stages, neighbours, steps, echoes, ledgers, links and owners."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tables.askers import Asker
from tables.echoes import EchoesRow
from tables.evidence import EvidenceRow, Item, ItemEvent
from tables.flow_steps import Refusal, Step, StepsRow
from tables.ledgers import LedgerRow
from tables.milestones import MilestonesRow
from tables.neighbours import Interest, NeighboursRow
from tables.records import RecordRow, Stamp
from tables.rows import Row
from tables.stages import Move, StagesRow
from tables.workspace_links import FolderLink, Link, LinksRow
from tables.workspace_owners import Held, OwnerHead, OwnerRow

LAW = settings(max_examples=40, deadline=None)
PROCESSES = ("p:1", "p:2")
MOVES = st.lists(
    st.tuples(
        st.sampled_from(PROCESSES),
        st.sampled_from([None, "s:1", "s:2"]),
        st.builds(Stamp, st.integers(0, 3), st.integers(-1, 1), st.integers(0, 2)),
    ),
    unique_by=lambda told: told[2],
    max_size=8,
)


def moved(told: list[tuple[str, str | None, Stamp]]) -> StagesRow:
    row = StagesRow()
    for process, stage, stamp in told:
        row = row.moved(process, Move(stage, stamp))
    return row


class TestStages:
    @LAW
    @given(told=MOVES, seed=st.integers(0, 2**32))
    def test_any_order_and_repetition_of_moves_ends_in_the_same_stage(
        self, told: list[tuple[str, str | None, Stamp]], seed: int
    ) -> None:
        chance = random.Random(seed)
        shuffled = [*told, *(chance.choices(told, k=3) if told else [])]
        chance.shuffle(shuffled)
        assert moved(shuffled) == moved(told)

    @LAW
    @given(told=MOVES)
    def test_the_stage_is_that_of_the_process_that_moved_last(
        self, told: list[tuple[str, str | None, Stamp]]
    ) -> None:
        newest = {process: (stamp, stage) for process, stage, stamp in sorted(told, key=_stamp)}
        running = [move for move in newest.values() if move[1] is not None]
        assert moved(told).current == (max(running)[1] if running else None)

    @LAW
    @given(told=MOVES)
    def test_it_survives_being_stored(self, told: list[tuple[str, str | None, Stamp]]) -> None:
        row = moved(told)
        assert StagesRow.from_bytes(row.to_bytes()) == row

    def test_of_two_moves_with_one_stamp_the_later_told_counts(self) -> None:
        """Its process row knew more by then: that it guides another record, for one."""
        row = StagesRow().moved("p:1", Move("s:1", Stamp(5))).moved("p:1", Move(None, Stamp(5)))
        assert row.current is None

    def test_the_same_move_again_is_the_same_row(self) -> None:
        row = StagesRow().moved("p:1", Move("s:1", Stamp(5)))
        assert row.moved("p:1", Move("s:1", Stamp(5))) is row


def _stamp(told: tuple[str, str | None, Stamp]) -> Stamp:
    return told[2]


class TestNeighbours:
    def test_columns_of_another_record_are_added_and_brought_up_to_date(self) -> None:
        row = NeighboursRow().columns_known("u:1", {"a": 1, "b": 1}, 5)
        row = row.columns_known("u:1", {"b": 2}, 5).columns_known("u:1", {"c": 3}, 6)
        assert row.columns["u:1"].columns == {"a": 1, "b": 2, "c": 3}
        assert row.columns["u:1"].at_ms == 6

    def test_an_older_answer_changes_nothing(self) -> None:
        row = NeighboursRow().columns_known("u:1", {"a": 1}, 5)
        assert row.columns_known("u:1", {"a": 0}, 4) is row

    def test_a_workspace_is_known_by_whom_it_belongs_to(self) -> None:
        row = NeighboursRow().workspace_known("a:1", 7).workspace_known("a:2", 8)
        assert row.workspace_known("a:1", 9).workspaces == {"a:1": 9, "a:2": 8}


class TestSteps:
    def test_a_step_is_open_until_just_this_is_confirmed_or_refused(self) -> None:
        row = StepsRow()
        assert not row.get("r", "s").is_closed("A")
        row = row.confirmed("r", "s", "A", 5)
        assert row.get("r", "s").is_closed("A")
        assert not row.get("r", "s").is_closed("B")
        row = row.refused("r", "s", Refusal(desired="B", code="no", message="no", at_ms=6))
        assert row.get("r", "s").is_closed("A"), "what was true before stays confirmed"
        assert row.get("r", "s").is_closed("B")
        assert not row.get("r", "s").is_closed("C")
        row = row.confirmed("r", "s", "C", 7)
        assert row.get("r", "s").refusal is None
        assert not row.get("r", "s").is_closed("B"), "a success makes the refused one worth a try"

    def test_asking_again_keeps_the_first_time(self) -> None:
        row = StepsRow().asked("r", "s", "A", 5)
        assert row.asked("r", "s", "A", 9) is row
        assert row.asked("r", "s", "B", 9).get("r", "s").asked_ms == 9

    def test_repairs_in_a_row_are_counted_until_something_new_is_true(self) -> None:
        row = StepsRow().confirmed("r", "s", "A", 1)
        for number in range(3):
            row = row.confirmed("r", "s", f"A@{number}", 2 + number)
        assert row.get("r", "s").repairs == 3
        assert row.confirmed("r", "s", "B", 9).get("r", "s").repairs == 0

    def test_steps_are_found_by_the_beginning_of_their_name_within_a_rule(self) -> None:
        row = StepsRow()
        for rule, step in [("r", "relation/parent/1"), ("r", "read"), ("r2", "relation/parent/2")]:
            row = row.confirmed(rule, step, "A", 1)
        assert set(row.with_prefix("r", "relation/")) == {"parent/1"}

    def test_a_step_nobody_heard_of_is_empty(self) -> None:
        assert StepsRow().get("r", "s") == Step()


class TestEchoes:
    def test_what_we_wrote_explains_itself_and_no_more(self) -> None:
        row = EchoesRow().wrote({"a": 1, "b": None})
        assert row.explains({"a": 1})
        assert row.explains({"a": 1, "b": None})
        assert not row.explains({"a": 2})
        assert not row.explains({"c": None}), "an empty column that we never wrote"
        assert not row.explains({}), "nothing is nobody's"

    def test_the_newest_value_that_we_wrote_counts(self) -> None:
        row = EchoesRow().wrote({"a": 1}).wrote({"a": 2})
        assert (row.explains({"a": 1}), row.explains({"a": 2})) == (False, True)

    def test_a_whole_row_shares_what_we_wrote(self) -> None:
        row = EchoesRow().wrote({"a": 1})
        assert row.shares({"a": 1, "name": "x"})
        assert not row.shares({"a": 2, "name": "x"})
        assert not row.shares({"name": "x"})


class TestLedger:
    def test_only_the_last_command_of_a_step_is_remembered(self) -> None:
        """A name that goes A, B, A makes three commands, the third with the first one's id."""
        row = LedgerRow().done("r", "name", "A", "1").done("r", "role", "X", "9")
        assert row.outcome_of("r", "name", "A") == "1"
        row = row.done("r", "name", "B", "2")
        assert row.outcome_of("r", "name", "A") is None
        assert row.outcome_of("r", "name", "B") == "2"
        assert row.outcome_of("r", "role", "X") == "9"
        assert row.outcome_of("r2", "name", "B") is None

    def test_after_a_refusal_nothing_is_remembered_of_its_step(self) -> None:
        row = LedgerRow().done("r", "name", "A", "1").done("r", "role", "X", "9")
        assert row.forgotten("r", "name").outcome_of("r", "name", "A") is None
        assert row.forgotten("r", "name").outcome_of("r", "role", "X") == "9"
        assert row.forgotten("r", "other") is row


class TestLinks:
    def test_being_told_the_same_workspace_again_keeps_the_first_word(self) -> None:
        row = LinksRow().linked("r", Link(workspace_id=7, linked_ms=1, created=True))
        assert row.linked("r", Link(workspace_id=7, linked_ms=9)) is row

    def test_another_workspace_takes_its_place(self) -> None:
        row = LinksRow().linked("r", Link(workspace_id=7)).linked("r", Link(workspace_id=8))
        link = row.get("r")
        assert link is not None
        assert link.workspace_id == 8
        assert row.get("other") is None


class TestFolders:
    def test_a_record_has_one_folder_in_each_workspace_and_knows_the_newest_word(self) -> None:
        row = LinksRow().with_folder("r", 7, FolderLink(folder_id=1, name="A"))
        row = row.with_folder("r", 8, FolderLink(folder_id=2))
        row = row.with_folder("r", 7, FolderLink(folder_id=1, name="B"))
        row = row.with_folder("r2", 7, FolderLink(folder_id=3))
        found = row.folders_of("r")
        assert {number: folder.folder_id for number, folder in found.items()} == {7: 1, 8: 2}
        assert found[7].name == "B"
        folder = row.folder("r2", 7)
        assert folder is not None
        assert folder.folder_id == 3
        assert row.folder("r2", 8) is None

    def test_a_folders_owner_is_known_by_rule_and_folder(self) -> None:
        row = NeighboursRow().folder_owned("r", 1, "task:1")
        assert row.folder_owned("r", 1, "task:1") is row
        assert (row.folder_owner("r", 1), row.folder_owner("r2", 1)) == ("task:1", None)

    def test_who_keeps_a_workspace_is_told_by_rule(self) -> None:
        row = NeighboursRow().workspace_known("p:1", 7, "r").workspace_known("p:2", 8, "r")
        row = row.workspace_known("p:3", 7).workspace_known("p:4", 7, "r2")
        row = row.workspace_known("p:5", 7, "r")
        assert row.keepers(7, "r") == ("p:1", "p:5")

    def test_who_was_told_of_a_document_is_remembered_once(self) -> None:
        row = MilestonesRow().telling("r", 5, ["t:2", "t:1"]).telling("r", 5, ["t:1"])
        assert row.of("r", 5) == ("t:1", "t:2")
        assert row.telling("r", 5, ["t:2"]) is row
        assert row.of("r2", 5) == ()


class TestDocumentsOfOthers:
    def test_what_two_know_of_a_document_is_merged_in_any_order(self) -> None:
        early = Item(events={"added": ItemEvent(at_ms=1, event_id="a")})
        late = Item(events={"added": ItemEvent(at_ms=2, event_id="b"), "moved": ItemEvent(at_ms=3)})
        one = EvidenceRow().told("r", 5, early).told("r", 5, late)
        other = EvidenceRow().told("r", 5, late).told("r", 5, early)
        assert one == other
        assert one.of("r")[5].events["added"].event_id == "b"
        assert one.told("r", 5, early) is one


class TestOwners:
    def test_events_are_held_once_each_until_they_are_released(self) -> None:
        row = OwnerRow().holding("e1", "{}").holding("e2", "{}").holding("e1", "{}")
        assert [event_id for event_id, _ in row.held] == ["e1", "e2"]
        row = row.owned("account:1", "rule")
        assert [event_id for event_id, _ in row.held] == ["e1", "e2"]
        assert [*row.released().held] == []
        assert (row.released().record, row.released().rule) == ("account:1", "rule")


FILLED: list[Row] = [
    NeighboursRow()
    .workspace_known("a:1", 7)
    .columns_known("u:1", {"a": True, "b": 1, "c": "1", "d": None}, 5),
    Asker(workspaces=("", "r"), columns=("a", "b")),
    Interest(of="home", documents=True, types=("Form",), named=(5,), workflows=(7,)),
    StepsRow()
    .asked("r", "s", "A", 5)
    .confirmed("r", "s", "A@1", 6)
    .refused("r", "s", Refusal(desired="B", code="c", message="m", at_ms=7)),
    EchoesRow().wrote({"a": True, "b": 1, "c": "1", "d": None}),
    LedgerRow().done("r", "s", "id", '{"kind":"step_done"}'),
    LinksRow().linked("r", Link(workspace_id=7, name="ä", url="u", linked_ms=5, created=True)),
    Held(event='{"a":1}'),
    OwnerHead(record="a:1", rule="r"),
]


@pytest.mark.parametrize("row", FILLED, ids=lambda row: type(row).__name__)
def test_a_row_survives_being_stored(row: Row) -> None:
    back = type(row).from_bytes(row.to_bytes())
    assert back == row
    assert back.to_bytes() == row.to_bytes()
    assert back.model_dump() == row.model_dump(), "True is not 1, and 1 is not '1'"
    assert [*map(type, _leaves(back.model_dump()))] == [*map(type, _leaves(row.model_dump()))]


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, list | tuple):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [value]


@pytest.mark.parametrize("row", [*FILLED, RecordRow(), StagesRow()], ids=repr)
def test_a_row_of_a_newer_release_can_be_read(row: Row) -> None:
    text = row.to_bytes()
    newer = b'{"from_the_future":1' + (b"," if len(text) > 2 else b"") + text[1:]
    assert type(row).from_bytes(newer) == row
