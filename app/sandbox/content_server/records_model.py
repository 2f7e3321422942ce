"""Records management and clearance: classifications, retention schedules, holds, levels.

Plain records; the rules are in `records`, `holds` and `clearance`. Facts: reference/extended-ecm.md
7. Dates of records are days, as the product shows them with midnight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True)
class RmClassification:
    """A place in the file plan; what is put there gets its retention schedule and codes."""

    id: int
    name: str
    rsi: str = ""
    file_number: str = ""
    essential: str = "NR"
    storage: str = "EL"


@dataclass
class RecordDetails:
    """What records management knows of one item; ``revision`` makes its metadata token."""

    class_id: int
    file_number: str
    rsi: str
    record_date: date
    status_date: date
    file_status: str = "ACTIVE"
    received_date: date | None = None
    essential: str = "NR"
    storage: str = "EL"
    cycle_period: int | None = None
    official: bool = False
    finalized: bool = False
    confidential: bool = False
    revision: int = 1


@dataclass
class Rsi:
    """A record series identifier with the stages of its retention schedule."""

    id: int
    name: str
    title: str = ""
    subject: str = ""
    description: str = ""
    status: str = "ACTIVE"
    status_date: str = ""
    disposition_control: bool = False
    created: datetime | None = None
    stages: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass
class Hold:
    """A hold, e.g. for a lawsuit: what it lies on cannot be deleted while it is active."""

    id: int
    name: str
    type: str
    comment: str = ""
    alternate_id: str = ""
    parent_id: int | None = None
    applied: str = ""
    remove_on: str = ""
    patron: str = ""
    active: bool = True


@dataclass(frozen=True)
class HoldOnNode:
    """A hold that was put on an item itself, by whom and when."""

    hold_id: int
    user_id: int
    at: datetime


@dataclass
class Clearance:
    """A level, and the markings that go with it: of an item needed, of a person held."""

    level: int = 0
    markings: tuple[str, ...] = ()


@dataclass
class RecordsState:
    """Everything of records management and clearance on one server.

    ``details``, ``holds_on`` and ``node_clearances`` go by node id, ``user_clearances`` by member
    id, ``classified`` holds the plain classifications of nodes.
    """

    classifications: dict[int, RmClassification] = field(default_factory=dict)
    codes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rsis: dict[int, Rsi] = field(default_factory=dict)
    details: dict[int, RecordDetails] = field(default_factory=dict)
    holds: dict[int, Hold] = field(default_factory=dict)
    holds_on: dict[int, list[HoldOnNode]] = field(default_factory=dict)
    classified: dict[int, tuple[int, ...]] = field(default_factory=dict)
    levels: dict[int, str] = field(default_factory=dict)
    markings: dict[str, str] = field(default_factory=dict)
    node_clearances: dict[int, Clearance] = field(default_factory=dict)
    user_clearances: dict[int, Clearance] = field(default_factory=dict)
