"""What happened in the imagined company: the life of each record, and what people did in ECM.

Nothing here knows how Dovetail works. A record's life is a list of rows at moments in time; the
history turns it into messages, and the oracle into what has to be true at the end.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from app.sandbox.events.change import RowEvent
from app.sandbox.events.ecm import EcmHappening
from streams.catalogue import ColumnValue

STAGES = ("Qualify", "Develop", "Propose", "Close")
Row = dict[str, ColumnValue]


@dataclass(frozen=True)
class Person:
    """A user on both sides: the row in Dynamics, and login and e-mail in Extended ECM."""

    id: str
    login: str
    email: str


@dataclass
class Life:
    """One record: its events in the order in which they happened."""

    table: str
    id: str
    title: str
    events: list[RowEvent] = field(default_factory=list)
    deleted: bool = False

    @property
    def key(self) -> str:
        return f"{self.table}:{self.id}"

    @property
    def in_finance(self) -> bool:
        """Whether it is a row of finance and operations, rather than of Dataverse."""
        return self.events[0].table.finance is not None

    @property
    def row(self) -> Row:
        """The row at the end (of a deleted record: before that)."""
        return dict(self.events[-1].row)

    @property
    def rows(self) -> list[Mapping[str, ColumnValue]]:
        """The rows at every moment of its life."""
        return [event.row for event in self.events if event.operation != "delete"]


@dataclass(frozen=True)
class Paper:
    """A document; ``home``: the workspace type and the business object (type, id) of the workspace
    that people made for it before Dovetail came. Without one it is only told of."""

    name: str
    home: tuple[str, str, str] | None = None


@dataclass(frozen=True)
class Filing:
    """A document that is filed in the workspace of a business object (type, id) beforehand; the
    column that is to hold its id."""

    business_object: tuple[str, str]
    column: str


@dataclass
class Later:
    """What somebody does in Dynamics while everything runs; ``at_ms``: when, once it is done."""

    life: Life
    changes: Row
    at_ms: int = 0
    filing: Filing | None = None


@dataclass
class Truth:
    """Everything that happened."""

    people: tuple[Person, ...]
    lives: list[Life] = field(default_factory=list)
    processes: dict[str, Life] = field(default_factory=dict)  # by the opportunity's key
    #: What happened in the workspaces of a record, in order, by the record's key.
    told: dict[str, list[EcmHappening]] = field(default_factory=dict)
    #: Documents, by what we call them until Extended ECM gives them a number.
    papers: dict[int, Paper] = field(default_factory=dict)
    #: What tells of a row of finance and operations (app/demo/erp.py), by its key.
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)
    early: set[str] = field(default_factory=set)  # contracts whose workspace was there before
    #: What approvers do and say, by the title of the workflow; without it they leave it open.
    decisions: dict[str, tuple[str, str]] = field(default_factory=dict)
    strays: list[EcmHappening] = field(default_factory=list)  # about nothing that exists
    later: list[Later] = field(default_factory=list)  # once all else has come to rest

    def of(self, table: str) -> Iterator[Life]:
        return (life for life in self.lives if life.table == table)

    def after(self, life: Life) -> Later | None:
        """What was done to the record while everything ran."""
        return next((later for later in self.later if later.life is life), None)

    def known_as(self, numbers: Mapping[int, int]) -> None:
        """Call the papers by the numbers that Extended ECM has given them."""
        for told in self.told.values():
            told[:] = [_renumbered(happening, numbers) for happening in told]

    def happenings(self, life: Life, prefix: str) -> list[EcmHappening]:
        """What happened of one kind in a record's workspaces: ``contract.``."""
        return [told for told in self.told.get(life.key, ()) if told.event.startswith(prefix)]


def _renumbered(happening: EcmHappening, numbers: Mapping[int, int]) -> EcmHappening:
    if happening.document is None or happening.document[0] not in numbers:
        return happening
    number, version, name, url = happening.document
    return replace(happening, document=(numbers[number], version, name, url))


def stage_id(index: int) -> str:
    """The row of a stage of the sales process."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"stage {STAGES[index]}"))
