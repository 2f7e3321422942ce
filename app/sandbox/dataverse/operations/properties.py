"""One property of a row: a column, a lookup, a collection, a reference, a file.

GET PUT DELETE   accounts(<id>)/name              and GET .../name/$value
GET              accounts(<id>)/primarycontactid  the row that the lookup points to
GET PUT DELETE   accounts(<id>)/primarycontactid/$ref
GET POST         accounts(<id>)/contact_customer_accounts       and .../$count, .../$ref
DELETE           accounts(<id>)/contact_customer_accounts(<id>)/$ref    or $ref?$id=<address>
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.operations.bodies import Bodies
from app.sandbox.dataverse.operations.files import Files
from app.sandbox.dataverse.operations.lists import ListsApi
from app.sandbox.dataverse.operations.rows import RowsApi
from app.sandbox.dataverse.operations.writes import Writes
from app.sandbox.dataverse.queries.filters import Binder, value_of
from app.sandbox.dataverse.queries.selection import parse_selection
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.schema import Column, ColumnType, Registry, Table
from app.sandbox.dataverse.tables.values import Reference, Values, reached
from app.sandbox.dataverse.web.privileges import Privileges
from app.sandbox.dataverse.web.urls import Answer, ApiRequest, Segment


class PropertiesApi:
    """Requests on ``<set>(<key>)/<property>`` and below."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        bodies: Bodies,
        writes: Writes,
        rows: RowsApi,
        lists: ListsApi,
        files: Files,
        privileges: Privileges,
    ) -> None:
        self._store = store
        self._registry = registry
        self._bodies = bodies
        self._writes = writes
        self._rows = rows
        self._lists = lists
        self._files = files
        self._privileges = privileges

    def answer(self, request: ApiRequest, table: Table, segments: Sequence[Segment]) -> Answer:
        """``segments`` start with the row's. Raises `Refusal` 404 for a row or path not there."""
        if request.method == "GET":
            self._privileges.check(request.author, "Read", table)
        row = self._rows.existing(table, segments[0])
        head, *rest = segments[1:]
        tail = rest[0].name if rest else ""
        if len(rest) > 1 or tail not in ("", "$ref", "$value", "$count"):
            raise Refusal.missing_segment(rest[-1].name)
        if (found := table.navigation(head.name)) and not head.has_key:
            return self._on_lookup(request, table, row, found[0], head.name, tail)
        if self._bodies.other_side(table, head.name) is not None:
            return self._on_collection(request, table, row, head, tail)
        column = table.by_property(head.name)
        if column.type is ColumnType.FILE:
            return self._files.answer(request, table, row, column, tail)
        return self._on_column(request, table, row, column, tail)

    def _on_column(
        self, request: ApiRequest, table: Table, row: Row, column: Column, tail: str
    ) -> Answer:
        if request.method == "GET":
            return self._value(request, table, row, column, tail)
        if tail:
            raise Refusal.method(request.method)
        if request.method == "PUT":
            body = request.json()
            if "value" not in body:
                raise Refusal.payload("The body must be an object with the property 'value'.")
            return self._changed(request, table, row, {column.name: body["value"]})
        if request.method == "DELETE":
            return self._changed(request, table, row, {column.name: None})
        raise Refusal.method(request.method)

    def _changed(self, request: ApiRequest, table: Table, row: Row, body: dict[str, Any]) -> Answer:
        current = self._rows.matching(request, table, row)
        self._rows.change(request, table, current, self._bodies.columns(table, body))
        return Answer(204)

    def _value(
        self, request: ApiRequest, table: Table, row: Row, column: Column, tail: str
    ) -> Answer:
        value = value_of(row, column, table)
        if value is None:
            return Answer(204)
        shown = value.id if isinstance(value, Reference) else value
        if tail == "$value":
            text = str(shown).lower() if isinstance(shown, bool) else str(shown)
            return Answer(200, text)
        if tail:
            raise Refusal.missing_segment(tail)
        address = f"{table.entity_set}({row.id})/{column.property_name}"
        context = f"{request.base_url}/$metadata#{address}"
        return Answer(200, {"@odata.context": context, "value": shown})

    def _on_lookup(
        self,
        request: ApiRequest,
        table: Table,
        row: Row,
        column: Column,
        navigation: str,
        tail: str,
    ) -> Answer:
        if request.method == "GET":
            reference = reached(column, row.values.get(column.name), navigation)
            if reference is None:
                return Answer(204)
            target = self._registry.table(reference.table)
            if tail == "$ref":
                address = f"{request.base_url}/{target.entity_set}({reference.id})"
                context = f"{request.base_url}/$metadata#$ref"
                return Answer(200, {"@odata.context": context, "@odata.id": address})
            other = self._store.get(target.name, reference.id)
            if other is None:
                return Answer(204)
            selection = parse_selection(request.query, target, self._rows.reading(request))
            return Answer(200, self._rows.entity(request, other, selection))
        if request.method == "PUT" and tail == "$ref":
            address = _odata_id(request.json())
            return self._changed(request, table, row, {f"{navigation}@odata.bind": address})
        if request.method == "DELETE" and tail in ("", "$ref"):
            return self._changed(request, table, row, {f"{navigation}@odata.bind": None})
        raise Refusal.method(request.method)

    def _on_collection(
        self, request: ApiRequest, table: Table, row: Row, head: Segment, tail: str
    ) -> Answer:
        others, reach = Binder(self._rows.reading(request)).collection(table, head.name)
        if tail == "$ref" and request.method in ("POST", "PUT", "DELETE"):
            return self._on_references(request, table, row, head, others)
        if head.has_key:
            raise Refusal.missing_segment(head.name)
        if request.method == "POST" and not tail:
            return self._created_in(request, table, row, head.name, others)
        if request.method != "GET":
            raise Refusal.method(request.method)
        if tail == "$count":
            return self._lists.count(request, others, reach(row))
        if tail == "$ref":
            base = f"{request.base_url}/{others.entity_set}"
            addresses = [{"@odata.id": f"{base}({other.id})"} for other in reach(row)]
            context = f"{request.base_url}/$metadata#Collection($ref)"
            return Answer(200, {"@odata.context": context, "value": addresses})
        address = f"{table.entity_set}({row.id})/{head.name}"
        return self._lists.listed(request, others, reach(row), address)

    def _on_references(
        self, request: ApiRequest, table: Table, row: Row, head: Segment, others: Table
    ) -> Answer:
        """Link and unlink (reference/dataverse.md 2.3)."""
        if request.method != "DELETE":
            target = self._bodies.target(_odata_id(request.json()))
            self._writes.associate(table, row, head.name, target, request.author)
            return Answer(204)
        if head.has_key:
            target = Reference(others.name, self._rows.existing(others, head).id)
        elif address := request.query.get("$id"):
            target = self._bodies.target(address)
        else:
            raise Refusal.bad_query("Which row to unlink: <property>(<id>)/$ref, or $ref?$id=..")
        self._writes.disassociate(table, row, head.name, target, request.author)
        return Answer(204)

    def _created_in(
        self, request: ApiRequest, table: Table, row: Row, navigation: str, others: Table
    ) -> Answer:
        """``POST`` on a collection: a new row that belongs to it."""
        given = self._bodies.read(others, request.json())
        if one := self._registry.collection(table, navigation):
            belongs: Values = {one.column: Reference(table.name, row.id)}
            given.values |= belongs
            return self._rows.create_given(request, others, given)
        with self._store.transaction():
            answer = self._rows.create_given(request, others, given)
            created = self._bodies.target(answer.headers["Location"])
            self._writes.associate(table, row, navigation, created, request.author)
        return answer


def _odata_id(body: dict[str, Any]) -> str:
    address = body.get("@odata.id")
    if not isinstance(address, str):
        raise Refusal.payload("The body must name a row by its address in '@odata.id'.")
    return address
