"""Finance and operations in the play: its rows as they came to be, and what told of each step.

Dataverse is seeded as it is at the end; the simulated environment lives every step itself, at the
moment of the truth, so that record ids and row versions are its own and what it tells later goes on
from there. Which source tells of a row is up to the truth: Synapse Link (``lake``), data events
(``data``) or business events (``business``), which are thin and have to be completed by a read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.demo.truth import Life, Row, Truth
from app.sandbox.events.change import Encoded, Named, RowEvent, moment
from app.sandbox.events.finance import data_event, synapse_row
from app.sandbox.events.finance_entities import SETS, Entity
from app.sandbox.finance import BusinessEvents, Change, FinanceSimulator
from app.sandbox.finance.emitters import event_of
from app.sandbox.finance.state import Row as EntityRow

#: All tables share one topic here, so that a row has to say whose it is.
_NAMED = Named("body")


@dataclass(frozen=True)
class Told:
    """One message of a source, the record that it is about, and when that was so."""

    record: str
    source: str
    at_ms: int
    encoded: Encoded


def live(finance: FinanceSimulator, truth: Truth) -> list[Told]:
    """Let all rows of finance and operations come to be; what their sources tell of it."""
    steps = [(event, life) for life in truth.lives if life.in_finance for event in life.events]
    told: list[Told] = []
    for event, life in sorted(steps, key=lambda step: step[0].at_ms):
        seen = len(finance.changes)
        _step(finance, life, event)
        for change in finance.changes[seen:]:
            for source in truth.sources.get(life.key, ()):
                messages = _messages(source, change, finance)
                told += [Told(life.key, source, event.at_ms, one) for one in messages]
    return told


def change(finance: FinanceSimulator, life: Life, changes: Row) -> None:
    """What somebody does to a row while everything runs."""
    found = row_of(finance, life)
    assert found is not None, f"{life.key} is gone"
    finance.change(_entity(life).entity_set, found, _values(_entity(life), changes))


def row_of(finance: FinanceSimulator, life: Life) -> EntityRow | None:
    """The record's row, by its key; None when it is deleted."""
    names = _key(life)
    return finance.row(_entity(life).entity_set, **{name: life.row[name] for name in names})


def _step(finance: FinanceSimulator, life: Life, event: RowEvent) -> None:
    entity, at = _entity(life), moment(event.at_ms)
    if event.operation == "create":
        finance.seed(entity.entity_set, _values(entity, dict(event.row)), at=at)
        return
    found = row_of(finance, life)
    assert found is not None, f"{life.key} changes before it is there"
    if event.operation == "delete":
        finance.remove(entity.entity_set, found, at=at)
        return
    changes = {name: event.row[name] for name in event.changed or ()}
    finance.change(entity.entity_set, found, _values(entity, changes), at=at)


def _messages(source: str, change: Change, finance: FinanceSimulator) -> Iterator[Encoded]:
    match source:
        case "lake":
            typed = bool(change.row.recid % 2)
            yield synapse_row(event_of(change), typed=typed, named=_NAMED)
        case "data":
            yield data_event(event_of(change))
        case "business":
            sent: list[Encoded] = []
            BusinessEvents(sent.append, finance.state)(change)
            yield from sent


def _entity(life: Life) -> Entity:
    return SETS[life.events[0].table.entity_set]


def _key(life: Life) -> list[str]:
    finance = life.events[0].table.finance
    assert finance is not None
    return [name for name in life.row if name.lower() in finance.key]


def _values(entity: Entity, row: Row) -> dict[str, Any]:
    """The truth's values as the environment takes them: amounts are numbers there."""
    return {
        name: float(str(value)) if entity.fields[name].kind == "number" else value
        for name, value in row.items()
    }
