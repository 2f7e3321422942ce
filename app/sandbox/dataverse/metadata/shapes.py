"""Tables, columns, keys and relationships as the metadata's JSON shows them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from app.sandbox.dataverse.tables.schema import (
    Choice,
    Column,
    ColumnType,
    ManyToMany,
    OneToMany,
    Table,
)

CRM = "Microsoft.Dynamics.CRM."
LANGUAGE = 1033

TYPE_NAMES: Mapping[ColumnType, str] = {
    ColumnType.STRING: "String",
    ColumnType.MEMO: "Memo",
    ColumnType.INTEGER: "Integer",
    ColumnType.BIGINT: "BigInt",
    ColumnType.DECIMAL: "Decimal",
    ColumnType.DOUBLE: "Double",
    ColumnType.MONEY: "Money",
    ColumnType.BOOLEAN: "Boolean",
    ColumnType.DATETIME: "DateTime",
    ColumnType.DATE: "DateTime",
    ColumnType.GUID: "UniqueIdentifier",
    ColumnType.CHOICE: "Picklist",
    ColumnType.MULTICHOICE: "MultiSelectPicklist",
    ColumnType.STATE: "State",
    ColumnType.STATUS: "Status",
    ColumnType.LOOKUP: "Lookup",
    ColumnType.FILE: "File",
}
"""The first part of a column's metadata type: ``StringAttributeMetadata``."""

RANGES: Mapping[ColumnType, tuple[float, float]] = {
    ColumnType.INTEGER: (-(2**31), 2**31 - 1),
    ColumnType.BIGINT: (-(2**63), 2**63 - 1),
    ColumnType.DECIMAL: (-100_000_000_000.0, 100_000_000_000.0),
    ColumnType.DOUBLE: (-100_000_000_000.0, 100_000_000_000.0),
    ColumnType.MONEY: (-922_337_203_685_477.0, 922_337_203_685_477.0),
}
DERIVED = ("MaxLength", "Format", "FormatName", "MinValue", "MaxValue", "Precision", "Targets")
"""Properties that not every type of column has: asked for by a cast to the type."""


def metadata_type(column: Column) -> str:
    """As ``@odata.type`` names it, without the number sign."""
    return f"{CRM}{TYPE_NAMES[column.type]}AttributeMetadata"


def label(text: str) -> dict[str, Any]:
    one = {"Label": text, "LanguageCode": LANGUAGE, "IsManaged": False}
    return {"LocalizedLabels": [one], "UserLocalizedLabel": one}


def shown_label(given: Any, default: str) -> dict[str, Any]:
    """A label as a client gave it, completed by the one in the user's language."""
    texts = given.get("LocalizedLabels") if isinstance(given, dict) else None
    if not isinstance(texts, list) or not texts:
        return label(default)
    own = next((t for t in texts if t.get("LanguageCode") == LANGUAGE), texts[0])
    return {"LocalizedLabels": texts, "UserLocalizedLabel": own}


def entity(table: Table) -> dict[str, Any]:
    """``EntityMetadata`` without its collections."""
    given = table.metadata
    name = table.schema_name or table.name
    return {
        "MetadataId": table.metadata_id,
        "LogicalName": table.name,
        "SchemaName": name,
        "EntitySetName": table.entity_set,
        "LogicalCollectionName": table.entity_set,
        "CollectionSchemaName": table.entity_set,
        "PrimaryIdAttribute": table.primary_id,
        "PrimaryNameAttribute": table.primary_name,
        "ObjectTypeCode": table.type_code,
        "OwnershipType": "UserOwned" if table.user_owned else "OrganizationOwned",
        "ChangeTrackingEnabled": table.change_tracking,
        "IsOptimisticConcurrencyEnabled": True,
        "IsCustomEntity": table.custom,
        "IsActivity": table.activity,
        "IsPrivate": False,
        "IsIntersect": False,
        "IsLogicalEntity": False,
        "TableType": "Standard",
        "HasNotes": bool(given.get("HasNotes", not table.custom)),
        "HasActivities": bool(given.get("HasActivities", not table.custom)),
        "IsManaged": not table.custom,
        "DisplayName": shown_label(given.get("DisplayName"), name),
        "DisplayCollectionName": shown_label(given.get("DisplayCollectionName"), f"{name}s"),
        "Description": shown_label(given.get("Description"), ""),
    }


def key_id(table: Table, key: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"key:{table.name}.{key}"))


def keys(table: Table) -> list[dict[str, Any]]:
    """``EntityKeyMetadata`` of each alternate key."""
    given = table.metadata.get("keys", {})
    return [
        {
            "MetadataId": key_id(table, name),
            "LogicalName": name,
            "SchemaName": given.get(name, {}).get("SchemaName", name),
            "DisplayName": shown_label(given.get(name, {}).get("DisplayName"), name),
            "EntityLogicalName": table.name,
            "KeyAttributes": list(columns),
            "EntityKeyIndexStatus": "Active",
            "IsManaged": not table.custom,
        }
        for name, columns in table.keys.items()
    ]


def column_id(table: Table, column: Column) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"column:{table.name}.{column.name}"))


def attribute(table: Table, column: Column) -> dict[str, Any]:
    """``AttributeMetadata`` in its derived type, without its option set."""
    given, name = column.metadata, column.schema_name or column.name
    type_name = TYPE_NAMES[column.type]
    required = column.name in (table.primary_id, "ownerid", "statecode")
    level = "SystemRequired" if required else given.get("RequiredLevel", {}).get("Value", "None")
    shown: dict[str, Any] = {
        "@odata.type": f"#{metadata_type(column)}",
        "MetadataId": column_id(table, column),
        "LogicalName": column.name,
        "SchemaName": name,
        "EntityLogicalName": table.name,
        "AttributeType": column.attribute_type,
        "AttributeTypeName": {"Value": f"{type_name}Type"},
        "AttributeOf": None,
        "ColumnNumber": list(table.columns).index(column.name) + 1,
        "DisplayName": shown_label(given.get("DisplayName"), name),
        "Description": shown_label(given.get("Description"), ""),
        "RequiredLevel": {"Value": level, "CanBeChanged": not required},
        "IsCustomAttribute": column.custom,
        "IsLogical": False,
        "IsPrimaryId": column.name == table.primary_id,
        "IsPrimaryName": column.name == table.primary_name,
        "IsValidForCreate": column.writable,
        "IsValidForUpdate": column.writable and column.name != table.primary_id,
        "IsValidForRead": True,
        "IsManaged": not column.custom,
    }
    return shown | _derived(column)


def _derived(column: Column) -> dict[str, Any]:
    given, derived = column.metadata, dict[str, Any]()
    if column.max_length:
        derived["MaxLength"] = column.max_length
        derived["Format"] = "Text" if column.type is ColumnType.STRING else "TextArea"
        default = {"Value": derived["Format"]}
        derived["FormatName"] = given.get("FormatName", default)
    if column.type in RANGES:
        low, high = RANGES[column.type]
        derived["MinValue"] = low if column.minimum is None else column.minimum
        derived["MaxValue"] = high if column.maximum is None else column.maximum
    if column.type in (ColumnType.DECIMAL, ColumnType.DOUBLE, ColumnType.MONEY):
        derived["Precision"] = 2 if column.precision is None else column.precision
    if column.type is ColumnType.INTEGER:
        derived["Format"] = given.get("Format", "None")
    if column.type in (ColumnType.DATE, ColumnType.DATETIME):
        derived["Format"] = "DateOnly" if column.type is ColumnType.DATE else "DateAndTime"
    if column.targets:
        derived["Targets"] = list(column.targets)
    return derived


def option_set(column: Column) -> dict[str, Any] | None:
    """The choices of a column; None where it has none."""
    if column.type is ColumnType.BOOLEAN:
        given = column.metadata.get("OptionSet", {})
        return {
            "IsGlobal": False,
            "OptionSetType": "Boolean",
            "TrueOption": _option(1, "Yes", given.get("TrueOption", {}).get("Label")),
            "FalseOption": _option(0, "No", given.get("FalseOption", {}).get("Label")),
        }
    if not column.options:
        return None
    given_labels = column.metadata.get("labels", {})
    options = [_option(v, t, given_labels.get(str(v))) for v, t in column.options.items()]
    for option in options:
        if option["Value"] in column.status_states:
            option["State"] = column.status_states[option["Value"]]
    kind = column.type.value if column.type is not ColumnType.MULTICHOICE else "Picklist"
    return {"IsGlobal": False, "OptionSetType": kind, "Options": options}


def choice(found: Choice) -> dict[str, Any]:
    """``OptionSetMetadata`` of a global choice."""
    given = found.metadata
    labels = given.get("labels", {})
    return {
        "@odata.type": f"#{CRM}OptionSetMetadata",
        "MetadataId": found.metadata_id,
        "Name": found.name,
        "DisplayName": shown_label(given.get("DisplayName"), found.name),
        "Description": shown_label(given.get("Description"), ""),
        "IsCustomOptionSet": True,
        "IsGlobal": True,
        "IsManaged": False,
        "OptionSetType": "Picklist",
        "ExternalTypeName": None,
        "ParentOptionSetName": None,
        "Options": [_option(v, t, labels.get(str(v))) for v, t in found.options.items()],
    }


def _option(value: int, text: str, given: Any = None) -> dict[str, Any]:
    return {"Value": value, "Label": shown_label(given, text)}


def one_to_many(relationship: OneToMany, referenced_id: str) -> dict[str, Any]:
    """``OneToManyRelationshipMetadata``; ``referenced_id`` is the primary id of the one."""
    kept = dict.fromkeys(("Assign", "Merge", "Reparent", "Share", "Unshare"), "NoCascade")
    return {
        "@odata.type": f"#{CRM}OneToManyRelationshipMetadata",
        "MetadataId": relationship.metadata_id,
        "SchemaName": relationship.schema_name,
        "RelationshipType": "OneToManyRelationship",
        "IsCustomRelationship": relationship.custom,
        "IsManaged": not relationship.custom,
        "ReferencedEntity": relationship.referenced,
        "ReferencedAttribute": referenced_id,
        "ReferencedEntityNavigationPropertyName": relationship.collection,
        "ReferencingEntity": relationship.referencing,
        "ReferencingAttribute": relationship.column,
        "ReferencingEntityNavigationPropertyName": relationship.navigation,
        "CascadeConfiguration": {**kept, "Delete": relationship.on_delete},
    }


def many_to_many(relationship: ManyToMany, ids: tuple[str, str]) -> dict[str, Any]:
    """``ManyToManyRelationshipMetadata``; ``ids`` are the primary ids of the two tables."""
    shown: dict[str, Any] = {
        "@odata.type": f"#{CRM}ManyToManyRelationshipMetadata",
        "MetadataId": relationship.metadata_id,
        "SchemaName": relationship.schema_name,
        "RelationshipType": "ManyToManyRelationship",
        "IsCustomRelationship": relationship.custom,
        "IsManaged": not relationship.custom,
        "IntersectEntityName": relationship.intersect,
    }
    for number, table in enumerate(relationship.tables, start=1):
        shown[f"Entity{number}LogicalName"] = table
        shown[f"Entity{number}IntersectAttribute"] = ids[number - 1]
        navigation = relationship.navigations[number - 1]
        shown[f"Entity{number}NavigationPropertyName"] = navigation
    return shown
