"""What is wrong in rule files: where, what, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streams.errors import Misconfigured


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A line of a rule file; lines count from 1, 0 means the file as a whole."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong, and the fix."""

    where: Location
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.fix})" if self.fix else "")


class RulesWrong(Misconfigured):
    """The rule files cannot be used; ``faults`` has all that is wrong, by file and line."""

    code = "rules_wrong"

    def __init__(self, directory: str, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        lines = "".join(f"\n  {fault}" for fault in self.faults)
        super().__init__(f"{count} in the rules of {directory}:{lines}")
