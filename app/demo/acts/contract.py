"""Flow 2: opportunities that come to their contract, and contracts that come to their ends."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from app.demo.acts.act import Act
from app.demo.acts.records import parents_of
from app.demo.judge import Verdict
from app.demo.oracle import Expectation, Expected, owners, pair
from app.demo.pen import Pen
from app.demo.truth import STAGES, Life, Truth, stage_id
from app.sandbox.events.change import iso
from app.sandbox.events.ecm import EcmHappening

#: From here on an opportunity has a contract.
CONTRACT_STAGE = STAGES.index("Propose")
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
_RESTARTS = ("draft", "in_negotiation", "in_approval", "rejected")
_DATES = {"approved": "approvedon", "signed": "signedon", "terminated": "terminatedon"}
_PREFIX = "contract."


class ContractAct(Act):
    """Opportunities with contracts."""

    flow = "contract_lifecycle"
    headings = ("contract workspace", "status", "document")

    def write(self, pen: Pen) -> None:
        deals = list(pen.truth.of("opportunity"))
        for deal in deals:
            _advance(pen, deal)
        for deal in deals:
            _contract(pen, deal)
        _strays(pen)

    def expect(self, truth: Truth, one: Expectation) -> None:
        if one.life.table != "opportunity":
            return
        deal = one.life
        early = deal.key in truth.early
        if not (_was_at_contract_stage(truth, deal) or early):
            return
        due = at_contract_stage(truth, deal) and deal.row["statecode"] != 2 and not deal.deleted
        told = _told(truth, deal)
        one.workspaces[self.flow] = Expected(
            business_object=("contract", deal.id),
            type="Contract",
            required=due,
            exact=due,
            foreign=early and not due,
            state=_state(truth, deal),
            name=f"Contract {deal.row['name']}",
            owner=owners(truth)[pair(deal.row["ownerid"])[1]],
            parents=parents_of(deal) | {("opportunity", deal.id)},
            attributes=_attributes(truth, deal, told),
            link="new_contractworkspace",
        )
        if due:
            one.columns |= _columns(told)

    def cells(self, verdict: Verdict) -> tuple[str, ...]:
        found, columns = verdict.found.get(self.flow), verdict.columns
        state = found.categories.get("Business Record", {}).get("Record State") if found else ""
        document = columns.get("new_contractdocumentid")
        return (
            f"{found.name} [{state}]" if found else "none",
            str(columns.get("new_contractstatus") or ""),
            f"{document} v{columns.get('new_contractdocumentversion')}" if document else "",
        )


def at_contract_stage(truth: Truth, deal: Life) -> bool:
    """Whether the deal is where a contract belongs, by its process or by its own column."""
    process = truth.processes.get(deal.key)
    if process is None:
        return (deal.row["salesstage"] or 0) in (2, 3)
    stages = [f"processstage:{stage_id(index)}" for index in range(len(STAGES))]
    return stages.index(str(process.row["activestageid"])) >= CONTRACT_STAGE


def _was_at_contract_stage(truth: Truth, deal: Life) -> bool:
    """Whether it ever was there."""
    process = truth.processes.get(deal.key)
    if process is None:
        return any((row["salesstage"] or 0) in (2, 3) for row in deal.rows)
    reached = {f"processstage:{stage_id(index)}" for index in (2, 3)}
    return any(row["activestageid"] in reached for row in process.rows)


def _advance(pen: Pen, deal: Life) -> None:
    """Through the stages, sometimes back, and to an end or not."""
    last = pen.chance.choice([0, 1, 2, 2, 3, 3])
    for index in range(1, last + 1):
        _stage(pen, deal, index)
    if last >= CONTRACT_STAGE and pen.chance.random() < 0.15:
        _stage(pen, deal, 1)
    ending = pen.chance.random()
    if ending < 0.15:
        pen.event(deal, "update", statecode=1)
    elif ending < 0.3:
        pen.event(deal, "update", statecode=2)


def _stage(pen: Pen, deal: Life, index: int) -> None:
    process = pen.truth.processes.get(deal.key)
    if process is None:
        pen.event(deal, "update", salesstage=index)
    else:
        pen.event(process, "update", activestageid=f"processstage:{stage_id(index)}")


def _contract(pen: Pen, deal: Life) -> None:
    """Contracts of deals that have come to them; some workspaces were made by hand before."""
    if not at_contract_stage(pen.truth, deal) or deal.row["statecode"] == 2:
        return
    number = len(pen.truth.told)
    if number % 4 == 0:
        pen.truth.early.add(deal.key)
    document = 700_000 + number
    link = f"https://ecm.contoso.example/documents/{document}"
    terms = {"effective_on": "2027-01-01", "expires_on": "2028-12-31"}
    for place, status in enumerate(pen.chance.choice(_CONTRACTS)):
        final = status in ("approved", "signed", "executed")
        pen.tell(
            deal,
            f"{_PREFIX}{status}",
            "contract",
            document=(document, place + 1, "contract.pdf", link) if final else None,
            **(terms if status in ("signed", "executed") else {}),
        )


def _strays(pen: Pen) -> None:
    """Events of a workspace that nobody owns, and of a record that does not exist."""
    for number in range(3):
        nobody = str(uuid.uuid5(uuid.NAMESPACE_OID, f"nobody {number}"))
        pen.truth.strays += [
            EcmHappening(f"stray-{number}", "contract.signed", pen.tick(), 9_000_000 + number),
            EcmHappening(
                f"nobody-{number}",
                "contract.signed",
                pen.tick(),
                business_object=("D365", "contract", nobody),
            ),
        ]


def _state(truth: Truth, deal: Life) -> str:
    if deal.deleted:
        return "Deleted"
    if deal.row["statecode"] != 0:
        return "Lost" if deal.row["statecode"] == 2 else "Won"
    return "Active" if at_contract_stage(truth, deal) else "Moved Back"


def _attributes(truth: Truth, deal: Life, told: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    shown: dict[str, Any] = {"Stage": _stage_name(truth, deal)}
    if told.get("status"):
        shown["Status"] = _label(told["status"])
    return {"Contract": shown}


def _stage_name(truth: Truth, deal: Life) -> str | None:
    process = truth.processes.get(deal.key)
    if process is None:
        return None
    index = [f"processstage:{stage_id(i)}" for i in range(len(STAGES))]
    return STAGES[index.index(str(process.row["activestageid"]))]


def _told(truth: Truth, deal: Life) -> dict[str, Any]:
    """Go through the contract's events as they happened; a restart forgets what was reached."""
    told: dict[str, Any] = {}
    for happening in truth.happenings(deal, _PREFIX):
        status = happening.event.removeprefix(_PREFIX)
        if status in _RESTARTS:
            told = {}
        told["status"] = status
        if status in _DATES:
            told[_DATES[status]] = iso(happening.at_ms)
        if happening.document:
            told["document"] = happening.document
        for term in ("effective_on", "expires_on"):
            if term in happening.attributes:
                told[term.replace("_", "")] = f"{happening.attributes[term]}T00:00:00Z"
    return told


def _columns(told: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of the record; before the first event nothing is said of them."""
    if not told:
        return {}
    document = told.get("document")
    dates = ("approvedon", "signedon", "effectiveon", "expireson", "terminatedon")
    return {
        "new_contractstatus": _label(told["status"]),
        "new_contractdocumentid": str(document[0]) if document else None,
        "new_contractdocumentversion": document[1] if document else None,
        "new_contractdocumenturl": document[3] if document else None,
        **{f"new_contract{date}": told.get(date) for date in dates},
    }


def _label(status: str) -> str:
    return status.replace("_", " ").title()
