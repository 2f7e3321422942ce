"""A column as ``tables.yaml`` declares it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from streams.catalogue import Column, ColumnKind
from streams.rules.hints import nearest


def _column(value: Any) -> Column:
    """``text``, ``choice`` and so on; ``{lookup: [tables]}``, ``{choice: [symbols]}``,
    ``{text: characters}``."""
    if isinstance(value, dict) and set(value) == {"lookup"}:
        return Column(ColumnKind.LOOKUP, _targets(value["lookup"]))
    if isinstance(value, dict) and set(value) == {"choice"}:
        return Column(ColumnKind.CHOICE, symbols=_symbols(value["choice"]))
    if isinstance(value, dict) and set(value) == {"text"}:
        return Column(ColumnKind.TEXT, length=_length(value["text"]))
    if not isinstance(value, str) or value not in set(ColumnKind):
        fix = nearest(str(value), [*ColumnKind]) or f"known: {', '.join(ColumnKind)}"
        raise ValueError(f"{value!r} is no kind of column; {fix}")
    if value == ColumnKind.LOOKUP:
        raise ValueError("a lookup needs its tables; write {lookup: [account]}")
    return Column(ColumnKind(value))


def _targets(value: Any) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names:
        raise ValueError("a lookup needs its tables; write {lookup: [account]}")
    for name in names:
        if not isinstance(name, str) or name != name.lower() or not name.isidentifier():
            raise ValueError(f"{name!r} is not a table's logical name")
    return tuple(names)


def _length(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("a text has a number of characters; write {text: 2000}")
    return value


def _symbols(value: Any) -> tuple[tuple[str, int], ...]:
    """An enum's symbols: a list counts from 0, a mapping gives each its number."""
    if isinstance(value, list | tuple):
        value = {symbol: number for number, symbol in enumerate(value)}
    found = tuple(value.items()) if isinstance(value, dict) else ()
    for symbol, number in found:
        if not isinstance(symbol, str) or not isinstance(number, int) or isinstance(number, bool):
            raise ValueError(f"{symbol!r} is no symbol of an enum with its number")
    if not found or len({symbol.lower() for symbol, _ in found}) < len(found):
        raise ValueError("an enum needs its symbols, each once; write {choice: [No, Yes]}")
    return found


ColumnEntry = Annotated[
    Column,
    PlainValidator(_column),
    WithJsonSchema(
        {
            "description": "The column's kind, or the tables that a lookup points to.",
            "oneOf": [
                {"enum": [kind.value for kind in ColumnKind if kind is not ColumnKind.LOOKUP]},
                {
                    "type": "object",
                    "properties": {
                        "lookup": {
                            "oneOf": [
                                {"type": "string"},
                                {"type": "array", "items": {"type": "string"}, "minItems": 1},
                            ]
                        }
                    },
                    "required": ["lookup"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "description": "A text of so many characters at most; a longer one is cut.",
                    "properties": {"text": {"type": "integer", "minimum": 1}},
                    "required": ["text"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "description": "An enum of finance and operations: its symbols, from 0 on, "
                    "or each with its number.",
                    "properties": {
                        "choice": {
                            "oneOf": [
                                {"type": "array", "items": {"type": "string"}, "minItems": 1},
                                {
                                    "type": "object",
                                    "additionalProperties": {"type": "integer"},
                                    "minProperties": 1,
                                },
                            ]
                        }
                    },
                    "required": ["choice"],
                    "additionalProperties": False,
                },
            ],
        }
    ),
]
