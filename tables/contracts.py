"""``contracts``: what Extended ECM reported of a record's contracts, one per rule.

For each kind of event the newest one is kept, so any order and any repetition of the same events
ends in the same row; status, dates and document are derived from it when they are needed.
"""

from __future__ import annotations

from collections.abc import Mapping

from tables.documents import DocumentRef
from tables.rows import Row

#: The contract events in the order of a contract's life; the later one wins within one moment.
STATUSES = (
    "draft",
    "in_negotiation",
    "in_approval",
    "rejected",
    "approved",
    "signed",
    "executed",
    "expired",
    "terminated",
)
#: These begin a new round: approvals and documents before them do not count any more.
RESTARTS = ("draft", "in_negotiation", "in_approval", "rejected")
#: The document of these is final.
FINAL = ("approved", "signed", "executed")


class ContractEvent(Row):
    """The newest event of one kind: when, which, and what it said."""

    at_ms: int = 0
    event_id: str = ""
    document: DocumentRef | None = None
    attributes: Mapping[str, str | int | bool | None] = {}

    @property
    def order(self) -> tuple[int, str]:
        return self.at_ms, self.event_id


class ContractState(Row):
    """The contract events of one rule, by status."""

    events: Mapping[str, ContractEvent] = {}

    def reported(self, status: str, event: ContractEvent) -> ContractState:
        """Return the state after an event; an older event of the same kind changes nothing."""
        before = self.events.get(status)
        if before is not None and before.order >= event.order:
            return self
        return self.model_copy(update={"events": {**self.events, status: event}})

    @property
    def status(self) -> str | None:
        """The status now: that of the newest event."""
        return max(self.events, key=self._order, default=None)

    def when(self, status: str) -> int | None:
        """When the contract got this status in its present round (Unix ms), None when not yet."""
        event = self._in_round(status)
        return event.at_ms if event else None

    def attribute(self, name: str) -> str | int | bool | None:
        """What the newest event of this round that carries the attribute says of it."""
        told = [
            status
            for status in STATUSES
            if (event := self._in_round(status)) and event.attributes.get(name) is not None
        ]
        newest = max(told, key=self._order, default=None)
        return self.events[newest].attributes[name] if newest else None

    @property
    def document(self) -> DocumentRef | None:
        """The final document of this round: the newest approved, signed or executed one."""
        final = [s for s in FINAL if (event := self._in_round(s)) and event.document is not None]
        newest = max(final, key=self._order, default=None)
        return self.events[newest].document if newest else None

    def _order(self, status: str) -> tuple[int, int, str]:
        event = self.events[status]
        return event.at_ms, STATUSES.index(status), event.event_id

    def _in_round(self, status: str) -> ContractEvent | None:
        """The newest event of the status, unless a later restart made it void."""
        event = self.events.get(status)
        if event is None:
            return None
        restarts = [self._order(restart) for restart in RESTARTS if restart in self.events]
        return None if restarts and max(restarts) > self._order(status) else event


class ContractsRow(Row):
    """A record's contracts by rule."""

    contracts: Mapping[str, ContractState] = {}

    def get(self, rule: str) -> ContractState:
        return self.contracts.get(rule, ContractState())

    def reported(self, rule: str, status: str, event: ContractEvent) -> ContractsRow:
        state = self.get(rule)
        after = state.reported(status, event)
        if after is state:
            return self
        return self.model_copy(update={"contracts": {**self.contracts, rule: after}})
