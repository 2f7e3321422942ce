"""Which readings of a record are under way, and which came to an end (pure, ``flows.upkeep``)."""

from __future__ import annotations

from streams.deciding.memory import Memory
from streams.flows.upkeep import open_reading, read, read_again, reading
from streams.messages.commands import ReadRecord
from streams.messages.facts import RecordChange, TimeReached
from tables.keys import RecordRef


def under_way(memory: Memory, read: ReadRecord) -> bool:
    """True while this very reading was sent and has no outcome; the sweep repeats a lost one."""
    return open_reading(memory.steps) == read.desired


def reads_unknown(record: RecordRef, memory: Memory, at_ms: int) -> tuple[ReadRecord, ...]:
    """A record that nothing was heard of is read; many events may come before the answer."""
    wanted = read(record, "unknown", at_ms)
    return () if memory.row.known or under_way(memory, wanted) else (wanted,)


def was_absent(memory: Memory) -> bool:
    """True when the record was read and is not there, and nothing was heard of it since."""
    return not memory.row.known and reading(memory.steps).confirmed is not None


def reads_open(memory: Memory, cause: TimeReached | RecordChange) -> tuple[ReadRecord, ...]:
    """The reading that was asked for and never came to an end."""
    desired = open_reading(memory.steps)
    return () if desired is None else (read_again(cause.record, desired, cause.at_ms),)


def done_before(memory: Memory, read: ReadRecord) -> bool:
    """True when this very reading is the last that came to an end: a late duplicate asks for it."""
    return reading(memory.steps).confirmed == read.desired


def own_columns(record: RecordRef) -> str:
    """The name of the question for columns of the record itself that did not come."""
    return f"columns/{record.key}"
