"""What happens in finance and operations: customers, vendors, orders and invoices.

Customers are told by nobody: an order names them, and they are read. Rows have the names and values
of OData here.
"""

from __future__ import annotations

from app.demo.acts.evidence import file
from app.demo.acts.finance_kinds import kind_of
from app.demo.acts.vendors import NEEDED
from app.demo.pen import Pen
from app.demo.truth import Life, Row

COMPANY = "usmf"
HELD, FREE, BY_PEOPLE = "All", "No", "Payment"
#: Who tells of a row, in turn; business events are thin, and the row is read.
_SOURCES = (("lake",), ("data",), ("business",), ("lake", "data", "business"))
_VENDOR_SOURCES = (("data",), ("lake",), ("lake", "data"), ("data",))
#: Of each vendor: what becomes of the evidence, what approvers say, the hold that people have set.
_VENDORS = (
    ("good", "Approve", FREE),
    ("good", "Approve", FREE),
    ("absent", "", FREE),
    ("good", "", BY_PEOPLE),
)


#: What is filed with an order or invoice: each document's events in turn.
_FILED: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("added",), ("added", "version_added")),
    (),
    (("added", "deleted"), ("added",)),
)


def happen(pen: Pen) -> Life:
    """Write all of it; returns the order that is deleted in the end, which nobody has invoiced."""
    count = max(2, pen.size.others // 3)
    customers = [_customer(pen, number) for number in range(max(1, count - 1))]
    vendors = [_vendor(pen, number) for number in range(len(_VENDORS))]
    orders = [_order(pen, n, customers) for n in range(count)]
    bought = [_purchase(pen, n, vendors) for n in range(count)]
    invoices = [_invoice(pen, n, orders[:-1]) for n in range(count)]
    bills = [_bill(pen, n, bought) for n in range(count // 2)]
    for number, life in enumerate((*orders, *bought, *invoices, *bills)):
        pen.truth.sources[life.key] = _SOURCES[number % len(_SOURCES)]
        _file(pen, life, number)
    pen.truth.sources[orders[-1].key] = ("lake", "data")
    return orders[-1]


def title(row: Row) -> str:
    """What approvers are asked."""
    return f"Release vendor {row['VendorOrganizationName']}"


def _new(pen: Pen, table: str, title: str, key: tuple[str, ...], row: Row) -> Life:
    """A row of the company, by the numbers that name it."""
    life = Life(table, "~".join((COMPANY, *map(str.lower, key))), title)
    pen.truth.lives.append(life)
    pen.event(life, "create", dataAreaId=COMPANY, **row)
    return life


def _customer(pen: Pen, number: int) -> Life:
    account, name = f"US-{number:03}", f"Kumi {number:03} Oy"
    row: Row = {"CustomerAccount": account, "OrganizationName": name}
    return _new(pen, "finance_customer", f"Customer {account}", (account,), row)


def _vendor(pen: Pen, number: int) -> Life:
    """Papers come in before anybody hears of it; the first moves and changes its bank later."""
    fate, says, hold = _VENDORS[number]
    account = f"FV-{number:03}"
    row: Row = {
        "VendorAccountNumber": account,
        "VendorOrganizationName": f"Northwind {number:03}",
        "VendorGroupId": "10",
        "TaxExemptNumber": f"FI{200_000 + number}",
        "BankAccountId": f"FI21 1234 {number:04}",
        "OnHoldStatus": hold,
    }
    life = _new(pen, "finance_vendor", f"ERP vendor {account}", (account,), row)
    pen.event(life, "update", VendorGroupId="20")
    pen.truth.sources[life.key] = _VENDOR_SOURCES[number]
    file(pen, life, "fno_vendor", NEEDED, fate, home="Vendor")
    if says:
        pen.truth.decisions[title(life.row)] = (says, f"{says}, after a look at the papers")
    if number == 0:
        # Asked under its new name, the approvers take their time: the vendor stays on hold.
        name = f"{life.row['VendorOrganizationName']} Nord"
        pen.later(life, VendorOrganizationName=name, BankAccountId="NL91 ABNA 0417")
    return life


def _order(pen: Pen, number: int, customers: list[Life]) -> Life:
    customer = customers[number % len(customers)]
    row: Row = {
        "SalesOrderNumber": f"SO-{70_000 + number}",
        "SalesOrderName": f"Valves {number:03}",
        "SalesOrderStatus": "Backorder",
        "OrderingCustomerAccountNumber": customer.row["CustomerAccount"],
        "OrderTotalAmount": f"{900 + 13 * number}.5",
    }
    life = _new(pen, "finance_salesorder", f"ERP order {row['SalesOrderNumber']}",
                (str(row["SalesOrderNumber"]),), row)  # fmt: skip
    pen.event(life, "update", OrderTotalAmount=str(pen.chance.randrange(100, 9_000)))
    pen.event(life, "update", SalesOrderStatus=("Invoiced", "Delivered", "Canceled")[number % 3])
    return life


def _purchase(pen: Pen, number: int, vendors: list[Life]) -> Life:
    row: Row = {
        "PurchaseOrderNumber": f"FPO-{80_000 + number}",
        "PurchaseOrderName": f"Steel {number:03}",
        "PurchaseOrderStatus": "Backorder",
        "DocumentApprovalStatus": "Approved",
        "OrderVendorAccountNumber": vendors[number % len(vendors)].row["VendorAccountNumber"],
        "RequestedDeliveryDate": f"2027-{number % 12 + 1:02}-10T12:00:00Z",
    }
    life = _new(pen, "finance_purchaseorder", f"ERP purchase {row['PurchaseOrderNumber']}",
                (str(row["PurchaseOrderNumber"]),), row)  # fmt: skip
    pen.event(life, "update", DocumentApprovalStatus="Confirmed")
    pen.event(life, "update", PurchaseOrderStatus=("Received", "Canceled", "Invoiced")[number % 3])
    return life


def _invoice(pen: Pen, number: int, orders: list[Life]) -> Life:
    """Every second one is a credit memo."""
    order = orders[number % len(orders)].row
    row: Row = {
        "InvoiceNumber": f"CIV-{90_000 + number}",
        "InvoiceDate": f"2026-{number % 12 + 1:02}-28T12:00:00Z",
        "LedgerVoucher": f"L-{number:05}",
        "InvoiceCustomerAccountNumber": order["OrderingCustomerAccountNumber"],
        "SalesOrderNumber": order["SalesOrderNumber"],
        "TotalInvoiceAmount": f"{-200 if number % 2 else 700}.25",
    }
    number_ = str(row["InvoiceNumber"])
    return _new(pen, "finance_salesinvoice", f"ERP invoice {number_}", (number_,), row)


def _bill(pen: Pen, number: int, bought: list[Life]) -> Life:
    """A vendor's invoice, which its own number names only together with the vendor's."""
    order = bought[number % len(bought)].row
    vendor = order["OrderVendorAccountNumber"]
    row: Row = {
        "HeaderReference": f"H-{number:05}",
        "InvoiceNumber": "V-1",
        "InvoiceDate": "2026-11-02T12:00:00Z",
        "InvoiceAccount": vendor,
        "PurchaseOrderNumber": order["PurchaseOrderNumber"],
        "TotalInvoiceAmount": f"{410 + number}",
    }
    return _new(pen, "finance_vendorinvoice", f"Invoice V-1 of {vendor}", (str(vendor), "V-1"), row)


def _file(pen: Pen, life: Life, number: int) -> None:
    for happenings in _FILED[number % len(_FILED)]:
        document = pen.paper("Order Form.pdf")
        for version, happened in enumerate(happenings, start=1):
            name, link = f"Form {document}.pdf", f"https://ecm.contoso.example/documents/{document}"
            pen.tell(
                life,
                f"document.{happened}",
                kind_of(life).business_object,
                document=(document, version, name, link),
                document_type="Order Form",
            )
