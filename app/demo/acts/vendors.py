"""Flow 7: vendors that bring their papers, are approved or not, and change their bank."""

from __future__ import annotations

from typing import Any

from app.demo.acts.act import Act
from app.demo.acts.evidence import Needed, file, missing, parted_accounts, words
from app.demo.judge import Verdict
from app.demo.oracle import SOMETHING, Expectation, Expected, owners, pair
from app.demo.pen import Pen
from app.demo.truth import Life, Row, Truth

#: What a vendor has to bring; the ERP's own vendors, too.
NEEDED = (
    Needed("Tax Form"),
    Needed("Bank Details"),
    Needed("Insurance Certificate", dated=True),
    Needed("Supplier Contract", approval=False),
)
_BY_PEOPLE = 3
#: What becomes of the evidence, what approvers say, and whether the bank changes: never, before
#: anybody hears of the vendor, or while everything runs.
_STORIES: tuple[tuple[str, str, str], ...] = (
    ("good", "Approve", ""),
    ("good", "", ""),
    ("rejected", "Approve", ""),
    ("good", "Approve", "later"),
    ("over", "Approve", ""),
    ("good", "Reject", ""),
    ("renewed", "Approve", "before"),
    ("absent", "Approve", ""),
    ("good", "", "later"),
)
_SAID = {"Approve": ("Approved", "finn.finance"), "Reject": ("Rejected", "gina.guard")}


class VendorsAct(Act):
    """Vendors that are accounts, and vendors of dual-write."""

    flow = "vendor_onboarding"
    headings = ("supplier workspace", "status", "missing", "hold", "decision")

    def write(self, pen: Pen) -> None:
        _, accounts = parted_accounts(pen)
        for number, account in enumerate(accounts):
            pen.event(account, "update", customertypecode=11, **_details(number))
            _happens(pen, account, "vendor", number)
        vendors = [_vendor(pen, number) for number in range(pen.size.others)]
        for number, vendor in enumerate(vendors):
            _happens(pen, vendor, "msdyn_vendor", number)
        self._leaving = vendors[-1]

    def close(self, pen: Pen) -> None:
        pen.event(self._leaving, "delete")

    def expect(self, truth: Truth, one: Expectation) -> None:
        life = one.life
        if not _is_vendor(life):
            return
        lacking = _lacking(truth, life)
        status = _status(truth, life, lacking)
        account = life.table == "account"
        one.workspaces[self.flow] = Expected(
            business_object=("vendor" if account else "msdyn_vendor", life.id),
            type="Vendor",
            required=not life.deleted,
            exact=not life.deleted,
            foreign=life.deleted,
            state="Deleted" if life.deleted else "Active",
            name=_name(life),
            owner=owners(truth)[pair(life.row["ownerid"])[1]] if account else None,
            parents={("account", life.id)} if account else set(),
            attributes={
                "Vendor": {
                    "Onboarding Status": status,
                    "Hold": "No" if status == "Active" else "Yes",
                },
                "Evidence": {"Missing": words(lacking)},
            },
            link="new_vendorworkspace" if account else "new_xecmworkspace",
            running=1 if status == "In Approval" else 0,
        )
        if not life.deleted:
            one.columns |= _columns(truth, life, lacking, status)

    def cells(self, verdict: Verdict) -> tuple[str, ...]:
        found, columns = verdict.found.get(self.flow), verdict.columns
        decision = (columns.get("new_vendordecision"), columns.get("new_vendorapprover"))
        held = columns.get("new_vendorhold", columns.get("msdyn_onholdstatus"))
        return (
            found.name if found else "none",
            str(columns.get("new_vendorstatus") or ""),
            str(columns.get("new_vendormissing") or ""),
            {0: "no", 2: "all", _BY_PEOPLE: "payments"}.get(held, str(held)),
            " by ".join(str(part) for part in decision if part),
        )


def _happens(pen: Pen, life: Life, business_object: str, number: int) -> None:
    """Papers come in; the approvers know what they will say; some change their bank."""
    fate, says, bank = _STORIES[number % len(_STORIES)]
    file(pen, life, business_object, NEEDED, fate, home="Vendor")
    if says:
        pen.truth.decisions[_title(life)] = (says, f"{says}, after a look at the papers")
    if bank == "before":
        pen.event(life, "update", new_bankaccount=f"FR76 3000 {number:04}")
    if bank == "later":
        pen.later(life, new_bankaccount=f"NL91 ABNA {number:04}")


def _details(number: int) -> Row:
    return {"new_bankaccount": f"DE02 1203 {number:04}", "new_taxnumber": f"DE{100_000 + number}"}


def _vendor(pen: Pen, number: int) -> Life:
    """A vendor of dual-write; one is held for payments by people."""
    row: Row = {
        "msdyn_name": f"Fabrikam {number:03}",
        "msdyn_vendoraccountnumber": f"V-{3000 + number}",
        "msdyn_onholdstatus": _BY_PEOPLE if number == 0 else 0,
        "statecode": 0,
        **_details(number),
    }
    return pen.new("msdyn_vendor", number, str(row["msdyn_name"]), row)


def _is_vendor(life: Life) -> bool:
    return life.table == "msdyn_vendor" or life.row.get("customertypecode") == 11


def _title(life: Life) -> str:
    """The workflow's title: what approvers are asked."""
    named = "accountnumber" if life.table == "account" else "msdyn_name"
    return f"Release vendor {life.row[named]}"


def _name(life: Life) -> str:
    row = life.row
    if life.table == "account":
        return f"Vendor {row['name']} ({row['accountnumber']})"
    return f"Vendor {row['msdyn_name']} ({row['msdyn_vendoraccountnumber']})"


def _told(truth: Truth, life: Life) -> list[Any]:
    named = ("vendor", "msdyn_vendor")
    told = truth.happenings(life, "document.")
    return [one for one in told if one.business_object and one.business_object[1] in named]


def _lacking(truth: Truth, life: Life) -> list[str]:
    """What is missing; who refuses a vendor refuses the papers that came with the request."""
    lacking = missing(_told(truth, life), NEEDED)
    if not lacking and _says(truth, life) == "Reject" and not _is_blocked(life):
        return [f"{needed.type} (rejected)" for needed in NEEDED]
    return lacking


def _says(truth: Truth, life: Life) -> str:
    return truth.decisions.get(_title(life), ("", ""))[0]


def _is_blocked(life: Life) -> bool:
    return life.row.get("msdyn_onholdstatus") == _BY_PEOPLE


def _status(truth: Truth, life: Life, lacking: list[str]) -> str:
    if _is_blocked(life):
        return "Blocked"
    if lacking:
        expired = any("(expired)" in one for one in lacking)
        return "Evidence Expired" if expired else "Collecting Evidence"
    return "Active" if _says(truth, life) == "Approve" else "In Approval"


def _columns(truth: Truth, life: Life, lacking: list[str], status: str) -> dict[str, Any]:
    asked = status != "Blocked" and not missing(_told(truth, life), NEEDED)
    decision, approver = _SAID.get(_says(truth, life) if asked else "", ("Pending", None))
    active = status == "Active"
    if life.table == "account":
        hold: dict[str, Any] = {"new_vendorhold": not active}
    else:
        held = _BY_PEOPLE if status == "Blocked" else 2
        hold = {"msdyn_onholdstatus": 0 if active else held}
    return {
        **hold,
        "new_vendorstatus": status,
        "new_vendormissing": words(lacking),
        "new_vendorprogress": f"{len(NEEDED) - len(lacking)} of {len(NEEDED)}",
        "new_vendordecision": decision,
        "new_vendorapprover": approver,
        "new_vendordecidedon": SOMETHING if approver else None,
    }
