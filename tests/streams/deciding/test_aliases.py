"""Changes by a source's own guid: sent on to the record, or held until it is known which it is."""

from __future__ import annotations

from streams.deciding.aliases import MOST_HELD, decide_alias, introduced
from streams.deciding.memory import Memory
from streams.messages.facts import AliasKnown, Operation, Origin, RecordChange
from tables.aliases import AliasRow
from tables.keys import RecordRef

GUID = "0000016e-0000-0000-0100-000000000000"
ALIAS = RecordRef("finance_salesorder", GUID)
ORDER = RecordRef("finance_salesorder", "usmf~so-1")
RENAMED = RecordRef("finance_salesorder", "usmf~so-2")


def change(record: RecordRef, at: int, **more: object) -> RecordChange:
    fields = {"operation": Operation.UPDATE, "columns": {"salesordername": f"at {at}"}, **more}
    origin = Origin(format="synapse", topic="t", partition=0, offset=at)
    return RecordChange(record=record, at_ms=at, origin=origin, **fields)  # type: ignore[arg-type]


def known(about: RecordRef, at: int) -> AliasKnown:
    _, (told,) = introduced(Memory(), change(about, at, alias=GUID))
    return told


def through(*causes: AliasKnown | RecordChange) -> tuple[AliasRow, list[tuple[str, str, int]]]:
    row, told = AliasRow(), []
    for cause in causes:
        aliased = decide_alias(cause, row)
        row = AliasRow.from_bytes(aliased.row.to_bytes())
        told += [(c.key, c.operation.value, c.at_ms) for c in aliased.told]
    return row, told


def test_a_change_before_its_name_waits_and_is_released_as_it_came() -> None:
    gone = change(ALIAS, 5, operation=Operation.DELETE, columns={})
    waiting = decide_alias(gone, AliasRow())
    assert (waiting.held, waiting.told) == (True, ())
    released = decide_alias(known(ORDER, 1), waiting.row)
    assert released.told == (gone.model_copy(update={"record": ORDER}),)
    assert released.row.held == {}


def test_a_change_after_its_name_goes_straight_on_each_time_it_comes() -> None:
    row, told = through(known(ORDER, 1), change(ALIAS, 2), change(ALIAS, 2))
    assert told == [(ORDER.key, "update", 2)] * 2 and row.held == {}


def test_what_waits_is_held_once_however_often_it_comes() -> None:
    assert through(change(ALIAS, 2), change(ALIAS, 2), known(ORDER, 1))[1] == [
        (ORDER.key, "update", 2)
    ]


def test_a_renamed_key_ends_the_record_that_it_was() -> None:
    row, told = through(known(ORDER, 1), known(RENAMED, 4), change(ALIAS, 5))
    assert told == [(ORDER.key, "delete", 4), (RENAMED.key, "update", 5)]
    assert row.record == RENAMED.key


def test_an_older_name_that_comes_late_changes_nothing() -> None:
    row, told = through(known(RENAMED, 4), known(ORDER, 1), known(RENAMED, 4))
    assert (row.record, told) == (RENAMED.key, [])


def test_an_alias_is_told_once_and_again_after_a_delete() -> None:
    shown = change(ORDER, 1, alias=GUID)
    memory, first = introduced(Memory(), shown)
    assert [(fact.record, fact.about) for fact in first] == [(ALIAS, ORDER)]
    assert introduced(memory, shown) == (memory, ())
    after = memory.with_(row=memory.row.removed((2, -1, 2)))  # type: ignore[arg-type]
    assert introduced(after, shown)[1] == first


def test_a_change_without_an_alias_tells_nothing() -> None:
    assert introduced(Memory(), change(ORDER, 1)) == (Memory(), ())


def test_of_too_many_changes_that_wait_the_newest_has_the_row_read() -> None:
    row, _ = through(*(change(ALIAS, at) for at in range(MOST_HELD + 30)))
    assert len(row.held) <= MOST_HELD
    told = decide_alias(known(ORDER, 1), row).told
    assert told[0].thin and told[0].columns == {} and told[0].at_ms == MOST_HELD
    assert [c.at_ms for c in told[1:]] == list(range(MOST_HELD + 1, MOST_HELD + 30))


def test_a_delete_that_is_the_newest_of_too_many_stays_one() -> None:
    gone = change(ALIAS, 999, operation=Operation.DELETE, columns={})
    row, _ = through(gone, *(change(ALIAS, at) for at in range(MOST_HELD)))
    assert decide_alias(known(ORDER, 1), row).told == (gone.model_copy(update={"record": ORDER}),)
