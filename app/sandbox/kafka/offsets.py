"""Committed offsets: the last commit of each group for each partition, kept across restarts.

On disk an append-only file of JSON lines, the later line wins; a line that a crash cut short is
dropped when the file is read, and the file is rewritten when most of its lines are outdated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

_SLACK_LINES = 10_000


@dataclass(frozen=True, slots=True)
class Committed:
    """One committed offset."""

    offset: int
    leader_epoch: int = -1
    metadata: str = ""


Key = tuple[str, str, int]
"""Group, topic, partition."""


class CommittedOffsets:
    """All commits; `path` is None when they need not survive."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._lines = 0
        self._commits: dict[Key, Committed] = {}
        if path is not None:
            self._load(path)

    def groups(self) -> set[str]:
        """The groups that have commits."""
        return {group for group, _, _ in self._commits}

    def get(self, group: str, topic: str, partition: int) -> Committed | None:
        """The last commit, None when there is none."""
        return self._commits.get((group, topic, partition))

    def of_group(self, group: str) -> dict[tuple[str, int], Committed]:
        """All commits of a group by topic and partition."""
        return {(t, p): commit for (g, t, p), commit in self._commits.items() if g == group}

    def commit(self, group: str, commits: dict[tuple[str, int], Committed]) -> None:
        """Remember commits; they are in the file when this returns. Raises OSError."""
        self._append([_line((group, *where), commit) for where, commit in commits.items()])
        for (topic, partition), commit in commits.items():
            self._commits[(group, topic, partition)] = commit

    def forget_group(self, group: str) -> None:
        """Drop all commits of a group."""
        self._forget([key for key in self._commits if key[0] == group])

    def forget_topic(self, topic: str) -> None:
        """Drop all commits on a deleted topic."""
        self._forget([key for key in self._commits if key[1] == topic])

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _forget(self, keys: Iterable[Key]) -> None:
        keys = list(keys)
        self._append([_line(key, None) for key in keys])
        for key in keys:
            del self._commits[key]

    def _load(self, path: Path) -> None:
        raw = path.read_bytes() if path.exists() else b""
        for line in raw.split(b"\n"):
            try:
                group, topic, partition, *commit = orjson.loads(line)
            except (orjson.JSONDecodeError, ValueError):
                continue
            if commit:
                self._commits[(group, topic, partition)] = Committed(*commit)
            else:
                self._commits.pop((group, topic, partition), None)
        self._rewrite(path)

    def _rewrite(self, path: Path) -> None:
        self.close()
        fresh = path.with_name(path.name + ".new")
        fresh.write_bytes(b"".join(_line(key, commit) for key, commit in self._commits.items()))
        fresh.replace(path)
        self._lines = len(self._commits)
        self._file = path.open("ab", buffering=0)

    def _append(self, lines: list[bytes]) -> None:
        if self._file is None or self._path is None or not lines:
            return
        self._file.write(b"".join(lines))
        self._lines += len(lines)
        if self._lines > 4 * len(self._commits) + _SLACK_LINES:
            self._rewrite(self._path)


def _line(key: Key, commit: Committed | None) -> bytes:
    value: list[Any] = list(key)
    if commit is not None:
        value += [commit.offset, commit.leader_epoch, commit.metadata]
    return orjson.dumps(value) + b"\n"
