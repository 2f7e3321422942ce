"""The Web API on rows: create, read, list, update or create, delete (reference/dataverse.md 2.3).

Everything here runs to its end without awaiting, so each request is atomic.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.operations.bodies import Bodies, Given, missing
from app.sandbox.dataverse.operations.writes import Writes
from app.sandbox.dataverse.queries.filters import Reading
from app.sandbox.dataverse.queries.options import check_options
from app.sandbox.dataverse.queries.rendering import Renderer
from app.sandbox.dataverse.queries.selection import Selection, parse_selection
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.schema import Registry, Table
from app.sandbox.dataverse.tables.values import Values
from app.sandbox.dataverse.web.privileges import Privileges
from app.sandbox.dataverse.web.urls import Answer, ApiRequest, Segment, annotations_applied

FIND_DUPLICATES = "mscrm.suppressduplicatedetection"


class RowsApi:
    """Requests on one row, and creates.

    ``before_update`` is called with the row that is about to be written, before an ``If-Match`` is
    looked at, so that a race can be played.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        bodies: Bodies,
        writes: Writes,
        privileges: Privileges,
        now: Callable[[], dt.datetime],
        before_update: Callable[[ApiRequest, Table, Row], None],
    ) -> None:
        self._store = store
        self._registry = registry
        self._bodies = bodies
        self._writes = writes
        self._privileges = privileges
        self._now = now
        self._before_update = before_update

    def reading(self, request: ApiRequest) -> Reading:
        """What the queries of a request are read against."""
        return Reading(
            self._store,
            self._registry,
            self._now(),
            request.author.user_id,
            aliases={name: text for name, text in request.query.items() if name[:1] == "@"},
            check_read=partial(self._privileges.check, request.author, "Read"),
        )

    def on_row(self, request: ApiRequest, table: Table, segment: Segment) -> Answer:
        """``GET``, ``PATCH`` and ``DELETE`` on a row, by id or alternate key."""
        if request.method == "GET":
            return self._read(request, table, segment)
        if request.method == "PATCH":
            return self._patch(request, table, segment)
        if request.method == "DELETE":
            row = self.matching(request, table, self.existing(table, segment))
            self._writes.delete(table, row, request.author)
            return Answer(204)
        raise Refusal.method(request.method)

    def create(self, request: ApiRequest, table: Table) -> Answer:
        """``POST`` on an entity set."""
        given = self._bodies.read(table, request.json())
        return self.create_given(request, table, given)

    def create_given(
        self, request: ApiRequest, table: Table, given: Given, row_id: str | None = None
    ) -> Answer:
        """A new row of what was given, answered as the request prefers."""
        row = self._writes.create(
            table, given, request.author, row_id=row_id, find_duplicates=_wants_duplicates(request)
        )
        return self._written(request, table, row, created=True)

    def existing(self, table: Table, segment: Segment) -> Row:
        """The row that a segment names. Raises `Refusal` 404."""
        row = self._bodies.find(table, segment)
        if row is None:
            raise missing(table, segment)
        return row

    def matching(self, request: ApiRequest, table: Table, row: Row) -> Row:
        """The row as it is when it is written; raises `Refusal` 412 when an If-Match names another
        version."""
        self._before_update(request, table, row)
        current = self._store.get(table.name, row.id)
        if current is None:
            raise Refusal.missing_row(table.name, row.id)
        if not {"*", current.etag} & set(_tags(request.headers.get("if-match", "*"))):
            raise Refusal.version_mismatch(table.name)
        return current

    def change(self, request: ApiRequest, table: Table, row: Row, values: Values) -> Row:
        """An update of columns by the caller of a request."""
        return self._writes.update(
            table, row, values, request.author, find_duplicates=_wants_duplicates(request)
        )

    def entity(self, request: ApiRequest, row: Row, selection: Selection) -> dict[str, Any]:
        """A row as the whole body of an answer."""
        entity_set = selection.table.entity_set
        context = f"{request.base_url}/$metadata#{entity_set}{selection.context}/$entity"
        rendered = Renderer(self.reading(request), request.base_url).render(
            row, selection, request.prefer
        )
        return {"@odata.context": context, **rendered}

    def _patch(self, request: ApiRequest, table: Table, segment: Segment) -> Answer:
        """Update or create; the rules of If-Match and If-None-Match are those of 2.6."""
        row = self._bodies.find(table, segment)
        if row is None:
            if "if-match" in request.headers:
                raise missing(table, segment)
            return self._upserted(request, table, segment)
        if "*" in _tags(request.headers.get("if-none-match", "")):
            raise Refusal.already_exists()
        current = self.matching(request, table, row)
        given = self._bodies.columns(table, request.json())
        updated = self.change(request, table, current, given)
        return self._written(request, table, updated, created=False)

    def _upserted(self, request: ApiRequest, table: Table, segment: Segment) -> Answer:
        given = self._bodies.read(table, request.json())
        if segment.guid is None:
            given.values |= self._bodies.key_values(table, segment)[1]
        return self.create_given(request, table, given, segment.guid)

    def _written(self, request: ApiRequest, table: Table, row: Row, *, created: bool) -> Answer:
        address = f"{request.base_url}/{table.entity_set}({row.id})"
        if not request.prefer.representation:
            return Answer(204, headers={"OData-EntityId": address, "Location": address})
        query = {name: text for name, text in request.query.items() if name == "$select"}
        body = self.entity(request, row, parse_selection(query, table, self.reading(request)))
        applied = ["return=representation", *annotations_applied(request.prefer)]
        headers = {"Preference-Applied": ",".join(applied), "ETag": row.etag}
        if created:
            headers["Location"] = address
        return Answer(201 if created else 200, body, headers)

    def _read(self, request: ApiRequest, table: Table, segment: Segment) -> Answer:
        self._privileges.check(request.author, "Read", table)
        check_options(request.query, single=True)
        row = self.existing(table, segment)
        selection = parse_selection(request.query, table, self.reading(request))
        plain = not selection.expand and not request.prefer.annotations
        if plain and row.etag in _tags(request.headers.get("if-none-match", "")):
            return Answer(304, headers={"ETag": row.etag})
        headers = {"ETag": row.etag}
        if applied := annotations_applied(request.prefer):
            headers["Preference-Applied"] = ",".join(applied)
        return Answer(200, self.entity(request, row, selection), headers)


def _tags(header: str) -> list[str]:
    """The entity tags of If-Match or If-None-Match, which may be a list."""
    return [tag.strip() for tag in header.split(",")]


def _wants_duplicates(request: ApiRequest) -> bool:
    """Duplicate detection is off unless a request asks for it (reference/dataverse.md 2.2)."""
    return request.headers.get(FIND_DUPLICATES, "").strip().lower() == "false"
