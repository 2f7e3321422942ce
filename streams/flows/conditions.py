"""Evaluating the rules' CEL expressions over a view."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

from streams.catalogue import ColumnKind, ColumnValue
from streams.flows.shape import View
from streams.rules import Expression

#: The columns of a ``processstage`` row that ``stage.name`` and ``stage.category`` come from.
STAGE_COLUMNS = ("stagename", "stagecategory")
#: What an expression may raise over a record's values; a division by zero is arithmetic.
_NO_VALUE = (TypeError, ValueError, KeyError, RuntimeError, ArithmeticError)
_NO_STAGE: Mapping[str, Any] = {"id": None, "name": None, "category": None}


def context(view: View) -> dict[str, Any]:
    """The variables of an expression: ``record`` with all declared columns, and ``stage``."""
    record = {
        name: _plain(view.row.value(name), column.kind)
        for name, column in view.table.columns.items()
    }
    return {"record": record, "stage": _stage(view)}


def holds(expression: Expression, variables: Mapping[str, Any]) -> bool | None:
    """True or false; None when it cannot be told, as when an empty column is compared."""
    try:
        result = expression.program.execute(dict(variables))
    except _NO_VALUE:
        return None
    return result if isinstance(result, bool) else None


def value_of(expression: Expression, variables: Mapping[str, Any]) -> ColumnValue:
    """The expression's value as messages carry it; None when it has none."""
    try:
        result = expression.program.execute(dict(variables))
    except _NO_VALUE:
        return None
    if isinstance(result, float):
        return _number(result)
    return result if isinstance(result, str | int | bool) else None


def _number(value: float) -> str | None:
    """A plain decimal; None for infinities and what is no number."""
    return format(Decimal(repr(value)).normalize() + 0, "f") if isfinite(value) else None


def _plain(value: ColumnValue, kind: ColumnKind) -> Any:
    """Numbers are compared as numbers; every other canonical value is what CEL expects."""
    if kind is ColumnKind.NUMBER and isinstance(value, str):
        return float(value)
    return value


def _stage(view: View) -> Mapping[str, Any]:
    """The stage; while its name is not known yet, whatever asks for it cannot be told."""
    current = view.stages.current
    if current is None:
        return _NO_STAGE
    stage: dict[str, Any] = {"id": current.partition(":")[2]}
    known = view.neighbours.columns.get(current)
    if known is not None:
        name, category = STAGE_COLUMNS
        stage |= {"name": known.columns.get(name), "category": known.columns.get(category)}
    return stage
