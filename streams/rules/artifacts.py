"""Artifacts: the kinds of documents that a rule requires (flows 6 and 7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import Field

from streams.rules.base import (
    RuleModel,
    Trail,
)
from streams.rules.expressions import (
    Cel,
    Expression,
    Span,
)


class ArtifactRule(RuleModel):
    """A kind of document that has to be there, and when one of them is good."""

    #: The document's type, as events of Extended ECM say it in their attribute document_type.
    type: str = Field(min_length=1)
    #: What people call it; its type where nothing is said.
    label: str | None = None
    #: Whether this record needs it; where that cannot be told, it does.
    when: Cel = Expression("true")
    #: Whether somebody has to approve it in Extended ECM, each version anew.
    approval: bool = True
    #: How many of them.
    count: int = Field(1, ge=1)
    #: The attribute of the document that says its last good day; one that does not say is not good.
    expires_on: str | None = None
    #: How long one is good after it, or its newest version, was filed.
    expires_after: Span | None = None

    @property
    def title(self) -> str:
        return self.label or self.type


def artifact_faults(artifacts: Iterable[ArtifactRule]) -> Iterator[tuple[Trail, str, str]]:
    """A type of document may be named more than once only under different labels."""
    taken: dict[str, int] = {}
    for index, artifact in enumerate(artifacts):
        if artifact.title in taken:
            what = f"the artifact {artifact.title!r} is named twice"
            yield ("artifacts", index, "type"), what, "give one of them another label, or a count"
        taken.setdefault(artifact.title, index)
