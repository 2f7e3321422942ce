"""A small table on disk: an append-only file of JSON lines, of which the later wins.

A line is the parts of the key and then those of the value; one without a value forgets the key. A
line that a crash cut short is dropped when the file is read, and the file is rewritten when most of
its lines are outdated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import orjson

_SLACK_LINES = 10_000

Key = tuple[Any, ...]
Value = list[Any]


class Journal:
    """The file at `path`, None for nothing that survives. `key_parts` is how many of a line's
    parts are its key."""

    def __init__(self, path: Path | None, key_parts: int) -> None:
        self._path = path
        self._key_parts = key_parts
        self._file: BinaryIO | None = None
        self._lines = 0

    def load(self) -> dict[Key, Value]:
        """Read the file and open it for more. Raises OSError."""
        if self._path is None:
            return {}
        found: dict[Key, Value] = {}
        raw = self._path.read_bytes() if self._path.exists() else b""
        for line in raw.split(b"\n"):
            try:
                parts = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            key, value = tuple(parts[: self._key_parts]), parts[self._key_parts :]
            if value:
                found[key] = value
            else:
                found.pop(key, None)
        self._rewrite(self._path, found)
        return found

    def append(self, changes: Iterable[tuple[Key, Value]]) -> None:
        """Write changes (an empty value forgets); they are in the file when this returns. Raises
        OSError."""
        lines = [_line(key, value) for key, value in changes]
        if self._file is None or self._path is None or not lines:
            return
        self._file.write(b"".join(lines))
        self._lines += len(lines)

    def is_bloated(self, size: int) -> bool:
        """Whether a table of `size` keys should be rewritten."""
        return self._file is not None and self._lines > 4 * size + _SLACK_LINES

    def rewrite(self, table: Mapping[Key, Value]) -> None:
        """Replace the file by this table. Raises OSError."""
        if self._path is not None:
            self._rewrite(self._path, table)

    def close(self) -> None:
        """Close the file; calling it again is harmless."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _rewrite(self, path: Path, table: Mapping[Key, Value]) -> None:
        self.close()
        fresh = path.with_name(path.name + ".new")
        fresh.write_bytes(b"".join(_line(key, value) for key, value in table.items()))
        fresh.replace(path)
        self._lines = len(table)
        self._file = path.open("ab", buffering=0)


def _line(key: Key, value: Value) -> bytes:
    return orjson.dumps([*key, *value]) + b"\n"
