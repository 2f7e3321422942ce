"""What can be known of a CEL expression before any record comes: its names and its types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.rule_files.faults import Fault, Location
from app.rule_files.tables import FILE, Tables
from streams.catalogue import Column, ColumnKind
from streams.rules import Expression, RecordRule
from streams.rules.hints import nearest

STAGE_FIELDS = ("id", "name", "category")
#: The functions of the CEL library that we use (tried one by one); operators have no such names.
FUNCTIONS = frozenset(
    re.findall(
        r"\w+",
        "size contains startsWith endsWith matches string int uint double bytes dyn type timestamp "
        "duration getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours "
        "getMinutes getSeconds getMilliseconds of value hasValue orValue",
    )
)
_TEXT = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_LOOP_VARIABLE = re.compile(r"\b(?:all|exists|exists_one|map|filter)\(\s*(\w+)\s*,")
_STAGE_FIELD = re.compile(r"\bstage\.(\w+)")
_INDEXED = re.compile(r"\b([a-z_]\w*)\s*\[")
_EQUAL = re.compile(
    r"\b(?P<name>[a-z_]\w*)\.(?P<column>\w+)\s*[!=]=\s*"
    r"""(?P<value>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|-?\d[\w.]*|true\b|false\b)"""
)
_NUMBERS = (ColumnKind.INTEGER, ColumnKind.CHOICE, ColumnKind.NUMBER)
_GUID = "00000000-0000-0000-0000-000000000000"
_SAMPLES = 4


Gives = Literal["answer", "value", "values"]


@dataclass(frozen=True)
class _Scope:
    """What an expression of a rule may name: the record, and the records that it points to."""

    tables: Tables
    rule: RecordRule

    def targets(self, name: str) -> tuple[str, ...]:
        """The declared tables that a variable's record may be of."""
        if name == "record":
            return (self.rule.table,)
        column = self.tables.column(self.rule.table, self.rule.lookups[name])
        declared = self.tables.catalogue.tables
        return tuple(table for table in (column.targets if column else ()) if table in declared)

    def records(self) -> tuple[str, ...]:
        return ("record", *self.rule.lookups)

    def columns(self, name: str) -> Mapping[str, Column]:
        """The columns of a variable, over all tables that its record may be of."""
        found: dict[str, Column] = {}
        for table in reversed(self.targets(name)):
            found |= self.tables.catalogue.tables[table].columns
        return found


def expression_faults(
    expression: Expression, where: Location, tables: Tables, rule: RecordRule, *, gives: Gives
) -> Iterator[Fault]:
    """Everything wrong with an expression over records of the rule's table.

    ``gives``: whether its value has to be true or false, one value, or perhaps a list of them.
    """
    scope = _Scope(tables, rule)
    faults = [
        *_names(expression, where, scope),
        *_columns(expression, where, scope),
        *_stage(expression, where, tables, rule.table),
        *_equals(expression, where, scope),
    ]
    yield from faults
    broken = any(
        tables.is_broken(table, column)
        for name in scope.records()
        for table in scope.targets(name)
        for column in expression.columns(name)
    )
    if not faults and not broken and rule.table in tables.catalogue.tables:
        yield from _trials(expression, where, scope, gives=gives)


def _names(expression: Expression, where: Location, scope: _Scope) -> Iterator[Fault]:
    code = _TEXT.sub("''", expression.source)
    variables = (*scope.records(), "stage")
    known = {*variables, "optional", *_LOOP_VARIABLE.findall(code)}
    for name in sorted({*expression.program.variables()} - known):
        yield Fault(where, f"{name!r} is not known in {expression.source!r}", _meant(name, scope))
    for name in sorted({*expression.program.functions()} - FUNCTIONS):
        if name.isidentifier():
            fix = nearest(name, FUNCTIONS)
            yield Fault(where, f"there is no function {name!r}", fix)
    for name in _INDEXED.findall(code):
        if name in variables:
            yield Fault(where, f"{name}[…] cannot be followed", f"write {name}.name_of_the_column")


def _meant(name: str, scope: _Scope) -> str:
    fix = nearest(name, (*scope.records(), "stage"))
    return fix if fix.startswith("did you") else f"write record.{name} for a column"


def _columns(expression: Expression, where: Location, scope: _Scope) -> Iterator[Fault]:
    tables = scope.tables
    for column in sorted(expression.columns()):
        yield from tables.column_fault(where, scope.rule.table, column)
    for name in scope.rule.lookups:
        targets, known = scope.targets(name), scope.columns(name)
        for column in sorted(expression.columns(name) - known.keys()):
            if targets and not any(tables.is_broken(table, column) for table in targets):
                what = f"{' or '.join(targets)} ({name}) has no column {column!r}"
                yield Fault(where, what, nearest(column, known) or f"declare it in {FILE}")


def _stage(expression: Expression, where: Location, tables: Tables, table: str) -> Iterator[Fault]:
    if "stage" not in expression.program.variables():
        return
    for name in sorted({*_STAGE_FIELD.findall(_TEXT.sub("''", expression.source))}):
        if name not in STAGE_FIELDS:
            yield Fault(where, f"a stage has no {name!r}", nearest(name, STAGE_FIELDS))
    guided = {
        target
        for process in tables.processes.values()
        if (column := tables.column(process.table, process.record_column))
        for target in column.targets
    }
    if table not in guided:
        fix = f"add the process to processes in {FILE}, or use a column of the record"
        yield Fault(where, f"no process guides {table}, so its stage is always empty", fix)


def _equals(expression: Expression, where: Location, scope: _Scope) -> Iterator[Fault]:
    """Comparisons with a value of another kind: CEL answers them, always with no."""
    texts = [range(*text.span()) for text in _TEXT.finditer(expression.source)]
    for found in _EQUAL.finditer(expression.source):
        name, value = found["name"], found["value"]
        if name not in scope.records() or any(found.start() in text for text in texts):
            continue
        column = scope.columns(name).get(found["column"])
        if column is not None and (fix := _other_kind(column.kind, value)):
            what = f"{name}.{found['column']} is a {column.kind.value}, which never equals {value}"
            yield Fault(where, what, fix)


def _other_kind(kind: ColumnKind, value: str) -> str:
    """How to write a value of this kind, when this one is of another; else nothing."""
    if kind is ColumnKind.BOOLEAN:
        return "" if value in ("true", "false") else "compare it with true or false"
    if kind in _NUMBERS:
        fix = "compare it with the choice's number" if kind is ColumnKind.CHOICE else ""
        return "" if value[0] in "-0123456789" else fix or "compare it with a number"
    return "" if value[0] in "'\"" else "put the value in quotes"


def _trials(
    expression: Expression, where: Location, scope: _Scope, *, gives: Gives
) -> Iterator[Fault]:
    """Run the expression over filled records: types show, whatever the values are."""
    for number in range(_SAMPLES):
        try:
            value = expression.program.execute(_sample(scope, number))
        except TypeError:
            what = f"{expression.source!r} mixes kinds of values"
            yield Fault(where, what, "convert one side, as in double(record.a) or string(record.a)")
            return
        except (ValueError, KeyError, RuntimeError):
            continue  # a value that cannot be converted: that is the sample's fault
        if gives == "answer" and not isinstance(value, bool):
            yield Fault(where, f"{expression.source!r} is not a question", "compare it with ==")
            return
        found = value if gives == "values" and isinstance(value, list) else [value]
        for one in found:
            if not isinstance(one, str | int | float | bool | None):
                what = f"{expression.source!r} gives a {type(one).__name__}"
                fix = "give text, a number, true, false or null"
                yield Fault(where, what, fix + " or a list of them" * (gives == "values"))
                return


def _sample(scope: _Scope, number: int) -> dict[str, Any]:
    records = {
        name: {column: _value(kind, number) for column, kind in scope.columns(name).items()}
        for name in scope.records()
    }
    return {
        **records,
        "stage": {"id": _GUID, "name": "Propose", "category": number},
    }


def _value(column: Column, number: int) -> Any:
    target = column.targets[number % len(column.targets)] if column.targets else ""
    by_kind: dict[ColumnKind, Any] = {
        ColumnKind.TEXT: str(number),
        ColumnKind.INTEGER: number,
        ColumnKind.CHOICE: number,
        ColumnKind.CHOICES: f"{number},{number + 1}",
        ColumnKind.NUMBER: 10.0**number,
        ColumnKind.BOOLEAN: number % 2 == 0,
        ColumnKind.DATETIME: f"202{number}-01-31T10:15:00Z",
        ColumnKind.DATE: f"202{number}-01-31",
        ColumnKind.LOOKUP: f"{target}:{_GUID}",
        ColumnKind.GUID: _GUID,
    }
    return by_kind[column.kind]
