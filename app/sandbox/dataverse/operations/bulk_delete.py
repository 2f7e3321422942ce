"""``BulkDelete``: a job that deletes what its queries find.

Microsoft's Dataverse client deletes many rows this way (``records.delete`` with a list). The real
job runs some time later; here it has run when the answer comes, and its ``asyncoperation`` row says
how many rows went and how many could not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.operations.writes import Writes
from app.sandbox.dataverse.store.commits import Author, Row
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.store.writing import Writer
from app.sandbox.dataverse.tables.schema import Registry, Table
from app.sandbox.dataverse.tables.values import Values, comparable, stamp
from app.sandbox.dataverse.web.urls import Answer, ApiRequest

SUCCEEDED = {"statecode": 3, "statuscode": 30}
JOB_TYPE = 13
MAX_DEPTH = 50


class BulkDelete:
    """Answers the action ``BulkDelete``."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        writes: Writes,
        writer: Writer,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._store = store
        self._registry = registry
        self._writes = writes
        self._writer = writer
        self._now = now

    def answer(self, request: ApiRequest) -> Answer:
        """200 with the id of the job. Raises `Refusal` 400 for queries that are not understood."""
        if request.method != "POST":
            raise Refusal.method(request.method)
        body = request.json()
        queries = body.get("QuerySet")
        if not isinstance(queries, list) or not queries:
            raise Refusal.payload("The parameter QuerySet must be a list with at least one query.")
        found = [found for query in queries for found in self._found(query)]
        failed = sum(not self._deleted(table, row, request.author) for table, row in found)
        job = self._job(str(body.get("JobName", "Bulk delete")), len(found), failed, request.author)
        context = f"{request.base_url}/$metadata#Microsoft.Dynamics.CRM.BulkDeleteResponse"
        return Answer(200, {"@odata.context": context, "JobId": job.id})

    def _found(self, query: Any) -> list[tuple[Table, Row]]:
        name = query.get("EntityName") if isinstance(query, dict) else None
        if not isinstance(name, str) or name not in self._registry:
            raise Refusal.invalid_argument(f"The query is about '{name}', which is no table.")
        table = self._registry.table(name)
        if query.get("LinkEntities"):
            raise Refusal.not_implemented("A query with LinkEntities")
        test = _criteria(table, query.get("Criteria") or {}, 0)
        return [(table, row) for row in self._store.rows(name) if test(row)]

    def _deleted(self, table: Table, row: Row, author: Author) -> bool:
        """Whether the row is gone; one that may not go does not stop the others."""
        current = self._store.get(table.name, row.id)
        if current is None:
            return True
        try:
            self._writes.delete(table, current, author)
        except Refusal:
            return False
        return True

    def _job(self, name: str, total: int, failed: int, author: Author) -> Row:
        table = self._registry.table("asyncoperation")
        message = f"{total - failed} of {total} rows were deleted."
        values: Values = {
            **SUCCEEDED,
            "name": name[:256],
            "operationtype": JOB_TYPE,
            "message": message,
            "completedon": stamp(self._now()),
        }
        return self._writer.create(table, values, author, trusted=True)


def _criteria(table: Table, given: Any, depth: int) -> Callable[[Row], bool]:
    """A ``FilterExpression``: its conditions and the filters within it, all of them or any."""
    if not isinstance(given, dict) or depth > MAX_DEPTH:
        raise Refusal.payload("Criteria is a filter: an object, within others to some depth.")
    conditions, filters = given.get("Conditions") or [], given.get("Filters") or []
    if not isinstance(conditions, list) or not isinstance(filters, list):
        raise Refusal.payload("Criteria needs a list of Conditions, and of Filters.")
    tests = [_test(table, condition) for condition in conditions]
    tests += [_criteria(table, inner, depth + 1) for inner in filters]
    match given.get("FilterOperator", "And"):
        case "And" | 0:
            return lambda row: all(test(row) for test in tests)
        case "Or" | 1:
            return lambda row: not tests or any(test(row) for test in tests)
    raise Refusal.payload("FilterOperator is And or Or.")


def _test(table: Table, condition: Any) -> Callable[[Row], bool]:
    """A ``ConditionExpression``: Equal, NotEqual, In, NotIn, Null, NotNull."""
    if not isinstance(condition, dict):
        raise Refusal.payload("A condition is an object.")
    column = table.columns.get(str(condition.get("AttributeName")))
    if column is None:
        raise Refusal.invalid_argument(f"{table.name} has no '{condition.get('AttributeName')}'.")
    given = condition.get("Values", [])
    values = [
        comparable(item.get("Value") if isinstance(item, dict) else item)
        for item in (given if isinstance(given, list) else [])
    ]
    operator = condition.get("Operator")

    def value(row: Row) -> Any:
        return comparable(
            row.id if column.name == table.primary_id else row.values.get(column.name)
        )

    match operator:
        case "Equal" | "In":
            return lambda row: value(row) in values
        case "NotEqual" | "NotIn":
            return lambda row: value(row) not in values
        case "Null" | "NotNull":
            return lambda row: (value(row) is None) is (operator == "Null")
    raise Refusal.invalid_argument(f"The operator '{operator}' is not supported here.")
