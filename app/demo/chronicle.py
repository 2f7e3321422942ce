"""Writing the truth: a seed decides what happens to whom, and in what order."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from typing import Literal

from app.demo.truth import CONTRACT_STAGE, Life, Person, Row, Truth, at_contract_stage, stage_id
from app.sandbox.events.change import RowEvent
from app.sandbox.events.ecm import EcmHappening
from streams.catalogue import Catalogue, ColumnValue


@dataclass(frozen=True)
class Size:
    """How many records there are; ``leaving`` of each kind are deleted, so many accounts merged."""

    accounts: int
    deals: int
    cases: int
    leaving: int


DEMO = Size(accounts=110, deals=120, cases=80, leaving=6)
#: A whole second apart and more: Dataverse keeps ``modifiedon`` in seconds.
_STEP_MS = 2_000
_FIRST_VERSION = 1_000_000

#: Contracts as they go: the happy way, the long way, and the ways that end otherwise.
_CONTRACTS: tuple[tuple[str, ...], ...] = (
    ("draft",),
    ("draft", "in_negotiation"),
    ("draft", "in_negotiation", "in_approval"),
    ("draft", "in_approval", "rejected"),
    ("draft", "in_approval", "approved"),
    ("draft", "in_approval", "rejected", "in_negotiation", "in_approval", "approved", "signed"),
    ("draft", "in_negotiation", "in_approval", "approved", "signed"),
    ("draft", "in_approval", "approved", "signed", "executed"),
    ("draft", "in_approval", "approved", "signed", "executed", "expired"),
    ("draft", "in_approval", "approved", "signed", "executed", "terminated"),
    ("draft", "in_approval", "approved", "in_negotiation"),
)


class Chronicle:
    """Makes the truth. The clock only goes forward, one step for each event."""

    def __init__(
        self,
        catalogue: Catalogue,
        people: tuple[Person, ...],
        seed: int,
        start_ms: int,
        size: Size = DEMO,
    ) -> None:
        self._catalogue = catalogue
        self._size = size
        self._chance = random.Random(seed)
        self._now_ms = start_ms
        self._version = _FIRST_VERSION
        self.truth = Truth(people)

    def write(self) -> Truth:
        """Let everything happen."""
        size = self._size
        accounts = [self._account(number) for number in range(size.accounts)]
        # Nobody points to the last accounts: they can go without leaving anything behind.
        staying, survivors = accounts[: -2 * size.leaving], accounts[: size.leaving]
        merged, deleted = accounts[-2 * size.leaving : -size.leaving], accounts[-size.leaving :]
        deals = [self._deal(number, staying) for number in range(size.deals)]
        cases = [self._case(number, staying) for number in range(size.cases)]
        for life in (*deals, *accounts, *cases):
            self._live(life)
        for deal in deals:
            self._contract(deal)
        for survivor, gone in zip(survivors, merged, strict=True):
            self._event(gone, "update", merged=True, masterid=survivor.key, statecode=1)
        for life in (*deleted, *deals[-size.leaving :], *cases[-size.leaving :]):
            self._event(life, "delete")
        self._strays()
        return self.truth

    # -- records -----------------------------------------------------------------------------

    def _account(self, number: int) -> Life:
        row: Row = {
            "name": f"Contoso {number:03}",
            "accountnumber": f"A-{10_000 + number}",
            "parentaccountid": None,
            "ownerid": self._owner(),
            "statecode": 0,
            "merged": False,
            "masterid": None,
        }
        earlier = list(self.truth.of("account"))[: self._size.accounts // 2]
        if earlier and number % 3 == 0:
            row["parentaccountid"] = self._chance.choice(earlier).key
        return self._new("account", number, str(row["name"]), row)

    def _deal(self, number: int, accounts: list[Life]) -> Life:
        account = self._chance.choice(accounts).key
        guided = number % 2 == 0
        row: Row = {
            "name": f"Deal {number:03}",
            "customerid": account,
            "parentaccountid": account,
            "ownerid": self._owner(),
            "estimatedvalue": str(self._chance.randrange(1_000, 90_000)) + ".5",
            "estimatedclosedate": f"2027-{self._chance.randrange(1, 13):02}-15",
            "salesstage": None if guided else 0,
            "statecode": 0,
        }
        deal = self._new("opportunity", number, str(row["name"]), row)
        if guided:
            first: Row = {
                "opportunityid": deal.key,
                "activestageid": f"processstage:{stage_id(0)}",
                "statecode": 0,
                "statuscode": 1,
            }
            process = self._made("opportunitysalesprocess", number, f"process {number}")
            self.truth.processes[deal.key] = process
            self._event(process, "create", **first)
        return deal

    def _case(self, number: int, accounts: list[Life]) -> Life:
        row: Row = {
            "title": f"Case {number:03}",
            "ticketnumber": f"CAS-{20_000 + number}",
            "customerid": self._chance.choice(accounts).key,
            "ownerid": self._owner(),
            "statecode": 0,
            "merged": False,
            "masterid": None,
        }
        return self._new("incident", number, str(row["title"]), row)

    def _live(self, life: Life) -> None:
        """A few changes, some of them back to what was before."""
        for _ in range(self._chance.randrange(5, 9)):
            self._change(life)
        if life.table == "opportunity":
            self._advance(life)
        elif self._chance.random() < 0.3:
            self._event(life, "update", statecode=1)

    def _change(self, life: Life) -> None:
        name = "title" if life.table == "incident" else "name"
        base = str(life.row[name]).partition(",")[0]
        changes: list[Row] = [
            {name: f"{base}, {self._chance.choice(['East', 'West', 'North'])}"},
            {name: base},
            {"ownerid": self._owner()},
            {"ownerid": self._owner(), name: base},
        ]
        if life.table == "opportunity":
            changes.append({"estimatedvalue": str(self._chance.randrange(1_000, 90_000))})
        self._event(life, "update", **self._chance.choice(changes))

    def _advance(self, deal: Life) -> None:
        """Through the stages, sometimes back, and to an end or not."""
        last = self._chance.choice([0, 1, 2, 2, 3, 3])
        for index in range(1, last + 1):
            self._stage(deal, index)
        if last >= CONTRACT_STAGE and self._chance.random() < 0.15:
            self._stage(deal, 1)
        ending = self._chance.random()
        if ending < 0.15:
            self._event(deal, "update", statecode=1)
        elif ending < 0.3:
            self._event(deal, "update", statecode=2)

    def _stage(self, deal: Life, index: int) -> None:
        process = self.truth.processes.get(deal.key)
        if process is None:
            self._event(deal, "update", salesstage=index)
        else:
            self._event(process, "update", activestageid=f"processstage:{stage_id(index)}")

    # -- contracts ---------------------------------------------------------------------------

    def _contract(self, deal: Life) -> None:
        """Contracts of deals that have come to them; some workspaces were made by hand before."""
        if not at_contract_stage(self.truth, deal) or deal.row["statecode"] == 2:
            return
        number = len(self.truth.contracts)
        if number % 4 == 0:
            self.truth.early.add(deal.key)
        told = [
            self._happening(deal, number, place, status)
            for place, status in enumerate(self._chance.choice(_CONTRACTS))
        ]
        self.truth.contracts[deal.key] = told

    def _happening(self, deal: Life, number: int, place: int, status: str) -> EcmHappening:
        final = status in ("approved", "signed", "executed")
        document = 700_000 + number
        link = f"https://ecm.contoso.example/documents/{document}"
        terms = {"effective_on": "2027-01-01", "expires_on": "2028-12-31"}
        return EcmHappening(
            event_id=f"{deal.id}-{place}",
            event=f"contract.{status}",
            at_ms=self._tick(),
            business_object=("D365", "contract", deal.id),
            document=(document, place + 1, "contract.pdf", link) if final else None,
            actor="eve.counsel",
            attributes=terms if status in ("signed", "executed") else {},
        )

    def _strays(self) -> None:
        """Events of a workspace that nobody owns, and of a record that does not exist."""
        for number in range(3):
            nobody = str(uuid.uuid5(uuid.NAMESPACE_OID, f"nobody {number}"))
            self.truth.strays += [
                EcmHappening(
                    f"stray-{number}", "contract.signed", self._tick(), 9_000_000 + number
                ),
                EcmHappening(
                    f"nobody-{number}",
                    "contract.signed",
                    self._tick(),
                    business_object=("D365", "contract", nobody),
                ),
            ]

    # -- the pieces ----------------------------------------------------------------------------

    def _owner(self) -> str:
        return f"systemuser:{self._chance.choice(self.truth.people).id}"

    def _made(self, table: str, number: int, title: str) -> Life:
        return Life(table, str(uuid.uuid5(uuid.NAMESPACE_OID, f"{table} {number}")), title)

    def _new(self, table: str, number: int, title: str, row: Row) -> Life:
        life = self._made(table, number, title)
        self.truth.lives.append(life)
        self._event(life, "create", **row)
        return life

    def _event(
        self, life: Life, operation: Literal["create", "update", "delete"], **changes: ColumnValue
    ) -> None:
        before = life.row if life.events else {}
        self._version += 1
        life.deleted = operation == "delete"
        life.events.append(
            RowEvent(
                table=self._catalogue.tables[life.table],
                id=life.id,
                operation=operation,
                row={**before, **changes},
                at_ms=self._tick(),
                version=self._version,
                actor=self._chance.choice(self.truth.people).id,
                changed=frozenset(changes) if operation == "update" else None,
                created_ms=life.events[0].at_ms if life.events else None,
            )
        )

    def _tick(self) -> int:
        self._now_ms += _STEP_MS
        return self._now_ms
