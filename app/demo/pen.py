"""Writing the truth: records and what happens to them, on a clock that only goes forward."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from typing import Any, Literal

from app.demo.truth import Filing, Later, Life, Paper, Person, Row, Truth
from app.sandbox.events.change import RowEvent
from app.sandbox.events.ecm import EcmHappening
from streams.catalogue import Catalogue, ColumnValue

#: A whole second apart and more: Dataverse keeps ``modifiedon`` in seconds.
_STEP_MS = 2_000
_FIRST_VERSION = 1_000_000
_FIRST_PAPER = 800_000


@dataclass(frozen=True)
class Size:
    """How many records there are; ``leaving`` of each kind are deleted, so many accounts merged.

    ``others``: how many records each further flow has.
    """

    accounts: int
    deals: int
    cases: int
    leaving: int
    others: int


DEMO = Size(accounts=110, deals=120, cases=80, leaving=6, others=12)


class Pen:
    """What all acts write with. The clock goes forward one step for each event."""

    def __init__(
        self,
        catalogue: Catalogue,
        people: tuple[Person, ...],
        seed: int,
        start_ms: int,
        size: Size = DEMO,
    ) -> None:
        self.chance = random.Random(seed)
        self.size = size
        self.truth = Truth(people)
        self._catalogue = catalogue
        self._now_ms = start_ms
        self._version = _FIRST_VERSION

    def owner(self) -> str:
        """Somebody, as a lookup."""
        return f"systemuser:{self.chance.choice(self.truth.people).id}"

    def made(self, table: str, number: int, title: str) -> Life:
        """A record that the truth does not list (yet)."""
        return Life(table, str(uuid.uuid5(uuid.NAMESPACE_OID, f"{table} {number}")), title)

    def new(self, table: str, number: int, title: str, row: Row) -> Life:
        """A record that is created."""
        life = self.made(table, number, title)
        self.truth.lives.append(life)
        self.event(life, "create", **row)
        return life

    def event(
        self, life: Life, operation: Literal["create", "update", "delete"], **changes: ColumnValue
    ) -> None:
        """Something that happens to a record in Dynamics."""
        before = life.row if life.events else {}
        self._version += 1
        life.deleted = operation == "delete"
        life.events.append(
            RowEvent(
                table=self._catalogue.tables[life.table],
                id=life.id,
                operation=operation,
                row={**before, **changes},
                at_ms=self.tick(),
                version=self._version,
                actor=self.chance.choice(self.truth.people).id,
                changed=frozenset(changes) if operation == "update" else None,
                created_ms=life.events[0].at_ms if life.events else None,
            )
        )

    def paper(self, name: str, home: tuple[str, str, str] | None = None) -> int:
        """A document that somebody has filed; its number until Extended ECM gives it one."""
        number = _FIRST_PAPER + len(self.truth.papers)
        self.truth.papers[number] = Paper(name, home)
        return number

    def later(self, life: Life, **changes: ColumnValue) -> None:
        """Something that somebody will do in Dynamics once all else has come to rest."""
        self.truth.later.append(Later(life, changes))

    def later_with(self, filing: Filing, life: Life, **changes: ColumnValue) -> None:
        """Likewise, and a document is filed first."""
        self.truth.later.append(Later(life, changes, filing=filing))

    def tell(
        self,
        life: Life,
        event: str,
        business_object: str,
        *,
        document: tuple[int, int, str, str] | None = None,
        actor: str = "eve.counsel",
        **attributes: Any,
    ) -> EcmHappening:
        """Something that happens in a record's workspace, known by its business object type."""
        told = self.truth.told.setdefault(life.key, [])
        happening = EcmHappening(
            event_id=f"{business_object}-{life.id}-{len(told)}",
            event=event,
            at_ms=self.tick(),
            business_object=("D365", business_object, life.id),
            document=document,
            actor=actor,
            attributes=attributes,
        )
        told.append(happening)
        return happening

    def tick(self) -> int:
        self._now_ms += _STEP_MS
        return self._now_ms
