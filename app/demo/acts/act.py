"""What an act of the demo is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from app.demo.judge import Verdict
from app.demo.oracle import Expectation
from app.demo.pen import Pen
from app.demo.truth import Truth


class Act(ABC):
    """One flow's part of the play."""

    #: The flow's name.
    flow: ClassVar[str]
    #: The headings of its columns in the closing table, after record and story.
    headings: ClassVar[tuple[str, ...]]

    @abstractmethod
    def write(self, pen: Pen) -> None:
        """Let records live, and people act in Extended ECM."""

    def close(self, pen: Pen) -> None:  # noqa: B027 - most acts have nothing that comes last
        """What comes after all acts: records that are deleted."""

    @abstractmethod
    def expect(self, truth: Truth, one: Expectation) -> None:
        """Add what has to be true of a record at the end; nothing when it is none of this act's."""

    def shows(self, verdict: Verdict) -> bool:
        """Whether the record belongs into this act's section."""
        return self.flow in verdict.expectation.workspaces

    @abstractmethod
    def cells(self, verdict: Verdict) -> tuple[str, ...]:
        """What the section says of a record, in the order of ``headings``."""
