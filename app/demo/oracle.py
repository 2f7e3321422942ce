"""What has to be true in both systems at the end, computed from the truth alone.

Nothing of the path is used here: no flow, no table, no rule file. The expectations are written a
second time, as a person would read them off the rules, so that a mistake in the path cannot agree
with itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.demo.truth import STAGES, Life, Truth, at_contract_stage, stage_id, was_at_contract_stage
from app.sandbox.events.change import iso

RESTARTS = ("draft", "in_negotiation", "in_approval", "rejected")
_KINDS = {"account": "Account", "opportunity": "Opportunity", "incident": "Case"}
_DATES = {"approved": "approvedon", "signed": "signedon", "terminated": "terminatedon"}


@dataclass
class Expected:
    """One workspace: whether it has to be there, and how it has to look if it is.

    ``required``: a workspace that was due for a moment only may be there or not, depending on the
    order in which the news came; it then has to show ``state``. ``exact``: the rest counts too.
    ``foreign``: people made it before Dovetail came, and nothing asks Dovetail to take it over.
    """

    business_object: tuple[str, str]
    type: str
    required: bool
    state: str
    exact: bool = True
    foreign: bool = False
    name: str = ""
    owner: str = ""
    parents: set[tuple[str, str]] = field(default_factory=set)
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Expectation:
    """One record: its workspaces, and the columns that it has to show besides their links."""

    life: Life
    record: Expected
    contract: Expected | None = None
    columns: dict[str, Any] = field(default_factory=dict)

    def workspaces(self) -> Iterator[Expected]:
        yield self.record
        if self.contract is not None:
            yield self.contract


def expectations(truth: Truth) -> list[Expectation]:
    """What has to be true, record by record."""
    owners = {person.id: person.login for person in truth.people}
    return [_expected(truth, life, owners) for life in truth.lives]


def _expected(truth: Truth, life: Life, owners: Mapping[str, str]) -> Expectation:
    row = life.row
    record = Expected(
        business_object=(life.table, life.id),
        type=_KINDS[life.table],
        required=not life.deleted,
        exact=not life.deleted,
        state=_record_state(life),
        name=_record_name(life),
        owner=owners[str(row["ownerid"]).partition(":")[2]],
        parents=_record_parents(life),
        attributes={"Business Record": _record_attributes(life)},
    )
    expectation = Expectation(life, record)
    if life.table == "opportunity":
        _expect_contract(truth, expectation)
    return expectation


def _record_state(life: Life) -> str:
    if life.deleted:
        return "Deleted"
    if life.row.get("merged"):
        return "Merged"
    return "Active" if life.row["statecode"] == 0 else "Closed"


def _record_name(life: Life) -> str:
    row = life.row
    match life.table:
        case "account":
            return f"{row['name']} ({row['accountnumber']})"
        case "incident":
            return f"{row['title']} ({row['ticketnumber']})"
    return str(row["name"])


def _record_parents(life: Life) -> set[tuple[str, str]]:
    row = life.row
    pointing = {"account": "parentaccountid", "incident": "customerid"}
    lookups = [row[pointing.get(life.table, "parentaccountid")], row.get("masterid")]
    return {_pair(str(lookup)) for lookup in lookups if lookup}


def _record_attributes(life: Life) -> dict[str, Any]:
    row = life.row
    match life.table:
        case "account":
            return {"Record Name": row["name"], "Record Number": row["accountnumber"]}
        case "incident":
            return {"Record Name": row["title"], "Record Number": row["ticketnumber"]}
    return {
        "Record Name": row["name"],
        "Value": float(str(row["estimatedvalue"])),
        "Closing Date": row["estimatedclosedate"],
    }


def _expect_contract(truth: Truth, expectation: Expectation) -> None:
    deal, record = expectation.life, expectation.record
    lost, won = deal.row["statecode"] == 2, deal.row["statecode"] == 1
    at_stage = at_contract_stage(truth, deal)
    early = deal.key in truth.early
    if not (was_at_contract_stage(truth, deal) or early):
        return
    told = _contract_told(truth, deal)
    shown = {"Contract": {"Stage": _stage_name(truth, deal)}}
    if told.get("status"):
        shown["Contract"]["Status"] = _label(told["status"])
    due = at_stage and not lost and not deal.deleted
    expectation.contract = Expected(
        business_object=("contract", deal.id),
        type="Contract",
        required=due,
        exact=due,
        foreign=early and not due,
        state=_contract_state(deal, lost=lost, won=won, at_stage=at_stage),
        name=f"Contract {deal.row['name']}",
        owner=record.owner,
        parents=record.parents | {("opportunity", deal.id)},
        attributes=shown,
    )
    if due:
        expectation.columns = _contract_columns(told)


def _contract_state(deal: Life, *, lost: bool, won: bool, at_stage: bool) -> str:
    if deal.deleted:
        return "Deleted"
    if lost or won:
        return "Lost" if lost else "Won"
    return "Active" if at_stage else "Moved Back"


def _stage_name(truth: Truth, deal: Life) -> str | None:
    process = truth.processes.get(deal.key)
    if process is None:
        return None
    index = [f"processstage:{stage_id(i)}" for i in range(len(STAGES))]
    return STAGES[index.index(str(process.row["activestageid"]))]


def _contract_told(truth: Truth, deal: Life) -> dict[str, Any]:
    """Go through the contract's events as they happened; a restart forgets what was reached."""
    told: dict[str, Any] = {}
    for happening in truth.contracts.get(deal.key, []):
        status = happening.event.removeprefix("contract.")
        if status in RESTARTS:
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


def _contract_columns(told: Mapping[str, Any]) -> dict[str, Any]:
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


def _pair(lookup: str) -> tuple[str, str]:
    table, _, row_id = lookup.partition(":")
    return table, row_id
