"""Lists of values: into multi-value attributes and the rows of sets, and out of them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clients.ecm.answers import body_form
from app.clients.ecm.attributes import Attribute
from app.clients.ecm.cells import Wanted, cells, form_of, rows_to_remove
from app.sandbox.content_server.attributes import flat_values, initial_values, update_values
from app.sandbox.content_server.model import Attribute as Defined
from app.sandbox.content_server.model import AttributeSet, Category
from streams.errors import Refused

TITLE, DUE = Attribute("900_9_1_2", "Rows:Title", "string"), Attribute("900_9_1_3", "", "date")
TAGS = Attribute("900_8", "Tags", "string", multi_value=True)
STATE = Attribute("900_2", "State", "string")
CATEGORY = Category(
    900,
    "Sample",
    (
        Defined(2, "State"),
        Defined(8, "Tags", multi_value=True),
        AttributeSet(9, "Rows", (Defined(2, "Title"), Defined(3, "Due", "Date")), max_rows=9),
    ),
)


@pytest.mark.parametrize(
    ("wanted", "keyed"),
    [
        ([(STATE, "a")], {"900_2": "a"}),
        ([(TAGS, ("a", None, "b", ""))], {"900_8": ["a", "b"]}),
        ([(TAGS, ())], {"900_8": []}),
        ([(TAGS, "a")], {"900_8": "a"}),
        ([(TITLE, "a")], {"900_9_1_2": "a"}),
        ([(TITLE, ("a", "b"))], {"900_9_1_2": "a", "900_9_2_2": "b"}),
        (
            [(TITLE, ("a", None)), (DUE, ("2024-01-31",))],
            {"900_9_1_2": "a", "900_9_2_2": "", "900_9_1_3": "2024-01-31", "900_9_2_3": None},
        ),
    ],
)
def test_every_value_has_its_key(wanted: Sequence[Wanted], keyed: Mapping[str, Any]) -> None:
    assert {cell.key: cell.value for cell in cells(wanted)} == keyed


def test_one_value_is_no_place_for_a_list() -> None:
    with pytest.raises(Refused, match="'State' takes one value, not a list of 2") as refused:
        cells([(STATE, ("a", "b"))])
    assert refused.value.code == "attribute_invalid"


@pytest.mark.parametrize(
    ("value", "present", "held"),
    [
        (("a", "b"), ["a", "b"], True),
        (("a", "b"), ["b", "a"], False),
        (("a",), "a", True),
        (("a",), ["a", "b"], False),
        ((), [], True),
        ((), None, True),
        ((), ["", None], True),
        ((), ["a"], False),
    ],
)
def test_the_order_of_values_counts(value: tuple[str, ...], present: Any, held: bool) -> None:
    (cell,) = cells([(TAGS, value)])
    assert cell.held(present) is held


def test_rows_beyond_the_lists_go_the_last_first_and_empty_ones_at_the_end_stay() -> None:
    present = {"900_9_1_2": "a", "900_9_2_2": "", "900_9_3_2": "c", "900_9_4_2": "", "900_2": "x"}
    assert rows_to_remove([(TITLE, ("a",))], present) == ["900_9_3", "900_9_2"]
    assert rows_to_remove([(TITLE, ()), (DUE, ("2024-01-31",))], present) == ["900_9_3", "900_9_2"]
    assert rows_to_remove([(TITLE, "a")], present) == []


TEXTS = st.sampled_from(["", "a", "b"])
DAYS = st.sampled_from([None, "2024-01-31", "2024-02-29"])
ROWS = st.lists(st.tuples(TEXTS, DAYS), max_size=5)


@given(
    before=ROWS,
    titles=st.lists(TEXTS, max_size=5),
    days=st.lists(DAYS, max_size=5),
    b=st.booleans(),
)
def test_what_is_written_makes_the_rows_what_the_lists_say(
    before: list[tuple[str, str | None]], titles: list[str], days: list[str | None], b: bool
) -> None:
    values = initial_values(CATEGORY)
    for number, (title, day) in enumerate(before, start=1):
        keyed = {f"900_9_{number}_2": title, f"900_9_{number}_3": day}
        values = update_values(CATEGORY, values, keyed, lambda _: True)
    wanted: list[Wanted] = [(TITLE, tuple(titles)), (DUE, tuple(days))]
    present = flat_values(CATEGORY, values)
    changes = [cell for cell in cells(wanted) if not cell.held(present.get(cell.key))]
    removed = rows_to_remove(wanted, present)
    form: Mapping[str, Any] = form_of(changes, removed)
    if b:
        form = {cell.key: cell.value for cell in changes} | dict.fromkeys(removed, "")
        assert body_form(form)
    after = flat_values(CATEGORY, update_values(CATEGORY, values, form, lambda _: True))
    assert all(cell.held(after.get(cell.key)) for cell in cells(wanted))
    assert rows_to_remove(wanted, after) == []
