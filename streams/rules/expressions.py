"""CEL expressions and spans of time, as rules write them."""

from __future__ import annotations

import re
from typing import Annotated, Any

import cel
from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_TEXT_LITERAL = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_COLUMN = re.compile(r"\b([a-z_][a-z0-9_]*)\.([A-Za-z_][A-Za-z0-9_]*)")
_DURATION = re.compile(r"(\d+)\s*(seconds?|minutes?|hours?|days?|weeks?)")
_UNIT_MS = {
    "second": 1000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": 86_400_000,
    "week": 604_800_000,
}


class Expression:
    """A compiled CEL expression; equal when the source is equal."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.program = cel.compile(source)
        named = _COLUMN.fullmatch(source.strip())
        #: The column that the expression is, where it is nothing else: ``("record", "name")``.
        self.column = (named[1], named[2]) if named else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"

    def columns(self, of: str = "record") -> frozenset[str]:
        """The columns that the expression reads of the record, or of one that it points to."""
        code = _TEXT_LITERAL.sub("''", self.source)
        return frozenset(column for name, column in _COLUMN.findall(code) if name == of)


def _compiled(value: Any) -> Expression:
    if isinstance(value, Expression):
        return value
    if isinstance(value, bool | int | float):
        value = str(value).lower()
    if not isinstance(value, str):
        raise ValueError("expected a CEL expression, written as text")
    try:
        return Expression(value)
    except ValueError as fault:
        raise ValueError(f"not a CEL expression: {str(fault).splitlines()[0]}") from None


Cel = Annotated[
    Expression,
    BeforeValidator(_compiled),
    PlainSerializer(lambda e: e.source, return_type=str),
    WithJsonSchema(
        {
            "type": ["string", "boolean", "number"],
            "description": "A CEL expression, as in record.statecode == 1.",
        }
    ),
]


def _milliseconds(value: Any) -> int:
    """``30 days``, ``2 weeks``, ``90 minutes`` in milliseconds."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("expected a time span such as 90 minutes, 8 hours, 30 days or 2 weeks")
    return int(found[1]) * _UNIT_MS[found[2].removesuffix("s")]


#: A span of time in milliseconds, written as ``30 days``.
Span = Annotated[
    int,
    BeforeValidator(_milliseconds),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^{_DURATION.pattern}$",
            "description": "A time span: 30 seconds, 90 minutes, 8 hours, 30 days, 2 weeks.",
        }
    ),
]
