"""From the JSON of metadata to tables, columns and relationships."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.metadata.shapes import CRM, DERIVED, RANGES, TYPE_NAMES
from app.sandbox.dataverse.tables.definitions import define, money_columns
from app.sandbox.dataverse.tables.schema import Column, ColumnType, ManyToMany, OneToMany, Table

_TYPE = re.compile(rf"#?{re.escape(CRM)}(?:Complex)?(\w+)AttributeMetadata")
_SCHEMA_NAME = re.compile(r"[A-Za-z]\w{0,127}", re.ASCII)
_BY_NAME: dict[str, ColumnType] = {
    name: type_
    for type_, name in TYPE_NAMES.items()
    if type_ not in (ColumnType.DATE, ColumnType.STATE, ColumnType.STATUS)
}
_TAKEN = {*DERIVED, "OptionSet", "@odata.type", "SchemaName", "LogicalName", "MetadataId"}
ON_DELETE = ("Cascade", "RemoveLink", "Restrict", "NoCascade")


def schema_name(payload: Mapping[str, Any]) -> str:
    """Raises `Refusal` 400 for a name that cannot be one."""
    name = payload.get("SchemaName")
    if not isinstance(name, str) or not _SCHEMA_NAME.fullmatch(name):
        raise Refusal.invalid_argument(f"'{name}' is no SchemaName: letters, digits, underscores.")
    return name


def read_column(payload: Any) -> Column:
    """A column of its own; lookups come with their relationship instead. Raises `Refusal` 400."""
    if not isinstance(payload, dict):
        raise Refusal.payload("A column is an object.")
    match = _TYPE.fullmatch(str(payload.get("@odata.type", "")))
    type_: ColumnType | None = _BY_NAME.get(match[1]) if match else None
    if type_ is None or type_ is ColumnType.LOOKUP:
        given = payload.get("@odata.type")
        raise Refusal.payload(f"'{given}' is no type of a column that can be made here.")
    name = schema_name(payload)
    if type_ is ColumnType.DATETIME and payload.get("Format") == "DateOnly":
        type_ = ColumnType.DATE
    column = Column(name.lower(), type_, schema_name=name, custom=True)
    return _with_details(column, payload)


def changed_column(column: Column, payload: Mapping[str, Any]) -> Column:
    """A column after a ``PUT`` of its whole definition; name and type stay."""
    return _with_details(column, payload)


def _with_details(column: Column, payload: Mapping[str, Any]) -> Column:
    kept = {name: value for name, value in payload.items() if name not in _TAKEN}
    if isinstance(payload.get("FormatName"), dict):
        kept["FormatName"] = payload["FormatName"]
    if column.type is ColumnType.INTEGER and "Format" in payload:
        kept["Format"] = payload["Format"]
    if not isinstance(kept.get("RequiredLevel", {}), dict):
        raise Refusal.payload("RequiredLevel is an object with a Value.")
    column = replace(column, metadata={**column.metadata, **kept})
    if column.type in (ColumnType.STRING, ColumnType.MEMO):
        limit = 4000 if column.type is ColumnType.STRING else 1_048_576
        length = _within(payload.get("MaxLength", column.max_length or 100), 1, limit, "MaxLength")
        column = replace(column, max_length=int(length))
    if column.type in RANGES:
        low, high = RANGES[column.type]
        minimum = _within(payload.get("MinValue", low), low, high, "MinValue")
        maximum = _within(payload.get("MaxValue", high), minimum, high, "MaxValue")
        column = replace(column, minimum=minimum, maximum=maximum)
    if column.type in (ColumnType.DECIMAL, ColumnType.DOUBLE, ColumnType.MONEY):
        precision = _within(payload.get("Precision", 2), 0, 10, "Precision")
        column = replace(column, precision=int(precision))
    if column.type is ColumnType.BOOLEAN and isinstance(payload.get("OptionSet"), dict):
        column = replace(column, metadata={**column.metadata, "OptionSet": payload["OptionSet"]})
    if column.type in (ColumnType.CHOICE, ColumnType.MULTICHOICE) and "OptionSet" in payload:
        column = _with_options(column, payload["OptionSet"])
    return column


def _with_options(column: Column, option_set: Any) -> Column:
    options = option_set.get("Options") if isinstance(option_set, dict) else None
    if not isinstance(options, list) or not options:
        raise Refusal.payload(f"The choice '{column.name}' needs Options.")
    texts, labels = {}, {}
    for option in options:
        value = option.get("Value") if isinstance(option, dict) else None
        if isinstance(value, bool) or not isinstance(value, int):
            raise Refusal.payload("An option needs a whole number as its Value.")
        given = option.get("Label")
        found = given.get("LocalizedLabels") if isinstance(given, dict) else None
        if not isinstance(found, list) or not found or not isinstance(found[0], dict):
            raise Refusal.payload(f"The option {value} needs a Label.")
        texts[value], labels[str(value)] = str(found[0].get("Label", "")), given
    return replace(column, options=texts, metadata={**column.metadata, "labels": labels})


def read_table(payload: Any, type_code: int) -> Table:
    """A table with its columns and those that every table has. Raises `Refusal` 400."""
    if not isinstance(payload, dict):
        raise Refusal.payload("A table is an object.")
    name = schema_name(payload)
    if "_" not in name.strip("_"):
        raise Refusal.invalid_argument(f"'{name}' does not start with a publisher's prefix.")
    attributes = payload.get("Attributes")
    if not isinstance(attributes, list):
        raise Refusal.payload("A table needs its Attributes, the primary name among them.")
    columns = [read_column(attribute) for attribute in attributes]
    primary = next((c.name for c in columns if c.metadata.get("IsPrimaryName") is True), None)
    if primary is None:
        raise Refusal.invalid_argument("No column has IsPrimaryName; a table needs exactly one.")
    by_user = payload.get("OwnershipType") != "OrganizationOwned"
    definition = {
        "set": _plural(name.lower()),
        "name": primary,
        "schema_name": name,
        "type_code": type_code,
        "owned_by": "user" if by_user else "organization",
        "states": {0: {1: "Active"}, 1: {2: "Inactive"}},
        "columns": {},
    }
    kept = {n: v for n, v in payload.items() if n not in ("Attributes", "@odata.type")}
    table = replace(define(name.lower(), definition), metadata=kept)
    for column in columns:
        if column.name in table.columns:
            raise Refusal.invalid_argument(f"There are two columns '{column.name}'.")
        table = with_column(table, column)
    return table


def with_column(table: Table, column: Column) -> Table:
    """The table with one column more, and what money brings along."""
    columns = {**table.columns, column.name: column}
    if column.type is ColumnType.MONEY:
        columns |= money_columns(table.name, columns)
    return replace(table, columns=columns)


def without_column(table: Table, name: str) -> Table:
    return replace(table, columns={n: c for n, c in table.columns.items() if n != name})


def read_one_to_many(payload: Mapping[str, Any]) -> tuple[OneToMany, Column]:
    """The relationship, and the lookup that it adds. Raises `Refusal` 400."""
    name, lookup = schema_name(payload), payload.get("Lookup")
    if not isinstance(lookup, dict):
        raise Refusal.payload("A one-to-many relationship needs its Lookup.")
    column_name = schema_name(lookup)
    referenced = str(payload.get("ReferencedEntity", "")).lower()
    referencing = str(payload.get("ReferencingEntity", "")).lower()
    cascades = payload.get("CascadeConfiguration")
    on_delete = cascades.get("Delete", "RemoveLink") if isinstance(cascades, dict) else "RemoveLink"
    if on_delete not in ON_DELETE:
        raise Refusal.invalid_argument(f"'{on_delete}' is nothing a delete can do.")
    navigation = str(payload.get("ReferencingEntityNavigationPropertyName") or column_name)
    collection = str(payload.get("ReferencedEntityNavigationPropertyName") or name)
    column = Column(
        column_name.lower(),
        ColumnType.LOOKUP,
        targets={referenced: navigation},
        schema_name=column_name,
        custom=True,
        metadata={n: v for n, v in lookup.items() if n not in _TAKEN},
    )
    relationship = OneToMany(
        name,
        referenced,
        referencing,
        column.name,
        navigation,
        collection,
        on_delete,
        custom=True,
    )
    return relationship, column


def read_many_to_many(payload: Mapping[str, Any]) -> ManyToMany:
    """Raises `Refusal` 400."""
    name = schema_name(payload)
    one, other = (str(payload.get(f"Entity{n}LogicalName", "")).lower() for n in (1, 2))
    first, second = (str(payload.get(f"Entity{n}NavigationPropertyName") or name) for n in (1, 2))
    intersect = str(payload.get("IntersectEntityName") or name).lower()
    return ManyToMany(name, (one, other), (first, second), intersect, custom=True)


def _within(value: Any, low: float, high: float, name: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        raise Refusal.invalid_argument(f"{name} {value!r} is not between {low} and {high}.")
    return float(value) if isinstance(value, float) else int(value)


def _plural(name: str) -> str:
    if name.endswith(("s", "x", "z", "ch", "sh")):
        return f"{name}es"
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}s"
