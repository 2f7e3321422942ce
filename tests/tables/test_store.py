"""One partition's rows on disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tables.store import PartitionStore, StoreCorrupted, StoreLocked, set_aside


def test_rows_and_positions_survive_a_close(tmp_path: Path) -> None:
    store = PartitionStore.open(tmp_path / "0")
    store.write({("a", "k"): b"1", ("b", "k"): b"2"}, {"a": 10, "b": 20})
    store.close()
    store = PartitionStore.open(tmp_path / "0")
    assert (store.get("a", "k"), store.get("b", "k"), store.get("a", "none")) == (b"1", b"2", None)
    assert (store.position("a"), store.position("b"), store.position("c")) == (10, 20, None)
    store.close()


def test_a_row_written_as_nothing_is_gone(tmp_path: Path) -> None:
    store = PartitionStore.open(tmp_path)
    store.write({("a", "k"): b"1"}, {})
    store.write({("a", "k"): None}, {})
    assert store.get("a", "k") is None
    store.close()


def test_tables_whose_names_begin_alike_do_not_mix(tmp_path: Path) -> None:
    store = PartitionStore.open(tmp_path)
    store.write({("ledger", "k"): b"1", ("ledger_ecm", "k"): b"2", ("l", "edger"): b"3"}, {})
    assert store.scan("ledger") == [("k", b"1")]
    store.clear("ledger")
    assert store.scan("ledger") == []
    assert store.get("ledger_ecm", "k") == b"2"
    assert store.get("l", "edger") == b"3"
    store.close()


def test_clearing_a_table_forgets_its_position_only(tmp_path: Path) -> None:
    store = PartitionStore.open(tmp_path)
    store.write({("a", "k"): b"1"}, {"a": 3, "b": 4})
    store.clear("a")
    assert (store.position("a"), store.position("b")) == (None, 4)
    store.close()


def test_a_scan_goes_in_pages_and_covers_every_row_once(tmp_path: Path) -> None:
    store = PartitionStore.open(tmp_path)
    store.write({("a", f"{number:03}"): b"x" for number in range(25)}, {})
    seen: list[str] = []
    after = ""
    while page := store.scan("a", after=after, limit=10):
        seen.extend(key for key, _ in page)
        after = page[-1][0]
    assert seen == [f"{number:03}" for number in range(25)]
    store.close()


def test_rows_under_a_prefix_are_those_and_no_other(tmp_path: Path) -> None:
    store = PartitionStore.open(tmp_path)
    keys = ["a:1", "a:1/r/1", "a:1/r/10", "a:1/r/2", "a:10/r/1", "a:2/r/1"]
    store.write({("t", key): key.encode() for key in keys}, {})
    store.write({("t", "a:1/r/2"): None, ("u", "a:1/r/9"): b"x"}, {})
    assert [key for key, _ in store.under("t", "a:1/")] == ["a:1/r/1", "a:1/r/10"]
    assert store.under("t", "a:2/") == [("a:2/r/1", b"a:2/r/1")]
    assert store.under("t", "a:3/") == []
    store.close()


def test_a_scan_leaves_nothing_behind_that_holds_the_lock(tmp_path: Path) -> None:
    store = PartitionStore.open(tmp_path)
    store.write({("a", str(number)): b"x" for number in range(10)}, {})
    store.scan("a", limit=2)
    store.close()
    PartitionStore.open(tmp_path).close()


def test_a_second_opener_is_told_what_to_do(tmp_path: Path) -> None:
    store = PartitionStore.open(tmp_path)
    with pytest.raises(StoreLocked, match="give each worker its own data directory"):
        PartitionStore.open(tmp_path)
    store.close()


def test_an_unreadable_database_says_so_and_can_be_set_aside(tmp_path: Path) -> None:
    place = tmp_path / "0"
    store = PartitionStore.open(place)
    store.write({("a", "k"): b"1"}, {})
    store.close()
    for manifest in place.glob("MANIFEST-*"):
        manifest.write_bytes(b"garbage" * 10)
    with pytest.raises(StoreCorrupted, match="cannot open"):
        PartitionStore.open(place)
    assert set_aside(place) == tmp_path / "0.corrupted"
    fresh = PartitionStore.open(place)
    assert fresh.get("a", "k") is None
    fresh.close()


def test_a_database_found_unreadable_while_it_ran_is_not_opened_again(tmp_path: Path) -> None:
    store = PartitionStore.open(tmp_path)
    store.mark_corrupted()
    store.close()
    with pytest.raises(StoreCorrupted, match="earlier run"):
        PartitionStore.open(tmp_path)


def test_a_write_survives_a_killed_process(tmp_path: Path) -> None:
    program = (
        "import sys, os, signal\n"
        "from pathlib import Path\n"
        "from tables.store import PartitionStore\n"
        "store = PartitionStore.open(Path(sys.argv[1]))\n"
        "store.write({('a', str(n)): b'x' for n in range(100)}, {'a': 100})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], env=os.environ)
    assert ended.returncode == -signal.SIGKILL
    store = PartitionStore.open(tmp_path)
    assert store.position("a") == 100
    assert len(store.scan("a")) == 100
    store.close()


def test_the_time_of_the_last_write_is_known(tmp_path: Path) -> None:
    store = PartitionStore.open(tmp_path)
    assert store.written_ms() is None
    store.write({}, {"a": 1})
    assert store.written_ms() is not None
    store.close()
