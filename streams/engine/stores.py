"""The stores that this worker has open, one per partition."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from pathlib import Path

from streams.engine.settings import EngineSettings
from streams.engine.waiting import whole
from tables.store import PartitionStore, StoreCorrupted, StoreLocked, set_aside

log = logging.getLogger(__name__)


class Stores:
    """Opens, keeps and closes stores; opening and closing touch the disk and run in a thread."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._open: dict[int, PartitionStore] = {}

    def get(self, partition: int) -> PartitionStore | None:
        """Return an open store."""
        return self._open.get(partition)

    async def open(self, partition: int) -> PartitionStore:
        """Open a partition's store; an unreadable one is set aside and begun anew.

        Raises StoreLocked when somebody else still has it after ``store_lock_wait_seconds``.
        """
        store = self._open.get(partition)
        if store is None:
            await self._open_when_free(partition)
            store = self._open[partition]
        return store

    async def keep(self, partitions: Collection[int]) -> None:
        """Close all stores but these; raises what the first said that could not be closed."""
        failures: list[Exception] = []
        for partition in [number for number in self._open if number not in partitions]:
            try:
                await whole(asyncio.to_thread(self._open.pop(partition).close))
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]

    async def _open_when_free(self, partition: int) -> None:
        path = self._settings.data_directory / self._settings.app_id / str(partition)
        deadline = time.monotonic() + self._settings.store_lock_wait_seconds
        while True:
            try:
                await whole(self._open_now(partition, path))
                return
            except StoreLocked as error:
                if time.monotonic() > deadline:
                    raise
                log.warning("%s; trying again", error)
                await asyncio.sleep(0.2)

    async def _open_now(self, partition: int, path: Path) -> None:
        """Open a store and know it as open. Not to be cancelled between the two: nobody would
        close it."""
        self._open[partition] = await asyncio.to_thread(self._open_fresh, path)

    def _open_fresh(self, path: Path) -> PartitionStore:
        try:
            store = PartitionStore.open(path, self._settings.store)
        except StoreCorrupted as error:
            aside = set_aside(path)
            log.error("%s. Moved to %s; the tables are read from their changelogs", error, aside)
            return PartitionStore.open(path, self._settings.store)
        if self._slept_too_long(store):
            log.warning(
                "The store %s was last written longer ago than changelogs keep tombstones; "
                "reading the tables from their changelogs",
                path,
            )
            store.close()
            set_aside(path)
            return PartitionStore.open(path, self._settings.store)
        return store

    def _slept_too_long(self, store: PartitionStore) -> bool:
        written = store.written_ms()
        if written is None:
            return False
        return time.time() * 1000 - written > self._settings.changelog_tombstone_retention_ms
