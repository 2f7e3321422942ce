"""Each kind of column has one canonical form, whatever a producer writes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.catalogue import Column, ColumnKind
from streams.formats.times import instant_ms, instant_text
from streams.formats.values import Unknown, WrongType, canonical, number_text, version_number
from tests.streams.formats.sample import ID

K = ColumnKind

SPELLINGS = [
    (K.TEXT, "Acme", "Acme"),
    (K.TEXT, " Acme ", " Acme "),
    (K.TEXT, "", None),
    (K.INTEGER, 5, 5),
    (K.INTEGER, "5", 5),
    (K.INTEGER, 5.0, 5),
    (K.INTEGER, "9007199254740993", 9007199254740993),
    (K.INTEGER, "-3", -3),
    (K.CHOICE, {"__type": "OptionSetValue:x", "Value": 3}, 3),
    (K.CHOICE, "3", 3),
    (K.CHOICE, 3, 3),
    (K.CHOICES, [{"Value": 3}, {"Value": 1}], "1,3"),
    (K.CHOICES, "3;1", "1,3"),
    (K.CHOICES, "1,3", "1,3"),
    (K.CHOICES, "[3,1]", "1,3"),
    (K.CHOICES, [3, 1, 3], "1,3"),
    (K.CHOICES, 3, "3"),
    (K.CHOICES, [], None),
    (K.CHOICES, [100000000, 2], "2,100000000"),
    (K.NUMBER, {"Value": 50000}, "50000"),
    (K.NUMBER, 50000.0, "50000"),
    (K.NUMBER, "50000.0000000000", "50000"),
    (K.NUMBER, 0.1, "0.1"),
    (K.NUMBER, "-0.250", "-0.25"),
    (K.NUMBER, "-0.00", "0"),
    (K.NUMBER, "1E+3", "1000"),
    (K.NUMBER, 1e-7, "0.0000001"),
    (K.NUMBER, Decimal("922337203685477.5807"), "922337203685477.5807"),
    (K.BOOLEAN, True, True),
    (K.BOOLEAN, "True", True),
    (K.BOOLEAN, "0", False),
    (K.BOOLEAN, 0, False),
    (K.BOOLEAN, {"Value": False}, False),
    (K.DATETIME, "2024-01-31T10:15:00Z", "2024-01-31T10:15:00Z"),
    (K.DATETIME, "2024-01-31T12:15:00+02:00", "2024-01-31T10:15:00Z"),
    (K.DATETIME, "2024-01-31T10:15:00.0000000+00:00", "2024-01-31T10:15:00Z"),
    (K.DATETIME, "2024-01-31 10:15:00.123456", "2024-01-31T10:15:00.123Z"),
    (K.DATETIME, "2024-01-31", "2024-01-31T00:00:00Z"),
    (K.DATETIME, "/Date(1706696100000)/", "2024-01-31T10:15:00Z"),
    (K.DATETIME, "/Date(1706696100000+0200)/", "2024-01-31T10:15:00Z"),
    (K.DATETIME, "/Date(-1000)/", "1969-12-31T23:59:59Z"),
    (K.DATETIME, "1/31/2024 10:15:00 AM", "2024-01-31T10:15:00Z"),
    (K.DATETIME, "12/1/2024 12:00:00 AM", "2024-12-01T00:00:00Z"),
    (K.DATETIME, "12/1/2024 12:00:00 PM", "2024-12-01T12:00:00Z"),
    (K.DATETIME, 1706696100000, "2024-01-31T10:15:00Z"),
    (K.DATETIME, 1706696100000000, "2024-01-31T10:15:00Z"),
    (K.DATETIME, 1706696100000000000, "2024-01-31T10:15:00Z"),
    (K.DATETIME, 253402214400000, "9999-12-31T00:00:00Z"),
    (K.DATE, "2024-01-31", "2024-01-31"),
    (K.DATE, "2024-01-31T00:00:00+02:00", "2024-01-31"),
    (K.DATE, "/Date(1706659200000)/", "2024-01-31"),
    (K.DATE, 19753, "2024-01-31"),
    (K.DATE, 1706659200000, "2024-01-31"),
    (K.GUID, "{" + ID.upper() + "}", ID),
    (K.GUID, ID.replace("-", ""), ID),
]


@pytest.mark.parametrize(("kind", "raw", "expected"), SPELLINGS)
def test_every_spelling_becomes_the_canonical_form(
    kind: ColumnKind, raw: Any, expected: Any
) -> None:
    found = canonical(Column(kind), raw)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (K.TEXT, 5),
        (K.TEXT, True),
        (K.TEXT, {"Value": {"Value": 1}}),
        (K.INTEGER, True),
        (K.INTEGER, 1.5),
        (K.INTEGER, "five"),
        (K.INTEGER, 2**63),
        (K.INTEGER, " "),
        (K.CHOICE, {"Id": ID}),
        (K.CHOICE, {"Value": None}),
        (K.CHOICES, "a;b"),
        (K.CHOICES, [None]),
        (K.NUMBER, "1,234.50"),
        (K.NUMBER, "NaN"),
        (K.NUMBER, "Infinity"),
        (K.NUMBER, "1e999"),
        (K.NUMBER, "9" * 65),
        (K.NUMBER, "٣"),
        (K.NUMBER, True),
        (K.BOOLEAN, "maybe"),
        (K.BOOLEAN, 2),
        (K.BOOLEAN, []),
        (K.DATETIME, "yesterday"),
        (K.DATETIME, "2024-13-01T00:00:00Z"),
        (K.DATETIME, "/Date(999999999999999999)/"),
        (K.DATETIME, "0001-01-01T00:00:00+02:00"),
        (K.DATETIME, "13/1/2024 10:15:00 AM"),
        (K.DATETIME, "1/1/2024 13:15:00 AM"),
        (K.DATETIME, 8_000_000_000_000),  # 2223 as milliseconds, April 1970 as microseconds
        (K.DATETIME, True),
        (K.DATETIME, 1.5),
        (K.DATE, "31.01.2024"),
        (K.GUID, "not-a-guid"),
        (K.LOOKUP, "not-a-guid"),
        (K.LOOKUP, {"LogicalName": "account"}),
        (K.LOOKUP, {"Id": 5, "LogicalName": "account"}),
        (K.LOOKUP, {"Id": ID, "LogicalName": "no table"}),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_never_guessed(kind: ColumnKind, raw: Any) -> None:
    with pytest.raises(WrongType):
        canonical(Column(kind, ("account",)), raw)


def test_a_lookup_takes_the_producers_word_for_its_table_before_the_catalogues() -> None:
    single = Column(K.LOOKUP, ("account",))
    assert canonical(single, ID.upper()) == f"account:{ID}"
    assert canonical(single, ID, "Contact") == f"contact:{ID}"
    assert canonical(single, {"Id": ID, "LogicalName": "contact"}) == f"contact:{ID}"


@pytest.mark.parametrize("targets", [(), ("account", "contact")])
def test_a_lookup_of_several_tables_without_a_name_stays_unknown(targets: tuple[str, ...]) -> None:
    assert canonical(Column(K.LOOKUP, targets), ID) is Unknown.VALUE


def test_a_reference_by_alternate_key_stays_unknown_and_a_zero_guid_is_empty() -> None:
    column = Column(K.LOOKUP, ("account",))
    zero = "00000000-0000-0000-0000-000000000000"
    assert canonical(column, {"Id": zero, "LogicalName": "account"}) is Unknown.VALUE
    assert canonical(column, zero) is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(None, None), ("", None), (1234567, 1234567), ("1234567", 1234567), ("AAAAAAAS1oc=", 1234567)],
)
def test_a_version_is_a_number_its_text_or_a_rowversion(raw: Any, expected: int | None) -> None:
    assert version_number(raw) == expected


@pytest.mark.parametrize("raw", [-1, "x", "AAAA!AAS1oc=", 1.5, [], 2**63])
def test_a_version_that_is_none_is_refused(raw: Any) -> None:
    with pytest.raises(WrongType):
        version_number(raw)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**22), max_value=10**22))
def test_a_numbers_canonical_text_is_exact_and_does_not_depend_on_its_spelling(
    number: Decimal,
) -> None:
    try:
        text = number_text(str(number))
    except WrongType:
        assert len(number.as_tuple().digits) > 64 or abs(number.adjusted()) > 64
        return
    assert Decimal(text) == number
    assert number_text(text) == text
    assert "e" not in text.lower() and not (("." in text) and text.endswith(("0", ".")))


@given(st.integers(min_value=-62_135_596_800_000, max_value=253_402_300_799_999))
def test_a_moments_canonical_text_reads_back_to_the_same_millisecond(at_ms: int) -> None:
    assert instant_ms(instant_text(at_ms)) == at_ms
    assert instant_ms(f"/Date({at_ms})/") == at_ms
