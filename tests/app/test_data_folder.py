"""The folder of a worker's tables: made, writable, and one worker's alone."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from app.data_folder import data_folder
from streams.errors import Misconfigured
from tests.patience import PATIENCE_SECONDS


async def test_the_folder_is_made_and_let_go_at_the_end(tmp_path: Path) -> None:
    folder, told = tmp_path / "deep" / "tables", list[str]()
    for _ in range(2):
        async with data_folder(folder, told.append):
            assert folder.is_dir()
    assert told == []


async def test_a_second_worker_waits_and_says_for_what(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = list[str]()

    async def second() -> None:
        async with data_folder(tmp_path, told.append):
            pass

    async with data_folder(tmp_path, told.append):
        waiting = asyncio.create_task(second())
        done, _ = await asyncio.wait({waiting}, timeout=1.2)
        assert not done
    await asyncio.wait_for(waiting, PATIENCE_SECONDS)
    assert told == [f"another worker, which uses {tmp_path}, to stop"]
    ours = [record for record in caplog.records if record.name == "app.data_folder"]
    (line,) = [record.getMessage() for record in ours]
    for name in ("DATA_DIRECTORY", "INSTANCE_ID", "HTTP_PORT"):
        assert name in line


async def test_a_worker_that_was_killed_lets_go_of_it(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys, pathlib; from app.data_folder import data_folder\n"
        "async def main():\n"
        "    async with data_folder(pathlib.Path(sys.argv[1]), print):\n"
        "        print('mine', flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert other.stdout is not None
    assert await other.stdout.readline() == b"mine\n"
    other.kill()
    await other.wait()
    told = list[str]()
    async with data_folder(tmp_path, told.append):
        assert told == []


async def test_what_cannot_be_a_folder_is_told_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match=r"cannot be kept in .*: Not a directory") as wrong:
        async with data_folder(tmp_path / "file" / "tables", print):
            pass
    assert "DOVETAIL_DATA_DIRECTORY" in wrong.value.advice
