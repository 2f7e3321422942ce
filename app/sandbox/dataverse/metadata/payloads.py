"""From the JSON of metadata to tables, columns and relationships."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.metadata import options
from app.sandbox.dataverse.metadata.shapes import CRM, DERIVED, RANGES, TYPE_NAMES
from app.sandbox.dataverse.tables.definitions import define, money_columns
from app.sandbox.dataverse.tables.schema import (
    Choice,
    Column,
    ColumnType,
    ManyToMany,
    OneToMany,
    Table,
)
from app.sandbox.dataverse.web.urls import API_PATH, Segment, parse_path

_TYPE = re.compile(rf"#?{re.escape(CRM)}(?:Complex)?(\w+)AttributeMetadata")
_SCHEMA_NAME = re.compile(r"[A-Za-z]\w{0,127}", re.ASCII)
_BY_NAME: dict[str, ColumnType] = {
    name: type_
    for type_, name in TYPE_NAMES.items()
    if type_ not in (ColumnType.DATE, ColumnType.STATE, ColumnType.STATUS)
}
GLOBAL_BIND = "GlobalOptionSet@odata.bind"
_TAKEN = {
    *DERIVED,
    "OptionSet",
    GLOBAL_BIND,
    "@odata.type",
    "SchemaName",
    "LogicalName",
    "MetadataId",
}
MAX_KEY_COLUMNS = 16
KEY_TYPES = (
    ColumnType.STRING,
    ColumnType.INTEGER,
    ColumnType.DECIMAL,
    ColumnType.DATETIME,
    ColumnType.DATE,
    ColumnType.LOOKUP,
    ColumnType.CHOICE,
)
ON_DELETE = ("Cascade", "RemoveLink", "Restrict", "NoCascade")


def schema_name(payload: Mapping[str, Any]) -> str:
    """Raises `Refusal` 400 for a name that cannot be one."""
    name = payload.get("SchemaName")
    if not isinstance(name, str) or not _SCHEMA_NAME.fullmatch(name):
        raise Refusal.invalid_argument(f"'{name}' is no SchemaName: letters, digits, underscores.")
    return name


def read_column(payload: Any, choices: Mapping[str, Choice]) -> Column:
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
    if type_ in (ColumnType.CHOICE, ColumnType.MULTICHOICE):
        column = _bound(column, payload, choices)
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
    has_own = column.type in (ColumnType.CHOICE, ColumnType.MULTICHOICE) and not column.choice
    if has_own and "OptionSet" in payload:
        column = _with_options(column, payload["OptionSet"])
    return column


def _with_options(column: Column, option_set: Any) -> Column:
    given = option_set.get("Options") if isinstance(option_set, dict) else None
    texts, labels = options.read(given, column.name)
    return replace(column, options=texts, metadata={**column.metadata, "labels": labels})


def _bound(column: Column, payload: Mapping[str, Any], choices: Mapping[str, Choice]) -> Column:
    """A choice may have the options of a global one: bound, or named in its OptionSet."""
    own = payload.get("OptionSet")
    if address := payload.get(GLOBAL_BIND):
        segments = parse_path(str(address).partition(API_PATH)[2] or str(address))
        return options.shared(column, choice_of(segments[-1], choices))
    if isinstance(own, dict) and own.get("IsGlobal") is True:
        named = Segment("OptionSet", parts={"Name": own.get("Name")})
        return options.shared(column, choice_of(named, choices))
    return column


def choice_of(segment: Segment, choices: Mapping[str, Choice]) -> Choice:
    """A global choice by ``Name`` or id. Raises `Refusal` 404."""
    name = segment.parts.get("Name")
    for choice in choices.values():
        if name == choice.name or segment.guid == choice.metadata_id:
            return choice
    wanted = name or segment.guid
    raise Refusal(404, "0x80048403", f"Could not find an OptionSet with name {wanted}.")


def read_choice(payload: Mapping[str, Any]) -> Choice:
    """A global choice. Raises `Refusal` 400."""
    kind = str(payload.get("@odata.type", "")).removeprefix("#").removeprefix(CRM)
    if kind != "OptionSetMetadata" or payload.get("OptionSetType", "Picklist") != "Picklist":
        raise Refusal.payload("A global choice is an OptionSetMetadata of the type Picklist.")
    name = payload.get("Name")
    if not isinstance(name, str) or not _SCHEMA_NAME.fullmatch(name) or "_" not in name.strip("_"):
        raise Refusal.invalid_argument(f"'{name}' is no Name with a publisher's prefix.")
    texts, labels = options.read(payload.get("Options"), name)
    shown = {n: payload[n] for n in ("DisplayName", "Description") if n in payload}
    return Choice(name, texts, {**shown, "labels": labels})


def relabelled_boolean(column: Column, value: Any, label: Any) -> Column:
    """A yes-or-no column with another word for 1 or 0. Raises `Refusal` 400."""
    if isinstance(value, bool) or value not in (0, 1) or not isinstance(label, dict):
        raise Refusal.invalid_argument(f"'{column.name}' has the options 0 and 1, each a Label.")
    name = "TrueOption" if value else "FalseOption"
    given = {**column.metadata.get("OptionSet", {}), name: {"Value": value, "Label": label}}
    return replace(column, metadata={**column.metadata, "OptionSet": given})


def with_key(table: Table, name: str, body: Mapping[str, Any]) -> Table:
    """The table with one alternate key more. Raises `Refusal` 400."""
    keys = {**table.keys, name: _key_columns(table, body.get("KeyAttributes"))}
    shown = {n: body[n] for n in ("SchemaName", "DisplayName") if n in body}
    named = {**table.metadata.get("keys", {}), name: shown}
    return replace(table, keys=keys, metadata={**table.metadata, "keys": named})


def _key_columns(table: Table, names: Any) -> tuple[str, ...]:
    if not isinstance(names, list) or not 0 < len(names) <= MAX_KEY_COLUMNS:
        raise Refusal.payload(f"KeyAttributes is a list of 1 to {MAX_KEY_COLUMNS} columns.")
    for name in names:
        column = table.columns.get(str(name))
        if column is None:
            raise Refusal(400, "0x80047019", f"{table.name} has no attribute '{name}'.")
        if column.type not in KEY_TYPES:
            raise Refusal.invalid_argument(f"'{name}' cannot be part of a key.")
    return tuple(names)


def exists(kind: str, name: str) -> Refusal:
    text = f"An {kind} with the specified name {name} already exists."
    return Refusal(400, "0x80044363", text)


def read_table(payload: Any, type_code: int, choices: Mapping[str, Choice]) -> Table:
    """A table with its columns and those that every table has. Raises `Refusal` 400."""
    if not isinstance(payload, dict):
        raise Refusal.payload("A table is an object.")
    name = schema_name(payload)
    if "_" not in name.strip("_"):
        raise Refusal.invalid_argument(f"'{name}' does not start with a publisher's prefix.")
    attributes = payload.get("Attributes")
    if not isinstance(attributes, list):
        raise Refusal.payload("A table needs its Attributes, the primary name among them.")
    columns = [read_column(attribute, choices) for attribute in attributes]
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
