"""Flow 4: orders, invoices and credit memos, and the documents that support them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.demo.acts.act import Act
from app.demo.judge import Verdict
from app.demo.oracle import Expectation, Expected, Kept, owners, pair
from app.demo.pen import Pen
from app.demo.truth import Life, Row, Truth
from app.sandbox.events.change import iso
from app.sandbox.events.ecm import EcmHappening

_CLASS = "Finance/Transactions"
_PREFIX = "document."
#: Business object type, workspace type, the columns of name, number, amount and due date, and the
#: lookups that lead to the workspaces above.
_KINDS: Mapping[str, tuple[str, str, tuple[str, str, str, str], Mapping[str, str]]] = {
    "salesorder": (
        "salesorder",
        "Sales Order",
        ("name", "ordernumber", "totalamount", "requestdeliveryby"),
        {"customerid": "account", "opportunityid": "opportunity"},
    ),
    "msdyn_purchaseorder": (
        "purchaseorder",
        "Purchase Order",
        ("msdyn_name", "msdyn_name", "msdyn_totalamount", "msdyn_dateexpected"),
        {"msdyn_vendor": "account"},
    ),
    "invoice": (
        "invoice",
        "Invoice",
        ("name", "invoicenumber", "totalamount", "duedate"),
        {"customerid": "account", "salesorderid": "salesorder"},
    ),
    "new_creditmemo": (
        "creditmemo",
        "Credit Memo",
        ("new_name", "new_number", "new_totalamount", ""),
        {"new_customerid": "account", "new_invoiceid": "invoice"},
    ),
}
#: The columns that end a transaction, by table: the last change of some of them.
_ENDINGS: Mapping[str, tuple[tuple[Row, str], ...]] = {
    "salesorder": (({"statecode": 2}, "Cancelled"), ({"statecode": 4}, "Closed")),
    "msdyn_purchaseorder": (
        ({"msdyn_systemstatus": 690970002}, "Cancelled"),
        ({"msdyn_systemstatus": 690970004}, "Closed"),
    ),
    "invoice": (({"statecode": 2}, "Paid"), ({"statecode": 3}, "Cancelled")),
    "new_creditmemo": (
        ({"statuscode": 3}, "Closed"),
        ({"statecode": 1, "statuscode": 2}, "Cancelled"),
    ),
}
#: What is filed with a transaction: each document's kind, and what happens to it in turn.
_FILED: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...] = (
    (),
    (("Order Form", ("added",)),),
    (("Order Form", ("added", "version_added")), ("Shipping Confirmation", ("added",))),
    (("Tax Document", ("added",)), ("Dispute Evidence", ("added", "renamed"))),
    (("Dispute Evidence", ("added", "deleted")), ("Tax Document", ("added",))),
    (("Minutes", ("added", "deleted")),),
    tuple(("Dispute Evidence", ("added",)) for _ in range(6)),
)
#: Of a credit memo only these come back.
_OF_DISPUTES = ("Dispute Evidence", "Credit Note")
_NEWEST = 5


class TransactionsAct(Act):
    """Orders, invoices and credit memos."""

    flow = "erp_documents"
    headings = ("workspace", "related to", "documents")

    def write(self, pen: Pen) -> None:
        half = max(1, pen.size.others // 2)
        accounts = list(pen.truth.of("account"))[: pen.size.accounts // 2]
        deals = list(pen.truth.of("opportunity"))[: pen.size.deals // 2]
        orders = [_order(pen, n, accounts, deals) for n in range(pen.size.others)]
        invoices = [_invoice(pen, n, orders) for n in range(pen.size.others)]
        memos = [_memo(pen, n, invoices) for n in range(half)]
        bought = [_purchase(pen, n, accounts) for n in range(half)]
        for number, life in enumerate((*memos, *bought, *invoices, *orders)):
            _file(pen, life, number)
            _live(pen, life, number)

    def close(self, pen: Pen) -> None:
        pen.event(list(pen.truth.of("new_creditmemo"))[-1], "delete")

    def expect(self, truth: Truth, one: Expectation) -> None:
        life = one.life
        if life.table not in _KINDS:
            return
        business_object, kind, (_, _, _, _), lookups = _KINDS[life.table]
        kept = life.table in ("invoice", "new_creditmemo") and not life.deleted
        one.workspaces[self.flow] = Expected(
            business_object=(business_object, life.id),
            type=kind,
            required=not life.deleted,
            exact=not life.deleted,
            state=_state(life),
            name=_name(life),
            owner=owners(truth)[pair(life.row["ownerid"])[1]],
            parents={
                (target, pair(life.row[column])[1])
                for column, target in lookups.items()
                if life.row[column]
            },
            attributes=_attributes(life),
            kept=Kept(_CLASS, _ended_on(life)) if kept else None,
        )
        if not life.deleted:
            one.columns |= _columns(truth, life)

    def cells(self, verdict: Verdict) -> tuple[str, ...]:
        found = verdict.found.get(self.flow)
        wanted = verdict.expectation.workspaces[self.flow]
        if found is None:
            return "none", "", ""
        count = verdict.columns.get("new_documents")
        related = ", ".join(sorted(table for table, _ in wanted.parents))
        newest = str(verdict.columns.get("new_documentlinks") or "").partition(": ")[0]
        return (
            f"{found.name} [{wanted.state}]",
            related,
            f"{count}, last {newest}" if count else str(count or ""),
        )


def _order(pen: Pen, number: int, accounts: list[Life], deals: list[Life]) -> Life:
    row: Row = {
        "name": f"Pumps {number:03}",
        "ordernumber": f"ORD-{30_000 + number}",
        "customerid": accounts[number * 2 % len(accounts)].key,
        "opportunityid": deals[number % len(deals)].key if number % 3 == 0 else None,
        "ownerid": pen.owner(),
        "totalamount": f"{1_000 + 17 * number}.5",
        "totaltax": None,
        "requestdeliveryby": f"2027-{number % 12 + 1:02}-20",
        "statecode": 0,
    }
    return pen.new("salesorder", number, f"Order {row['ordernumber']}", row)


def _invoice(pen: Pen, number: int, orders: list[Life]) -> Life:
    order = orders[number * 5 % len(orders)]
    row: Row = {
        "name": order.row["name"],
        "invoicenumber": f"INV-{40_000 + number}",
        "customerid": order.row["customerid"],
        "salesorderid": order.key,
        "ownerid": pen.owner(),
        "totalamount": order.row["totalamount"],
        "totaltax": "19",
        "duedate": f"2027-{number % 12 + 1:02}-28",
        "statecode": 0,
    }
    return pen.new("invoice", number, f"Invoice {row['invoicenumber']}", row)


def _memo(pen: Pen, number: int, invoices: list[Life]) -> Life:
    invoice = invoices[number % len(invoices)]
    row: Row = {
        "new_name": f"Broken pump {number:03}",
        "new_number": f"CM-{50_000 + number}",
        "new_customerid": invoice.row["customerid"],
        "new_invoiceid": invoice.key,
        "ownerid": pen.owner(),
        "new_totalamount": f"-{100 + number}",
        "statecode": 0,
        "statuscode": 1,
    }
    return pen.new("new_creditmemo", number, f"Credit memo {row['new_number']}", row)


def _purchase(pen: Pen, number: int, accounts: list[Life]) -> Life:
    row: Row = {
        "msdyn_name": f"PO-{60_000 + number}",
        "msdyn_vendor": accounts[number * 7 % len(accounts)].key,
        "ownerid": pen.owner(),
        "msdyn_totalamount": str(500 + number),
        "msdyn_amountbilled": None,
        "msdyn_dateexpected": f"2027-{number % 12 + 1:02}-10T00:00:00Z",
        "msdyn_systemstatus": 690970001,
    }
    return pen.new("msdyn_purchaseorder", number, f"Purchase order {row['msdyn_name']}", row)


def _file(pen: Pen, life: Life, number: int) -> None:
    for place, (kind, happenings) in enumerate(_FILED[number % len(_FILED)]):
        document = 900_000 + 10 * number + place
        for version, happened in enumerate(happenings, start=1):
            link = f"https://ecm.contoso.example/documents/{document}"
            name = f"{kind} {document}{', final' if happened == 'renamed' else ''}.pdf"
            pen.tell(
                life,
                f"{_PREFIX}{happened}",
                _KINDS[life.table][0],
                document=(document, version, name, link),
                document_type=kind,
            )


def _live(pen: Pen, life: Life, number: int) -> None:
    """The amount changes, the owner does, and most come to an end; some go on after it."""
    amount = _KINDS[life.table][2][2]
    pen.event(life, "update", **{amount: str(pen.chance.randrange(100, 9_000))})
    pen.event(life, "update", ownerid=pen.owner())
    ending = number % 4
    if ending < 2:
        pen.event(life, "update", **_ENDINGS[life.table][ending][0])
    if ending == 1 and life.table == "invoice":
        pen.event(life, "update", statecode=0)


def _state(life: Life) -> str:
    return "Deleted" if life.deleted else _end(life.table, life.row)


def _end(table: str, row: Mapping[str, Any]) -> str:
    for columns, word in _ENDINGS[table]:
        column, value = next(iter(columns.items()))
        if row[column] == value:
            return word
    return "Active"


def _ended_on(life: Life) -> str | None:
    """The day since which the transaction has been at its end without a break."""
    since = None
    for event in life.events:
        ended = _end(life.table, event.row) != "Active"
        since = (since or iso(event.at_ms)[:10]) if ended else None
    return since


def _name(life: Life) -> str:
    row = life.row
    match life.table:
        case "salesorder":
            return f"Order {row['ordernumber']} {row['name']}"
        case "invoice":
            return f"Invoice {row['invoicenumber']} {row['name']}"
        case "new_creditmemo":
            return f"Credit memo {row['new_number']}"
    return f"Purchase order {row['msdyn_name']}"


def _attributes(life: Life) -> dict[str, dict[str, Any]]:
    name, number, amount, due = _KINDS[life.table][2]
    shown: dict[str, Any] = {
        "Kind": _KINDS[life.table][1].capitalize(),
        "Number": life.row[number],
        "Amount": float(str(life.row[amount])),
    }
    if due:
        shown["Due On"] = str(life.row[due])[:10]
    return {
        "Business Record": {"Record Name": life.row[name], "Record Number": life.row[number]},
        "Transaction": shown,
    }


def _columns(truth: Truth, life: Life) -> dict[str, Any]:
    """What comes back of the documents, event by event as they came."""
    documents: dict[int, list[EcmHappening]] = {}
    for told in truth.happenings(life, _PREFIX):
        assert told.document is not None
        documents.setdefault(told.document[0], []).append(told)
    if not documents:
        return {"new_documents": None, "new_documentlinks": None}
    there = [d for d in documents.values() if not d[-1].event.endswith("deleted")]
    if life.table == "new_creditmemo":
        there = [d for d in there if d[-1].attributes["document_type"] in _OF_DISPUTES]
    there.sort(key=lambda d: d[0].at_ms, reverse=True)
    shown = [d[-1].document for d in there if d[-1].document]
    lines = [f"{name}: {link}" for _, _, name, link in shown[:_NEWEST]]
    columns: dict[str, Any] = {
        "new_documents": len(there),
        "new_documentlinks": "\n".join(lines) or None,
    }
    if life.table == "invoice":
        first = shown[0] if shown else None
        columns |= {
            "new_documentid": str(first[0]) if first else None,
            "new_documentname": first[2] if first else None,
            "new_documenturl": first[3] if first else None,
            "new_documentfiledon": iso(there[0][0].at_ms) if there else None,
        }
    return columns
