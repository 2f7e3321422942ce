"""What happens to a row when it is written: defaults, stamps, states, derived columns."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.store.commits import Author, Row
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.schema import ColumnType, Table
from app.sandbox.dataverse.tables.values import Reference, Value, Values, as_guid, stamp

REQUIRED = ("statecode", "statuscode", "ownerid")


class Writer:
    """Creates, updates and deletes rows of one organisation.

    ``refuse_direct_close``: states such as Won are only set by their action, as in the service.
    """

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], dt.datetime],
        business_unit_id: str,
        currency_id: str,
    ) -> None:
        self.refuse_direct_close = True
        self._store = store
        self._now = now
        self._business_unit_id = business_unit_id
        self._currency_id = currency_id

    def create(
        self,
        table: Table,
        given: Values,
        author: Author,
        *,
        row_id: str | None = None,
        at: dt.datetime | None = None,
        trusted: bool = False,
    ) -> Row:
        """A new row. Raises `Refusal`: 412 for an id or key that exists, 400 for a bad state.

        ``trusted`` is for seeding: stamps may be given and closed states set.
        """
        moment = at or self._now()
        body_id = given.get(table.primary_id)
        new_id = row_id or (as_guid(str(body_id)) if body_id else None) or str(uuid.uuid4())
        if self._store.get(table.name, new_id) is not None:
            raise Refusal(412, "0x80040237", "Cannot insert duplicate key.")
        submitted = self._accepted(table, given, trusted=trusted)
        _check_required(table, submitted)
        values: Values = {**self._defaults(table, author), **submitted}
        if imported := values.get("overriddencreatedon"):
            values["createdon"], values["overriddencreatedon"] = imported, stamp(moment)
        values = {**self._stamps(author, moment, created=True), **values}
        self._settle_state(table, new_id, None, submitted, values, trusted=trusted)
        return self._put(table, new_id, values, submitted, author, moment)

    def update(
        self,
        table: Table,
        row: Row,
        given: Values,
        author: Author,
        *,
        at: dt.datetime | None = None,
        trusted: bool = False,
    ) -> Row:
        """Change columns of a row; also an update without change takes a new version."""
        moment = at or self._now()
        other = given.get(table.primary_id)
        if other is not None and other != row.id:
            raise Refusal.invalid_argument("The primary key of a row cannot be changed.")
        submitted = self._accepted(table, given, trusted=trusted)
        _check_required(table, submitted)
        values: Values = {**row.values, **self._stamps(author, moment, created=False), **submitted}
        self._settle_state(table, row.id, row, submitted, values, trusted=trusted)
        return self._put(table, row.id, values, submitted, author, moment)

    def delete(
        self, table: Table, row: Row, author: Author, *, at: dt.datetime | None = None
    ) -> None:
        self._store.delete(table, row, author=author, at=at or self._now())

    def remove_link(self, table: Table, row: Row, column: str, author: Author) -> None:
        """Empty a lookup whose row goes: the database does it, so no stamp moves and no event."""
        values = {**row.values, column: None}
        moment = self._now()
        self._store.put(table, row.id, values, submitted={}, author=author, at=moment, silent=True)

    def announce(
        self, message: str, row: Row, parameters: Mapping[str, Any], author: Author
    ) -> None:
        """A message about a row that changes none of its columns, such as Associate."""
        self._store.announce(message, row, parameters, author=author, at=self._now())

    def _put(
        self,
        table: Table,
        row_id: str,
        values: Values,
        submitted: Values,
        author: Author,
        moment: dt.datetime,
    ) -> Row:
        values[table.primary_id] = row_id
        values.update(_derived(table, values))
        return self._store.put(table, row_id, values, submitted=submitted, author=author, at=moment)

    def _accepted(self, table: Table, given: Values, *, trusted: bool) -> Values:
        """Without what only the platform sets: such columns are passed over in silence."""
        return {
            name: value
            for name, value in given.items()
            if name != table.primary_id and (trusted or table.columns[name].writable)
        }

    def _defaults(self, table: Table, author: Author) -> Values:
        values: Values = {}
        if table.user_owned:
            values["ownerid"] = Reference("systemuser", author.user_id)
            values["owningbusinessunit"] = Reference("businessunit", self._business_unit_id)
        if table.has_money:
            values["transactioncurrencyid"] = Reference("transactioncurrency", self._currency_id)
            values["exchangerate"] = 1.0
        for column in table.columns.values():
            if column.type is ColumnType.BOOLEAN:
                values[column.name] = False
            if column.auto_prefix:
                number = self._store.next_number(f"{table.name}.{column.name}")
                values[column.name] = f"{column.auto_prefix}-{number:05d}"
        return values

    def _stamps(self, author: Author, moment: dt.datetime, *, created: bool) -> Values:
        user = Reference("systemuser", author.user_id)
        real = author.on_behalf_by
        behind = None if real is None else Reference("systemuser", real)
        at = stamp(moment)
        values: Values = {"modifiedon": at, "modifiedby": user, "modifiedonbehalfby": behind}
        if created:
            values |= {"createdon": at, "createdby": user, "createdonbehalfby": behind}
        return values

    def _settle_state(
        self,
        table: Table,
        row_id: str,
        before: Row | None,
        submitted: Mapping[str, Value],
        values: Values,
        *,
        trusted: bool,
    ) -> None:
        """Complete a state by its default status and check the pair (reference 2.10 and 3.2)."""
        column = table.columns.get("statuscode")
        if column is None:
            return
        belongs = column.status_states
        was = None if before is None else before.values.get("statecode")
        state, status = submitted.get("statecode"), submitted.get("statuscode")
        if state is None and status is None:
            if before is None:
                first = next(iter(belongs))
                values |= {"statecode": belongs[first], "statuscode": first}
            return
        if state is None:
            state = was if was is not None else next(iter(belongs.values()))
        if status is None:
            status = next(s for s, owner in belongs.items() if owner == state)
        if not isinstance(status, int) or belongs.get(status) != state:
            raise Refusal.status_pair(table.name, row_id, state, status)
        if self.refuse_direct_close and not trusted and state != was:
            assert isinstance(state, int)
            if action := table.closed_by.get(state):
                raise Refusal.closed_by_action(table.name, action)
        values |= {"statecode": state, "statuscode": status}


def _check_required(table: Table, submitted: Mapping[str, Value]) -> None:
    """Raises `Refusal` 400 for null in a column that the platform itself needs."""
    for name in REQUIRED:
        if submitted.get(name, name) is None:
            raise Refusal.invalid_argument(f"'{name}' of {table.name} cannot be null.")


def _derived(table: Table, values: Mapping[str, Value]) -> Values:
    """Columns that follow from others: base amounts, a person's full name, the kind of owner."""
    derived: Values = {}
    if table.user_owned:
        owner = values.get("ownerid")
        for name, kind in (("owninguser", "systemuser"), ("owningteam", "team")):
            derived[name] = owner if isinstance(owner, Reference) and owner.table == kind else None
    rate = values.get("exchangerate")
    for column in table.columns.values():
        amount = values.get(column.name.removesuffix("_base"))
        if column.type is ColumnType.MONEY and not column.writable:
            known = isinstance(amount, int | float) and isinstance(rate, int | float) and rate
            derived[column.name] = round(amount / rate, 2) if known else None  # type: ignore[operator]
    if {"firstname", "lastname", "fullname"} <= set(table.columns):
        names = [values.get("firstname"), values.get("lastname")]
        if any(names):
            derived["fullname"] = " ".join(str(name) for name in names if name)
    return derived
