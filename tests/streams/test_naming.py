"""Workspace names: what is written where columns are empty, odd or too long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.catalogue import ColumnValue
from streams.naming import MAX_LENGTH, PatternFault, columns_of, workspace_name

GUID = "0a3f6f52-7c1b-4e0e-9d5c-0123456789ab"
VALUES: dict[str, ColumnValue] = {
    "name": "Contoso",
    "accountnumber": "AC-42",
    "empty": None,
    "blank": "  ",
    "count": 7,
    "zero": 0,
    "preferred": True,
    "odd": "North: South\t(EU)\r\n ltd\x00",
    "separator": "-",
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{name}", "Contoso"),
        ("{name} ({accountnumber})", "Contoso (AC-42)"),
        ("{name} ({empty})", "Contoso"),
        ("{name} ({blank})", "Contoso"),
        ("{name} (No. {empty})", "Contoso"),
        ("{name} (No. {accountnumber})", "Contoso (No. AC-42)"),
        ("{name} [{empty} {accountnumber}]", "Contoso [AC-42]"),
        ("{name} ({empty} [{blank}])", "Contoso"),
        ("{name} (customer)", "Contoso (customer)"),
        ("{name} - {empty} - {accountnumber}", "Contoso - AC-42"),
        ("{empty} - {name}", "Contoso"),
        ("{name} - {empty}", "Contoso"),
        ("({empty}) {name}", "Contoso"),
        ("{separator}{name}", "-Contoso"),
        ("Case {accountnumber}", "Case AC-42"),
        ("Case {empty}", GUID),
        ("{empty} ({blank})", GUID),
        ("{empty|name}", "Contoso"),
        ("{empty | blank | accountnumber}", "AC-42"),
        ("{empty|'Unnamed'}", "Unnamed"),
        ("{name|'Unnamed'}", "Contoso"),
        ('{empty|"Un: named"} {accountnumber}', "Un- named AC-42"),
        ("{{{name}}}", "{Contoso}"),
        ("{name} :-)", "Contoso :-)".replace(":", "-")),
        ("{name} (open", "Contoso (open"),
        ("{count}/{zero}", "7/0"),
        ("{preferred}", "Yes"),
        ("{odd}", "North- South (EU) ltd"),
        ("{missing}", GUID),
    ],
)
def test_a_pattern_is_filled_and_what_is_empty_leaves_no_trace(pattern: str, expected: str) -> None:
    assert workspace_name(pattern, VALUES, fallback=GUID) == expected


def test_a_name_is_cut_at_the_length_that_extended_ecm_allows() -> None:
    name = workspace_name("{name} ({accountnumber})", {"name": "x" * 300}, fallback=GUID)
    assert name == "x" * MAX_LENGTH


def test_columns_are_told_in_order_and_once() -> None:
    assert columns_of("{b} ({a|b|'c'}) [{c}]") == ("b", "a", "c")


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("{name", "'{' without its partner"),
        ("name}", "'}' without its partner"),
        ("{}", "{} is not a column"),
        ("{Name}", "{Name} is not a column"),
        ("{name|}", "{name|} is not a column"),
        ("{'text'|name}", "is not a column"),
        ("{'text'}", "names no column before the text"),
        ("Account", "reads no column"),
        ("", "reads no column"),
    ],
)
def test_a_pattern_that_is_none_says_what_is_wrong_with_it(pattern: str, says: str) -> None:
    with pytest.raises(PatternFault) as fault:
        columns_of(pattern)
    assert says in str(fault.value)


@given(st.text(max_size=400), st.text(max_size=400))
def test_any_values_give_a_name_that_extended_ecm_accepts(first: str, second: str) -> None:
    values: dict[str, ColumnValue] = {"a": first, "b": second}
    name = workspace_name("{a} - {b} ({b|a})", values, fallback=GUID)
    assert 0 < len(name) <= MAX_LENGTH
    assert name == " ".join(name.split())
    assert ":" not in name
    name.encode("utf-8")
