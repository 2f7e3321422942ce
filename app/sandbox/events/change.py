"""A change of one row before a producer puts it into its format, and what leaves the producer."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson

from streams.catalogue import ColumnValue, Table

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMESPACE = uuid.UUID("0b6c6d0e-6f1f-5d3a-9a52-7f6c1d1f9a11")


@dataclass(frozen=True, slots=True)
class Encoded:
    """Key, value and headers of one Kafka message."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class RowEvent:
    """One change of one row.

    ``row`` holds the columns after it (for a delete: the last ones) in the canonical forms of
    ``streams.catalogue``; ``changed`` names those that this change set, None means all. Push
    formats send the changed columns only, the others the row. ``at_ms`` is the operation's time
    in Unix milliseconds; the row's ``modifiedon`` is that time cut to the second. ``actor`` is
    the user's guid.
    """

    table: Table
    id: str
    operation: Literal["create", "update", "delete"]
    row: Mapping[str, ColumnValue]
    at_ms: int
    version: int
    actor: str
    changed: frozenset[str] | None = None
    tag: str | None = None
    created_ms: int | None = None
    #: The columns before it, for an update's pre-image where one is registered.
    before: Mapping[str, ColumnValue] | None = None

    @property
    def modified_ms(self) -> int:
        return self.at_ms // 1000 * 1000

    def sent(self) -> dict[str, ColumnValue]:
        """The columns that this change set."""
        if self.changed is None:
            return dict(self.row)
        return {name: value for name, value in self.row.items() if name in self.changed}


@dataclass(frozen=True, slots=True)
class Reference:
    """A lookup's two parts."""

    table: str
    id: str


def reference(value: ColumnValue) -> Reference:
    """Take a lookup's canonical value apart."""
    table, _, row_id = str(value).partition(":")
    return Reference(table, row_id)


def made_guid(*parts: object) -> str:
    """A guid that depends on nothing but these parts."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(map(str, parts))))


def moment(at_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at_ms)


def iso(at_ms: int) -> str:
    """``2024-01-31T10:15:00Z``, the Web API's way; milliseconds only when they are not zero."""
    text = moment(at_ms).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{at_ms % 1000:03d}Z" if at_ms % 1000 else f"{text}Z"


def since_1970_ms(text: str) -> int:
    """Milliseconds of a canonical date or date and time."""
    parsed = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return round((parsed - _EPOCH) / timedelta(milliseconds=1))


def numeral(text: str) -> orjson.Fragment:
    """A JSON number with exactly these digits."""
    return orjson.Fragment(text)


def dumped(value: Any, *, slashes_escaped: bool = False) -> bytes:
    """JSON bytes; .NET's serializer writes ``\\/`` for every slash."""
    body = orjson.dumps(value)
    return body.replace(b"/", b"\\/") if slashes_escaped else body


@dataclass(frozen=True, slots=True)
class Named:
    """Where a format that has no table name of its own puts it."""

    where: Literal["topic", "body", "header"] = "topic"
    header: str = "table"
    body_key: str = "_table"

    def headers(self, table: Table) -> tuple[tuple[str, bytes], ...]:
        return ((self.header, table.name.encode()),) if self.where == "header" else ()

    def fields(self, table: Table) -> dict[str, str]:
        return {self.body_key: table.name} if self.where == "body" else {}


IN_TOPIC = Named()


@dataclass(frozen=True, slots=True)
class Sender:
    """The organisation that sends; ``agent`` is the caller's user agent."""

    organisation: str = "org1"
    host: str = "org1.crm.dynamics.com"
    agent: str = "Mozilla/5.0"
    unit: str = field(default_factory=lambda: made_guid("business unit"))
    given_id: str = ""

    @property
    def organisation_id(self) -> str:
        """As it was given, else a guid of the name."""
        return self.given_id or made_guid("organisation", self.organisation)


ORG1 = Sender()
