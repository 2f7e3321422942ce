"""Committed offsets: the last commit of each group for each partition, kept across restarts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app.sandbox.kafka.journal import Journal, Value


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
        self._journal = Journal(path, key_parts=3)
        self._commits: dict[Key, Committed] = {
            (group, topic, partition): Committed(*value)
            for (group, topic, partition), value in self._journal.load().items()
        }

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
        self._journal.append(((group, *where), _value(commit)) for where, commit in commits.items())
        for (topic, partition), commit in commits.items():
            self._commits[(group, topic, partition)] = commit
        self._tidy()

    def forget(self, group: str, topic: str, partition: int) -> None:
        """Drop one commit, if there is one."""
        self._forget([key for key in ((group, topic, partition),) if key in self._commits])

    def forget_group(self, group: str) -> None:
        """Drop all commits of a group."""
        self._forget([key for key in self._commits if key[0] == group])

    def forget_topic(self, topic: str) -> None:
        """Drop all commits on a deleted topic."""
        self._forget([key for key in self._commits if key[1] == topic])

    def close(self) -> None:
        """Close the file."""
        self._journal.close()

    def _forget(self, keys: Iterable[Key]) -> None:
        keys = list(keys)
        self._journal.append((key, []) for key in keys)
        for key in keys:
            del self._commits[key]
        self._tidy()

    def _tidy(self) -> None:
        if self._journal.is_bloated(len(self._commits)):
            self._journal.rewrite({key: _value(commit) for key, commit in self._commits.items()})


def _value(commit: Committed) -> Value:
    return [commit.offset, commit.leader_epoch, commit.metadata]
