"""``$filter`` as a tree: what OData's grammar says, before anything is known of columns.

either     := both ("or" both)*
both       := single ("and" single)*
single     := "not" single | "(" either ")" | test
test       := path operator operand | text function | CRM function | path "/any(" lambda ")"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.sandbox.dataverse.errors import Refusal

TEXT_FUNCTIONS = ("contains", "startswith", "endswith")
OPERATORS = ("eq", "ne", "gt", "ge", "lt", "le")
CRM = "Microsoft.Dynamics.CRM."
MAX_DEPTH = 50

_TOKEN = re.compile(
    r"""\s*(?P<token>[A-Za-z_][\w.]*'(?:[^']|'')*'|'(?:[^']|'')*'|"[^"]*"|[()\[\],]|[^\s()\[\],'"]+)""",
    re.DOTALL,
)
_ALIAS = re.compile(r"(?P<name>\w+=)?(?P<alias>@\w+)")
_LAMBDA = re.compile(r"(?P<path>.+)/(?P<kind>any|all)")


@dataclass(frozen=True, slots=True)
class Comparison:
    """``path operator operand``; the operand is the token as it was written."""

    path: str
    operator: str
    operand: str


@dataclass(frozen=True, slots=True)
class TextTest:
    """``contains(path,'part')`` and its like."""

    function: str
    path: str
    operand: str


@dataclass(frozen=True, slots=True)
class CrmTest:
    """``Microsoft.Dynamics.CRM.In(PropertyName='x',PropertyValues=[..])`` and its like."""

    function: str
    arguments: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Lambda:
    """``path/any(x:inner)``; ``inner`` None for any row at all. Its paths lost their ``x/``."""

    path: str
    every: bool
    inner: Node | None


@dataclass(frozen=True, slots=True)
class Not:
    inner: Node


@dataclass(frozen=True, slots=True)
class Both:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    parts: tuple[Node, ...]


Node = Comparison | TextTest | CrmTest | Lambda | Not | Both | Either


def parse(text: str, aliases: Mapping[str, str] = MappingProxyType({})) -> Node:
    """``aliases`` say what ``@p1`` stands for; one that is not given is null.

    Raises `Refusal` 400 for what is no filter.
    """
    reader = _Reader(text, aliases)
    tree = reader.either()
    reader.end()
    return tree


class _Reader:
    """Recursive descent over the tokens; ``_variables`` are those of the lambdas around."""

    def __init__(self, text: str, aliases: Mapping[str, str]) -> None:
        self._text = text
        self._tokens = [
            token for written in self._scan(text) for token in self._meant(written, aliases)
        ]
        self._next = 0
        self._depth = 0
        self._variables: list[str] = []

    def either(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Refusal.bad_query("The node count limit of '100' has been exceeded.")
        parts = [self._both()]
        while self._took("or"):
            parts.append(self._both())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def end(self) -> None:
        if self._next < len(self._tokens):
            raise self._error()

    def _both(self) -> Node:
        parts = [self._single()]
        while self._took("and"):
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _single(self) -> Node:
        negations = 0
        while self._took("not"):
            negations += 1
        if self._took("("):
            inner = self.either()
            self._expect(")")
        else:
            inner = self._test()
        return Not(inner) if negations % 2 else inner

    def _test(self) -> Node:
        token = self._take()
        if token in TEXT_FUNCTIONS:
            self._expect("(")
            path = self._path(self._take())
            self._expect(",")
            operand = self._take()
            self._expect(")")
            return TextTest(token, path, operand)
        if token.startswith(CRM) and self._peek() == "(":
            return CrmTest(token.removeprefix(CRM), self._arguments())
        if (match := _LAMBDA.fullmatch(token)) and self._peek() == "(":
            return self._lambda(self._path(match["path"]), every=match["kind"] == "all")
        operator = self._take()
        if operator not in OPERATORS:
            raise self._error()
        return Comparison(self._path(token), operator, self._path(self._take()))

    def _lambda(self, path: str, *, every: bool) -> Lambda:
        self._expect("(")
        if self._took(")"):
            if every:
                raise self._error()
            return Lambda(path, every, None)
        variable, colon, rest = self._take().partition(":")
        if not colon or not variable.isidentifier():
            raise self._error()
        if rest:  # the colon stands in the middle of a token, as in "c:c/name"
            self._next -= 1
            self._tokens[self._next] = rest
        self._variables.append(variable)
        inner = self.either()
        self._variables.pop()
        self._expect(")")
        return Lambda(path, every, inner)

    def _path(self, token: str) -> str:
        """Without the variable of the innermost lambda, which its paths start with."""
        if self._variables and token[:1] not in "'\"":
            return token.removeprefix(f"{self._variables[-1]}/")
        return token

    def _arguments(self) -> dict[str, tuple[str, ...]]:
        self._expect("(")
        arguments: dict[str, tuple[str, ...]] = {}
        while True:
            name, equals, value = self._take().partition("=")
            if not equals:
                raise self._error()
            arguments[name] = (value,) if value else self._value()
            if self._took(")"):
                return arguments
            self._expect(",")

    def _value(self) -> tuple[str, ...]:
        if not self._took("["):
            return (self._take(),)
        items = [self._take()]
        while self._took(","):
            items.append(self._take())
        self._expect("]")
        return tuple(items)

    def _scan(self, text: str) -> list[str]:
        tokens, position, end = [], 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._error()
            tokens.append(match["token"])
            position = match.end()
        return tokens

    def _meant(self, token: str, aliases: Mapping[str, str]) -> list[str]:
        """The token, or what its parameter alias stands for; also in ``PropertyName=@p1``."""
        match = _ALIAS.fullmatch(token)
        if match is None:
            return [token]
        name = [match["name"]] if match["name"] else []
        return [*name, *self._scan(aliases.get(match["alias"], "null"))]

    def _peek(self) -> str | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self) -> str:
        token = self._peek()
        if token is None:
            raise self._error()
        self._next += 1
        return token

    def _took(self, token: str) -> bool:
        if self._peek() != token:
            return False
        self._next += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._took(token):
            raise self._error()

    def _error(self) -> Refusal:
        return Refusal.bad_query(f"Syntax error in '{self._text}'.")
