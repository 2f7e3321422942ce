"""What the rules of all flows that ask for an approval have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from streams.catalogue import ColumnKind
from streams.rules.base import (
    RuleModel,
    Trail,
    WrittenColumns,
)
from streams.rules.expressions import (
    Cel,
)
from streams.rules.hints import nearest

#: What becomes of a request: nobody decided yet, somebody did, somebody ended the workflow, or
#: Extended ECM would not start it.
DECISIONS = ("pending", "approved", "rejected", "stopped", "failed")


class DecisionColumns(WrittenColumns):
    """The record's columns that show the decision; each may be left out."""

    kinds: ClassVar[Mapping[str, tuple[ColumnKind, ...]]] = {
        "decision": (ColumnKind.TEXT, ColumnKind.CHOICE),
        "approver": (ColumnKind.TEXT,),
        "comment": (ColumnKind.TEXT,),
    }

    #: The decision, in the words (or the numbers of a choice) of `decisions`.
    decision: str | None = None
    #: The login of whoever decided.
    approver: str | None = None
    #: When it was decided.
    decided_on: str | None = None
    #: What the approver wrote; of a workflow that could not be started, why.
    comment: str | None = None


class WorkflowPart(RuleModel):
    """The workflow that asks people, and how its outcome is shown."""

    #: Which decisions there are.
    known: ClassVar[tuple[str, ...]] = DECISIONS

    #: The name or nickname of the workflow map in Extended ECM.
    workflow_map: str = Field(min_length=1)
    #: The workflow's title, with columns in braces.
    title: str = Field(min_length=1)
    #: The notes that approvers read, a CEL expression.
    comment: Cel | None = None
    #: Attributes of the map, by label, each a CEL expression.
    attributes: Mapping[str, Cel] = Field(default_factory=dict)
    #: The words for pending, approved, rejected, stopped, failed; numbers where it is a choice.
    decisions: Mapping[str, int | str] = Field(default_factory=dict)

    def patterns(self) -> Iterator[tuple[Trail, str]]:
        """The patterns that are filled with the record's values."""
        yield ("title",), self.title

    def word(self, decision: str) -> int | str:
        return self.decisions.get(decision, decision.capitalize())

    def words(self, column: str | None) -> Iterator[tuple[Trail, str, int | str]]:
        """What is written into the column of the decision: where it is said, and the word."""
        for decision in self.known if column else ():
            place = ("decisions", decision) if decision in self.decisions else ()
            yield place, column or "", self.word(decision)

    def faults(self) -> Iterator[tuple[Trail, str, str]]:
        """Only these decisions have words of their own."""
        for decision in self.decisions:
            if decision not in self.known:
                what = f"{decision!r} is no decision"
                yield ("decisions", decision), what, nearest(decision, self.known)
