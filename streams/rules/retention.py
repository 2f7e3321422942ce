"""How long the content of a workspace is kept: a part of the rules of several flows."""

from __future__ import annotations

from pydantic import Field

from streams.rules.base import RuleModel


class RetentionPart(RuleModel):
    """The classification of a workspace (reference/extended-ecm.md 7)."""

    #: The records management classification: its path in the file plan, nickname or id.
    classification: str = Field(min_length=1)
    #: The column of the record that holds the first day; without it, that on which it was closed.
    starts_on: str | None = None
