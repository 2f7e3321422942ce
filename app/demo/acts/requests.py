"""Flow 8: discounts, terms and prices that people ask for, and what the approvers make of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.demo.acts.act import Act
from app.demo.judge import Verdict
from app.demo.oracle import SOMETHING, Either, Expectation
from app.demo.pen import Pen
from app.demo.truth import Filing, Life, Row, Truth
from app.sandbox.events.change import iso

_DAY_MS = 86_400_000
#: A discount that nobody has decided after that long is overdue.
_PATIENCE_MS = 2 * _DAY_MS
#: The workflow's approver, the title that he sees, and the record that it is about.
_APPROVERS = {
    "new_discountapproval": "hal.head",
    "new_termsapproval": "eve.counsel",
    "new_pricingapproval": "finn.finance",
}
_ABOUT = {
    "new_discountapproval": "new_opportunityid",
    "new_termsapproval": "new_opportunityid",
    "new_pricingapproval": "new_accountid",
}
_NUMBERS = {"Pending": 0, "Approved": 1, "Rejected": 2, "Withdrawn": 3, "Overdue": 4}
_WORDS = {"Approve": "Approved", "Reject": "Rejected"}
_FIRST_NUMBER = 100_000_000
_ASKED: Row = {"new_submitted": True}
#: What happens in turn, and what the approvers say to what is asked for last.
_STORIES: tuple[tuple[tuple[Row, ...], str], ...] = (
    ((_ASKED,), "Approve"),
    ((_ASKED,), "Reject"),
    ((_ASKED,), ""),
    ((), ""),
    ((_ASKED, {"new_reason": "They have another offer: 15 % less"}), "Approve"),
    ((_ASKED, {"new_submitted": False}), ""),
    ((_ASKED, {"new_submitted": False}, _ASKED), "Reject"),
)


class RequestsAct(Act):
    """Requests that are decided in somebody else's workspace."""

    flow = "approval_request"
    headings = ("asked", "decision", "words", "documents")

    def write(self, pen: Pen) -> None:
        deals = list(pen.truth.of("opportunity"))[: pen.size.deals - pen.size.leaving]
        accounts = list(pen.truth.of("account"))[: pen.size.accounts // 2]
        few = max(3, pen.size.others // 3)
        for table, abouts, count in (
            ("new_discountapproval", deals, pen.size.others),
            ("new_termsapproval", deals, few),
            ("new_pricingapproval", accounts, few),
        ):
            for number in range(count):
                _request(pen, table, number, abouts[number % len(abouts)])
        self._leaving = _asking(pen, "new_discountapproval", 900, deals[0])
        self._late(pen, deals[1])
        self._with_a_document(pen, deals[2])

    def _late(self, pen: Pen, deal: Life) -> None:
        """One that was asked for days ago, and that nobody has looked at."""
        late = _asking(pen, "new_discountapproval", 901, deal)
        late.events[-1] = replace(late.events[-1], at_ms=late.events[-1].at_ms - 3 * _DAY_MS)

    def _with_a_document(self, pen: Pen, deal: Life) -> None:
        """One that is drafted, and asked for with a calculation once all else has come to rest."""
        draft = _draft(pen, "new_discountapproval", 902, deal)
        filing = Filing(("opportunity", deal.id), "new_documentids")
        pen.later_with(filing, draft, new_submitted=True)
        pen.truth.decisions[title_of(draft)] = ("Approve", "The calculation is sound")

    def close(self, pen: Pen) -> None:
        pen.event(self._leaving, "delete")

    def expect(self, truth: Truth, one: Expectation) -> None:
        life = one.life
        home = one.workspaces.get("record_workspace")
        if life.table in ("opportunity", "account") and home is not None:
            home.running += sum(
                _result(truth, request) in ("Pending", "Overdue")
                for table, column in _ABOUT.items()
                for request in truth.of(table)
                if request.row[column] == life.key
            )
        if life.table in _ABOUT and not life.deleted:
            one.columns |= _columns(truth, life)

    def shows(self, verdict: Verdict) -> bool:
        return verdict.expectation.life.table in _ABOUT

    def cells(self, verdict: Verdict) -> tuple[str, ...]:
        columns, life = verdict.columns, verdict.expectation.life
        status = columns.get("new_status")
        words = {_FIRST_NUMBER + number: word for word, number in _NUMBERS.items()}
        decision = words.get(status, status) if status else ""
        return (
            title_of(life),
            " by ".join(str(part) for part in (decision, columns.get("new_approver")) if part),
            str(columns.get("new_decisioncomment") or ""),
            str(columns.get("new_documentid") or ""),
        )


def title_of(request: Life) -> str:
    """The workflow's title: what approvers are asked."""
    row = request.row
    match request.table:
        case "new_discountapproval":
            return f"Discount of {row['new_discountpercent']} % for {row['new_name']}"
        case "new_termsapproval":
            return f"Terms for {row['new_name']}"
    return f"Price of {row['new_price']} for {row['new_name']}"


def _request(pen: Pen, table: str, number: int, about: Life) -> None:
    changes, says = _STORIES[number % len(_STORIES)]
    request = _draft(pen, table, number, about)
    for change in changes:
        pen.event(request, "update", **change)
    if says:
        pen.truth.decisions[title_of(request)] = (says, f"{says}: {request.title}")


def _draft(pen: Pen, table: str, number: int, about: Life, *, asked: bool = False) -> Life:
    row: Row = {
        "new_name": f"{about.title} {number:03}",
        _ABOUT[table]: about.key,
        "new_reason": "A long-standing customer",
        "new_submitted": asked,
        "statecode": 0,
    }
    match table:
        case "new_discountapproval":
            percent = str(5 + number % 5 * 5)
            row |= {"new_discountpercent": percent, "new_amount": "1200.5", "new_documentids": None}
        case "new_termsapproval":
            row |= {"new_terms": "90 days net"}
        case _:
            row |= {"new_price": str(100 + number)}
    title = f"{table.removeprefix('new_').removesuffix('approval')} {number:03}"
    return pen.new(table, number, title, row)


def _asking(pen: Pen, table: str, number: int, about: Life) -> Life:
    """One that is asked for from the beginning."""
    return _draft(pen, table, number, about, asked=True)


def _asked_for(truth: Truth, request: Life) -> bool:
    later = truth.after(request)
    return bool((later.changes if later else request.row).get("new_submitted"))


def _result(truth: Truth, request: Life) -> str | None:
    """The word for what became of it; nothing for a draft that nobody ever asked for."""
    if request.deleted:
        return None
    if not _asked_for(truth, request):
        asked_before = any(row["new_submitted"] for row in request.rows)
        return "Withdrawn" if asked_before else None
    said = _WORDS.get(truth.decisions.get(title_of(request), ("", ""))[0])
    first = min(event.at_ms for life in truth.of("account") for event in life.events)
    return said or ("Overdue" if request.events[0].at_ms < first else "Pending")


def _columns(truth: Truth, request: Life) -> dict[str, Any]:
    result = _result(truth, request)
    ended = result in _WORDS.values()
    choice = request.table == "new_discountapproval"
    status = _FIRST_NUMBER + _NUMBERS[result] if choice and result else result
    shown: dict[str, Any] = {
        # That it was asked for may have been in a message that was cut off.
        "new_status": Either(status, None) if result == "Withdrawn" else status,
        "new_approver": _APPROVERS[request.table] if ended else None,
        "new_decidedon": SOMETHING if ended else None,
        "new_decisioncomment": truth.decisions[title_of(request)][1] if ended else None,
    }
    if choice:
        later = truth.after(request)
        filed = SOMETHING if later is not None and later.filing is not None else None
        due = iso(request.events[0].at_ms + _PATIENCE_MS) if result == "Overdue" else None
        shown |= {
            "new_escalatedon": due,
            "new_documentid": filed,
            "new_documenturl": filed,
            "new_documentlinks": filed,
        }
    return shown
