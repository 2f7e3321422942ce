"""``$filter``: read once into a tree of predicates, then asked of each row.

Supported (reference/dataverse.md 6): eq ne gt ge lt le, and or not, parentheses, contains,
startswith, endswith, null, guids, dates, numbers, booleans, and ``Microsoft.Dynamics.CRM.In``.
Comparison with null is SQL's: only ``eq null`` and ``ne null`` see an empty column, except that
``ne`` a value also takes empty ones, as the service does.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.store.commits import Row
from app.sandbox.dataverse.tables.schema import Column, ColumnType, Table
from app.sandbox.dataverse.tables.values import Value, as_guid, comparable, parse
from app.sandbox.dataverse.web.urls import literal

Predicate = Callable[[Row], bool]

_TOKEN = re.compile(
    r"\s*(?P<token>'(?:[^']|'')*'|\"[^\"]*\"|[()\[\],]|[^\s()\[\],']+)",
    re.DOTALL,
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TEXT: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_NUMBERS = {
    ColumnType.INTEGER,
    ColumnType.BIGINT,
    ColumnType.DECIMAL,
    ColumnType.DOUBLE,
    ColumnType.MONEY,
    ColumnType.CHOICE,
    ColumnType.STATE,
    ColumnType.STATUS,
}


def value_of(row: Row, column: Column, table: Table) -> Value:
    """A column of a row, with the two that the platform derives."""
    if column.name == "versionnumber":
        return row.version
    if column.name == table.primary_id:
        return row.id
    return row.values.get(column.name)


def parse_filter(text: str, table: Table) -> Predicate:
    """Raises `Refusal` 400 for bad syntax, an unknown property or a literal of the wrong type."""
    parser = _Parser(text, table)
    predicate = parser.either()
    parser.end()
    return predicate


class _Parser:
    """Recursive descent: or, and, not, comparison."""

    def __init__(self, text: str, table: Table) -> None:
        self._text = text
        self._table = table
        self._tokens = self._scan(text)
        self._next = 0

    def either(self) -> Predicate:
        options = [self._both()]
        while self._took("or"):
            options.append(self._both())
        return lambda row: any(option(row) for option in options)

    def end(self) -> None:
        if self._next < len(self._tokens):
            raise self._error()

    def _both(self) -> Predicate:
        needs = [self._single()]
        while self._took("and"):
            needs.append(self._single())
        return lambda row: all(need(row) for need in needs)

    def _single(self) -> Predicate:
        if self._took("not"):
            inner = self._single()
            return lambda row: not inner(row)
        if self._took("("):
            inner = self.either()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Predicate:
        name = self._take()
        if name in _TEXT:
            return self._text_function(_TEXT[name])
        if name == "Microsoft.Dynamics.CRM.In":
            return self._in_function()
        column = self._table.by_property(name)
        compare = self._take()
        wanted = self._literal(column, self._take())
        if compare in ("eq", "ne"):
            return self._equality(column, wanted, negate=compare == "ne")
        if compare not in _COMPARE or wanted is None:
            raise self._error()
        return self._order(column, _COMPARE[compare], wanted)

    def _equality(self, column: Column, wanted: Any, *, negate: bool) -> Predicate:
        table = self._table
        return lambda row: (comparable(value_of(row, column, table)) == wanted) is not negate

    def _order(self, column: Column, compare: Callable[[Any, Any], bool], to: Any) -> Predicate:
        table = self._table

        def holds(row: Row) -> bool:
            value = comparable(value_of(row, column, table))
            return value is not None and compare(value, to)

        return holds

    def _text_function(self, compare: Callable[[str, str], bool]) -> Predicate:
        self._expect("(")
        column = self._table.by_property(self._take())
        if column.type not in (ColumnType.STRING, ColumnType.MEMO):
            raise Refusal.bad_query(f"'{column.name}' is not text; text functions need text.")
        self._expect(",")
        part = str(literal(self._take())).casefold()
        self._expect(")")
        table = self._table
        return lambda row: compare(str(value_of(row, column, table) or "").casefold(), part)

    def _in_function(self) -> Predicate:
        self._expect("(")
        self._expect("PropertyName=")
        column = self._table.by_property(literal(self._take()))
        self._expect(",")
        self._expect("PropertyValues=")
        self._expect("[")
        wanted = [self._literal(column, self._take())]
        while self._took(","):
            wanted.append(self._literal(column, self._take()))
        self._expect("]")
        self._expect(")")
        table = self._table
        return lambda row: comparable(value_of(row, column, table)) in wanted

    def _literal(self, column: Column, token: str) -> Any:
        """The literal as rows store it, so that both sides of a comparison are alike."""
        if token.startswith('"'):  # lists of In() quote like JSON
            token = "'" + token.strip('"').replace("'", "''") + "'"
        value = literal(token)
        if value is None:
            return None
        if column.type in (ColumnType.LOOKUP, ColumnType.GUID):
            guid = as_guid(str(value))
            if guid is None:
                raise Refusal.bad_query(f"'{token}' is not a guid, as '{column.name}' needs.")
            return guid
        if column.type in _NUMBERS:
            number = literal(value) if isinstance(value, str) else value
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise self._incompatible(column, token)
            return number
        try:
            return comparable(parse(column, self._quoted(value, column, token), self._table.name))
        except Refusal as refusal:
            if refusal.code == "0x80044331":  # longer than the column: matches nothing
                return comparable(str(value))
            raise self._incompatible(column, token) from refusal

    def _quoted(self, value: Any, column: Column, token: str) -> Any:
        if column.type in (ColumnType.STRING, ColumnType.MEMO) and not token.startswith("'"):
            raise self._incompatible(column, token)
        return value

    def _incompatible(self, column: Column, token: str) -> Refusal:
        return Refusal.bad_query(
            f"A binary operator with incompatible types was detected: '{column.name}' is "
            f"{column.attribute_type}, and {token} is not."
        )

    def _scan(self, text: str) -> list[str]:
        tokens, position, end = [], 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._error()
            token = match["token"]
            tokens.append(token)
            position = match.end()
        return tokens

    def _take(self) -> str:
        if self._next >= len(self._tokens):
            raise self._error()
        self._next += 1
        return self._tokens[self._next - 1]

    def _took(self, token: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next] == token:
            self._next += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._took(token):
            raise self._error()

    def _error(self) -> Refusal:
        return Refusal.bad_query(f"Syntax error in '{self._text}'.")
