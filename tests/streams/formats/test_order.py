"""The stamps that decoders make: a record's events, in any order, end in the same row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sandbox.events import RowEvent, rec
from streams.catalogue import ColumnValue
from streams.messages.facts import Operation, RecordChange
from tables.records import RecordRow, Stamp
from tests.streams.formats.events import AT_MS, ROW_ENCODERS, WHOLE_ROW, Encoder, row_event
from tests.streams.formats.sample import change, sent

PARTIAL: Mapping[str, Encoder] = {"rec partial": rec.encode}
WHOLE = {name: encode for name, encode in ROW_ENCODERS.items() if not name.startswith("rec")}
_START_MS = AT_MS // 1000 * 1000
_COLUMNS = ("name", "statecode", "estimatedvalue")


@st.composite
def histories(draw: st.DrawFn, step_ms: tuple[int, int]) -> list[RowEvent]:
    """Updates of one record in the order in which they happened, some deleting it at the end."""
    row: dict[str, ColumnValue] = dict(WHOLE_ROW)
    at_ms, found = _START_MS, []
    for number in range(draw(st.integers(2, 6))):
        at_ms += draw(st.integers(*step_ms))
        changed = draw(st.sets(st.sampled_from(_COLUMNS), min_size=1))
        row |= {name: _value(name, number) for name in changed}
        event = row_event(row=dict(row), at_ms=at_ms, changed=frozenset(changed))
        found.append(replace(event, version=1000 + number))
    if draw(st.booleans()):
        gone = row_event("delete", row, at_ms=at_ms + draw(st.integers(*step_ms)))
        found.append(replace(gone, version=2000))
    return found


def _value(column: str, number: int) -> ColumnValue:
    values: dict[str, ColumnValue] = {
        "name": f"Deal {number}",
        "statecode": number,
        "estimatedvalue": f"{number}.5",
    }
    return values[column]


def _changes(
    history: Sequence[RowEvent], encoders: Mapping[str, Encoder], data: st.DataObject
) -> list[RecordChange]:
    found = []
    for event in history:
        encode = encoders[data.draw(st.sampled_from(sorted(encoders)))]
        if event.operation == "delete" and encode is ROW_ENCODERS["rec of several"]:
            encode = rec.encode
        messages = [message for message in encode(event) if message.value is not None]
        found += [change(sent(message, "crm.opportunity")) for message in messages]
    return found


def _merged(changes: Sequence[RecordChange]) -> RecordRow:
    row = RecordRow()
    for one in changes:
        version = -1 if one.version is None else one.version
        stamp = Stamp(one.at_ms, version, one.sequence)
        if one.operation is Operation.DELETE:
            row = row.removed(stamp)
        else:
            row = row.merged(one.columns, stamp).row
    return row


@pytest.mark.parametrize(
    ("encoders", "step_ms"),
    [
        # Pushes are ordered within a second by the operation's time, rows by their version.
        (PARTIAL, (2, 400)),
        (WHOLE, (2, 400)),
        # A push and a row of the same second cannot be compared; of different ones they can.
        ({**PARTIAL, **ROW_ENCODERS}, (1_000, 3_000)),
    ],
    ids=["pushes", "rows", "mixed"],
)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_order_of_the_same_events_ends_in_the_newest_row(
    encoders: Mapping[str, Encoder], step_ms: tuple[int, int], data: st.DataObject
) -> None:
    history = data.draw(histories(step_ms))
    changes = _changes(history, encoders, data)
    row = _merged(data.draw(st.permutations(changes)))
    newest: dict[str, ColumnValue] = {}
    for event in history:
        newest |= {name: event.row[name] for name in event.changed or ()}
    assert {name: row.value(name) for name in newest} == newest
    assert row.alive is (history[-1].operation != "delete")
