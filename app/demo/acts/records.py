"""Flow 1: accounts, opportunities and cases that live, are merged, closed and deleted."""

from __future__ import annotations

from typing import Any

from app.demo.acts.act import Act
from app.demo.judge import Verdict
from app.demo.oracle import Expectation, Expected, owners, pair
from app.demo.pen import Pen
from app.demo.truth import Life, Row, Truth, stage_id

_KINDS = {"account": "Account", "opportunity": "Opportunity", "incident": "Case"}


class RecordsAct(Act):
    """Records whose workspaces follow them."""

    flow = "record_workspace"
    headings = ("workspace", "link")

    def write(self, pen: Pen) -> None:
        size = pen.size
        accounts = [_account(pen, number) for number in range(size.accounts)]
        # Nobody points to the last accounts: they can go without leaving anything behind.
        staying, survivors = accounts[: -2 * size.leaving], accounts[: size.leaving]
        merged = accounts[-2 * size.leaving : -size.leaving]
        deals = [_deal(pen, number, staying) for number in range(size.deals)]
        cases = [_case(pen, number, staying) for number in range(size.cases)]
        for life in (*deals, *accounts, *cases):
            _live(pen, life)
        for survivor, gone in zip(survivors, merged, strict=True):
            pen.event(gone, "update", merged=True, masterid=survivor.key, statecode=1)

    def close(self, pen: Pen) -> None:
        size = pen.size
        # Other acts have records of these tables too: those of this one came first.
        for table, count in zip(_KINDS, (size.accounts, size.deals, size.cases), strict=True):
            for life in list(pen.truth.of(table))[count - size.leaving : count]:
                pen.event(life, "delete")

    def expect(self, truth: Truth, one: Expectation) -> None:
        life = one.life
        if life.table not in _KINDS:
            return
        one.workspaces[self.flow] = Expected(
            business_object=(life.table, life.id),
            type=_KINDS[life.table],
            required=not life.deleted,
            exact=not life.deleted,
            state=_state(life),
            name=_name(life),
            owner=owners(truth)[pair(life.row["ownerid"])[1]],
            parents=parents_of(life),
            attributes={"Business Record": _attributes(life)},
        )

    def cells(self, verdict: Verdict) -> tuple[str, ...]:
        found = verdict.found.get(self.flow)
        if found is None:
            return "none", ""
        state = found.categories.get("Business Record", {}).get("Record State")
        url = str(verdict.columns.get("new_xecmworkspaceurl") or "")
        return f"{found.name} [{state}]", url.partition("/cs/")[2]


def _account(pen: Pen, number: int) -> Life:
    row: Row = {
        "name": f"Contoso {number:03}",
        "accountnumber": f"A-{10_000 + number}",
        "parentaccountid": None,
        "ownerid": pen.owner(),
        "statecode": 0,
        "accountcategorycode": 1 if number % 4 == 0 else 2,
        "merged": False,
        "masterid": None,
    }
    earlier = list(pen.truth.of("account"))[: pen.size.accounts // 2]
    if earlier and number % 3 == 0:
        row["parentaccountid"] = pen.chance.choice(earlier).key
    return pen.new("account", number, str(row["name"]), row)


def _deal(pen: Pen, number: int, accounts: list[Life]) -> Life:
    account = pen.chance.choice(accounts).key
    guided = number % 2 == 0
    row: Row = {
        "name": f"Deal {number:03}",
        "customerid": account,
        "parentaccountid": account,
        "ownerid": pen.owner(),
        "estimatedvalue": str(pen.chance.randrange(1_000, 90_000)) + ".5",
        "estimatedclosedate": f"2027-{pen.chance.randrange(1, 13):02}-15",
        "salesstage": None if guided else 0,
        "statecode": 0,
    }
    deal = pen.new("opportunity", number, str(row["name"]), row)
    if guided:
        first: Row = {
            "opportunityid": deal.key,
            "activestageid": f"processstage:{stage_id(0)}",
            "statecode": 0,
            "statuscode": 1,
        }
        process = pen.made("opportunitysalesprocess", number, f"process {number}")
        pen.truth.processes[deal.key] = process
        pen.event(process, "create", **first)
    return deal


def _case(pen: Pen, number: int, accounts: list[Life]) -> Life:
    row: Row = {
        "title": f"Case {number:03}",
        "ticketnumber": f"CAS-{20_000 + number}",
        "customerid": pen.chance.choice(accounts).key,
        "ownerid": pen.owner(),
        "statecode": 0,
        "prioritycode": 2,
        "isescalated": False,
        "new_casevalue": None,
        "new_resolution": None,
        "merged": False,
        "masterid": None,
    }
    return pen.new("incident", number, str(row["title"]), row)


def _live(pen: Pen, life: Life) -> None:
    """A few changes, some of them back to what was before."""
    for _ in range(pen.chance.randrange(5, 9)):
        _change(pen, life)
    if life.table != "opportunity" and pen.chance.random() < 0.3:
        pen.event(life, "update", statecode=1)


def _change(pen: Pen, life: Life) -> None:
    name = "title" if life.table == "incident" else "name"
    base = str(life.row[name]).partition(",")[0]
    changes: list[Row] = [
        {name: f"{base}, {pen.chance.choice(['East', 'West', 'North'])}"},
        {name: base},
        {"ownerid": pen.owner()},
        {"ownerid": pen.owner(), name: base},
    ]
    if life.table == "opportunity":
        changes.append({"estimatedvalue": str(pen.chance.randrange(1_000, 90_000))})
    pen.event(life, "update", **pen.chance.choice(changes))


def _state(life: Life) -> str:
    if life.deleted:
        return "Deleted"
    if life.row.get("merged"):
        return "Merged"
    return "Active" if life.row["statecode"] == 0 else "Closed"


def _name(life: Life) -> str:
    row = life.row
    match life.table:
        case "account":
            return f"{row['name']} ({row['accountnumber']})"
        case "incident":
            return f"{row['title']} ({row['ticketnumber']})"
    return str(row["name"])


def parents_of(life: Life) -> set[tuple[str, str]]:
    """The records that a record hangs below."""
    pointing = {"account": "parentaccountid", "incident": "customerid"}
    lookups = [life.row[pointing.get(life.table, "parentaccountid")], life.row.get("masterid")]
    return {pair(lookup) for lookup in lookups if lookup}


def _attributes(life: Life) -> dict[str, Any]:
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
