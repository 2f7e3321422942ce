"""What finance and operations tell the outside of changes: business events and data events.

Business events leave in the order of their control numbers, which rise with gaps; what somebody
resends by hand comes late, with its old number (reference/dataverse.md 1.5). Data events follow
each commit (1.6), rows of Synapse Link later (1.2).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from app.sandbox.events import finance
from app.sandbox.events.change import Encoded, made_guid, since_1970_ms
from app.sandbox.events.finance_entities import COMPANY, NO_DATE
from app.sandbox.finance.state import State
from app.sandbox.finance.store import Change


def json_date(text: str) -> str:
    """A day as contracts write it: its midnight."""
    return f"/Date({since_1970_ms(text[:10])})/"


Send = Callable[[Encoded], None]

#: Which change makes which event: entity set, column and value (None: its creation).
_EVENTS: tuple[tuple[str, str, str | None, str, Mapping[str, str]], ...] = (
    (
        "SalesInvoiceHeadersV2",
        "",
        None,
        "SalesInvoicePostedBusinessEvent",
        {
            "InvoiceAccount": "InvoiceCustomerAccountNumber",
            "InvoiceId": "InvoiceNumber",
            "SalesOrderId": "SalesOrderNumber",
            "InvoiceDate": "InvoiceDate",
            "InvoiceAmountInAccountingCurrency": "TotalInvoiceAmount",
        },
    ),
    (
        "VendorInvoiceHeaders",
        "",
        None,
        "VendorInvoicePostedBusinessEvent",
        {
            "InvoiceNumber": "InvoiceNumber",
            "VendorAccount": "InvoiceAccount",
            "PurchaseOrderNumber": "PurchaseOrderNumber",
        },
    ),
    (
        "PurchaseOrderHeadersV2",
        "DocumentApprovalStatus",
        "Confirmed",
        "PurchaseOrderConfirmedBusinessEvent",
        {
            "PurchaseOrderNumber": "PurchaseOrderNumber",
            "VendorAccount": "OrderVendorAccountNumber",
        },
    ),
    (
        "PurchaseOrderHeadersV2",
        "PurchaseOrderStatus",
        "Received",
        "PurchaseOrderReceivedBusinessEvent",
        {
            "PurchaseOrderNumber": "PurchaseOrderNumber",
            "VendorAccount": "OrderVendorAccountNumber",
        },
    ),
    (
        "SalesOrderHeadersV2",
        "SalesOrderStatus",
        "Backorder",
        "SalesOrderConfirmedBusinessEvent",
        {"SalesOrderNumber": "SalesOrderNumber"},
    ),
)

#: Fields of a contract that the entity does not hold: what they say when nothing is set.
_UNSET: Mapping[str, Mapping[str, object]] = {
    "SalesInvoicePostedBusinessEvent": {
        "InvoiceDueDate": json_date(NO_DATE),
        "InvoiceTaxAmount": 0,
    },
}


@dataclass
class BusinessEvents:
    """Sends a business event for each change that makes one; give it to ``store.on_change``.

    ``gaps``: how far the next control number may be. ``late``: the share of events that come a
    second time, after ``behind`` others.
    """

    send: Send
    state: State
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    gaps: int = 3
    late: float = 0.0
    behind: int = 3
    _again: list[tuple[int, Encoded]] = field(default_factory=list)

    def __call__(self, change: Change) -> None:
        for event_id, fields in _events_of(change):
            self.state.control_number += self.chance.randint(1, self.gaps)
            message = finance.business_event(
                event_id,
                fields,
                company=str(change.row.values[COMPANY]),
                at_ms=int(change.at.timestamp() * 1000),
                control_number=self.state.control_number,
                actor=made_guid("finance user", change.user),
            )
            self.send(message)
            self._repeat(message)

    def _repeat(self, message: Encoded) -> None:
        waiting = [(after - 1, earlier) for after, earlier in self._again]
        for after, earlier in waiting:
            if after <= 0:
                self.send(earlier)
        self._again = [(after, earlier) for after, earlier in waiting if after > 0]
        if self.chance.random() < self.late:
            self._again.append((self.behind, message))

    def resend(self) -> None:
        """Somebody sends again what is parked in the error log."""
        for _, message in self._again:
            self.send(message)
        self._again.clear()


@dataclass
class DataEvents:
    """Sends a data event for each change of one of these entity sets (None: of any)."""

    send: Send
    sets: frozenset[str] | None = None
    pre_image: bool = True

    def __call__(self, change: Change) -> None:
        if self.sets is None or change.entity.entity_set in self.sets:
            self.send(finance.data_event(event_of(change), pre_image=self.pre_image))


@dataclass
class LakeRows:
    """Sends the row as Synapse Link has it after each change."""

    send: Send
    typed: bool = False

    def __call__(self, change: Change) -> None:
        self.send(finance.synapse_row(event_of(change), typed=self.typed))


def event_of(change: Change) -> finance.EntityEvent:
    """A committed change as the encoders take it."""
    return finance.EntityEvent(
        entity=change.entity,
        recid=change.row.recid,
        operation=change.operation,
        row=change.row.values,
        at_ms=int(change.at.timestamp() * 1000),
        version=change.row.version,
        before=change.before.values if change.before else None,
        changed=change.changed if change.operation == "update" else None,
        actor=made_guid("finance user", change.user),
        user=change.user,
    )


def _events_of(change: Change) -> list[tuple[str, dict[str, object]]]:
    found = []
    for entity_set, column, value, event_id, fields in _EVENTS:
        if change.entity.entity_set != entity_set or change.operation == "delete":
            continue
        created = change.operation == "create"
        happened = created if value is None else column in change.changed or created
        if happened and (value is None or change.row.values[column] == value):
            named = {name: _told(change, own) for name, own in fields.items()}
            found.append((event_id, {**named, **_UNSET.get(event_id, {})}))
    return found


def _told(change: Change, name: str) -> object:
    """A value as a contract has it: dates count from 1970."""
    value = change.row.values[name]
    return json_date(value) if change.entity.fields[name].kind == "date" else value
