"""EntityDefinitions: what clients ask about tables, keys, columns and choices."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.tables.schema import Column, ColumnType, Registry, Table
from app.sandbox.dataverse.web.urls import Answer, ApiRequest, Segment

T = TypeVar("T")
CAST = "Microsoft.Dynamics.CRM."
CASTS: dict[str, tuple[ColumnType, ...]] = {
    "PicklistAttributeMetadata": (ColumnType.CHOICE,),
    "StateAttributeMetadata": (ColumnType.STATE,),
    "StatusAttributeMetadata": (ColumnType.STATUS,),
    "LookupAttributeMetadata": (ColumnType.LOOKUP,),
    "StringAttributeMetadata": (ColumnType.STRING,),
}


class Metadata:
    """Answers below ``EntityDefinitions``."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def answer(self, request: ApiRequest) -> Answer:
        """Raises `Refusal` for unknown tables, columns and options; only reads are answered."""
        if request.method != "GET":
            raise Refusal.not_implemented("Changing metadata")
        root, *rest = request.segments
        if not root.has_key:
            found = _filtered(list(self._registry), request.query, _entity)
            return _list(request, "EntityDefinitions", [self._shown(t, request) for t in found])
        table = self._table(root)
        if not rest:
            context = f"{request.base_url}/$metadata#EntityDefinitions/$entity"
            return Answer(200, {"@odata.context": context, **self._shown(table, request)})
        return self._below(table, rest, request)

    def _below(self, table: Table, rest: Sequence[Segment], request: ApiRequest) -> Answer:
        kind = rest[0].name
        if kind == "Keys" and len(rest) == 1:
            return _list(request, "Keys", _chosen(_keys(table), request.query))
        if kind != "Attributes":
            raise Refusal.missing_segment(kind)
        if rest[0].has_key:
            column = self._column(table, rest[0])
            return Answer(200, _select([_attribute(table, column)], request.query)[0])
        columns = list(table.columns.values())
        if len(rest) > 1:
            types = CASTS.get(rest[1].name.removeprefix(CAST))
            if types is None:
                raise Refusal.missing_segment(rest[1].name)
            columns = [column for column in columns if column.type in types]
        attributes = [_attribute(table, column) for column in columns]
        return _list(request, "Attributes", _chosen(attributes, request.query))

    def _table(self, segment: Segment) -> Table:
        name = segment.parts.get("LogicalName")
        for table in self._registry:
            if name == table.name or segment.guid == table.metadata_id:
                return table
        wanted = name or segment.guid
        raise Refusal(
            404, "0x80060888", f"Could not find an entity with name {wanted} in the metadata cache."
        )

    def _column(self, table: Table, segment: Segment) -> Column:
        name = segment.parts.get("LogicalName")
        for column in table.columns.values():
            if name == column.name or segment.guid == _column_id(table, column):
                return column
        raise Refusal(404, "0x80060888", f"Could not find attribute {name or segment.guid}.")

    def _shown(self, table: Table, request: ApiRequest) -> dict[str, Any]:
        shown = _select([_entity(table)], request.query)[0]
        for name, options in _expands(request.query.get("$expand", "")):
            if name == "Keys":
                shown["Keys"] = _select(_keys(table), options)
            elif name == "Attributes":
                attributes = [_attribute(table, column) for column in table.columns.values()]
                shown["Attributes"] = _chosen(attributes, options)
            else:
                raise Refusal.unknown_property(name, "EntityMetadata")
        return shown


def _entity(table: Table) -> dict[str, Any]:
    return {
        "MetadataId": table.metadata_id,
        "LogicalName": table.name,
        "SchemaName": table.schema_name,
        "EntitySetName": table.entity_set,
        "LogicalCollectionName": table.entity_set,
        "PrimaryIdAttribute": table.primary_id,
        "PrimaryNameAttribute": table.primary_name,
        "ObjectTypeCode": table.type_code,
        "OwnershipType": "UserOwned" if table.user_owned else "OrganizationOwned",
        "ChangeTrackingEnabled": table.change_tracking,
        "IsOptimisticConcurrencyEnabled": True,
        "IsCustomEntity": table.type_code >= 10_000,
    }


def _keys(table: Table) -> list[dict[str, Any]]:
    return [
        {
            "LogicalName": name,
            "SchemaName": name,
            "EntityLogicalName": table.name,
            "KeyAttributes": list(columns),
            "EntityKeyIndexStatus": "Active",
        }
        for name, columns in table.keys.items()
    ]


def _column_id(table: Table, column: Column) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"column:{table.name}.{column.name}"))


def _attribute(table: Table, column: Column) -> dict[str, Any]:
    attribute: dict[str, Any] = {
        "MetadataId": _column_id(table, column),
        "LogicalName": column.name,
        "SchemaName": column.name,
        "AttributeType": column.attribute_type,
        "IsPrimaryId": column.name == table.primary_id,
        "IsPrimaryName": column.name == table.primary_name,
        "IsValidForCreate": column.writable,
        "IsValidForUpdate": column.writable and column.name != table.primary_id,
        "IsValidForRead": True,
    }
    if column.max_length:
        attribute["MaxLength"] = column.max_length
    if column.targets:
        attribute["Targets"] = list(column.targets)
    if column.type is ColumnType.DATE:
        attribute["Format"] = "DateOnly"
    if column.options:
        attribute["OptionSet"] = {"Options": [_option(v, t) for v, t in column.options.items()]}
    return attribute


def _option(value: int, text: str) -> dict[str, Any]:
    label = {"Label": text, "LanguageCode": 1033}
    return {"Value": value, "Label": {"LocalizedLabels": [label], "UserLocalizedLabel": label}}


def _list(request: ApiRequest, name: str, items: list[dict[str, Any]]) -> Answer:
    context = f"{request.base_url}/$metadata#{name}"
    return Answer(200, {"@odata.context": context, "value": items})


def _expands(text: str) -> list[tuple[str, dict[str, str]]]:
    """``Keys,Attributes($select=A,B;$filter=..)`` as names with their own options."""
    found = []
    for match in re.finditer(r"(\w+)(?:\(((?:[^()']|'[^']*')*)\))?(?:,|$)", text):
        options = (option.partition("=")[::2] for option in (match[2] or "").split(";") if option)
        found.append((match[1], dict(options)))
    return found


def _chosen(items: list[dict[str, Any]], query: Any) -> list[dict[str, Any]]:
    return _select(_filtered(items, query, lambda item: item), query)


def _select(items: list[dict[str, Any]], query: Any) -> list[dict[str, Any]]:
    """Cut to ``$select``; the id comes back always, and an expanded option set with it."""
    names = [name.strip() for name in query.get("$select", "").split(",") if name.strip()]
    if not names:
        return items
    names = ["MetadataId", *names, *(name for name, _ in _expands(query.get("$expand", "")))]
    return [{name: item[name] for name in names if name in item} for item in items]


def _filtered(items: Iterable[T], query: Any, show: Callable[[T], dict[str, Any]]) -> list[T]:
    """``$filter`` of metadata: comparisons with ``eq`` or ``ne``, joined with ``and``."""
    items = list(items)
    text = query.get("$filter", "")
    for part in filter(None, re.split(r"\s+and\s+", text)):
        match = re.fullmatch(r"\s*\(?(\w+)\s+(eq|ne)\s+('(?:[^']|'')*'|\w+)\)?\s*", part)
        if match is None:
            raise Refusal.bad_query(f"Syntax error in '{text}'.")
        wanted = _literal(match[3])
        items = [i for i in items if (show(i).get(match[1]) == wanted) is (match[2] == "eq")]
    return items


def _literal(text: str) -> Any:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text.isdigit():
        return int(text)
    return {"true": True, "false": False, "null": None}.get(text, text)
