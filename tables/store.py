"""One partition's rows on disk: a RocksDB database through rocksdict.

All tables of a partition live in one database, told apart by a key prefix, so that one WriteBatch
carries every row of a checkpoint together with the changelog positions that they reflect: after a
crash the database holds all of a checkpoint or nothing of it. (Column families would do as well;
a prefix costs one byte and no extra memtable per table, reference/stream-engines.md 1.8.)

    row        <table> 0x00 <key>          -> value
    position   0x01 <table>                -> next changelog offset, 8 bytes big endian
    stamp      0x02                        -> wall clock of the last write, ms, 8 bytes big endian

The write-ahead log is on and not synced: a killed process loses nothing, a lost machine loses the
tail, and recovery reads that tail from the changelog again.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DbClosedError,
    Options,
    Rdict,
    WriteBatch,
)

#: Rows to write: (table, key) to value, None deletes the row.
Changes = Mapping[tuple[str, str], bytes | None]

_POSITION = b"\x01"
_STAMP = b"\x02"
_REBUILD = "REBUILD"


class StoreLocked(Exception):
    """Another process, or another store of this one, has the database open."""


class StoreCorrupted(Exception):
    """The database cannot be read; rebuild it from the changelogs."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Memory of one database (defaults of Faust: 2 GiB and 3 x 64 MiB each)."""

    block_cache_bytes: int = 16 * 1024 * 1024
    write_buffer_bytes: int = 8 * 1024 * 1024
    max_open_files: int = 256


class PartitionStore:
    """The database of one partition. Not safe for threads, except that ``open`` may run in one."""

    def __init__(self, path: Path, database: Any, clock_ms: int) -> None:
        self.path = path
        self._database = database
        self._opened_ms = clock_ms

    @classmethod
    def open(cls, path: Path, settings: StoreSettings | None = None) -> Self:
        """Open or create the database in the directory ``path``.

        Raises StoreLocked when somebody has it open, StoreCorrupted when RocksDB cannot read it or
        an earlier run found it unreadable (``mark_corrupted``).
        """
        path.mkdir(parents=True, exist_ok=True)
        if (path / _REBUILD).exists():
            raise StoreCorrupted(f"{path} was found unreadable by an earlier run")
        try:
            database = Rdict(str(path), _options(settings or StoreSettings()))
        except Exception as error:
            text = str(error)
            if "lock" in text.lower():
                raise StoreLocked(
                    f"The table store {path} is open in another process: give each worker its own "
                    f"data directory, or wait for the other one to stop ({text})"
                ) from error
            raise StoreCorrupted(f"RocksDB cannot open {path}: {text}") from error
        return cls(path, database, int(time.time() * 1000))

    def get(self, table: str, key: str) -> bytes | None:
        """Return one row, None when there is none; raises StoreCorrupted."""
        return self._read(_row_key(table, key))

    def under(self, table: str, prefix: str) -> list[tuple[str, bytes]]:
        """Return the rows of a table whose key begins so, in key order; raises StoreCorrupted."""
        start = _row_key(table, prefix)
        cut = len(table.encode()) + 1
        found: list[tuple[str, bytes]] = []
        for key, value in self._items(start):
            if not key.startswith(start):
                break
            found.append((key[cut:].decode(), value))
        return found

    def scan(self, table: str, *, after: str = "", limit: int = 1000) -> list[tuple[str, bytes]]:
        """Return up to ``limit`` rows of a table in key order, those after the key ``after``."""
        prefix = table.encode() + b"\x00"
        start = prefix + after.encode()
        found: list[tuple[str, bytes]] = []
        for key, value in self._items(start):
            if not key.startswith(prefix) or len(found) >= limit:
                break
            if key != start or not after:
                found.append((key[len(prefix) :].decode(), value))
        return found

    def position(self, table: str) -> int | None:
        """Return the next changelog offset of a table: all records below it are in the rows."""
        raw = self._read(_POSITION + table.encode())
        return None if raw is None else int.from_bytes(raw, "big")

    def written_ms(self) -> int | None:
        """Return the wall clock of the last write in ms since 1970, None for a new store."""
        raw = self._read(_STAMP)
        return None if raw is None else int.from_bytes(raw, "big")

    def write(self, changes: Changes, positions: Mapping[str, int]) -> None:
        """Write rows and changelog positions at once: after a crash all are there or none."""
        batch = WriteBatch(raw_mode=True)
        for (table, key), value in changes.items():
            if value is None:
                batch.delete(_row_key(table, key))
            else:
                batch.put(_row_key(table, key), value)
        for table, offset in positions.items():
            batch.put(_POSITION + table.encode(), offset.to_bytes(8, "big"))
        batch.put(_STAMP, int(time.time() * 1000).to_bytes(8, "big"))
        self._database.write(batch)

    def clear(self, table: str) -> None:
        """Drop all rows of one table and its position."""
        name = table.encode()
        batch = WriteBatch(raw_mode=True)
        batch.delete_range(name + b"\x00", name + b"\x01")
        batch.delete(_POSITION + name)
        self._database.write(batch)

    def mark_corrupted(self) -> None:
        """Have the next ``open`` refuse this database, so that it is set aside and rebuilt."""
        (self.path / _REBUILD).touch()

    def close(self) -> None:
        """Close the database and release its lock; closing twice does nothing."""
        self._database.close()

    def _read(self, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self._database.get(key)
        except DbClosedError:
            raise
        except Exception as error:
            self.mark_corrupted()
            raise StoreCorrupted(f"RocksDB cannot read {self.path}: {error}") from error
        return value

    def _items(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        yield from self._database.items(from_key=start)


def set_aside(path: Path) -> Path:
    """Move an unreadable database out of the way, keeping it for a look; return its new place.

    Only the latest one is kept.
    """
    target = path.with_name(f"{path.name}.corrupted")
    shutil.rmtree(target, ignore_errors=True)
    path.rename(target)
    return target


def _row_key(table: str, key: str) -> bytes:
    return f"{table}\x00{key}".encode()


def _options(settings: StoreSettings) -> Options:
    blocks = BlockBasedOptions()
    blocks.set_block_cache(Cache(settings.block_cache_bytes))
    blocks.set_bloom_filter(10, False)
    blocks.set_cache_index_and_filter_blocks(True)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(blocks)
    options.set_write_buffer_size(settings.write_buffer_bytes)
    options.set_max_write_buffer_number(2)
    options.set_max_open_files(settings.max_open_files)
    options.set_max_background_jobs(2)
    options.set_keep_log_file_num(2)
    return options
