"""Workspace names: a pattern of the rules, filled with a record's values.

    {name} ({accountnumber})        ->  Contoso (AC-42)
    {name} ({accountnumber})        ->  Contoso            when there is no number
    {fullname|lastname|'Unnamed'}   ->  the first of these that is not empty

``{a|b}`` takes the first column that has a value; a last part in quotes is text. Brackets all of
whose columns are empty vanish, and so do separators that would then separate nothing. ``{{`` and
``}}`` stand for braces. Extended ECM allows 248 characters and no colon (reference/extended-ecm.md,
section 0).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from streams.catalogue import ColumnValue

MAX_LENGTH = 248

_CLOSING = {"(": ")", "[": "]"}
_PLACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[()\[\]]")
_COLUMN = re.compile(r"[a-z][a-z0-9_]*")
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_SEPARATOR = re.compile(r"[\s\-–—,;:/|.·_]*")
_SPACES = re.compile(r"\s+")
#: Unicode categories that no name may hold: controls, lone surrogates, line and paragraph breaks.
_UNWANTED = frozenset({"Cc", "Cs", "Zl", "Zp"})
#: Marks that reorder the text around them: a name must read as it is written.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class PatternFault(ValueError):
    """The pattern is not one; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A place to fill: columns in the order in which they are tried, and text if all are empty."""

    columns: tuple[str, ...]
    otherwise: str = ""

    def filled(self, values: Mapping[str, ColumnValue]) -> str:
        texts = (_text(values.get(column)) for column in self.columns)
        return next((text for text in texts if text), self.otherwise)


@dataclass(frozen=True, slots=True)
class _Group:
    """A part in brackets, which vanishes when all places in it are empty."""

    opening: str
    parts: tuple[_Part, ...]


_Part = str | _Place | _Group


def workspace_name(pattern: str, values: Mapping[str, ColumnValue], *, fallback: str) -> str:
    """Return the workspace's name; ``fallback`` (the record's id) when no column has a value.

    Raises PatternFault when ``pattern`` is not one; rules are checked before they are used.
    """
    name = _allowed(_joined(_parsed(pattern), values))[:MAX_LENGTH].strip()
    return name or _allowed(fallback)[:MAX_LENGTH].strip()


def columns_of(pattern: str) -> tuple[str, ...]:
    """The columns that a pattern reads, in order and each once; raises PatternFault."""
    return tuple(dict.fromkeys(_columns(_parsed(pattern))))


def _columns(parts: tuple[_Part, ...]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, _Place):
            yield from part.columns
        elif isinstance(part, _Group):
            yield from _columns(part.parts)


def _joined(parts: tuple[_Part, ...], values: Mapping[str, ColumnValue]) -> str:
    """The parts with their values; empty when they have places and all of these are empty."""
    out: list[str] = []
    waiting = ""
    places = filled = 0
    for part in parts:
        text = _filled(part, values)
        if isinstance(part, str):
            if _SEPARATOR.fullmatch(part):
                waiting = waiting or part
                continue
        elif any(_columns((part,))):
            places += 1
            filled += bool(text)
        if text:
            out += [waiting, text] if out else [text]
            waiting = ""
    return "" if places and not filled else "".join(out)


def _filled(part: _Part, values: Mapping[str, ColumnValue]) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, _Place):
        return part.filled(values)
    inner = _joined(part.parts, values)
    return f"{part.opening}{inner}{_CLOSING[part.opening]}" if inner else ""


def _text(value: ColumnValue) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return _allowed(str(value))


def _allowed(text: str) -> str:
    """Only what a name may hold: no colon, no control characters, single spaces."""
    kept = (
        " " if c in _BIDI or unicodedata.category(c) in _UNWANTED else "-" if c == ":" else c
        for c in text
    )
    return _SPACES.sub(" ", "".join(kept)).strip()


@lru_cache(maxsize=1024)
def _parsed(pattern: str) -> tuple[_Part, ...]:
    tokens = _tokens(pattern)
    parts, end = _group(tokens, 0, None)
    assert end == len(tokens)
    if not any(_columns(parts)):
        raise PatternFault(
            f"{pattern!r} reads no column, so every workspace would have the same name; "
            "write a column in braces, as in {name}"
        )
    return parts


def _group(
    tokens: tuple[str | _Place, ...], start: int, closing: str | None
) -> tuple[tuple[_Part, ...], int]:
    """Read parts up to the closing bracket; a bracket without its partner is plain text."""
    parts: list[_Part] = []
    at = start
    while at < len(tokens):
        token = tokens[at]
        if token == closing:
            return tuple(parts), at + 1
        partner = _CLOSING.get(token) if isinstance(token, str) else None
        if partner and isinstance(token, str) and partner in tokens[at + 1 :]:
            inner, at = _group(tokens, at + 1, partner)
            parts.append(_Group(token, inner))
            continue
        parts.append(token)
        at += 1
    return tuple(parts), at


def _tokens(pattern: str) -> tuple[str | _Place, ...]:
    tokens: list[str | _Place] = []
    at = 0
    for found in _PLACE.finditer(pattern):
        tokens.append(pattern[at : found.start()])
        at = found.end()
        tokens.append(_token(found, pattern))
    tokens.append(pattern[at:])
    return tuple(token for token in tokens if token)


def _token(found: re.Match[str], pattern: str) -> str | _Place:
    text = found[0]
    if text in ("{{", "}}"):
        return text[0]
    if found[1] is not None:
        return _place(found[1])
    if text in "{}":
        raise PatternFault(
            f"{pattern!r} has a {text!r} without its partner; "
            f"write {text * 2!r} for a brace that is meant as text"
        )
    return text


def _place(inside: str) -> _Place:
    *columns, last = (part.strip() for part in inside.split("|"))
    quoted = _QUOTED.fullmatch(last)
    if quoted is None:
        columns.append(last)
    for column in columns:
        if not _COLUMN.fullmatch(column):
            raise PatternFault(
                f"{{{inside}}} is not a column; write one by its logical name, as in {{name}}, "
                "{name|fullname} or {name|'Unnamed'}"
            )
    if not columns:
        raise PatternFault(f"{{{inside}}} names no column before the text")
    return _Place(tuple(columns), _allowed(quoted[1] or quoted[2] or "") if quoted else "")
