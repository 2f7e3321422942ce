"""Category values without a server: types, sets, and the labels of the in-process API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sandbox.content_server.attributes import (
    check_required,
    flat_values,
    initial_values,
    keys_by_label,
    labelled_values,
    update_values,
)
from app.sandbox.content_server.errors import ApiError
from app.sandbox.content_server.model import Attribute, AttributeSet, Category

CATEGORY = Category(
    500,
    "Sample",
    (
        Attribute(2, "Text", max_length=5, required=True),
        Attribute(3, "Count", "Integer"),
        Attribute(4, "Flag", "Boolean"),
        Attribute(5, "Tags", multi_value=True),
        Attribute(6, "Choice", choices=("a", "b")),
        Attribute(7, "Person", "User"),
        AttributeSet(8, "Rows", (Attribute(9, "Cell"), Attribute(10, "Day", "Date")), max_rows=3),
        Attribute(11, "Rate", "Real"),
    ),
)


def _updated(changes: Mapping[str, Any]) -> dict[str, Any]:
    values = update_values(CATEGORY, initial_values(CATEGORY), changes, {1000}.__contains__)
    return flat_values(CATEGORY, values)


@pytest.mark.parametrize(
    ("key", "raw", "stored"),
    [
        ("500_2", "x", "x"),
        ("500_2", None, ""),
        ("500_3", "12", 12),
        ("500_3", None, None),
        ("500_4", "TRUE", True),
        ("500_4", "0", False),
        ("500_5", ["a", "b"], ["a", "b"]),
        ("500_5", "a", ["a"]),
        ("500_5", "", []),
        ("500_6", "b", "b"),
        ("500_7", "1000", 1000),
        ("500_8_1_10", "2026-02-03", "2026-02-03T00:00:00"),
        ("500_8_1_10", "2026-02-03T04:05:06Z", "2026-02-03T04:05:06"),
        ("500_8_1_10", "2026-02-03T04:05:06+02:00", "2026-02-03T02:05:06"),
        ("500_8_1_10", "", None),
        ("500_11", "1e3", 1000.0),
    ],
)
def test_a_raw_value_is_stored_in_its_type(key: str, raw: Any, stored: Any) -> None:
    assert _updated({key: raw})[key] == stored


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("500_2", "toolong"),
        ("500_2", {"a": 1}),
        ("500_2", ["a"]),
        ("500_3", ""),
        ("500_3", 1.5),
        ("500_4", "perhaps"),
        ("500_6", "c"),
        ("500_7", "1001"),
        ("500_8_4_9", "fourth of three rows"),
        ("500_8_1", "a row is removed by nothing but nothing"),
        ("500_11", "nan"),
        ("500_11", "-inf"),
        ("500_2_multilingual", "plain"),
        ("500_2_multilingual", {"de": "x"}),
        ("500_77_multilingual", {"en": "x"}),
        ("500_8_1_2", "attribute of no set"),
        ("500_77", "x"),
        ("501_2", "x"),
        ("500_x_2", "x"),
    ],
)
def test_a_bad_key_or_value_is_refused_as_a_400(key: str, raw: Any) -> None:
    with pytest.raises(ApiError) as refusal:
        _updated({key: raw})
    assert refusal.value.status == 400


@pytest.mark.parametrize("raw", [{"en": "a", "de": "b"}, '{"en": "a"}'])
def test_of_a_value_by_language_the_servers_own_is_kept(raw: Any) -> None:
    assert _updated({"500_2_multilingual": raw})["500_2"] == "a"


def test_rows_are_removed_after_the_others_have_been_written() -> None:
    changes = {"500_8_1_9": "a", "500_8_2_9": "b", "500_8_3_9": "c", "500_8_2": "", "500_8_1": None}
    updated = _updated(changes)
    assert [value for key, value in updated.items() if key.endswith("_9")] == ["c"]


def test_a_required_attribute_has_to_have_a_value() -> None:
    with pytest.raises(ApiError, match="The required attribute 'Text' of 'Sample' is missing"):
        check_required(CATEGORY, initial_values(CATEGORY))


ROWS = st.lists(st.fixed_dictionaries({"Cell": st.text(max_size=9)}), max_size=3)


@given(text=st.text(max_size=5), count=st.none() | st.integers(), rows=ROWS)
def test_values_survive_the_way_from_labels_to_keys_and_back(
    text: str, count: int | None, rows: list[dict[str, str]]
) -> None:
    labelled = {"Text": text, "Count": count, "Rows": rows}
    changes = keys_by_label(CATEGORY, labelled)
    values = update_values(CATEGORY, initial_values(CATEGORY), changes, lambda _: True)
    back = labelled_values(CATEGORY, values)
    assert (back["Text"], back["Count"]) == (text, count)
    cells = [row["Cell"] for row in back["Rows"]]
    assert cells == ([row["Cell"] for row in rows] or [""])
