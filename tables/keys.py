"""Identities, and how they become Kafka keys.

A key decides the partition, and so which worker decides about a record and in what order. Every
message on a ``dovetail.*`` topic and every table row carries one of these two keys.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Self

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_TABLE = re.compile(r"[a-z][a-z0-9_]*")
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


@dataclass(frozen=True, slots=True, order=True)
class RecordRef:
    """One Dynamics record: logical table name and row id, e.g. ``account:0a3f…``."""

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
        return cls(name, normal_guid(row_id))

    @classmethod
    def parse(cls, key: str) -> Self:
        """Read a key back: ``RecordRef.parse("account:<guid>")``."""
        table, separator, row_id = key.partition(":")
        if not separator:
            raise ValueError(f"{key!r} is not a record key (expected <table>:<guid>)")
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
