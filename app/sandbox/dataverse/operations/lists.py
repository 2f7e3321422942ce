"""The Web API on sets of rows: lists by options, by FetchXML or SQL, changes, counts.

A list is of an entity set, or of a collection-valued property of a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.operations.rows import RowsApi
from app.sandbox.dataverse.queries.apply import apply
from app.sandbox.dataverse.queries.fetchxml import FetchXml
from app.sandbox.dataverse.queries.options import check_options, select_page
from app.sandbox.dataverse.queries.paging import MAX_PAGE
from app.sandbox.dataverse.queries.rendering import Renderer
from app.sandbox.dataverse.queries.selection import Selection, parse_selection
from app.sandbox.dataverse.queries.sql import SqlEndpoint
from app.sandbox.dataverse.queries.tracking import ChangeTracking, deleted_entry
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.schema import Table
from app.sandbox.dataverse.web.privileges import Privileges
from app.sandbox.dataverse.web.urls import Answer, ApiRequest, annotations_applied, link

COUNT_LIMIT = 5000
BOM = "\ufeff"
TOTAL = "Microsoft.Dynamics.CRM.totalrecordcount"


class ListsApi:
    """Requests on an entity set."""

    def __init__(
        self, store: Store, rows: RowsApi, tracking: ChangeTracking, privileges: Privileges
    ) -> None:
        self._store = store
        self._rows = rows
        self._tracking = tracking
        self._privileges = privileges

    def on_table(self, request: ApiRequest, table: Table) -> Answer:
        """``GET`` and ``POST`` on an entity set."""
        if request.method == "POST":
            return self._rows.create(request, table)
        if request.method != "GET":
            raise Refusal.method(request.method)
        self._privileges.check(request.author, "Read", table)
        reading = self._rows.reading(request)
        for view in {"savedQuery", "userQuery"} & set(request.query):
            raise Refusal.not_implemented(f"The view of {view}")
        if text := request.query.get("sql"):
            return SqlEndpoint(reading).answer(request, table, text)
        if xml := request.query.get("fetchXml", request.query.get("fetchxml")):
            return FetchXml(reading).answer(request, table, xml)
        if request.prefer.track_changes or "$deltatoken" in request.query:
            return self._changes(request, table)
        return self.listed(request, table, self._store.rows(table.name), table.entity_set)

    def count(self, request: ApiRequest, table: Table, rows: Iterable[Row] | None = None) -> Answer:
        """``$count`` of a set, or of the changes since a delta token; capped as the service's."""
        if request.method != "GET":
            raise Refusal.method(request.method)
        self._privileges.check(request.author, "Read", table)
        reading = self._rows.reading(request)
        if token := request.query.get("$deltatoken"):
            total = self._tracking.count(table, token, reading.now)
        else:
            rows = self._store.rows(table.name) if rows is None else rows
            options = {n: t for n, t in request.query.items() if n in ("$filter", "$apply")}
            total = select_page(rows, table, options, request.prefer, reading).total
        return Answer(200, f"{BOM}{min(total, COUNT_LIMIT)}")

    def listed(
        self, request: ApiRequest, table: Table, rows: Iterable[Row], address: str
    ) -> Answer:
        """Rows as the query options choose them; ``address`` is where the next page is found."""
        query, reading = request.query, self._rows.reading(request)
        check_options(query)
        if "$apply" in query:
            groups = apply(query, table, rows, reading)
            context = f"{request.base_url}/$metadata#{table.entity_set}"
            return Answer(200, {"@odata.context": context, "value": groups})
        selection = parse_selection(query, table, reading)
        page = select_page(rows, table, query, request.prefer, reading)
        body = self._collection(request, selection, page.rows, "")
        body |= _counted(request, page.total)
        if page.cookie is not None:
            body["@odata.nextLink"] = _continued(request, address, "$skiptoken", page.cookie)
        return Answer(200, body, _applied(request))

    def _changes(self, request: ApiRequest, table: Table) -> Answer:
        query, reading = request.query, self._rows.reading(request)
        check_options(query)
        page = self._tracking.page(table, query, request.prefer.page_size, reading.now)
        selection = parse_selection(query, table, reading)
        delta = "/$delta" if "$deltatoken" in query else ""
        body = self._collection(request, selection, page.rows, delta)
        body["value"] += [deleted_entry(request.base_url, table, gone) for gone in page.deleted]
        address = table.entity_set
        if page.cookie is not None:
            body["@odata.nextLink"] = _continued(request, address, "$skiptoken", page.cookie)
        if page.token is not None:
            body["@odata.deltaLink"] = _continued(request, address, "$deltatoken", page.token)
        return Answer(200, body, _applied(request))

    def _collection(
        self, request: ApiRequest, selection: Selection, rows: list[Row], suffix: str
    ) -> dict[str, Any]:
        entity_set = selection.table.entity_set
        context = f"{request.base_url}/$metadata#{entity_set}{selection.context}{suffix}"
        renderer = Renderer(self._rows.reading(request), request.base_url, listed=True)
        rendered = [renderer.render(row, selection, request.prefer) for row in rows]
        return {"@odata.context": context, "value": rendered}


def _continued(request: ApiRequest, address: str, option: str, value: str) -> str:
    dropped = {"$skiptoken"} if option == "$skiptoken" else {"$skiptoken", "$deltatoken"}
    kept: Mapping[str, str] = {n: t for n, t in request.query.items() if n not in dropped}
    return link(request.base_url, address, {**kept, option: value})


def _counted(request: ApiRequest, total: int) -> dict[str, Any]:
    """How many rows there are, up to the service's limit: when asked for, else -1 by annotation."""
    counted = request.query.get("$count") == "true"
    found: dict[str, Any] = {"@odata.count": min(total, COUNT_LIMIT)} if counted else {}
    if request.prefer.wants(TOTAL):
        found[f"@{TOTAL}"] = min(total, COUNT_LIMIT) if counted else -1
    if request.prefer.wants(f"{TOTAL}limitexceeded"):
        found[f"@{TOTAL}limitexceeded"] = counted and total > COUNT_LIMIT
    return found


def _applied(request: ApiRequest) -> dict[str, str]:
    """Which preferences were heeded."""
    prefer, heeded = request.prefer, []
    if prefer.track_changes:
        heeded.append("odata.track-changes")
    if prefer.page_size is not None:
        heeded.append(f"odata.maxpagesize={min(prefer.page_size, MAX_PAGE)}")
    heeded += annotations_applied(prefer)
    return {"Preference-Applied": ",".join(heeded)} if heeded else {}
