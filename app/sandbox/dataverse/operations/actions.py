"""The actions that close a record: they write an activity and set the state, or do neither.

Names, bodies and outcomes as reference/dataverse.md 2.10 has them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.operations.bodies import Bodies
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.store.writing import Writer
from app.sandbox.dataverse.tables.schema import Registry, Table
from app.sandbox.dataverse.tables.values import Reference, Values, stamp
from app.sandbox.dataverse.web.urls import Answer, ApiRequest


@dataclass(frozen=True, slots=True)
class Closing:
    """What one action closes: the table, the state it sets, and its activity.

    ``message`` is what events call the action; ``open_states`` are those that it can close.
    """

    table: str
    lookup: str
    state: int
    parameter: str
    activity: str
    message: str
    open_states: tuple[int, ...] = (0,)


def _opportunity(state: int, message: str) -> Closing:
    return Closing(
        "opportunity", "opportunityid", state, "OpportunityClose", "opportunityclose", message
    )


def _quote(state: int, message: str) -> Closing:
    return Closing("quote", "quoteid", state, "QuoteClose", "quoteclose", message, (1,))


def _order(state: int, message: str) -> Closing:
    return Closing("salesorder", "salesorderid", state, "OrderClose", "orderclose", message, (0, 1))


CLOSINGS = {
    "WinOpportunity": _opportunity(1, "Win"),
    "LoseOpportunity": _opportunity(2, "Lose"),
    "CloseIncident": Closing(
        "incident", "incidentid", 1, "IncidentResolution", "incidentresolution", "Close"
    ),
    "WinQuote": _quote(2, "Win"),
    "CloseQuote": _quote(3, "Close"),
    "FulfillSalesOrder": _order(3, "Fulfill"),
    "CancelSalesOrder": _order(2, "Cancel"),
}


class Closings:
    """Answers ``POST`` on the actions of `CLOSINGS`."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        bodies: Bodies,
        writer: Writer,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._store = store
        self._registry = registry
        self._bodies = bodies
        self._writer = writer
        self._now = now

    def answer(self, request: ApiRequest) -> Answer:
        """204 when done. Raises `Refusal` 400 for a closed record, a wrong status or body."""
        name = request.segments[0].name
        if request.method != "POST":
            raise Refusal.method(request.method)
        closing, body = CLOSINGS[name], request.json()
        if unknown := set(body) - {"Status", closing.parameter}:
            raise Refusal.payload(f"{name} has no parameter {', '.join(sorted(unknown))}.")
        table = self._registry.table(closing.table)
        activity = self._activity(closing, body)
        row = self._closable(table, closing, activity)
        status = _status(table, row, closing, body.get("Status"))
        moment = self._now()
        activity |= {"actualend": stamp(moment)}
        changes: Values = {"statecode": closing.state, "statuscode": status}
        if closing.table == "opportunity":
            activity |= {"opportunitystatecode": closing.state, "opportunitystatuscode": status}
            changes["actualclosedate"] = stamp(moment)[:10]
            changes["actualvalue"] = activity.get("actualrevenue") or row.values.get(
                "estimatedvalue"
            )
        if name == "FulfillSalesOrder":
            changes["datefulfilled"] = stamp(moment)[:10]
        with self._store.transaction():
            made = self._writer.create(
                self._registry.table(closing.activity), activity, request.author
            )
            closed = self._writer.update(table, row, changes, request.author, trusted=True)
            parameters = {closing.parameter: Reference(closing.activity, made.id), "Status": status}
            self._writer.announce(closing.message, closed, parameters, request.author)
        return Answer(204)

    def _activity(self, closing: Closing, body: dict[str, Any]) -> Values:
        given = body.get(closing.parameter)
        if not isinstance(given, dict):
            raise Refusal.payload(f"The parameter {closing.parameter} is missing.")
        return self._bodies.columns(self._registry.table(closing.activity), given)

    def _closable(self, table: Table, closing: Closing, activity: Values) -> Row:
        reference = activity.get(closing.lookup)
        if not isinstance(reference, Reference):
            raise Refusal.payload(
                f"{closing.parameter} must name its record by '{closing.lookup}@odata.bind'."
            )
        row = self._store.get(table.name, reference.id)
        if row is None:
            raise Refusal.missing_row(table.name, reference.id)
        if row.values.get("statecode") not in closing.open_states:
            labels = table.columns["statecode"].options
            needed = " or ".join(labels[state] for state in closing.open_states)
            raise Refusal.invalid_argument(
                f"The {table.name} has already been closed, or is not {needed} yet."
            )
        return row


def _status(table: Table, row: Row, closing: Closing, given: Any) -> int:
    """The status to set; -1 asks for the default of the state."""
    belongs = table.columns["statuscode"].status_states
    if given is None:
        raise Refusal.payload("The parameter Status is missing.")
    if given == -1:
        return next(status for status, state in belongs.items() if state == closing.state)
    whole = isinstance(given, int) and not isinstance(given, bool)
    if not whole or belongs.get(given) != closing.state:
        raise Refusal.status_pair(table.name, row.id, closing.state, given)
    return int(given)
