"""Keeps the parts of a sandbox in a folder, from time to time and at the end.

All parts are taken at the same moment, between two requests, so that the files tell of one moment;
writing them happens in a thread. What nobody changed is not written, and while nobody asks anything
it is seldom looked at. A sandbox that is killed loses what its simulated systems did since the last
save: at most `PAUSE_SECONDS` and the time of a save where the parts are small, more where they are
large, a tenth of its time being spent on saving.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Self

from app.sandbox.keeping.files import path_of, read_kept, write_kept
from app.sandbox.keeping.parts import Part

Take = Callable[[], Any]
Activity = Callable[[], int]

PAUSE_SECONDS = 0.5
IDLE_SECONDS = 10.0
"""How often the parts are looked at while nobody asks anything: some changes come by themselves."""
_SHARE = 10
"""A save that takes a second is followed by ten without one."""


class FolderInUse(Exception):
    """Another sandbox works on the folder."""


class Keeper:
    """An async context manager around the time in which the parts may change.

    Opening the folder raises `FolderInUse`; so two sandboxes never overwrite each other's files.
    ``failure`` is why the last save did not succeed (a full disk), and None after one that did.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failure: OSError | None = None
        self.saves = 0
        self._parts: Mapping[Part, Take] = {}
        self._activity: Activity | None = None
        self._written: dict[str, bytes] = {}
        self._saving = asyncio.Lock()  # two savers would write one file, and both count it
        self._task: asyncio.Task[None] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(folder / "sandbox.lock")

    def read(self, part: Part) -> Any:
        """What was kept of a part, None when nothing was. Raises `files.Unusable`."""
        return read_kept(self.folder, part)

    def keep(self, parts: Mapping[Part, Take], activity: Activity | None = None) -> None:
        """Keep these from now on; what stands beside a part gives its records as they are.

        ``activity`` is another number whenever something may have changed; without it, always.
        """
        self._parts = dict(parts)
        self._activity = activity
        self._task = asyncio.create_task(self._run())

    async def save(self) -> None:
        """Write what has changed, now. Raises OSError when the disk does not take it."""
        async with self._saving:
            taken = [(part, part.dump(take())) for part, take in self._parts.items()]
            for part, content in taken:
                if self._written.get(part.name) != content:
                    path = path_of(self.folder, part.name)
                    await asyncio.to_thread(write_kept, path, part.form, content)
                    self._written[part.name] = content
                    self.saves += 1

    async def close(self) -> None:
        """Save for the last time and let the folder go."""
        if self._task is not None:
            # A save that is under way ends first: it may not write over the last one.
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            await self.save()
        finally:
            self._lock.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _run(self) -> None:
        pause, seen, saved_at = PAUSE_SECONDS, -1, 0.0
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            now = self._activity() if self._activity else seen + 1
            if now == seen and began - saved_at < IDLE_SECONDS and self.failure is None:
                continue
            seen, saved_at = now, began
            saving = asyncio.ensure_future(self.save())
            try:
                await asyncio.shield(saving)
                self.failure = None
            except OSError as error:
                self.failure = error
            except asyncio.CancelledError:
                with contextlib.suppress(OSError):
                    await saving
                raise
            pause = max(PAUSE_SECONDS, _SHARE * (time.monotonic() - began))


def _locked(path: Path) -> IO[str]:
    file = path.open("a")
    try:
        import fcntl
    except ImportError:  # not on Windows: there the folder is not guarded
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise FolderInUse(
            f"{path.parent} is in use by another sandbox: stop that one, or give another folder."
        ) from error
    return file
