"""``gates``: whether a record may be finalised, per rule; ``GET /gates`` answers from here.

A finalisation is judged once. It is known by the moment at which the record's columns said so; a
record that is not finalised any more, and then is again, begins a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from tables.rows import Row


class GateStatus(StrEnum):
    """What the gate says; only an open one lets the record pass, as does one nobody requires."""

    NOT_REQUIRED = "not_required"
    CLOSED = "closed"
    EXPIRED = "expired"
    OPEN = "open"


class Gate(Row):
    """One rule's gate. All moments are Unix ms.

    ``until_ms``: an open gate expires then. ``finalized_ms``: when the record was finalised, by its
    own stamp; ``seen_ms``: when we heard of it. ``violated_ms``: the last finalisation that should
    not have been. ``reverts``: how many in a row were taken back.
    """

    status: GateStatus = GateStatus.NOT_REQUIRED
    missing: tuple[str, ...] = ()
    since_ms: int = 0
    until_ms: int | None = None
    finalized_ms: int | None = None
    seen_ms: int = 0
    judged: bool = False
    violated_ms: int | None = None
    reverts: int = 0

    @property
    def violated(self) -> bool:
        """True while the record is finalised and should not be."""
        return self.judged and self.violated_ms == self.finalized_ms is not None

    def showing(
        self, status: GateStatus, missing: tuple[str, ...], until_ms: int | None, now_ms: int
    ) -> Gate:
        """Return the gate as it is now; ``since_ms`` only moves with the status."""
        since = self.since_ms if self.since_ms and self.status == status else now_ms
        update = {"status": status, "missing": missing, "until_ms": until_ms, "since_ms": since}
        reverts = 0 if status is GateStatus.OPEN else self.reverts
        return self.model_copy(update={**update, "reverts": reverts})

    def finalized(self, at_ms: int, now_ms: int) -> Gate:
        """Return the gate after the record was finalised; that may turn out to be longer ago."""
        seen_ms = now_ms if self.finalized_ms is None else self.seen_ms
        return self.model_copy(update={"finalized_ms": at_ms, "seen_ms": seen_ms})

    def reopened(self) -> Gate:
        """Return the gate of a record that is not finalised (any more)."""
        return self.model_copy(update={"finalized_ms": None, "seen_ms": 0, "judged": False})

    def passed(self) -> Gate:
        """Return the gate after the finalisation was found in order."""
        return self.model_copy(update={"judged": True, "violated_ms": None})

    def violated_now(self, *, reverted: bool) -> Gate:
        """Return the gate after the finalisation was found to be a violation."""
        reverts = self.reverts + 1 if reverted else self.reverts
        update = {"judged": True, "violated_ms": self.finalized_ms, "reverts": reverts}
        return self.model_copy(update=update)


class GatesRow(Row):
    """The gates of a record, by rule."""

    gates: Mapping[str, Gate] = {}

    def get(self, rule: str) -> Gate:
        return self.gates.get(rule, Gate())

    def with_gate(self, rule: str, gate: Gate | None) -> GatesRow:
        """Return the row with this gate; None takes it away."""
        others = {name: kept for name, kept in self.gates.items() if name != rule}
        return self.model_copy(update={"gates": others if gate is None else {**others, rule: gate}})
