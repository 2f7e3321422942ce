"""Committed offsets: the last commit is the one that is found, also after a crash."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sandbox.kafka import journal
from app.sandbox.kafka.offsets import Committed, CommittedOffsets

GROUPS = st.sampled_from(["g", "h"])
PLACES = st.tuples(st.sampled_from(["t", "u"]), st.integers(0, 2))
HISTORIES = st.lists(st.tuples(GROUPS, PLACES, st.integers(0, 99)), max_size=30)


@settings(max_examples=60, deadline=None)
@given(HISTORIES, st.integers(0, 400))
def test_a_file_cut_anywhere_gives_the_commits_of_its_whole_lines(
    history: list[tuple[str, tuple[str, int], int]], lost: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "offsets"
        store = CommittedOffsets(path)
        ends, size = [], 0
        for group, place, offset in history:
            store.commit(group, {place: Committed(offset, metadata="ü")})
            size = path.stat().st_size
            ends.append(size)
        store.close()
        path.write_bytes(path.read_bytes()[: max(0, size - lost)])
        expected = {
            (group, *place): offset
            for (group, place, offset), end in zip(history, ends, strict=True)
            # The last byte of a line is its line feed, which a whole commit can do without.
            if end - 1 <= size - lost
        }

        reopened = CommittedOffsets(path)
        found = {
            (group, topic, partition): commit.offset
            for group in reopened.groups()
            for (topic, partition), commit in reopened.of_group(group).items()
        }
        assert found == expected
        reopened.commit("g", {("t", 0): Committed(1234)})
        reopened.close()
        again = CommittedOffsets(path)
        assert again.get("g", "t", 0) == Committed(1234)
        again.close()


def test_what_is_forgotten_stays_forgotten(tmp_path: Path) -> None:
    store = CommittedOffsets(tmp_path / "offsets")
    for group in ("g", "h"):
        store.commit(group, {(topic, 0): Committed(5) for topic in ("t", "u")})
    store.forget_group("g")
    store.forget_topic("u")
    store.close()

    reopened = CommittedOffsets(tmp_path / "offsets")
    assert reopened.groups() == {"h"}
    assert reopened.of_group("h") == {("t", 0): Committed(5)}
    reopened.close()


def test_a_file_of_outdated_lines_is_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_SLACK_LINES", 50)
    path = tmp_path / "offsets"
    store = CommittedOffsets(path)
    for offset in range(1000):
        store.commit("g", {("t", 0): Committed(offset)})
    assert path.read_bytes().count(b"\n") <= 60
    store.close()

    reopened = CommittedOffsets(path)
    assert reopened.get("g", "t", 0) == Committed(999)
    reopened.close()


def test_in_memory_commits_last_as_long_as_their_store() -> None:
    store = CommittedOffsets(None)
    store.commit("g", {("t", 0): Committed(3, 0, "note")})
    assert store.get("g", "t", 0) == Committed(3, 0, "note")
    assert store.get("g", "t", 1) is None
    store.close()
