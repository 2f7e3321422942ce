"""How the workspaces of finance and operations look, as a person would read it off the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.demo.truth import Life


@dataclass(frozen=True)
class Kind:
    """How a table's workspaces look. Names of columns; lookups by the table that they lead to."""

    business_object: str
    workspace: str
    title: str
    number: str
    name: str = ""
    amount: str = ""
    due: str = ""
    above: Mapping[str, str] = field(default_factory=dict)


KINDS: Mapping[str, Kind] = {
    "finance_customer": Kind(
        "fno_customer", "Account", "{OrganizationName} ({CustomerAccount})", "CustomerAccount",
        name="OrganizationName",
    ),
    "finance_vendor": Kind(
        "fno_vendor", "Vendor", "Vendor {VendorOrganizationName} ({VendorAccountNumber})",
        "VendorAccountNumber", name="VendorOrganizationName",
    ),
    "finance_salesorder": Kind(
        "fno_salesorder", "Sales Order", "Order {SalesOrderNumber} {SalesOrderName}",
        "SalesOrderNumber", name="SalesOrderName", amount="OrderTotalAmount",
        above={"OrderingCustomerAccountNumber": "fno_customer"},
    ),
    "finance_purchaseorder": Kind(
        "fno_purchaseorder", "Purchase Order", "Purchase order {PurchaseOrderNumber}",
        "PurchaseOrderNumber", name="PurchaseOrderName", due="RequestedDeliveryDate",
        above={"OrderVendorAccountNumber": "fno_vendor"},
    ),
    "finance_salesinvoice": Kind(
        "fno_invoice", "Invoice", "Invoice {InvoiceNumber}", "InvoiceNumber",
        amount="TotalInvoiceAmount",
        above={
            "InvoiceCustomerAccountNumber": "fno_customer", "SalesOrderNumber": "fno_salesorder",
        },
    ),
    "finance_vendorinvoice": Kind(
        "fno_vendorinvoice", "Vendor Invoice", "Vendor invoice {InvoiceNumber}", "InvoiceNumber",
        amount="TotalInvoiceAmount",
        above={"InvoiceAccount": "fno_vendor", "PurchaseOrderNumber": "fno_purchaseorder"},
    ),
}  # fmt: skip
#: An invoice below nothing is a credit memo.
MEMO = Kind(
    "fno_creditmemo", "Credit Memo", "Credit memo {InvoiceNumber}", "InvoiceNumber",
    amount="TotalInvoiceAmount", above=KINDS["finance_salesinvoice"].above,
)  # fmt: skip


def kind_of(life: Life) -> Kind:
    if float(str(life.row.get("TotalInvoiceAmount", 0))) < 0:
        return MEMO
    return KINDS[life.table]
