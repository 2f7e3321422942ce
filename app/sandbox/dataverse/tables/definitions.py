"""Reads table definitions: YAML files beside this module, or mappings of the same shape.

    account:
      set: accounts                  # entity set; default: the name with an s
      id: accountid                  # primary id; default: the name with "id"
      name: name                     # primary name column
      type_code: 1
      owned_by: user                 # or organization
      keys: {account_number: [accountnumber]}
      duplicates: [[name]]                                  # rules of duplicate detection
      states: {0: {1: Active}, 1: {2: Inactive}}            # state: its statuses, default first
      state_labels: {0: Active, 1: Inactive}
      closed_by: {1: WinOpportunity}                        # states that only an action may set
      columns:
        name: string 160
        creditlimit: money
        industrycode: choice 1=Accounting, 2=Agriculture
        parentaccountid: lookup account
        new_contract: file
        customerid: lookup account as customerid_account, contact as customerid_contact
        ticketnumber: string 100 auto CAS

Types: string N, memo N, int, bigint, decimal, double, money, bool, datetime, date, guid, choice,
choices, lookup, file. A lookup's target may say ``as`` which navigation property and ``through``
which relationship; both have a default. A name in ``extend:`` at the top of a file adds columns to
a table that exists. Every table gets the common columns of reference/dataverse.md section 3.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from app.sandbox.dataverse.tables.schema import (
    FIRST_CUSTOM_TYPE,
    Column,
    ColumnType,
    ManyToMany,
    OneToMany,
    Table,
)

Definitions = Mapping[str, Mapping[str, Any]]

HERE = Path(__file__).parent
BUILT_IN = (
    "tables.yaml",
    "tables_sales.yaml",
    "tables_projects.yaml",
    "tables_platform.yaml",
    "writeback_columns.yaml",
    "tables_approvals.yaml",
    "tables_compliance.yaml",
    "tables_vendors.yaml",
    "tables_transactions.yaml",
)

TYPES = {
    "string": ColumnType.STRING,
    "memo": ColumnType.MEMO,
    "int": ColumnType.INTEGER,
    "bigint": ColumnType.BIGINT,
    "decimal": ColumnType.DECIMAL,
    "double": ColumnType.DOUBLE,
    "money": ColumnType.MONEY,
    "bool": ColumnType.BOOLEAN,
    "datetime": ColumnType.DATETIME,
    "date": ColumnType.DATE,
    "guid": ColumnType.GUID,
    "choice": ColumnType.CHOICE,
    "choices": ColumnType.MULTICHOICE,
    "lookup": ColumnType.LOOKUP,
    "file": ColumnType.FILE,
}
COMMON = {
    "createdon": "datetime",
    "createdby": "lookup systemuser",
    "createdonbehalfby": "lookup systemuser",
    "modifiedon": "datetime",
    "modifiedby": "lookup systemuser",
    "modifiedonbehalfby": "lookup systemuser",
    "versionnumber": "bigint",
}
OWNED = {
    "ownerid": "lookup systemuser as ownerid, team as ownerid",
    "owningbusinessunit": "lookup businessunit",
    "owninguser": "lookup systemuser",
    "owningteam": "lookup team",
}
IMPORTED = {"overriddencreatedon": "datetime", "importsequencenumber": "int"}
WITH_MONEY = {"transactioncurrencyid": "lookup transactioncurrency", "exchangerate": "decimal"}
MANY_TO_MANY = {
    "teammembership_association": ("team", "systemuser", "teammembership"),
    "accountleads_association": ("account", "lead", "accountleads"),
    "contactleads_association": ("contact", "lead", "contactleads"),
    "contactquotes_association": ("contact", "quote", "contactquotes"),
    "opportunitycompetitors_association": ("opportunity", "competitor", "opportunitycompetitors"),
}
"""Relationships of standard tables, where both are there: the two tables, the intersect table."""
OWNERS = ("owningbusinessunit", "owninguser", "owningteam")
"""What follows from ``ownerid``."""
PLATFORM_ONLY = {*COMMON, *OWNERS, "exchangerate"}


CASCADES = {
    ("annotation", "objectid"),
    ("opportunityclose", "opportunityid"),
    ("incidentresolution", "incidentid"),
    ("quoteclose", "quoteid"),
    ("orderclose", "salesorderid"),
    ("quotedetail", "quoteid"),
    ("salesorderdetail", "salesorderid"),
    ("invoicedetail", "invoiceid"),
    ("opportunitysalesprocess", "opportunityid"),
}
"""Lookups whose rows go with the row that they point to."""


def read_tables(*more: Definitions, extend: Definitions | None = None) -> list[Table]:
    """The built-in tables, those of ``more``, and ``extend``'s columns added by table name.

    Raises ValueError naming table and column where a definition cannot be understood.
    """
    if not more and not extend:
        return list(_built_in())
    return _read(*more, extend=extend)


@functools.cache
def _built_in() -> tuple[Table, ...]:
    """Tables are immutable, so one reading serves every organisation of a process."""
    return tuple(_read())


def _read(*more: Definitions, extend: Definitions | None = None) -> list[Table]:
    defined: dict[str, dict[str, Any]] = {}
    for source in [*(_load(name) for name in BUILT_IN), *more, {"extend": extend or {}}]:
        for name, definition in source.items():
            if name != "extend":
                defined[name] = {**definition, "columns": dict(definition["columns"])}
        for name, columns in source.get("extend", {}).items():
            if name not in defined:
                raise ValueError(f"extend: there is no table {name!r} to add columns to.")
            defined[name]["columns"].update(columns)
    return [define(name, definition) for name, definition in defined.items()]


@functools.cache
def _load(name: str) -> Definitions:
    loaded: Definitions = YAML(typ="safe").load((HERE / name).read_text(encoding="utf-8"))
    return loaded


def related(tables: Iterable[Table]) -> dict[str, OneToMany]:
    """The one-to-many relationships that the lookups of these tables make, by schema name."""
    found: dict[str, OneToMany] = {}
    known = {table.name: table for table in tables}
    for table in known.values():
        for column in table.columns.values():
            for target, navigation in column.targets.items():
                relationship = _relationship(table, column, target, navigation)
                if target in known:
                    found[relationship.schema_name] = relationship
    return found


def linked(tables: Iterable[Table]) -> dict[str, ManyToMany]:
    """The many-to-many relationships between these tables, by schema name."""
    known = {table.name for table in tables}
    return {
        name: ManyToMany(name, (one, other), (name, name), intersect)
        for name, (one, other, intersect) in MANY_TO_MANY.items()
        if {one, other} <= known
    }


def _relationship(table: Table, column: Column, target: str, navigation: str) -> OneToMany:
    name = column.metadata.get("relationships", {}).get(target)
    name = name or _relationship_name(table, column, target)
    cascades = (table.name, column.name) in CASCADES
    on_delete = "Cascade" if cascades else "RemoveLink"
    if column.name in {*COMMON, *OWNED}:
        on_delete = "NoCascade"
    return OneToMany(name, target, table.name, column.name, navigation, name, on_delete)


def _relationship_name(table: Table, column: Column, target: str) -> str:
    if column.name in COMMON or column.name in OWNERS:
        return f"lk_{table.name}{'' if table.custom else 'base'}_{column.name}"
    if column.name == "ownerid":
        return f"{'user' if target == 'systemuser' else target}_{table.entity_set}"
    if column.name == "transactioncurrencyid":
        return f"transactioncurrency_{table.name}"
    return f"{target}_{table.name}_{column.name}"


def define(name: str, definition: Mapping[str, Any]) -> Table:
    """One table from its definition."""
    primary_id = definition.get("id", f"{name}id")
    user_owned = definition.get("owned_by", "user") == "user"
    columns = {primary_id: Column(primary_id, ColumnType.GUID)}
    for column, text in {**COMMON, **IMPORTED, **(OWNED if user_owned else {})}.items():
        columns[column] = _column(name, column, text)
    for column, text in definition["columns"].items():
        columns[column] = _column(name, column, text)
    columns.update(_states(definition))
    columns.update(money_columns(name, columns))
    return Table(
        name=name,
        entity_set=definition.get("set", f"{name}s"),
        primary_id=primary_id,
        primary_name=definition["name"],
        columns=columns,
        schema_name=definition.get("schema_name", name),
        type_code=definition.get("type_code", FIRST_CUSTOM_TYPE),
        keys={key: tuple(parts) for key, parts in definition.get("keys", {}).items()},
        closed_by=definition.get("closed_by", {}),
        change_tracking=definition.get("change_tracking", True),
        user_owned=user_owned,
        duplicate_rules=tuple(tuple(rule) for rule in definition.get("duplicates", ())),
        activity=definition.get("activity", False),
    )


def _column(table: str, name: str, text: str) -> Column:
    kind, _, rest = text.partition(" ")
    if kind not in TYPES:
        raise ValueError(f"{table}.{name}: {kind!r} is no type; there are: {', '.join(TYPES)}.")
    type_ = TYPES[kind]
    length, _, prefix = rest.partition(" auto ")
    if type_ in (ColumnType.STRING, ColumnType.MEMO) and not length.isdigit():
        raise ValueError(f"{table}.{name}: {kind} needs its length, as in {kind!r} + ' 100'.")
    targets, through = _targets(name, rest) if type_ is ColumnType.LOOKUP else ({}, {})
    return Column(
        name,
        type_,
        max_length=int(length) if length.isdigit() else 0,
        options=_options(rest) if "=" in rest else {},
        targets=targets,
        metadata={"relationships": through} if through else {},
        writable=name not in PLATFORM_ONLY,
        auto_prefix=prefix,
    )


def _options(text: str) -> dict[int, str]:
    pairs = (option.split("=", 1) for option in text.split(","))
    return {int(value): label.strip() for value, label in pairs}


def _targets(name: str, text: str) -> tuple[dict[str, str], dict[str, str]]:
    """Navigation property and relationship of each target; the latter where it is named."""
    navigations, relationships = {}, {}
    for part in text.split(","):
        rest, _, relationship = re.sub(r"\s+", " ", part.strip()).partition(" through ")
        target, _, navigation = rest.partition(" as ")
        navigations[target] = navigation or name
        if relationship:
            relationships[target] = relationship
    return navigations, relationships


def _states(definition: Mapping[str, Any]) -> dict[str, Column]:
    states: Mapping[int, Mapping[int, str]] = definition.get("states", {})
    if not states:
        return {}
    labels = definition.get("state_labels", {0: "Active", 1: "Inactive"})
    statuses = {status: label for group in states.values() for status, label in group.items()}
    belongs = {status: state for state, group in states.items() for status in group}
    return {
        "statecode": Column("statecode", ColumnType.STATE, options=labels),
        "statuscode": Column(
            "statuscode", ColumnType.STATUS, options=statuses, status_states=belongs
        ),
    }


def money_columns(table: str, columns: Mapping[str, Column]) -> dict[str, Column]:
    """What money brings along: the currency, its rate, and each amount in the base currency."""
    amounts = [c.name for c in columns.values() if c.type is ColumnType.MONEY]
    if not amounts:
        return {}
    extra = {name: _column(table, name, text) for name, text in WITH_MONEY.items()}
    for name in amounts:
        extra[f"{name}_base"] = Column(f"{name}_base", ColumnType.MONEY, writable=False)
    return extra
