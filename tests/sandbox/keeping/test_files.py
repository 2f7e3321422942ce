"""The files of a data folder: whole or not there, and never more than records."""

from __future__ import annotations

import asyncio
import datetime as dt
import pickle
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.tables.values import Reference
from app.sandbox.keeping import FolderInUse, Keeper, Part, Unusable, read_kept, write_kept
from app.sandbox.keeping.keeper import PAUSE_SECONDS
from tests.patience import PATIENCE_SECONDS

ROWS = ("app.sandbox.dataverse.store.commits", "app.sandbox.dataverse.tables.values")
PART = Part("rows", ROWS)
SAVING = """
import sys, pathlib
from app.sandbox.keeping import Part, write_kept
part = Part("numbers", ())
for number in range(1_000_000):
    write_kept(pathlib.Path(sys.argv[1]), part.form, part.dump([number] * 20_000))
    if number == 0:
        sys.stdout.write("saving\\n")
        sys.stdout.flush()
"""


class Bomb:
    """What a hostile file would hold: made, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def written(folder: Path, part: Part, content: bytes, form: str = "") -> Path:
    path = folder / f"{part.name}.state"
    write_kept(path, form or part.form, content)
    return path


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    moment = dt.datetime(2026, 5, 4, 9, 30, tzinfo=dt.UTC)
    row = Row("account", "1", 7, {"owner": Reference("systemuser", "2"), "name": "Ä"})
    records = {"rows": [row, row], "at": moment, ("a", 1): {3}, "raw": b"\x00"}
    written(tmp_path, PART, PART.dump(records))
    back = read_kept(tmp_path, PART)
    assert back == records
    assert back["rows"][0] is back["rows"][1]
    assert isinstance(back["rows"][0].values["owner"], Reference)


def test_of_a_part_that_was_never_kept_there_is_nothing(tmp_path: Path) -> None:
    assert read_kept(tmp_path, PART) is None


def test_a_file_cannot_run_anything(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    written(tmp_path, PART, pickle.dumps(Bomb(victim)))
    with pytest.raises(Unusable, match="does not hold what it should"):
        read_kept(tmp_path, PART)
    assert not victim.exists()


def test_a_record_of_another_part_is_not_made(tmp_path: Path) -> None:
    other = Part("rows", ROWS[1:])
    written(tmp_path, other, PART.dump(Row("account", "1", 7, {})))
    with pytest.raises(Unusable, match=r"commits\.Row is no record"):
        read_kept(tmp_path, other)


def test_damage_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path, PART, PART.dump(["text"]))
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(Unusable, match=r"rows\.state is damaged: move it away"):
        read_kept(tmp_path, PART)


def test_the_file_of_another_version_is_left_alone(tmp_path: Path) -> None:
    path = written(tmp_path, PART, PART.dump([]), form="of last year")
    with pytest.raises(Unusable, match="written by another version of Dovetail"):
        read_kept(tmp_path, PART)
    assert path.exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"[1]\n", b'{"a": 1}\n'])
def test_another_file_is_not_taken_for_one_of_ours(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rows.state").write_bytes(content)
    with pytest.raises(Unusable, match="is no file of a sandbox"):
        read_kept(tmp_path, PART)


def test_the_form_follows_the_fields_of_the_records() -> None:
    assert PART.form == Part("rows", ROWS).form
    assert PART.form != Part("rows", ROWS[1:]).form


def test_a_process_that_is_killed_while_it_saves_leaves_a_whole_file(tmp_path: Path) -> None:
    part = Part("numbers", ())
    path = tmp_path / "numbers.state"
    chance = random.Random(5)
    for _ in range(5):
        command = [sys.executable, "-c", SAVING, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "saving\n"
            time.sleep(0.1 + chance.random() / 10)
            process.send_signal(signal.SIGKILL)
        numbers = read_kept(tmp_path, part)
        assert numbers == [numbers[0]] * 20_000


async def test_what_changes_is_saved_by_itself_and_what_does_not_is_not(tmp_path: Path) -> None:
    rows: list[int] = []
    async with Keeper(tmp_path) as keeper:
        keeper.keep({PART: lambda: rows})
        await asyncio.gather(keeper.save(), keeper.save())
        assert (keeper.saves, read_kept(tmp_path, PART)) == (1, [])
        rows.append(1)
        await _until(lambda: read_kept(tmp_path, PART) == [1])
        rows.append(2)
    assert read_kept(tmp_path, PART) == [1, 2]


async def test_while_nobody_asks_anything_nothing_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sandbox.keeping.keeper.IDLE_SECONDS", 3600)
    looked = 0
    asked = 0

    def take() -> list[int]:
        nonlocal looked
        looked += 1
        return [asked]

    async with Keeper(tmp_path) as keeper:
        keeper.keep({PART: take}, lambda: asked)
        await _until(lambda: looked == 1)
        for _ in range(10):
            await _a_while()
        assert looked == 1
        asked = 1
        await _until(lambda: looked == 2)


async def test_what_changes_by_itself_is_looked_for_while_nobody_asks_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sandbox.keeping.keeper.IDLE_SECONDS", 0)
    rows: list[int] = []
    async with Keeper(tmp_path) as keeper:
        keeper.keep({PART: lambda: rows}, lambda: 0)
        await _until(lambda: keeper.saves == 1)
        rows.append(1)
        await _until(lambda: read_kept(tmp_path, PART) == [1])


async def test_a_save_that_fails_is_told_and_tried_again(tmp_path: Path) -> None:
    in_the_way = tmp_path / "rows.state.new"
    in_the_way.mkdir()
    async with Keeper(tmp_path) as keeper:
        keeper.keep({PART: lambda: ["late"]})
        await _until(lambda: isinstance(keeper.failure, OSError))
        in_the_way.rmdir()
        await _until(lambda: keeper.failure is None)
        assert read_kept(tmp_path, PART) == ["late"]


async def test_a_folder_has_one_keeper_at_a_time(tmp_path: Path) -> None:
    async with Keeper(tmp_path):
        with pytest.raises(FolderInUse, match="in use by another sandbox"):
            Keeper(tmp_path)
    async with Keeper(tmp_path):
        pass


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await _a_while()


async def _a_while() -> None:
    await asyncio.sleep(PAUSE_SECONDS / 5)
