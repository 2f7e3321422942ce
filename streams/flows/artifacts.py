"""Artifacts: which documents a record needs, and what is wrong with those that it has (pure).

| the newest that is known of a document          | it counts as                                  |
|-------------------------------------------------|-----------------------------------------------|
| added, or a new version of it                   | present; not approved, where the rule asks    |
| approved                                        | present                                       |
| rejected                                        | rejected                                      |
| expired, or its last good day is over           | expired                                       |
| without the expiry date that the rule asks for  | undated                                       |
| removed                                         | nothing                                       |

An artifact is present when enough documents of its type are; else it is told what the nearest of
them waits for. A condition that cannot be told requires the artifact: a gate fails closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Any

from streams.flows.conditions import holds
from streams.flows.moments import end_ms
from streams.flows.shape import View
from streams.rules import ArtifactRule
from tables.evidence import DOCUMENT_TYPE, Item, ItemStatus

#: What is missing is shown up to this many characters.
MISSING_LENGTH = 1000


class ArtifactState(StrEnum):
    """What is known of one artifact; of those that are not present, the nearest to it first."""

    PRESENT = "present"
    NOT_APPROVED = "not approved"
    REJECTED = "rejected"
    UNDATED = "without expiry date"
    EXPIRED = "expired"
    MISSING = "missing"


_NEAREST = tuple(ArtifactState)
#: A document in one of these becomes an expired one when its time is over.
_EXPIRING = (ArtifactState.PRESENT, ArtifactState.NOT_APPROVED)


@dataclass(frozen=True, slots=True)
class Artifact:
    """One required artifact. ``documents`` are those that are good.

    ``until_ms``: until when it is as it is (Unix ms), if nobody does anything.
    """

    rule: ArtifactRule
    state: ArtifactState
    documents: tuple[int, ...] = ()
    until_ms: int | None = None

    @property
    def words(self) -> str:
        """``Insurance Certificate (expired)``; an artifact that was never filed has no remark."""
        remark = f" ({self.state})" if self.state is not ArtifactState.MISSING else ""
        return f"{self.rule.title}{remark}"


@dataclass(frozen=True, slots=True)
class Checklist:
    """All artifacts that a record requires."""

    artifacts: tuple[Artifact, ...]

    @property
    def missing(self) -> tuple[Artifact, ...]:
        return tuple(a for a in self.artifacts if a.state is not ArtifactState.PRESENT)

    @property
    def complete(self) -> bool:
        return not self.missing

    @property
    def expired(self) -> bool:
        return any(a.state is ArtifactState.EXPIRED for a in self.artifacts)

    @property
    def until_ms(self) -> int | None:
        """When the first of them changes by itself (Unix ms)."""
        moments = [a.until_ms for a in self.artifacts if a.until_ms is not None]
        return min(moments, default=None)

    @property
    def documents(self) -> tuple[int, ...]:
        """The documents that are good, each once, by id."""
        return tuple(sorted({number for a in self.artifacts for number in a.documents}))

    @property
    def progress(self) -> str:
        """``3 of 4``."""
        return f"{len(self.artifacts) - len(self.missing)} of {len(self.artifacts)}"

    @property
    def words(self) -> str:
        return "; ".join(artifact.words for artifact in self.missing)


def shown(words: str) -> str | None:
    """What is missing, as columns and attributes take it: a longer text would be refused."""
    if len(words) > MISSING_LENGTH:
        words = f"{words[: MISSING_LENGTH - 1]}…"
    return words or None


def checklist(
    view: View,
    rule: str,
    artifacts: Iterable[ArtifactRule],
    variables: Mapping[str, Any],
    at_ms: int | None = None,
) -> Checklist:
    """What the record requires and has in the workspace of a rule, at a moment (else: now)."""
    at_ms = view.now_ms if at_ms is None else at_ms
    filed: dict[Any, dict[int, Item]] = {}
    for number, item in view.evidence.of(rule).items():
        if item.status is not ItemStatus.REMOVED:
            filed.setdefault(item.attribute(DOCUMENT_TYPE), {})[number] = item
    needed = (one for one in artifacts if holds(one.when, variables) is not False)
    return Checklist(tuple(_judged(one, filed.get(one.type, {}), at_ms) for one in needed))


def _judged(rule: ArtifactRule, items: Mapping[int, Item], at_ms: int) -> Artifact:
    states: list[ArtifactState] = []
    good: dict[int, float] = {}
    changing: list[float] = []
    for number, item in items.items():
        state, until = _item(rule, item, at_ms)
        states.append(state)
        if state is ArtifactState.PRESENT:
            good[number] = until
        if state in _EXPIRING:
            changing.append(until)
    if len(good) < rule.count:
        lacking = [state for state in states if state is not ArtifactState.PRESENT]
        nearest = min(lacking, key=_NEAREST.index, default=ArtifactState.MISSING)
        return Artifact(rule, nearest, until_ms=_moment(min(changing, default=inf)))
    # It is enough until so many have gone that too few are left.
    last = sorted(good.values())[len(good) - rule.count]
    return Artifact(rule, ArtifactState.PRESENT, tuple(sorted(good)), _moment(last))


def _moment(until: float) -> int | None:
    return None if until == inf else int(until)


def _item(rule: ArtifactRule, item: Item, at_ms: int) -> tuple[ArtifactState, float]:
    """What one document counts as, and until when (Unix ms, or for ever)."""
    until = inf
    if rule.expires_on is not None:
        dated = end_ms(item.attribute(rule.expires_on))
        until = inf if dated is None else dated
    if rule.expires_after is not None:
        until = min(until, _filed_ms(item) + rule.expires_after)
    status = item.status_at(at_ms)
    if status is ItemStatus.REJECTED:
        return ArtifactState.REJECTED, until
    if status is ItemStatus.EXPIRED or until <= at_ms:
        return ArtifactState.EXPIRED, until
    if rule.expires_on is not None and end_ms(item.attribute(rule.expires_on)) is None:
        return ArtifactState.UNDATED, until
    if rule.approval and status is not ItemStatus.APPROVED:
        return ArtifactState.NOT_APPROVED, until
    return ArtifactState.PRESENT, until


def _filed_ms(item: Item) -> int:
    """When its newest version was filed; what is known of it since, when nobody told."""
    filed = [item.events[kind].at_ms for kind in ("added", "version_added") if kind in item.events]
    return max(filed, default=item.since_ms)
