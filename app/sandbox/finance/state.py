"""What the simulated finance and operations keeps: plain records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FIRST_RECID = 5_637_144_576


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its values by OData name; ``version`` is that of its last write."""

    recid: int
    version: int
    values: Mapping[str, Any]

    @property
    def etag(self) -> str:
        """Base64-like text that changes with each write."""
        return f'W/"Jz{self.recid:x}LDs{self.version:x}Jw=="'


@dataclass
class State:
    """All that is kept: rows by native table, and the counters."""

    tables: dict[str, dict[int, Row]] = field(default_factory=dict)
    next_recid: int = FIRST_RECID
    version: int = 1000
    control_number: int = 5_637_200_000
