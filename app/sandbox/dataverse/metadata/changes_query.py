"""``RetrieveMetadataChanges(Query=@p1)``: chosen properties of chosen tables, typed.

The query is an ``EntityQueryExpression``; the answer has the derived properties of columns, for
which lists of columns need a cast. It is always the whole picture: no earlier stamp is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.metadata import shapes
from app.sandbox.dataverse.metadata.reading import MetadataReading
from app.sandbox.dataverse.store.store import Store
from app.sandbox.dataverse.tables.schema import Registry, Table
from app.sandbox.dataverse.web.urls import Answer, ApiRequest

PARTS = {
    "AttributeQuery": "Attributes",
    "KeyQuery": "Keys",
    "RelationshipQuery": "OneToManyRelationships",
}


class MetadataChanges:
    """Answers the function ``RetrieveMetadataChanges``."""

    def __init__(self, registry: Registry, store: Store, reading: MetadataReading) -> None:
        self._registry = registry
        self._store = store
        self._reading = reading

    def answer(self, request: ApiRequest) -> Answer:
        """Raises `Refusal` 400 for a query that is not understood."""
        if request.method != "GET":
            raise Refusal.method(request.method)
        query = _query(request)
        found = [
            self._shown(table, query)
            for table in self._registry
            if _holds(query.get("Criteria"), shapes.entity(table))
        ]
        context = f"{request.base_url}/$metadata#{shapes.CRM}RetrieveMetadataChangesResponse"
        body = {
            "@odata.context": context,
            "ServerVersionStamp": f"{self._store.version}!{len(self._registry.tables)}",
            "DeletedMetadata": None,
            "EntityMetadata": found,
        }
        return Answer(200, body)

    def _shown(self, table: Table, query: Mapping[str, Any]) -> dict[str, Any]:
        wanted = _properties(query.get("Properties"))
        shown = _cut(shapes.entity(table), wanted)
        for part, collection in PARTS.items():
            inner = query.get(part)
            if not isinstance(inner, dict) and (wanted is None or collection not in wanted):
                continue
            inner = inner if isinstance(inner, dict) else {}
            items = self._items(table, collection)
            kept = [item for item in items if _holds(inner.get("Criteria"), item)]
            shown[collection] = [_cut(item, _properties(inner.get("Properties"))) for item in kept]
        return shown

    def _items(self, table: Table, collection: str) -> list[dict[str, Any]]:
        if collection != "Attributes":
            return self._reading.collection(table, collection)
        return [
            shapes.attribute(table, column) | {"OptionSet": shapes.option_set(column)}
            for column in table.columns.values()
        ]


def _query(request: ApiRequest) -> dict[str, Any]:
    named = request.segments[0].parts.get("Query")
    text = request.query.get(str(named)) if str(named).startswith("@") else named
    try:
        query = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError) as error:
        raise Refusal.bad_query(f"The parameter Query is not JSON: {error}") from error
    if not isinstance(query, dict):
        raise Refusal.bad_query("RetrieveMetadataChanges needs its parameter Query, an object.")
    return query


def _properties(given: Any) -> set[str] | None:
    """Names of the properties that are wanted, None for all."""
    if not isinstance(given, dict) or given.get("AllProperties") is True:
        return None
    names = given.get("PropertyNames")
    if not isinstance(names, list):
        raise Refusal.bad_query("Properties needs PropertyNames or AllProperties.")
    return {str(name) for name in names}


def _cut(item: dict[str, Any], wanted: set[str] | None) -> dict[str, Any]:
    if wanted is None:
        return item
    kept = {"@odata.type", "MetadataId", "LogicalName", *wanted}
    return {name: value for name, value in item.items() if name in kept}


def _holds(criteria: Any, item: Mapping[str, Any]) -> bool:
    """Whether an item meets a ``MetadataFilterExpression``; None is met by all."""
    if criteria is None:
        return True
    conditions = criteria.get("Conditions") if isinstance(criteria, dict) else None
    if not isinstance(conditions, list):
        raise Refusal.bad_query("Criteria needs a list of Conditions.")
    results = [_meets(condition, item) for condition in conditions]
    either = str(criteria.get("FilterOperator", "And")).lower() == "or"
    return any(results) if either else all(results)


def _meets(condition: Any, item: Mapping[str, Any]) -> bool:
    if not isinstance(condition, dict) or not isinstance(condition.get("Value"), dict):
        raise Refusal.bad_query("A condition needs PropertyName, ConditionOperator and Value.")
    value, wanted = item.get(str(condition.get("PropertyName"))), condition["Value"].get("Value")
    match condition.get("ConditionOperator"):
        case "Equals":
            return _text(value) == _text(wanted)
        case "NotEquals":
            return _text(value) != _text(wanted)
        case "In":
            return _text(value) in [_text(one) for one in _list(wanted)]
        case "NotIn":
            return _text(value) not in [_text(one) for one in _list(wanted)]
    raise Refusal.bad_query(f"'{condition.get('ConditionOperator')}' is no operator here.")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else str(value).split(",")


def _text(value: Any) -> str:
    """Values of a query are text, whatever the type of the property."""
    return str(value).casefold() if isinstance(value, bool) else str(value)
