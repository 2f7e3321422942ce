"""Texts that are too long for their columns."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.catalogue import Column, ColumnKind, ColumnValue, Table
from streams.flows.fitting import fitted
from tests.streams.flows.test_approval_request import ASKED, decided, heard, running, seen, shown
from tests.streams.rulebook import CATALOGUE

TABLE = Table(
    "t", "ts", "tid", {"a": Column(ColumnKind.TEXT, length=20), "b": Column(ColumnKind.TEXT)}
)
URL = "https://ecm.example/nodes/1234"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("x" * 20, "x" * 20),
        ("x" * 21, "x" * 19 + "…"),
        ("one\ntwo\nthree\nfour\nfive", "one\ntwo\nthree\nfour\n…"),
        ("first line is too long for it\nsecond", "first line is too l…"),
        (URL, None),
        (f"See {URL}", "See https://ecm.exa…"),
        (None, None),
        (7, 7),
    ],
)
def test_what_is_too_long_is_cut_where_it_can_be(value: ColumnValue, kept: ColumnValue) -> None:
    assert fitted(TABLE, {"a": value, "b": value, "c": value}) == {
        "a": kept,
        "b": value,
        "c": value,
    }


@given(value=st.text(st.sampled_from("ab \n:/é"), max_size=60))
def test_nothing_is_longer_than_its_column_and_what_fits_stays(value: str) -> None:
    found = fitted(TABLE, {"a": value})["a"]
    assert found is None or len(str(found)) <= 20
    assert len(value) > 20 or found == value
    assert fitted(TABLE, {"a": found})["a"] == found


def test_a_decision_with_many_words_is_shown_all_the_same() -> None:
    table = CATALOGUE.tables["new_request"]
    comment = Column(ColumnKind.TEXT, length=7)
    short = replace(table, columns={**table.columns, "new_comment": comment})
    catalogue = replace(CATALOGUE, tables={**CATALOGUE.tables, "new_request": short})
    before, _ = running(replace(seen(ASKED), catalogue=catalogue), 801)
    columns = shown(decided(heard(before, 801, "approved")))
    assert (columns["status"], columns["comment"]) == (2, "Go ahe…")
