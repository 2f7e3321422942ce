"""The folder of a worker's tables: it can be written, and nobody else works on it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO

from streams.errors import Misconfigured

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5


@contextlib.asynccontextmanager
async def data_folder(folder: Path, waiting_for: Callable[[str], None]) -> AsyncIterator[None]:
    """Make the folder and keep it for this worker while the block runs.

    Waits while another worker has it, and tells ``waiting_for`` so: two workers on one folder would
    take the tables from each other for ever. Raises Misconfigured when it cannot be written.
    """
    lock = _opened(folder)
    try:
        if not _taken(lock):
            what = f"another worker, which uses {folder}, to stop"
            waiting_for(what)
            log.warning(
                "waiting for %s; a worker beside it needs a DOVETAIL_DATA_DIRECTORY, "
                "DOVETAIL_INSTANCE_ID and DOVETAIL_HTTP_PORT of its own",
                what,
            )
            await _until_taken(lock)
        yield
    finally:
        lock.close()


def _opened(folder: Path) -> IO[str]:
    """The lock file, in the folder that is made where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / "worker.lock").open("a")
    except OSError as error:
        raise Misconfigured(
            f"the tables cannot be kept in {folder}: {error.strerror}",
            advice="set DOVETAIL_DATA_DIRECTORY to a folder on a persistent volume that this user "
            "may write to",
        ) from None


async def _until_taken(lock: IO[str]) -> None:
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if _taken(lock):
            return


def _taken(lock: IO[str]) -> bool:
    """True when the folder is ours now. A process that dies lets go of it, however it dies."""
    try:
        import fcntl
    except ImportError:  # not on Windows: there only RocksDB guards its own files
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
