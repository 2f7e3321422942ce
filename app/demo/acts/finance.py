"""Flows 1, 4 and 7 for finance and operations: orders, invoices and vendors of the ERP itself.

What happens is in finance_rows.py; here is what has to come of it.
"""

from __future__ import annotations

from typing import Any

from app.demo.acts.act import Act
from app.demo.acts.evidence import missing, words
from app.demo.acts.finance_kinds import MEMO, Kind, kind_of
from app.demo.acts.finance_rows import BY_PEOPLE, COMPANY, FREE, HELD, happen, title
from app.demo.acts.vendors import NEEDED
from app.demo.judge import Verdict
from app.demo.oracle import Either, Expectation, Expected
from app.demo.pen import Pen
from app.demo.truth import Life, Row, Truth
from app.sandbox.events.ecm import EcmHappening

_ENDS = {"Invoiced": "Closed", "Canceled": "Cancelled"}


class FinanceAct(Act):
    """Records of finance and operations, whichever source tells of them."""

    flow = "finance_and_operations"
    headings = ("workspace", "told by", "related to", "documents", "status")

    def write(self, pen: Pen) -> None:
        self._leaving, self._sources = happen(pen), pen.truth.sources

    def close(self, pen: Pen) -> None:
        pen.event(self._leaving, "delete")

    def expect(self, truth: Truth, one: Expectation) -> None:
        life = one.life
        if not life.in_finance:
            return
        kind, vendor = kind_of(life), life.table == "finance_vendor"
        lacking = _lacking(truth, life) if vendor else []
        status = _status(truth, life, lacking) if vendor else ""
        row = _row(truth, life)
        one.workspaces[self.flow] = Expected(
            business_object=(kind.business_object, life.id),
            type=kind.workspace,
            required=not life.deleted,
            exact=not life.deleted,
            state="Deleted" if life.deleted else _state(row),
            name=_name(life, kind, row),
            parents={(above, _id(row[name])) for name, above in kind.above.items()},
            attributes=_attributes(kind, row) | (_judged(status, lacking) if vendor else {}),
            link="" if kind is MEMO else "xecmworkspace",
            running=1 if status == "In Approval" else 0,
        )
        if vendor:
            one.columns |= {"xecmstatus": status, "onholdstatus": _hold(life, status)}
            one.written["OnHoldStatus"] = _holds(truth, life, status)
        elif kind is MEMO:
            one.columns |= {"xecmworkspaceid": None, "xecmdocuments": 0}
        elif kind.above and not life.deleted:
            one.columns |= _documents(truth, life)

    def cells(self, verdict: Verdict) -> tuple[str, ...]:
        found, columns = verdict.found.get(self.flow), verdict.columns
        wanted = verdict.expectation.workspaces[self.flow]
        if found is None:
            return "none", "", "", "", ""
        status = columns.get("xecmstatus")
        holds = verdict.expectation.written.get("OnHoldStatus") or (columns.get("onholdstatus"),)
        return (
            f"{found.name} [{wanted.state}]",
            ", ".join(self._sources.get(verdict.expectation.life.key, ())) or "nobody: read",
            ", ".join(sorted(kind.removeprefix("fno_") for kind, _ in wanted.parents)),
            str(columns.get("xecmdocuments") or ""),
            f"{status}, on hold: {', then '.join(map(str, holds))}" if status else "",
        )


def _row(truth: Truth, life: Life) -> Row:
    """The row at the very end, with what was done while everything ran."""
    later = truth.after(life)
    return life.row | (later.changes if later else {})


def _name(life: Life, kind: Kind, row: Row) -> str | Either:
    """Two vendors have the same invoice number; who comes second shows its whole key."""
    name = kind.title.format(**row)
    if life.table == "finance_vendorinvoice":
        return Either(name, f"{name} ({life.id})")
    return name


def _id(number: object) -> str:
    return f"{COMPANY}~{str(number).lower()}"


def _state(row: Row) -> str:
    status = row.get("SalesOrderStatus", row.get("PurchaseOrderStatus"))
    return _ENDS.get(str(status), "Active")


def _attributes(kind: Kind, row: Row) -> dict[str, dict[str, Any]]:
    shown: dict[str, Any] = {"Record Number": row[kind.number]}
    if kind.name:
        shown["Record Name"] = row[kind.name]
    if not kind.above:
        return {"Business Record": shown}
    name = "Invoice" if kind.workspace == "Vendor Invoice" else kind.workspace.capitalize()
    transaction: dict[str, Any] = {"Kind": name, "Number": row[kind.number]}
    if kind.amount:
        transaction["Amount"] = float(str(row[kind.amount]))
    if kind.due:
        transaction["Due On"] = str(row[kind.due])[:10]
    return {"Business Record": shown, "Transaction": transaction}


def _documents(truth: Truth, life: Life) -> dict[str, Any]:
    """How many are there, and their links, the newest first; fields that nobody wrote are empty."""
    documents: dict[int, list[EcmHappening]] = {}
    for told in truth.happenings(life, "document."):
        assert told.document is not None
        documents.setdefault(told.document[0], []).append(told)
    there = [d for d in documents.values() if not d[-1].event.endswith("deleted")]
    there.sort(key=lambda d: d[0].at_ms, reverse=True)
    lines = [f"{d[-1].document[2]}: {d[-1].document[3]}" for d in there if d[-1].document]
    return {"xecmdocuments": len(there), "xecmdocumentlinks": "\n".join(lines) or None}


def _lacking(truth: Truth, life: Life) -> list[str]:
    return missing(truth.happenings(life, "document."), NEEDED)


def _status(truth: Truth, life: Life, lacking: list[str]) -> str:
    if life.row["OnHoldStatus"] == BY_PEOPLE:
        return "Blocked"
    if lacking:
        return "Collecting Evidence"
    approved = title(_row(truth, life)) in truth.decisions
    return "Active" if approved else "In Approval"


def _judged(status: str, lacking: list[str]) -> dict[str, dict[str, Any]]:
    hold = "No" if status == "Active" else "Yes"
    return {
        "Vendor": {"Onboarding Status": status, "Hold": hold},
        "Evidence": {"Missing": words(lacking)},
    }


def _hold(life: Life, status: str) -> str:
    if status == "Blocked":
        return str(life.row["OnHoldStatus"])
    return FREE if status == "Active" else HELD


def _holds(truth: Truth, life: Life, status: str) -> tuple[str, ...]:
    """The holds that were set and released for the vendor, in their order."""
    if status == "Blocked":
        return ()
    released = not _lacking(truth, life) and title(life.row) in truth.decisions
    again = released and truth.after(life) is not None
    return (HELD, *((FREE,) if released else ()), *((HELD,) if again else ()))
