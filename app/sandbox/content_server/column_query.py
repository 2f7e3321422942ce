"""The little language of ``where_column_query`` (reference/extended-ecm.md 2.3).

    query     = condition [column ("ASC" | "DESC") {"," column ("ASC" | "DESC")}]
    condition = and {"OR" and}        and = not {"AND" not}
    not       = ["NOT"] ("(" condition ")" | column operator value)

Strings stand in single or double quotes and take ``=`` and ``LIKE`` (wildcards ``*`` ``?``, escape
``\\``); numbers and dates stand bare and take ``> >= < <= = <>``; booleans take ``=`` and ``<>``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.sandbox.content_server import errors

Row = Mapping[str, Any]
Condition = Callable[[Row], bool]
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")|(?P<mark><=|>=|<>|[=<>(),])"
    r"|(?P<word>[^\s=<>(),'\"]+))"
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True)
class ColumnQuery:
    """A parsed query; ``order`` lists (column, descending)."""

    condition: Condition
    order: tuple[tuple[str, bool], ...]


def parse_query(text: str, columns: tuple[str, ...]) -> ColumnQuery:
    """Parse; ApiError 400 for bad grammar or a column that is neither listed nor ``wn...``."""
    parser = _Parser(_tokens(text), columns)
    condition = parser.condition()
    order = parser.order()
    return ColumnQuery(condition, order)


def matches(condition: Condition, row: Row) -> bool:
    """Whether the row meets the condition; an empty column meets none but ``<>``."""
    return condition(row)


class _Parser:
    """Recursive descent over the tokens; ``position`` is the next unread one."""

    def __init__(self, tokens: list[tuple[str, str]], columns: tuple[str, ...]) -> None:
        self._tokens = tokens
        self._columns = columns
        self._position = 0

    def condition(self) -> Condition:
        parts = [self._and()]
        while self._accept("OR"):
            parts.append(self._and())
        return lambda row: any(part(row) for part in parts)

    def order(self) -> tuple[tuple[str, bool], ...]:
        found: list[tuple[str, bool]] = []
        while self._position < len(self._tokens):
            column = self._column()
            descending = self._accept("DESC")
            if not descending and not self._accept("ASC"):
                raise _bad("ASC or DESC is missing")
            found.append((column, descending))
            self._accept(",")
        return tuple(found)

    def _and(self) -> Condition:
        parts = [self._not()]
        while self._accept("AND"):
            parts.append(self._not())
        return lambda row: all(part(row) for part in parts)

    def _not(self) -> Condition:
        if self._accept("NOT"):
            inner = self._not()
            return lambda row: not inner(row)
        if self._accept("("):
            inner = self.condition()
            if not self._accept(")"):
                raise _bad("a closing parenthesis is missing")
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        column = self._column()
        kind, sign = self._next()
        value_kind, raw = self._next()
        if sign.upper() == "LIKE":
            if value_kind != "text":
                raise _bad("LIKE wants a text in quotes")
            return _like(column, raw)
        if kind != "mark" or sign not in _COMPARE:
            raise _bad(f"'{sign}' is not an operator")
        if value_kind == "text" and sign not in ("=", "<>"):
            raise _bad(f"'{sign}' does not compare texts")
        return _compare(column, sign, _literal(value_kind, raw))

    def _column(self) -> str:
        kind, name = self._next()
        if kind != "word" or not (name in self._columns or name.startswith("wn")):
            raise errors.ApiError(400, f"Invalid column '{name}' in where_column_query.")
        return name

    def _accept(self, wanted: str) -> bool:
        if self._position < len(self._tokens):
            kind, text = self._tokens[self._position]
            if kind != "text" and text.upper() == wanted:
                self._position += 1
                return True
        return False

    def _next(self) -> tuple[str, str]:
        if self._position == len(self._tokens):
            raise _bad("it ends too early")
        self._position += 1
        return self._tokens[self._position - 1]


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _bad(f"'{text[position:]}' cannot be read")
        kind = str(match.lastgroup)
        found.append((kind, match[kind][1:-1] if kind == "text" else match[kind]))
        position = match.end()
    return found


def _literal(kind: str, raw: str) -> Any:
    if kind == "text":
        return re.sub(r"\\(.)", r"\1", raw).casefold()
    if raw.upper() in ("TRUE", "FALSE"):
        return raw.upper() == "TRUE"
    try:
        return float(raw)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(raw).replace(tzinfo=None)
    except ValueError as wrong:
        raise _bad(f"'{raw}' is neither a number nor a date nor in quotes") from wrong


def _compare(column: str, sign: str, wanted: Any) -> Condition:
    def holds(row: Row) -> bool:
        have = _comparable(row.get(column), wanted)
        return sign == "<>" if have is None else _COMPARE[sign](have, wanted)

    return holds


def _comparable(value: Any, wanted: Any) -> Any:
    """The cell as the kind of the literal; None when it is empty or of another kind."""
    if isinstance(wanted, datetime):
        return datetime.fromisoformat(value.rstrip("Z")) if isinstance(value, str) else None
    if isinstance(wanted, str):
        return None if value is None else str(value).casefold()
    if isinstance(wanted, bool):
        return value if isinstance(value, bool) else None
    return float(value) if isinstance(value, int | float) else None


def _like(column: str, pattern: str) -> Condition:
    def part(match: re.Match[str]) -> str:
        if match[1]:
            return re.escape(match[1])
        return {"*": ".*", "?": "."}.get(match[0]) or re.escape(match[0])

    wanted = re.compile(re.sub(r"\\(.)|.", part, pattern, flags=re.S), re.I | re.S)
    return lambda row: bool(wanted.fullmatch(str(row.get(column) or "")))


def _bad(why: str) -> errors.ApiError:
    return errors.ApiError(400, f"The where_column_query cannot be parsed: {why}.")
