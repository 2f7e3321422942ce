"""The Web API on rows: create, read, list, update or create, delete (reference/dataverse.md 2.3).

Everything here runs to its end without awaiting, so each request is atomic.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.operations.bodies import Bodies
from app.sandbox.dataverse.queries.options import (
    check_options,
    parse_selection,
    select_page,
)
from app.sandbox.dataverse.queries.rendering import Renderer, Selection
from app.sandbox.dataverse.queries.tracking import ChangeTracking, deleted_entry
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.store.writing import Writer
from app.sandbox.dataverse.tables.schema import Registry, Table
from app.sandbox.dataverse.tables.values import Values
from app.sandbox.dataverse.web.urls import Answer, ApiRequest, Segment, link

COUNT_LIMIT = 5000


class RowsApi:
    """Requests on one table or one row.

    ``before_update`` is called with the row that an ``If-Match`` is about to be checked against,
    so that a race can be played.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        writer: Writer,
        tracking: ChangeTracking,
        now: Callable[[], dt.datetime],
        before_update: Callable[[ApiRequest, Table, Row], None],
    ) -> None:
        self.bodies = Bodies(store, registry)
        self._store = store
        self._registry = registry
        self._writer = writer
        self._tracking = tracking
        self._now = now
        self._before_update = before_update
        self._renderer = Renderer(store, registry)

    def on_table(self, request: ApiRequest, table: Table) -> Answer:
        """``GET`` and ``POST`` on an entity set."""
        if request.method == "POST":
            return self._create(request, table)
        if request.method == "GET":
            if request.prefer.track_changes or "$deltatoken" in request.query:
                return self._changes(request, table)
            return self._list(request, table)
        raise Refusal.method(request.method)

    def on_row(self, request: ApiRequest, table: Table, segment: Segment) -> Answer:
        """``GET``, ``PATCH`` and ``DELETE`` on a row, by id or alternate key."""
        if request.method == "GET":
            return self._read(request, table, segment)
        if request.method == "PATCH":
            return self._patch(request, table, segment)
        if request.method == "DELETE":
            row = self._existing(table, segment)
            self._check_match(request, table, row)
            self._writer.delete(table, self._existing(table, segment), request.author)
            return Answer(204)
        raise Refusal.method(request.method)

    def on_property(
        self, request: ApiRequest, table: Table, segment: Segment, name: str, *, reference: bool
    ) -> Answer:
        """One property of a row: read, set, clear; with ``reference`` a lookup's ``$ref``."""
        row = self._existing(table, segment)
        if request.method == "GET" and not reference:
            return self._read_property(request, table, row, name)
        if request.method == "PUT":
            body = request.json()
            given = {f"{name}@odata.bind": body.get("@odata.id")} if reference else {}
            changes = given or {name: body.get("value")}
        elif request.method == "DELETE":
            changes = {f"{name}@odata.bind": None} if reference else {name: None}
        else:
            raise Refusal.method(request.method)
        self._writer.update(table, row, self.bodies.read(table, changes), request.author)
        return Answer(204)

    def count(self, request: ApiRequest, table: Table) -> Answer:
        """``$count`` of a set, or of the changes since a delta token; capped as the service's."""
        if token := request.query.get("$deltatoken"):
            total = self._tracking.count(table, token, self._now())
        else:
            rows = self._store.rows(table.name)
            total = select_page(rows, table, dict(request.query), request.prefer).total
        return Answer(200, f"\ufeff{min(total, COUNT_LIMIT)}")

    def _create(self, request: ApiRequest, table: Table) -> Answer:
        row = self._writer.create(table, self.bodies.read(table, request.json()), request.author)
        return self._written(request, table, row, created=True)

    def _patch(self, request: ApiRequest, table: Table, segment: Segment) -> Answer:
        """Update or create; the rules of If-Match and If-None-Match are those of 2.6."""
        row = self.bodies.find(table, segment)
        if row is None:
            if "if-match" in request.headers:
                raise _missing(table, segment)
            return self._upserted(request, table, segment)
        if request.headers.get("if-none-match") == "*":
            raise Refusal.already_exists()
        self._check_match(request, table, row)
        current = self._existing(table, segment)
        given = self.bodies.read(table, request.json())
        updated = self._writer.update(table, current, given, request.author)
        return self._written(request, table, updated, created=False)

    def _upserted(self, request: ApiRequest, table: Table, segment: Segment) -> Answer:
        given = self.bodies.read(table, request.json())
        keys: Values = {}
        if segment.guid is None:
            keys = self.bodies.key_values(table, segment)[1]
        row = self._writer.create(table, {**given, **keys}, request.author, row_id=segment.guid)
        return self._written(request, table, row, created=True)

    def _check_match(self, request: ApiRequest, table: Table, row: Row) -> None:
        wanted = request.headers.get("if-match")
        if wanted is None or wanted == "*":
            return
        self._before_update(request, table, row)
        current = self._store.get(table.name, row.id)
        if current is None:
            raise Refusal.missing_row(table.name, row.id)
        if wanted.strip() != current.etag:
            raise Refusal.version_mismatch(table.name)

    def _written(self, request: ApiRequest, table: Table, row: Row, *, created: bool) -> Answer:
        address = f"{request.base_url}/{table.entity_set}({row.id})"
        if not request.prefer.representation:
            return Answer(204, headers={"OData-EntityId": address, "Location": address})
        query = {name: text for name, text in request.query.items() if name == "$select"}
        selection = parse_selection(query, table, self._registry)
        body = self._entity(request, row, selection)
        headers = {"Preference-Applied": "return=representation", "ETag": row.etag}
        if created:
            headers["Location"] = address
        return Answer(201 if created else 200, body, headers)

    def _read(self, request: ApiRequest, table: Table, segment: Segment) -> Answer:
        check_options(dict(request.query), single=True)
        row = self._existing(table, segment)
        selection = parse_selection(dict(request.query), table, self._registry)
        plain = not selection.expand and not request.prefer.annotations
        if plain and request.headers.get("if-none-match") == row.etag:
            return Answer(304, headers={"ETag": row.etag})
        return Answer(200, self._entity(request, row, selection), {"ETag": row.etag})

    def _entity(self, request: ApiRequest, row: Row, selection: Selection) -> dict[str, Any]:
        entity_set = selection.table.entity_set
        context = f"{request.base_url}/$metadata#{entity_set}{selection.context}/$entity"
        rendered = self._renderer.render(row, selection, request.prefer)
        return {"@odata.context": context, **rendered}

    def _read_property(self, request: ApiRequest, table: Table, row: Row, name: str) -> Answer:
        if found := table.navigation(name):
            selection = Selection(table, (), {name: Selection(self._registry.table(found[1]))})
            inner = self._renderer.render(row, selection, request.prefer)[name]
            return Answer(204) if inner is None else Answer(200, inner)
        column = table.by_property(name)
        value = self._renderer.render(row, Selection(table, (column,)), request.prefer)[name]
        if value is None:
            return Answer(204)
        context = f"{request.base_url}/$metadata#{table.entity_set}({row.id})/{name}"
        return Answer(200, {"@odata.context": context, "value": value})

    def _list(self, request: ApiRequest, table: Table) -> Answer:
        query = dict(request.query)
        check_options(query)
        selection = parse_selection(query, table, self._registry)
        page = select_page(self._store.rows(table.name), table, query, request.prefer)
        body = self._collection(request, selection, page.rows, "")
        if query.get("$count") == "true":
            body["@odata.count"] = min(page.total, COUNT_LIMIT)
        if page.cookie is not None:
            body["@odata.nextLink"] = _continued(request, table, "$skiptoken", page.cookie)
        return Answer(200, body, _page_size_applied(request))

    def _changes(self, request: ApiRequest, table: Table) -> Answer:
        query, prefer = dict(request.query), request.prefer
        check_options(query)
        page = self._tracking.page(table, query, prefer.page_size, self._now())
        selection = parse_selection(query, table, self._registry)
        delta = "/$delta" if "$deltatoken" in query else ""
        body = self._collection(request, selection, page.rows, delta)
        body["value"] += [deleted_entry(request.base_url, table, gone) for gone in page.deleted]
        if page.cookie is not None:
            body["@odata.nextLink"] = _continued(request, table, "$skiptoken", page.cookie)
        if page.token is not None:
            body["@odata.deltaLink"] = _continued(request, table, "$deltatoken", page.token)
        applied = "odata.track-changes" if prefer.track_changes else ""
        size = _page_size_applied(request).get("Preference-Applied", "")
        joined = ",".join(filter(None, (applied, size)))
        return Answer(200, body, {"Preference-Applied": joined} if joined else {})

    def _collection(
        self, request: ApiRequest, selection: Selection, rows: list[Row], suffix: str
    ) -> dict[str, Any]:
        entity_set = selection.table.entity_set
        context = f"{request.base_url}/$metadata#{entity_set}{selection.context}{suffix}"
        rendered = [self._renderer.render(row, selection, request.prefer) for row in rows]
        return {"@odata.context": context, "value": rendered}

    def _existing(self, table: Table, segment: Segment) -> Row:
        row = self.bodies.find(table, segment)
        if row is None:
            raise _missing(table, segment)
        return row


def _missing(table: Table, segment: Segment) -> Refusal:
    if segment.guid is None:
        return Refusal.missing_key(table.name)
    return Refusal.missing_row(table.name, segment.guid)


def _continued(request: ApiRequest, table: Table, option: str, value: str) -> str:
    dropped = {"$skiptoken"} if option == "$skiptoken" else {"$skiptoken", "$deltatoken"}
    kept = {name: text for name, text in request.query.items() if name not in dropped}
    return link(request.base_url, table.entity_set, {**kept, option: value})


def _page_size_applied(request: ApiRequest) -> dict[str, str]:
    size = request.prefer.page_size
    return {} if size is None else {"Preference-Applied": f"odata.maxpagesize={size}"}
