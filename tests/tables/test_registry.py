"""One writer per table."""

from __future__ import annotations

import pytest

from tables.registry import TableRegistry, changelog_topic


def test_a_table_knows_its_writer() -> None:
    registry = TableRegistry()
    registry.register("decide", ["records", "gates"])
    assert registry.owner("gates") == "decide"
    assert [entry.name for entry in registry] == ["records", "gates"]
    assert "records" in registry and "other" not in registry


def test_a_second_writer_is_refused_by_name() -> None:
    registry = TableRegistry()
    registry.register("decide", ["records"])
    with pytest.raises(ValueError, match="'records' already belongs to the stage 'decide'"):
        registry.register("write", ["records"])


@pytest.mark.parametrize("name", ["Records", "a-b", "", "a\x00b", "1a"])
def test_a_name_that_cannot_be_part_of_a_topic_and_a_key_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a table name"):
        TableRegistry().register("decide", [name])


def test_the_changelog_is_named_after_app_and_table() -> None:
    assert changelog_topic("dovetail", "records") == "dovetail-records-changelog"
