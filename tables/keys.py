"""Identities, and how they become Kafka keys.

A row of Dataverse is named by its guid. Finance and operations name a row by natural keys (company
and number); its id is made of them and can be read back, so that whoever holds the id can read the
row (app/decisions/0005).

A key decides the partition, and so which worker decides about a record and in what order. Every
message on a ``dovetail.*`` topic and every table row carries one of these two keys.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, unquote

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_TABLE = re.compile(r"[a-z][a-z0-9_]*")
_NATURAL = re.compile(r"[a-z0-9._%-]*(~[a-z0-9._%-]+)+")
WORKSPACE_PREFIX = "workspace"


def normal_guid(text: str) -> str:
    """Return a row id as Dovetail writes it: lower case, hyphens, no braces.

    >>> normal_guid("{0A3F6F52-7C1B-4E0E-9D5C-0123456789AB}")
    '0a3f6f52-7c1b-4e0e-9d5c-0123456789ab'

    Raises ValueError when the text is not a guid.
    """
    bare = text.strip().strip("{}").lower()
    if len(bare) == 32 and "-" not in bare:
        bare = f"{bare[:8]}-{bare[8:12]}-{bare[12:16]}-{bare[16:20]}-{bare[20:]}"
    if not _GUID.fullmatch(bare):
        raise ValueError(f"{text!r} is not a guid")
    return bare


def natural_id(company: str, *parts: str) -> str:
    """Return the id of a row that its company (empty: shared by all) and key values name.

    >>> natural_id("USMF", "SO-000123"), natural_id("", "A/B~1")
    ('usmf~so-000123', '~a%2fb%7e1')

    Case and trailing blanks do not count, as in the database beneath. Raises ValueError when a part
    is empty or there is none.
    """
    values = [part.rstrip().lower() for part in parts]
    if not values or not all(values):
        raise ValueError(f"a key of {parts!r} names no row")
    encoded = (quote(text, safe="").lower() for text in (company.strip().lower(), *values))
    return "~".join(part.replace("~", "%7e") for part in encoded)


def natural_parts(row_id: str) -> tuple[str, ...] | None:
    """Read a natural id back: the company and the key values in lower case; None for a guid."""
    if not is_natural(row_id):
        return None
    return tuple(unquote(part) for part in row_id.split("~"))


def is_natural(row_id: str) -> bool:
    """True for an id that ``natural_id`` made."""
    return _NATURAL.fullmatch(row_id) is not None


@dataclass(frozen=True, slots=True, order=True)
class RecordRef:
    """One Dynamics record: table and row id, e.g. ``account:0a3f…`` or ``vendor:usmf~v-001``."""

    table: str
    id: str

    @property
    def key(self) -> str:
        return f"{self.table}:{self.id}"

    def __str__(self) -> str:
        return self.key

    @classmethod
    def of(cls, table: str, row_id: str) -> Self:
        """Build a reference from what a producer wrote; raises ValueError when it cannot be one."""
        name = table.strip().lower()
        if not _TABLE.fullmatch(name) or name == WORKSPACE_PREFIX:
            raise ValueError(f"{table!r} is not a table name")
        plain = row_id.strip().lower()
        return cls(name, plain if is_natural(plain) else normal_guid(row_id))

    @classmethod
    def parse(cls, key: str) -> Self:
        """Read a key back: ``RecordRef.parse("account:<guid>")``."""
        table, separator, row_id = key.partition(":")
        if not separator:
            raise ValueError(f"{key!r} is not a record key (expected <table>:<id>)")
        return cls.of(table, row_id)


def workspace_key(workspace_id: int) -> str:
    """Key of the facts about one business workspace: ``workspace:<node id>``."""
    return f"{WORKSPACE_PREFIX}:{workspace_id}"


def is_workspace_key(key: str) -> bool:
    return key.startswith(f"{WORKSPACE_PREFIX}:")


def digest(value: Any) -> str:
    """Return a short stable hash of a JSON-like value; equal values hash equally on every host."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def command_id(flow: str, record: RecordRef, step: str, desired: str) -> str:
    """Return the id of the command that makes ``desired`` (a digest) true (DESIGN, promise 3)."""
    return digest([flow, record.key, step, desired])
