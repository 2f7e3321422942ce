"""Which columns a condition waits for: those that it reads and that nobody has told yet (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from streams.catalogue import lookup
from streams.deciding.reading import own_columns
from streams.flows.conditions import STAGE_COLUMNS
from streams.flows.shape import View
from streams.flows.upkeep import reading
from streams.messages.facts import ColumnsWanted, Fact
from streams.rules import Expression, RecordRule
from tables.keys import RecordRef

_STAGE = dict(zip(("name", "category"), STAGE_COLUMNS, strict=True))


@dataclass(frozen=True, slots=True)
class Lack:
    """A value that is not known: as conditions name it (``customer.revenue``), and whose it is.

    ``since_ms``: since when it is asked for (Unix ms), None when nobody asks for it. ``answered``:
    that record was read and did not tell it.
    """

    name: str
    record: RecordRef
    since_ms: int | None = None
    answered: bool = False


def without_unknown(view: View, variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """The variables without those columns of the record that were never heard of.

    A rule takes them for empty. Without them a condition has an answer only where they make no
    difference.
    """
    record = {name: v for name, v in variables["record"].items() if name in view.row.cells}
    return {**variables, "record": record}


def lacks(
    view: View,
    rule: RecordRule,
    question: Expression,
    variables: Mapping[str, Any],
    told: Iterable[Fact],
) -> Iterator[Lack]:
    """What the condition reads and nobody knows; ``told``: what the rule asks of other records."""
    if not view.row.alive:
        return
    for name, known in variables.items():
        columns = question.columns(name)
        if name == "record":
            yield from (_own(view, c) for c in sorted(columns) if c not in view.row.cells)
            continue
        column = rule.lookups.get(name)
        if columns and column is not None and column not in view.row.cells:
            yield _own(view, column)
            continue
        for missing in sorted(columns - known.keys()):
            key = view.stages.current if name == "stage" else view.row.value(column or "")
            other = lookup(key)
            if other is not None:
                wanted = _STAGE.get(missing, missing) if name == "stage" else missing
                since = _asked_ms(view, other, wanted, told)
                yield Lack(f"{name}.{missing}", other, since)


def _own(view: View, column: str) -> Lack:
    step = reading(view.steps)
    since = view.neighbours.asked.get(own_columns(view.record), step.asked_ms or None)
    answered = step.asked is not None and step.confirmed == step.asked
    return Lack(f"record.{column}", view.record, since, answered=answered)


def _asked_ms(view: View, about: RecordRef, column: str, told: Iterable[Fact]) -> int | None:
    for fact in told:
        if isinstance(fact, ColumnsWanted) and fact.record == about and column in fact.columns:
            return view.neighbours.asked.get(fact.name)
    return None
