"""What goes through the engine: records in, records out, and rows in between. Bytes throughout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class TopicPartition(NamedTuple):
    """A topic's partition; equal to and hashed like Faust's and aiokafka's own tuples."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


@dataclass(frozen=True, slots=True)
class Record:
    """One consumed record; ``timestamp_ms`` is the record's own, in ms since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to produce; without a partition, Kafka's default partitioner (murmur2) chooses."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


class Rows(Protocol):
    """The rows of one partition as a stage sees them: what it wrote a moment ago included.

    A table that the stage did not declare raises KeyError.
    """

    def get(self, table: str, key: str) -> bytes | None:
        """Return the row, None when there is none."""
        ...

    def put(self, table: str, key: str, value: bytes) -> None:
        """Set the row."""
        ...

    def delete(self, table: str, key: str) -> None:
        """Remove the row; nothing happens when there is none."""
        ...

    def under(self, table: str, prefix: str) -> Iterable[tuple[str, bytes]]:
        """Return the rows whose key begins so, with their keys, in the order of these."""
        ...
