"""Flow 3: cases worth a file of their own, from the first call to the approved resolution."""

from __future__ import annotations

from typing import Any

from app.demo.acts.act import Act
from app.demo.judge import Verdict
from app.demo.oracle import SOMETHING, Expectation, Expected, Kept, owners, pair
from app.demo.pen import Pen
from app.demo.truth import Life, Row, Truth
from app.sandbox.events.change import iso

#: What is worth an approved resolution is worth a file, too.
DEAR = 25_000
_CLASS = "Customer Service/Cases"
_ROLES = ("Owner", "Team", "Specialists")
_PRIORITIES = {1: "High", 2: "Normal", 3: "Low"}
_WORDS = {"Approve": "Approved", "Reject": "Rejected"}

_Changes = tuple[Row, ...]
_RESOLVED: Row = {"statecode": 1, "new_resolution": "Replaced: the pump, and its seals"}
_COSTS: Row = {"new_casevalue": "40000.5"}
#: What happens in turn, and what the approvers say to a resolution.
_STORIES: tuple[tuple[_Changes, str], ...] = (
    (({"isescalated": True},), ""),
    ((_COSTS, _RESOLVED), "Approve"),
    ((_COSTS, _RESOLVED), "Reject"),
    ((_COSTS, _RESOLVED), ""),
    ((_COSTS, _RESOLVED, {"statecode": 0}), ""),
    ((_COSTS, _RESOLVED, {"statecode": 0}, _RESOLVED), "Approve"),
    (({"isescalated": True}, {"isescalated": False}), ""),
    (({"isescalated": True}, _RESOLVED), ""),
    (({"isescalated": True}, {"statecode": 2}), ""),
    (({"prioritycode": 1},), ""),
    ((_COSTS, {"merged": True, "statecode": 2}), ""),
    ((_COSTS, _RESOLVED), ""),
)


class CasesAct(Act):
    """High-value and complex cases."""

    flow = "service_case"
    headings = ("case file", "kept", "resolution")

    def write(self, pen: Pen) -> None:
        accounts = list(pen.truth.of("account"))[: pen.size.accounts // 2]
        self._cases = [_case(pen, number, accounts) for number in range(pen.size.others)]
        for number, case in enumerate(self._cases):
            changes, says = _STORIES[number % len(_STORIES)]
            for change in changes:
                master = {"masterid": self._cases[0].key} if change.get("merged") else {}
                pen.event(case, "update", **{**change, **master})
            if says:
                title = f"Resolution of {case.row['title']} ({case.row['ticketnumber']})"
                pen.truth.decisions[title] = (says, f"{says}, after a look at {case.title}")

    def close(self, pen: Pen) -> None:
        pen.event(self._cases[-1], "delete")

    def expect(self, truth: Truth, one: Expectation) -> None:
        case = one.life
        if case.table != "incident" or not any(_is_due(truth, row) for row in case.rows):
            return
        state = _state(truth, case)
        settled = state in ("Active", "Resolved")
        one.workspaces[self.flow] = Expected(
            business_object=("servicecase", case.id),
            type="Service Case",
            required=settled,
            exact=not case.deleted,
            state=state,
            name=f"Case file {case.row['title']} ({case.row['ticketnumber']})",
            owner=owners(truth)[pair(case.row["ownerid"])[1]],
            parents=_parents(case),
            attributes=_attributes(truth, case),
            link="new_casefile",
            open_to=_ROLES,
            kept=Kept(_CLASS, _closed_on(case)),
            running=int(_decision(truth, case) == "Pending"),
        )
        if not case.deleted:
            one.columns |= _columns(truth, case)

    def cells(self, verdict: Verdict) -> tuple[str, ...]:
        found = verdict.found.get(self.flow)
        wanted = verdict.expectation.workspaces[self.flow]
        columns = verdict.columns
        said = [columns.get(f"new_resolution{part}") for part in ("decision", "approver")]
        if found is None or wanted.kept is None:
            return "none", "", ""
        return (
            f"{found.name} [{wanted.state}]",
            f"from {wanted.kept.since}" if wanted.kept.since else "open",
            " by ".join(str(part) for part in said if part),
        )


def _case(pen: Pen, number: int, accounts: list[Life]) -> Life:
    row: Row = {
        "title": f"Outage {number:03}",
        "ticketnumber": f"CAS-{70_000 + number}",
        "customerid": accounts[number * 4 % len(accounts)].key,  # a preferred one
        "ownerid": pen.owner(),
        "statecode": 0,
        "prioritycode": 2 + number % 2,
        "isescalated": False,
        "new_casevalue": None,
        "new_resolution": None,
        "merged": False,
        "masterid": None,
    }
    return pen.new("incident", 10_000 + number, str(row["title"]), row)


def _is_due(truth: Truth, row: Any) -> bool:
    """Escalated, dear, or urgent for a preferred customer (whose category never changes)."""
    preferred = {a.key for a in truth.of("account") if a.row["accountcategorycode"] == 1}
    dear = row["new_casevalue"] is not None and float(str(row["new_casevalue"])) >= DEAR
    urgent = row["prioritycode"] == 1 and row["customerid"] in preferred
    return bool(row["isescalated"]) or dear or urgent


def _state(truth: Truth, case: Life) -> str:
    if case.deleted:
        return "Deleted"
    if case.row["merged"]:
        return "Merged"
    if case.row["statecode"] == 0:
        return "Active" if _is_due(truth, case.row) else "Below Criteria"
    return "Cancelled" if case.row["statecode"] == 2 else "Resolved"


def _parents(case: Life) -> set[tuple[str, str]]:
    found = {pair(case.row["customerid"])}
    if case.row["masterid"]:
        found.add(("servicecase", pair(case.row["masterid"])[1]))
    return found


def _attributes(truth: Truth, case: Life) -> dict[str, dict[str, Any]]:
    row = case.row
    value = row["new_casevalue"]
    shown: dict[str, dict[str, Any]] = {
        "Business Record": {
            "Record Name": row["title"],
            "Record Number": row["ticketnumber"],
            "Value": None if value is None else float(str(value)),
        },
        "Case": {
            "Priority": _PRIORITIES[int(str(row["prioritycode"]))],
            "Escalated": row["isescalated"],
        },
    }
    decision = _decision(truth, case)
    if decision:
        shown["Approval"] = {"Decision": decision}
    return shown


def _closed_on(case: Life) -> str | None:
    """The day since which the case has been closed without a break."""
    since = None
    for event in case.events:
        closed = event.row["statecode"] != 0
        since = (since or iso(event.at_ms)[:10]) if closed else None
    return since


def _decision(truth: Truth, case: Life) -> str | None:
    """The word for what became of the present resolution; nothing when none is to be approved."""
    row = case.row
    dear = row["new_casevalue"] is not None and float(str(row["new_casevalue"])) >= DEAR
    if case.deleted or row["statecode"] != 1 or not dear:
        return None
    return _WORDS.get(_said(truth, case)[0], "Pending")


def _said(truth: Truth, case: Life) -> tuple[str, str]:
    title = f"Resolution of {case.row['title']} ({case.row['ticketnumber']})"
    return truth.decisions.get(title, ("", ""))


def _columns(truth: Truth, case: Life) -> dict[str, Any]:
    decision = _decision(truth, case)
    ended = decision in _WORDS.values()
    return {
        "new_resolutiondecision": decision,
        "new_resolutionapprover": "cleo.care" if ended else None,
        "new_resolutiondecidedon": SOMETHING if ended else None,
        "new_resolutioncomment": _said(truth, case)[1] if ended else None,
    }
