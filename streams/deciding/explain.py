"""Why something did or did not happen to a record: its rows under its rules, in words (pure).

Decides once more, over the rows as they are, with the very code that decided before; what comes of
it is told and not sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from streams.deciding.lacking import Lack, lacks, without_unknown
from streams.deciding.memory import Memory
from streams.flows.conditions import context, holds
from streams.flows.registry import FLOWS
from streams.flows.shape import Flow, Reason, View
from streams.flows.upkeep import UPKEEP
from streams.messages.facts import Fact, Question, TimeReached
from streams.rules import Expression, RecordRule, RuleBook, TableRule, Trail
from tables.flow_steps import Step
from tables.keys import RecordRef


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a rule: what it says now, and the values that it looked at.

    ``answer``: None when it cannot be told, as when an empty column is compared. ``lacks``: what
    it reads and nobody has told yet, unless it is true without.
    """

    place: Trail
    source: str
    answer: bool | None
    values: Mapping[str, Any]
    lacks: tuple[Lack, ...] = ()


@dataclass(frozen=True, slots=True)
class Open:
    """Something that is wanted and not true yet; refused when ``code`` says why."""

    step: str
    since_ms: int
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Awaited:
    """What another record was asked for and has not answered, since when (Unix ms), if known."""

    question: Question
    since_ms: int | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One rule's view of the record. ``wake_ms``: when it is decided again by itself.

    ``workspace_id``: of a milestone that of its folder.
    """

    flow: str
    rule: str
    workspace_id: int | None
    workspace_url: str
    conditions: tuple[Condition, ...]
    reasons: tuple[Reason, ...]
    open: tuple[Open, ...]
    wake_ms: int | None = None
    awaited: tuple[Awaited, ...] = ()


def explain(
    memory: Memory, record: RecordRef, book: RuleBook, now_ms: int
) -> tuple[Explanation, ...]:
    """What each rule of the record's table makes of it; nothing when no rule is about it."""
    return tuple(
        _explained(memory, record, book, flow, rule, now_ms)
        for flow in FLOWS
        for rule in flow.rules(book)
        if rule.part(record.table) is not None
    )


def _explained(
    memory: Memory, record: RecordRef, book: RuleBook, flow: Flow, rule: TableRule, now_ms: int
) -> Explanation:
    view = memory.view(record, flow, book, at_ms=now_ms, now_ms=now_ms, repeats=False)
    decision = flow.decide(TimeReached(record=record, at_ms=now_ms), view, rule)
    part = rule.part(record.table) or rule
    where = _where(memory, rule)
    return Explanation(
        flow=flow.name,
        rule=rule.name,
        workspace_id=where[0] if where else None,
        workspace_url=where[1] if where else "",
        conditions=tuple(
            _condition(view, part, place, question, decision.facts)
            for place, question in part.questions()
        ),
        reasons=decision.reasons,
        open=tuple(_open(memory, rule)),
        wake_ms=decision.wake_ms,
        awaited=tuple(
            Awaited(fact, memory.neighbours.asked.get(fact.name))
            for fact in decision.facts
            if isinstance(fact, Question)
        ),
    )


def _where(memory: Memory, rule: TableRule) -> tuple[int, str] | None:
    """The record's workspace; of one that has none, its folder in another's."""
    link = memory.links.get(rule.name)
    if link is not None:
        return link.workspace_id, link.url
    folders = [*memory.links.folders_of(rule.name).values()]
    return (folders[-1].folder_id, folders[-1].url) if folders else None


def _condition(
    view: View, rule: RecordRule, place: Trail, question: Expression, told: Iterable[Fact]
) -> Condition:
    variables = context(view, rule)
    known = without_unknown(view, variables)
    values = dict(_values(question, known))
    if holds(question, variables):  # also where the rule takes what nobody has told for empty
        return Condition(place, question.source, True, values)
    missing = tuple(lacks(view, rule, question, variables, told))
    return Condition(place, question.source, holds(question, known), values, missing)


def _values(question: Expression, variables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, known in variables.items():
        for column in sorted(question.columns(name) & known.keys()):
            yield f"{name}.{column}", known[column]


def _open(memory: Memory, rule: TableRule) -> Iterator[Open]:
    steps = memory.steps.with_prefix(UPKEEP, "") | memory.steps.with_prefix(rule.name, "")
    for name, step in sorted(steps.items()):
        if _is_open(step):
            refusal = step.refusal if step.refusal and step.refusal.desired == step.asked else None
            yield Open(
                name,
                refusal.at_ms if refusal else step.asked_ms,
                code=refusal.code if refusal else "",
                message=refusal.message if refusal else "",
            )


def _is_open(step: Step) -> bool:
    return step.asked is not None and step.confirmed != step.asked
