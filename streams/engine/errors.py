"""What stops a partition, or the worker."""

from __future__ import annotations

from streams.errors import DovetailError


class Fenced(Exception):
    """The group has moved on: this generation may not commit. The partition's work is abandoned."""


class Halted(Exception):
    """The worker stopped on purpose; the message says why and what to do."""


class ConsumerGone(Exception):
    """The thread that owns the group membership ended: nothing can be read or committed."""


class Undeliverable(Exception):
    """A record can never be produced: too large, or not allowed. The worker halts."""


class ForeignRecord(Exception):
    """A changelog holds a record that the engine did not write, at the offset named."""


class NotHere(LookupError):
    """Another worker has the partition of this key; ``partition`` says which one it is."""

    def __init__(self, table: str, key: str, partition: int) -> None:
        super().__init__(f"row {key!r} of {table!r} lives in partition {partition}, not here")
        self.partition = partition


def in_words(error: BaseException) -> str:
    """What went wrong: ours tell it themselves, with the next step; of others the type helps."""
    return str(error) if isinstance(error, DovetailError) else repr(error)
