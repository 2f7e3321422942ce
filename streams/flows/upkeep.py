"""Upkeep: having a record read again from its system when what is known of it is not enough.

A reading is a command like any other, of no flow's rule: whoever wants one, the record reads once,
and its outcome is absorbed by the record and decided about by every rule.
"""

from __future__ import annotations

from typing import Any

from streams.messages.commands import ReadRecord
from tables.flow_steps import Step, StepsRow
from tables.keys import RecordRef, command_id, digest

#: The rule name of commands that no flow's rule asked for: upkeep of what is known.
UPKEEP = "upkeep"
_STEP = "read"


def read(record: RecordRef, why: Any, at_ms: int) -> ReadRecord:
    return read_again(record, digest(why), at_ms)


def read_again(record: RecordRef, desired: str, at_ms: int) -> ReadRecord:
    return ReadRecord(
        id=command_id(UPKEEP, record, _STEP, desired),
        rule=UPKEEP,
        record=record,
        step=_STEP,
        desired=desired,
        caused_at_ms=at_ms,
    )


def reading(steps: StepsRow) -> Step:
    """The step of a record's readings."""
    return steps.get(UPKEEP, _STEP)


def open_reading(steps: StepsRow) -> str | None:
    """The reading that was sent and has no outcome yet."""
    step = reading(steps)
    return None if step.asked is None or step.is_closed(step.asked) else step.asked
