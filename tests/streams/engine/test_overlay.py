"""Rows that are written and not yet committed."""

from __future__ import annotations

import pytest

from streams.engine.overlay import NoRows, Overlay

TABLES = frozenset({"counts"})


class Below:
    """A store with one row."""

    def get(self, table: str, key: str) -> bytes | None:
        return b"old" if (table, key) == ("counts", "k") else None

    def under(self, table: str, prefix: str) -> list[tuple[str, bytes]]:
        return [("k", b"old")] if table == "counts" and "k".startswith(prefix) else []


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


def test_rows_under_a_prefix_are_those_of_all_layers_in_the_order_of_their_keys() -> None:
    lower = Overlay(Below(), frozenset({"counts", "others"}))
    upper = Overlay(lower, frozenset({"counts", "others"}))
    assert [*upper.under("counts", "")] == [("k", b"old")]
    lower.put("counts", "k/b", b"1")
    lower.put("counts", "l", b"2")
    lower.put("others", "k/c", b"3")
    upper.put("counts", "k/a", b"4")
    assert [*upper.under("counts", "k")] == [("k", b"old"), ("k/a", b"4"), ("k/b", b"1")]
    assert [*upper.under("counts", "k/")] == [("k/a", b"4"), ("k/b", b"1")]
    upper.delete("counts", "k/b")
    upper.put("counts", "k", b"new")
    assert [*upper.under("counts", "k")] == [("k", b"new"), ("k/a", b"4")]
    lower.merge(upper.changes)
    assert [*lower.under("counts", "k")] == [("k", b"new"), ("k/a", b"4")]
    lower.settle(dict(lower.changes))
    assert [*lower.under("counts", "k")] == [("k", b"old")]
    lower.put("counts", "k/z", b"5")
    lower.taken()
    assert ([*lower.under("counts", "k/")], lower.changes) == ([], {})


@pytest.mark.parametrize("call", ["get", "put", "delete", "under"])
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
