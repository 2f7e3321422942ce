"""Rows of finance and operations in the words of ``tables.yaml``, and which record they are about.

One business record has one id, whatever told of it: Synapse Link names its columns as the database
does and its rows by a guid, data events put ``mserp_`` before the entity's names, OData and
business events know the natural key alone (reference/dataverse.md 1.2, 1.5, 1.6, 4). The id is made
of that key (``tables.keys.natural_id``). A change that brings only the source's own guid is about
that alias, and is sent on to the record by decide (``streams.deciding.aliases``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streams.catalogue import COMPANY, Column, ColumnKind, ColumnValue, Finance, Table
from streams.formats.values import Unknown, WrongType, canonical
from tables.keys import RecordRef, natural_id

_VIRTUAL = "mserp_"
_TEXT = Column(ColumnKind.TEXT)
_YES_NO: Mapping[str, bool] = {
    "yes": True,
    "no": False,
    "200000001": True,
    "200000000": False,
}
#: What finance and operations write for "no date", at midnight or at noon.
_NO_DATE = "1900-01-01"


@dataclass(frozen=True, slots=True)
class Named:
    """The record, and the source's own guid for it where the source gave both."""

    record: RecordRef
    alias: str | None = None


def own_names(finance: Finance, values: Mapping[str, Any]) -> dict[str, Any]:
    """Raw values under the names that the table declares; others keep theirs."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        plain = name.removeprefix(_VIRTUAL)
        found[finance.names.get(plain, plain)] = value
    return found


def company_of(values: Mapping[str, Any]) -> str | None:
    """The company of a row, in lower case; None when the row does not say."""
    raw = values.get(COMPANY)
    return raw.strip().lower() if isinstance(raw, str) and raw.strip() else None


def finance_value(
    name: str, column: Column, raw: Any, company: str | None
) -> ColumnValue | Unknown:
    """Return the canonical form of a raw value, None when it is empty; raises WrongType.

    A lookup holds the other row's number, which names it together with the company.
    """
    if raw is None or raw == "":
        return None
    if column.kind is ColumnKind.LOOKUP:
        return _lookup(column, raw, company)
    if column.kind is ColumnKind.BOOLEAN:
        raw = _yes_or_no(raw)
    value = canonical(column, raw)
    if column.kind in (ColumnKind.DATE, ColumnKind.DATETIME) and str(value).startswith(_NO_DATE):
        return None
    return value.lower() if name == COMPANY and isinstance(value, str) else value


def identified(table: Table, finance: Finance, values: Mapping[str, Any]) -> RecordRef | None:
    """The record that the key among these values names; None when a part of it is not there.

    ``values`` are raw, under the table's own names. Raises WrongType.
    """
    company = company_of(values)
    parts: list[str] = []
    for name in finance.key:
        column = table.columns[name]
        # A number of another row names this one by itself, as a vendor's does its invoices.
        kind = _TEXT if column.kind is ColumnKind.LOOKUP else column
        value = finance_value(name, kind, values.get(name), company)
        if value is None or isinstance(value, Unknown):
            return None
        if name != COMPANY:
            parts.append(str(value))
    owner = (company or "") if COMPANY in finance.key else ""
    return RecordRef(table.name, natural_id(owner, *parts))


def _lookup(column: Column, raw: Any, company: str | None) -> ColumnValue | Unknown:
    if isinstance(raw, dict):
        return Unknown.VALUE  # a virtual entity's guid, which names no row of ours
    if not isinstance(raw, str | int) or isinstance(raw, bool):
        raise WrongType("no number of another row")
    if company is None and not column.shared:
        return Unknown.VALUE
    row_id = natural_id("" if column.shared else company or "", str(raw))
    return RecordRef(column.targets[0], row_id).key


def _yes_or_no(raw: Any) -> Any:
    """The enum NoYes: its symbols, or the options of a virtual entity."""
    bare = raw.get("Value") if isinstance(raw, dict) else raw
    return _YES_NO.get(str(bare).strip().lower(), bare)
