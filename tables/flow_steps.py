"""``flow-steps``: per record and rule, what was last made true and what was refused.

A step is one thing that a rule wants true (the workspace's properties, a role, the columns written
back). A decision compares the digest of what it wants with the one confirmed here, and asks again
until an outcome closes the difference (DESIGN, promise 2).
"""

from __future__ import annotations

from collections.abc import Mapping

from tables.rows import Row


class Refusal(Row):
    """The other system said no to this desired value."""

    desired: str = ""
    code: str = ""
    message: str = ""
    at_ms: int = 0


class Step(Row):
    """One step: digest confirmed by an outcome, when, and the last refusal."""

    confirmed: str | None = None
    confirmed_ms: int = 0
    refusal: Refusal | None = None

    def is_closed(self, desired: str) -> bool:
        """True when this desired value needs no command: it is true, or was refused for good."""
        if self.refusal is not None and self.refusal.desired == desired:
            return True
        return self.confirmed == desired


class StepsRow(Row):
    """The steps of all rules of a record, by ``rule/step``."""

    steps: Mapping[str, Step] = {}

    def get(self, rule: str, step: str) -> Step:
        return self.steps.get(f"{rule}/{step}", Step())

    def confirmed(self, rule: str, step: str, desired: str, at_ms: int) -> StepsRow:
        """Return the row after an outcome made ``desired`` true."""
        return self._with(rule, step, Step(confirmed=desired, confirmed_ms=at_ms))

    def refused(self, rule: str, step: str, refusal: Refusal) -> StepsRow:
        """Return the row after a refusal; what was true before stays confirmed."""
        before = self.get(rule, step)
        return self._with(rule, step, before.model_copy(update={"refusal": refusal}))

    def _with(self, rule: str, step: str, state: Step) -> StepsRow:
        return self.model_copy(update={"steps": {**self.steps, f"{rule}/{step}": state}})
