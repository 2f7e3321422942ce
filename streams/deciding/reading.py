"""Upkeep: having a record read again from its system when what is known of it is not enough (pure).

A reading is a command like any other, of no flow's rule, and its outcome is absorbed by the record.
"""

from __future__ import annotations

from typing import Any

from streams.deciding.memory import Memory
from streams.messages.commands import ReadRecord
from streams.messages.facts import TimeReached
from tables.keys import RecordRef, command_id, digest

#: The rule name of commands that no flow's rule asked for: upkeep of what is known.
UPKEEP = "upkeep"


def read(record: RecordRef, why: Any, at_ms: int) -> ReadRecord:
    return _read_again(record, digest(why), at_ms)


def _read_again(record: RecordRef, desired: str, at_ms: int) -> ReadRecord:
    return ReadRecord(
        id=command_id(UPKEEP, record, "read", desired),
        rule=UPKEEP,
        record=record,
        step="read",
        desired=desired,
        caused_at_ms=at_ms,
    )


def under_way(memory: Memory, read: ReadRecord) -> bool:
    """True while this very reading was sent and has no outcome; the sweep repeats a lost one."""
    step = memory.steps.get(read.rule, read.step)
    return step.asked == read.desired and not step.is_closed(read.desired)


def was_absent(memory: Memory) -> bool:
    """True when the record was read and is not there, and nothing was heard of it since."""
    return not memory.row.known and memory.steps.get(UPKEEP, "read").confirmed is not None


def reads_open(memory: Memory, cause: TimeReached) -> tuple[ReadRecord, ...]:
    """The reading that was asked for and never came to an end."""
    step = memory.steps.get(UPKEEP, "read")
    if step.asked is None or step.is_closed(step.asked):
        return ()
    return (_read_again(cause.record, step.asked, cause.at_ms),)


def done_before(memory: Memory, read: ReadRecord) -> bool:
    """True when this very reading is the last that came to an end: a late duplicate asks for it."""
    return memory.steps.get(read.rule, read.step).confirmed == read.desired
