"""Which request goes where, and how an answer becomes bytes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.operations.bulk import PREFIX, Bulk
from app.sandbox.dataverse.operations.lists import ListsApi
from app.sandbox.dataverse.operations.properties import PropertiesApi
from app.sandbox.dataverse.operations.rows import RowsApi
from app.sandbox.dataverse.tables.schema import Registry
from app.sandbox.dataverse.web.urls import Answer, ApiRequest

JSON = "application/json; odata.metadata=minimal"
Handler = Callable[[ApiRequest], Answer]


@dataclass(frozen=True, slots=True)
class RowHandlers:
    """What answers requests on entity sets and below."""

    rows: RowsApi
    lists: ListsApi
    properties: PropertiesApi
    bulk: Bulk


class WebApi:
    """The whole Web API below its version: one synchronous call per request."""

    def __init__(
        self, registry: Registry, on_rows: RowHandlers, unbound: Mapping[str, Handler]
    ) -> None:
        self._registry = registry
        self._on_rows = on_rows
        self._unbound = dict(unbound)

    def add(self, name: str, handler: Handler) -> None:
        """Answer requests whose first segment is ``name``."""
        self._unbound[name] = handler

    def answer(self, request: ApiRequest) -> Answer:
        """Never raises a `Refusal`: it becomes the answer."""
        try:
            return self._dispatch(request)
        except Refusal as refusal:
            return Answer(refusal.status, refusal.body(request.prefer.wants))

    def _dispatch(self, request: ApiRequest) -> Answer:
        root, *rest = request.segments
        name = root.name.removeprefix(PREFIX)
        if handler := self._unbound.get(name):
            return handler(replace(request, segments=(replace(root, name=name), *rest)))
        if name[:1].isupper() and not self._is_nearly_a_set(name):
            raise Refusal.not_implemented(name)
        return self._on_set(request)

    def _is_nearly_a_set(self, name: str) -> bool:
        """Names of entity sets count to the letter: ``Accounts`` is no function either."""
        return any(name.casefold() == table.entity_set.casefold() for table in self._registry)

    def _on_set(self, request: ApiRequest) -> Answer:
        root, *rest = request.segments
        on, table = self._on_rows, self._registry.by_set(root.name)
        if root.has_key and rest:
            return on.properties.answer(request, table, request.segments)
        if root.has_key:
            return on.rows.on_row(request, table, root)
        if not rest:
            return on.lists.on_table(request, table)
        if len(rest) == 1 and rest[0].name == "$count":
            return on.lists.count(request, table)
        if len(rest) == 1 and rest[0].name.startswith(PREFIX):
            return on.bulk.answer(request, table, rest[0].name)
        raise Refusal.missing_segment(rest[-1].name)


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
    body = json.dumps(answer.body, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return body, {**headers, "Content-Type": JSON}
