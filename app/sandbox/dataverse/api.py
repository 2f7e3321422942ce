"""Which request goes where, and how an answer becomes bytes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.metadata.changes_query import MetadataChanges
from app.sandbox.dataverse.metadata.changing import MetadataChanging
from app.sandbox.dataverse.metadata.reading import MetadataReading
from app.sandbox.dataverse.operations.actions import CLOSINGS, Actions
from app.sandbox.dataverse.operations.batch import Batch
from app.sandbox.dataverse.operations.bulk import PREFIX, Bulk
from app.sandbox.dataverse.operations.bulk_delete import BulkDelete
from app.sandbox.dataverse.operations.lists import ListsApi
from app.sandbox.dataverse.operations.properties import PropertiesApi
from app.sandbox.dataverse.operations.rows import RowsApi
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.schema import Registry
from app.sandbox.dataverse.tables.values import Value
from app.sandbox.dataverse.web.urls import Answer, ApiRequest

JSON = "application/json; odata.metadata=minimal"
NOT_HERE = ("$metadata",)


class WebApi:
    """The whole Web API below its version: one synchronous call per request."""

    def __init__(
        self,
        registry: Registry,
        store: Store,
        rows: RowsApi,
        lists: ListsApi,
        properties: PropertiesApi,
        bulk: Bulk,
        actions: Actions,
        bulk_delete: BulkDelete,
        organization_id: str,
        business_unit_id: str,
    ) -> None:
        self._registry = registry
        self._rows = rows
        self._lists = lists
        self._properties = properties
        self._bulk = bulk
        self._actions = actions
        self._reading = MetadataReading(registry)
        self._changing = MetadataChanging(registry, store, self._reading)
        self._unbound: dict[str, Callable[[ApiRequest], Answer]] = {
            "WhoAmI": self._who_am_i,
            "EntityDefinitions": self._tables,
            "RelationshipDefinitions": self._relationships,
            "BulkDelete": bulk_delete.answer,
            "CreateEntities": self._changing.create_entities,
            "RetrieveMetadataChanges": MetadataChanges(registry, store, self._reading).answer,
            "$batch": Batch(store, self.answer, encoded).answer,
        }
        self._organization_id = organization_id
        self._business_unit_id = business_unit_id

    def answer(self, request: ApiRequest) -> Answer:
        """Never raises a `Refusal`: it becomes the answer."""
        try:
            return self._dispatch(request)
        except Refusal as refusal:
            details = bool(request.prefer.annotations)
            return Answer(refusal.status, refusal.body(details=details))

    def _dispatch(self, request: ApiRequest) -> Answer:
        root = request.segments[0]
        if root.name in CLOSINGS:
            return self._actions.answer(request, root.name)
        if answer := self._unbound.get(root.name):
            return answer(request)
        if root.name in NOT_HERE or (request.method == "POST" and root.name[:1].isupper()):
            raise Refusal.not_implemented(root.name)
        return self._on_set(request)

    def _on_set(self, request: ApiRequest) -> Answer:
        root, *rest = request.segments
        table = self._registry.by_set(root.name)
        if root.has_key and rest:
            return self._properties.answer(request, table, request.segments)
        if root.has_key:
            return self._rows.on_row(request, table, root)
        if not rest:
            return self._lists.on_table(request, table)
        if rest[0].name == "$count":
            return self._lists.count(request, table)
        if rest[0].name.startswith(PREFIX):
            return self._bulk.answer(request, table, rest[0].name)
        raise Refusal.missing_segment(rest[0].name)

    def _tables(self, request: ApiRequest) -> Answer:
        if request.method == "GET":
            return self._reading.tables(request)
        return self._changing.tables(request)

    def _relationships(self, request: ApiRequest) -> Answer:
        if request.method == "GET":
            return self._reading.relationships(request)
        return self._changing.relationships(request)

    def _who_am_i(self, request: ApiRequest) -> Answer:
        if request.method != "GET":
            raise Refusal.method(request.method)
        ids: dict[str, Value] = {
            "BusinessUnitId": self._business_unit_id,
            "UserId": request.author.user_id,
            "OrganizationId": self._organization_id,
        }
        context = f"{request.base_url}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse"
        return Answer(200, {"@odata.context": context, **ids})


def encoded(answer: Answer) -> tuple[bytes, dict[str, str]]:
    """Body and headers of an answer, with those that every answer has."""
    headers = {
        "OData-Version": "4.0",
        "x-ms-service-request-id": str(uuid.uuid4()),
        "REQ_ID": str(uuid.uuid4()),
        "Cache-Control": "no-cache",
        **answer.headers,
    }
    if answer.body is None:
        return b"", headers
    if isinstance(answer.body, bytes):
        return answer.body, headers
    if isinstance(answer.body, str):
        return answer.body.encode(), {"Content-Type": "text/plain", **headers}
    body = json.dumps(answer.body, ensure_ascii=False).encode()
    return body, {**headers, "Content-Type": JSON}
