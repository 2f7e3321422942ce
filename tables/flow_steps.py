"""``flow_steps``: per record and rule, what was last made true and what was refused.

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
    """One step: digest last asked for and since when, digest confirmed and when, last refusal.

    A digest that ends in ``@<stamp>`` set right what somebody else had overwritten at that stamp;
    ``repairs`` counts those in a row.
    """

    asked: str | None = None
    asked_ms: int = 0
    confirmed: str | None = None
    confirmed_ms: int = 0
    repairs: int = 0
    refusal: Refusal | None = None

    def is_refused(self, desired: str) -> bool:
        """True when the other system said no to this desired value."""
        return self.refusal is not None and self.refusal.desired == desired

    def is_closed(self, desired: str) -> bool:
        """True when this desired value needs no command: it is true, or was refused."""
        return self.confirmed == desired or self.is_refused(desired)


class StepsRow(Row):
    """The steps of all rules of a record, by ``rule/step``."""

    steps: Mapping[str, Step] = {}

    def get(self, rule: str, step: str) -> Step:
        return self.steps.get(f"{rule}/{step}", Step())

    def confirmed(self, rule: str, step: str, desired: str, at_ms: int) -> StepsRow:
        """Return the row after an outcome made ``desired`` true."""
        before = self.get(rule, step)
        update = {
            "confirmed": desired,
            "confirmed_ms": at_ms,
            "repairs": before.repairs + 1 if "@" in desired else 0,
            "refusal": None,
        }
        return self._with(rule, step, before.model_copy(update=update))

    def asked(self, rule: str, step: str, desired: str, at_ms: int) -> StepsRow:
        """Return the row after a command was sent; asking again keeps the first time.

        What was refused and is asked again has no outcome yet.
        """
        before = self.get(rule, step)
        refused = before.is_refused(desired)
        if before.asked == desired and not refused:
            return self
        refusal = None if refused else before.refusal
        update = {"asked": desired, "asked_ms": at_ms, "refusal": refusal}
        return self._with(rule, step, before.model_copy(update=update))

    def with_prefix(self, rule: str, prefix: str) -> dict[str, Step]:
        """The steps of a rule whose name begins so, by the rest of the name."""
        start = f"{rule}/{prefix}"
        return {
            name.removeprefix(start): step
            for name, step in self.steps.items()
            if name.startswith(start)
        }

    def refused(self, rule: str, step: str, refusal: Refusal) -> StepsRow:
        """Return the row after a refusal; what was true before stays confirmed."""
        before = self.get(rule, step)
        return self._with(rule, step, before.model_copy(update={"refusal": refusal}))

    def _with(self, rule: str, step: str, state: Step) -> StepsRow:
        return self.model_copy(update={"steps": {**self.steps, f"{rule}/{step}": state}})
