"""Evaluating the rules' CEL expressions over a view."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

from streams.catalogue import ColumnKind, ColumnValue, Table, lookup
from streams.flows.shape import View
from streams.messages.commands import AttributeValue
from streams.rules import Expression, RecordRule

#: The columns of a ``processstage`` row that ``stage.name`` and ``stage.category`` come from.
STAGE_COLUMNS = ("stagename", "stagecategory")
#: What an expression may raise over a record's values; a division by zero is arithmetic.
_NO_VALUE = (TypeError, ValueError, KeyError, RuntimeError, ArithmeticError)
_NO_STAGE: Mapping[str, Any] = {"id": None, "name": None, "category": None}


def context(view: View, rule: RecordRule) -> dict[str, Any]:
    """The variables of a rule's expressions.

    ``record`` with all declared columns, ``stage``, and each record that ``lookups`` names: its
    columns are null where the lookup is empty, and not there while they are not known yet.
    """
    record = _values(view.table, view.row.values())
    others = {alias: _other(view, rule, alias) for alias in rule.lookups}
    return {**others, "record": record, "stage": _stage(view)}


def as_of(
    view: View, variables: Mapping[str, Any], columns: Mapping[str, ColumnValue]
) -> Mapping[str, Any]:
    """The variables with these columns of the record instead of the present ones."""
    return {**variables, "record": _values(view.table, columns)}


def columns_wanted(rule: RecordRule, alias: str, table: Table) -> tuple[str, ...]:
    """What the rule's expressions read of the record that a lookup points to."""
    return tuple(sorted(rule.reads[alias] & table.columns.keys()))


def holds(expression: Expression, variables: Mapping[str, Any]) -> bool | None:
    """True or false; None when it cannot be told, as when an empty column is compared."""
    try:
        result = expression.program.execute(dict(variables))
    except _NO_VALUE:
        return None
    return result if isinstance(result, bool) else None


def value_of(expression: Expression, variables: Mapping[str, Any]) -> ColumnValue:
    """The expression's value as messages carry it; None when it has none.

    CEL counts in doubles, so a column that is taken as it is keeps the digits that it came with.
    """
    exact = _exact(expression, variables)
    if exact is not None:
        return exact
    return _scalar(_result(expression, variables))


def values_of(expression: Expression, variables: Mapping[str, Any]) -> AttributeValue:
    """The expression's value, or a list of values where it gives one; None when it has none."""
    result = _result(expression, variables)
    if isinstance(result, list):
        return tuple(map(_scalar, result))
    return value_of(expression, variables)


def _result(expression: Expression, variables: Mapping[str, Any]) -> Any:
    try:
        return expression.program.execute(dict(variables))
    except _NO_VALUE:
        return None


def _scalar(result: Any) -> ColumnValue:
    if isinstance(result, float):
        return _number(result)
    return result if isinstance(result, str | int | bool) else None


class Exact(float):
    """A number for CEL that remembers its canonical text: money may have more than 16 digits."""

    def __new__(cls, text: str) -> Exact:
        made = super().__new__(cls, text)
        made.text = text
        return made

    text: str


def _exact(expression: Expression, variables: Mapping[str, Any]) -> str | None:
    """The text of the number column that the expression is, None for every other expression."""
    if expression.column is None:
        return None
    of, column = expression.column
    columns = variables.get(of)
    value = columns.get(column) if isinstance(columns, Mapping) else None
    return value.text if isinstance(value, Exact) else None


def _number(value: float) -> str | None:
    """A plain decimal; None for infinities and what is no number."""
    return format(Decimal(repr(value)).normalize() + 0, "f") if isfinite(value) else None


def _values(table: Table, columns: Mapping[str, ColumnValue]) -> dict[str, Any]:
    return {name: _plain(columns.get(name), column.kind) for name, column in table.columns.items()}


def _plain(value: ColumnValue, kind: ColumnKind) -> Any:
    """Numbers are compared as numbers; every other canonical value is what CEL expects."""
    if kind is ColumnKind.NUMBER and isinstance(value, str):
        return Exact(value)
    return value


def _other(view: View, rule: RecordRule, alias: str) -> Mapping[str, Any]:
    """Another record's columns; null where there is no record, or its table has no such column."""
    other = lookup(view.row.value(rule.lookups[alias]))
    table = view.catalogue.tables.get(other.table) if other else None
    if other is None or table is None:
        return dict.fromkeys(rule.reads[alias])
    known = view.neighbours.columns.get(other.key)
    wanted = columns_wanted(rule, alias, table)
    nothing: dict[str, Any] = dict.fromkeys(rule.reads[alias] - {*wanted})
    if known is None:
        return nothing
    shown = {name: known.columns[name] for name in wanted if name in known.columns}
    return nothing | {name: _plain(v, table.columns[name].kind) for name, v in shown.items()}


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
