"""Flow 6: onboardings, credits and claims that come to their end, with all evidence or without."""

from __future__ import annotations

from typing import Any

from app.demo.acts.act import Act
from app.demo.acts.evidence import Needed, file, missing, parted_accounts, words
from app.demo.judge import Verdict
from app.demo.oracle import Expectation, Expected, owners, pair
from app.demo.pen import Pen
from app.demo.truth import Life, Row, Truth
from app.sandbox.events.change import iso

_OPEN, _DONE = 100_000_000, 100_000_001
#: The business object, the column that tells how far it is, the prefix of what Dovetail writes.
_KINDS = {
    "account": ("onboarding", "new_onboardingstatus", "new_onboarding"),
    "new_creditapproval": ("creditapproval", "new_status", "new_gate"),
    "new_claim": ("claim", "new_status", "new_gate"),
}
_STATUS = {"new_onboarding": "new_onboardinggate", "new_gate": "new_gatestatus"}
_LINKS = {"new_onboarding": "new_onboardingworkspace", "new_gate": "new_xecmworkspace"}
_FATES = ("good", "rejected", "good", "over", "renewed", "absent", "good", "unapproved", "removed")


class GatesAct(Act):
    """Records that need evidence before they are finalised."""

    flow = "compliance_gate"
    headings = ("evidence workspace", "gate", "missing", "in the end")

    def write(self, pen: Pen) -> None:
        customers, _ = parted_accounts(pen)
        for number, account in enumerate(customers):
            limit = "250000" if number % 3 == 0 else "5000"
            pen.event(account, "update", new_onboardingstatus=_OPEN, creditlimit=limit)
            self._happens(pen, account, number)
        for number in range(pen.size.others):
            customer = pen.chance.choice(customers).key if customers else None
            self._happens(pen, _credit(pen, number, customer), number)
            self._happens(pen, _claim(pen, number, customer), number)

    def _happens(self, pen: Pen, life: Life, number: int) -> None:
        """Evidence comes in; some are finalised later on, while everything runs."""
        business_object, column, _ = _KINDS[life.table]
        file(pen, life, business_object, _needed(life), _FATES[number % len(_FATES)])
        if number % 2 == 0:
            pen.later(life, **{column: _DONE})

    def expect(self, truth: Truth, one: Expectation) -> None:
        life = one.life
        if life.table not in _KINDS or life.row.get(_KINDS[life.table][1]) is None:
            return
        business_object, column, prefix = _KINDS[life.table]
        lacking = _missing(truth, life)
        later = truth.after(life)
        passed = later is not None and (not lacking or life.table == "new_creditapproval")
        gate = _gate(lacking)
        one.workspaces[self.flow] = Expected(
            business_object=(business_object, life.id),
            type="Evidence",
            required=not life.deleted,
            exact=not life.deleted,
            state="Deleted" if life.deleted else "Finalized" if passed else "Active",
            name=_name(life),
            owner=_owner(truth, life),
            parents=_parents(life),
            attributes={"Evidence": {"Gate Status": gate, "Missing": words(lacking)}},
            link=_LINKS[prefix],
        )
        if not life.deleted:
            wrong = later is not None and bool(lacking)
            one.columns |= {
                column: _DONE if passed else _OPEN,
                _STATUS[prefix]: gate,
                f"{prefix}missing": words(lacking),
                f"{prefix}violatedon": iso(later.at_ms) if wrong and later else None,
            }

    def cells(self, verdict: Verdict) -> tuple[str, ...]:
        found, columns = verdict.found.get(self.flow), verdict.columns
        life = verdict.expectation.life
        _, column, prefix = _KINDS[life.table]
        state = found.categories.get("Business Record", {}).get("Record State") if found else ""
        done = columns.get(column) == _DONE
        violated = columns.get(f"{prefix}violatedon") is not None
        ending = {
            (True, True): "finalised without it",
            (False, True): "finalised, taken back",
            (True, False): "finalised",
        }.get((done, violated), "")
        return (
            f"{found.name} [{state}]" if found else "none",
            str(columns.get(_STATUS[prefix]) or ""),
            str(columns.get(f"{prefix}missing") or ""),
            ending,
        )


def _credit(pen: Pen, number: int, customer: str | None) -> Life:
    row: Row = {
        "new_name": f"Line {number:03}",
        "new_accountid": customer,
        "new_amount": "900000" if number % 2 else "20000",
        "new_status": _OPEN,
    }
    return pen.new("new_creditapproval", number, f"Credit {number:03}", row)


def _claim(pen: Pen, number: int, customer: str | None) -> Life:
    row: Row = {
        "new_name": f"Damage {number:03}",
        "new_claimnumber": f"C-{7000 + number}",
        "new_accountid": customer,
        "new_amount": "25000" if number % 2 else "800",
        "new_injury": number % 3 == 0,
        "new_status": _OPEN,
    }
    return pen.new("new_claim", number, f"Claim {number:03}", row)


def _needed(life: Life) -> list[Needed]:
    """The artifacts that the record needs, as the rules say."""
    row = life.row
    if life.table == "account":
        needed = [
            Needed("Proof of Identity", dated=True),
            Needed("Beneficial Owners"),
            Needed("Sanctions Screening", approval=False),
        ]
        large = float(str(row["creditlimit"])) > 100_000
        return [*needed, Needed("Financial Statement")] if large else needed
    amount = float(str(row["new_amount"]))
    if life.table == "new_creditapproval":
        needed = [Needed("Credit Report", approval=False), Needed("Credit Memo")]
        return [*needed, Needed("Guarantee", dated=True)] if amount > 250_000 else needed
    needed = [
        Needed("Claim Form", approval=False),
        Needed("Photo", approval=False, count=2, label="Two Photos"),
    ]
    needed += [Needed("Expert Opinion")] if amount > 10_000 else []
    return [*needed, Needed("Medical Report")] if row["new_injury"] else needed


def _missing(truth: Truth, life: Life) -> list[str]:
    business_object = _KINDS[life.table][0]
    told = [
        happening
        for happening in truth.happenings(life, "document.")
        if happening.business_object and happening.business_object[1] == business_object
    ]
    return missing(told, _needed(life))


def _gate(lacking: list[str]) -> str:
    if not lacking:
        return "Open"
    return "Expired" if any("(expired)" in one for one in lacking) else "Closed"


def _name(life: Life) -> str:
    row: dict[str, Any] = life.row
    if life.table == "account":
        return f"Onboarding {row['name']}"
    if life.table == "new_creditapproval":
        return f"Credit Approval {row['new_name']}"
    return f"Claim {row['new_name']} ({row['new_claimnumber']})"


def _owner(truth: Truth, life: Life) -> str | None:
    """Only onboardings have a role that follows the record."""
    return owners(truth)[pair(life.row["ownerid"])[1]] if life.table == "account" else None


def _parents(life: Life) -> set[tuple[str, str]]:
    if life.table == "account":
        return {("account", life.id)}
    customer = life.row["new_accountid"]
    return {pair(customer)} if customer else set()
