"""Rows that are written and not yet committed."""

from __future__ import annotations

import pytest

from streams.engine.overlay import NoRows, Overlay

TABLES = frozenset({"counts"})


class Below:
    """A store with one row."""

    def get(self, table: str, key: str) -> bytes | None:
        return b"old" if (table, key) == ("counts", "k") else None


def test_a_written_row_is_read_back_before_it_is_committed() -> None:
    rows = Overlay(Below(), TABLES)
    assert rows.get("counts", "k") == b"old"
    rows.put("counts", "k", b"new")
    assert rows.get("counts", "k") == b"new"


def test_a_deleted_row_hides_the_one_below() -> None:
    rows = Overlay(Below(), TABLES)
    rows.delete("counts", "k")
    assert rows.get("counts", "k") is None


def test_a_layer_on_a_layer_changes_nothing_until_it_is_merged() -> None:
    lower = Overlay(Below(), TABLES)
    upper = Overlay(lower, TABLES)
    upper.put("counts", "k", b"new")
    assert lower.get("counts", "k") == b"old"
    lower.merge(upper.changes)
    assert lower.get("counts", "k") == b"new"


@pytest.mark.parametrize("call", ["get", "put", "delete"])
def test_a_table_that_was_not_declared_is_refused_by_name(call: str) -> None:
    rows = Overlay(NoRows(), TABLES)
    arguments = ("other", "k", b"v") if call == "put" else ("other", "k")
    with pytest.raises(KeyError, match=r"did not declare the table 'other' \(declared: counts\)"):
        getattr(rows, call)(*arguments)


def test_settling_keeps_what_changed_again_meanwhile() -> None:
    rows = Overlay(NoRows(), TABLES)
    rows.put("counts", "a", b"1")
    rows.put("counts", "b", b"1")
    written = dict(rows.changes)
    rows.put("counts", "b", b"2")
    rows.settle(written)
    assert rows.changes == {("counts", "b"): b"2"}
