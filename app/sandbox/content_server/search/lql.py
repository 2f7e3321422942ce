"""The query language of search, as far as clients use it (reference/extended-ecm.md 8.1).

    query      = term { ("AND" | "OR" | "NOT" | nothing, which means AND) term }
    term       = "NOT" term | "(" query ")" | word | "exact phrase" | region
    region     = name ":" value | name ":" "[" value "TO" value "]"
               | "[region" "name" "]" operator value
    operator   = "=" | "<>" | "<" | "<=" | ">" | ">="

A value may hold ``*`` and ``?``. Dates are compared as days: ``20240101`` and ``2024-01-01`` are
the same one.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from typing import Any

from app.sandbox.content_server import errors
from app.sandbox.content_server.search.index import Entry, words

Match = Callable[[Entry], bool]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<region>\[\s*(?:qlregion|region)\s+"(?P<named>[^"]+)"\s*\])
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*:(?!\S*//)
      | (?P<phrase>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<operator><=|>=|<>|[=<>])
      | (?P<mark>[()\[\]])
      | (?P<word>[^\s()\[\]"<>=]+)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_DAY = re.compile(r"^(\d{4})-(\d{2})-(\d{2})(?:T.*)?$")
_DEEPEST = 50
Token = tuple[str, str]


def parse(text: str) -> Match:
    """The query as a test of index entries; ApiError 400 for what cannot be evaluated."""
    parser = _Parser(list(_tokens(text)))
    match = parser.query(0)
    if parser.peek() != ("end", ""):
        raise wrong(f"unexpected '{parser.peek()[1]}'")
    return match


def wrong(reason: str) -> errors.ApiError:
    """A query that cannot be evaluated."""
    return errors.ApiError(400, f"Error Evaluating Query, {reason}.")


def word_matches(entry_words: Iterable[str], pattern: str) -> bool:
    """Whether a word is among them; ``*`` and ``?`` stand for any characters."""
    pattern = pattern.casefold()
    if "*" not in pattern and "?" not in pattern:
        return pattern in entry_words
    test = re.compile(fnmatch.translate(pattern.replace("[", "[[]"))).match
    return any(test(word) for word in entry_words)


def phrase_matches(entry_words: tuple[str, ...], phrase: str) -> bool:
    """Whether the words of the phrase follow each other."""
    wanted = words(phrase)
    starts = range(len(entry_words) - len(wanted) + 1)
    return bool(wanted) and any(entry_words[i : i + len(wanted)] == wanted for i in starts)


def _tokens(text: str) -> Iterable[Token]:
    position = 0
    text = text.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise wrong(f"unexpected '{text[position : position + 20]}'")
        position = found.end()
        yield _token(found)
    yield ("end", "")


def _token(found: re.Match[str]) -> Token:
    if found["region"]:
        return "region", found["named"]
    if found["name"]:
        return "name", found["name"]
    if found["phrase"]:
        return "phrase", found["phrase"][1:-1]
    if found["operator"]:
        return "operator", found["operator"]
    if found["mark"]:
        return "mark", found["mark"]
    word = found["word"]
    return ("keyword", word) if word in ("AND", "OR", "NOT", "TO") else ("word", word)


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def peek(self) -> Token:
        return self._tokens[self._at]

    def query(self, depth: int) -> Match:
        if depth > _DEEPEST:
            raise wrong("too many parentheses")
        left = self._term(depth)
        while self.peek() not in (("end", ""), ("mark", ")")):
            left = self._joined(left, depth)
        return left

    def _joined(self, left: Match, depth: int) -> Match:
        if self.peek() == ("keyword", "OR"):
            self._next()
            right = self._term(depth)
            return lambda entry: left(entry) or right(entry)
        if self.peek() == ("keyword", "AND"):
            self._next()
        right = self._term(depth)
        return lambda entry: left(entry) and right(entry)

    def _term(self, depth: int) -> Match:
        kind, text = self._next()
        if (kind, text) == ("keyword", "NOT"):
            refused = self._term(depth + 1) if depth < _DEEPEST else self.query(depth + 1)
            return lambda entry: not refused(entry)
        if (kind, text) == ("mark", "("):
            inner = self.query(depth + 1)
            self._expect("mark", ")")
            return inner
        if kind == "phrase":
            return lambda entry: phrase_matches(entry.words, text)
        if kind == "word":
            return lambda entry: word_matches(entry.words, text)
        if kind == "name":
            return self._region_value(text)
        if kind == "region":
            return self._compared(text)
        raise wrong(f"unexpected '{text}'" if text else "the query ends too early")

    def _region_value(self, region: str) -> Match:
        kind, text = self._next()
        if (kind, text) == ("mark", "["):
            first = self._value()
            self._expect("keyword", "TO")
            last = self._value()
            self._expect("mark", "]")
            return lambda entry: any(
                _key(first) <= _key(value) <= _key(last) for value in _values(entry, region)
            )
        if kind == "operator":
            return _comparison(region, text, self._value())
        if kind not in ("word", "phrase"):
            raise wrong(f"the region '{region}' has no value")
        return lambda entry: any(_equal(value, text) for value in _values(entry, region))

    def _compared(self, region: str) -> Match:
        if self.peek()[0] != "operator":
            text = self._value()
            return lambda entry: any(_equal(value, text) for value in _values(entry, region))
        operator = self._next()[1]
        return _comparison(region, operator, self._value())

    def _value(self) -> str:
        kind, text = self._next()
        if kind not in ("word", "phrase"):
            raise wrong("a value is missing")
        return text

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _expect(self, kind: str, text: str) -> None:
        if self._next() != (kind, text):
            raise wrong(f"'{text}' is missing")


def _comparison(region: str, operator: str, text: str) -> Match:
    tests: dict[str, Callable[[Any], bool]] = {
        "=": lambda value: _equal(value, text),
        "<>": lambda value: not _equal(value, text),
        "<": lambda value: _key(value) < _key(text),
        "<=": lambda value: _key(value) <= _key(text),
        ">": lambda value: _key(value) > _key(text),
        ">=": lambda value: _key(value) >= _key(text),
    }
    test = tests[operator]
    return lambda entry: any(test(value) for value in _values(entry, region))


def _values(entry: Entry, region: str) -> list[Any]:
    value = entry.regions.get(region)
    if region == "OTLocation":
        return str(value).split()
    found = value if isinstance(value, list) else [value]
    return [item for item in found if item is not None]


def _equal(value: Any, wanted: str) -> bool:
    """Equal as a whole, or one of the words; ``*`` and ``?`` stand for any characters."""
    shown = _day(str(value)).casefold()
    pattern = _day(wanted).casefold()
    return word_matches((shown, *words(shown)), pattern)


def _key(value: Any) -> tuple[int, float, str]:
    """Numbers before texts; a day is the number it is written as."""
    text = _day(str(value))
    try:
        number = float(text)
    except ValueError:
        return (1, 0.0, text.casefold())
    return (0, number, "") if number == number else (1, 0.0, text.casefold())


def _day(text: str) -> str:
    found = _DAY.match(text)
    return "".join(found.groups()) if found else text
