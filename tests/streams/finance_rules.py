"""Customers, orders and vendors of finance and operations: a rule book of its own for tests."""

from __future__ import annotations

from streams.catalogue import Catalogue, Column, ColumnKind, Finance, Table
from streams.rules import RecordWorkspaceRule, RuleBook, TransactionRule, VendorOnboardingRule

_K = ColumnKind
_COMPANY = {"dataareaid": Column(_K.TEXT)}
_SHOWN = {"xecmworkspaceid": Column(_K.TEXT), "xecmworkspaceurl": Column(_K.TEXT)}
_LINK = {"workspace_id": "xecmworkspaceid", "workspace_url": "xecmworkspaceurl"}

CUSTOMER = Table(
    "finance_customer",
    "CustomersV3",
    "",
    {
        **_COMPANY,
        "customeraccount": Column(_K.TEXT),
        "organizationname": Column(_K.TEXT),
        **_SHOWN,
    },
    finance=Finance(("dataareaid", "customeraccount"), frozenset({"custtable"})),
)
ORDER = Table(
    "finance_salesorder",
    "SalesOrderHeadersV2",
    "",
    {
        **_COMPANY,
        "salesordernumber": Column(_K.TEXT),
        "salesordername": Column(_K.TEXT),
        "salesorderstatus": Column(
            _K.CHOICE,
            symbols=(("None", 0), ("Backorder", 1), ("Delivered", 2), ("Invoiced", 3)),
        ),
        "orderingcustomeraccountnumber": Column(_K.LOOKUP, ("finance_customer",)),
        "ordertotalamount": Column(_K.NUMBER),
        **_SHOWN,
        "xecmdocuments": Column(_K.INTEGER),
        "xecmdocumentlinks": Column(_K.TEXT),
    },
    finance=Finance(
        ("dataareaid", "salesordernumber"),
        frozenset({"salestable", "mserp_salesorderheaderv2entity"}),
        {
            "salesid": "salesordernumber",
            "salesname": "salesordername",
            "salesstatus": "salesorderstatus",
            "custaccount": "orderingcustomeraccountnumber",
        },
        {"SalesOrderConfirmedBusinessEvent": {"salesordernumber": "SalesOrderNumber"}},
    ),
)
VENDOR = Table(
    "finance_vendor",
    "VendorsV2",
    "",
    {
        **_COMPANY,
        "vendoraccountnumber": Column(_K.TEXT),
        "vendororganizationname": Column(_K.TEXT),
        "bankaccountid": Column(_K.TEXT),
        "onholdstatus": Column(
            _K.CHOICE, symbols=(("No", 0), ("Invoice", 1), ("All", 2), ("Payment", 3))
        ),
        **_SHOWN,
        "xecmstatus": Column(_K.TEXT),
    },
    finance=Finance(
        ("dataareaid", "vendoraccountnumber"),
        frozenset({"vendtable", "mserp_vendvendorv2entity"}),
        {
            "accountnum": "vendoraccountnumber",
            "bankaccount": "bankaccountid",
            "blocked": "onholdstatus",
        },
    ),
)
TABLES = (CUSTOMER, ORDER, VENDOR)


def _workspace(kind: str, name: str, **more: object) -> dict[str, object]:
    return {
        "external_system": "D365",
        "business_object_type": f"fno_{kind.lower()}",
        "type": kind,
        "name": name,
        "state_attribute": "Business Record/Record State",
        **more,
    }


CUSTOMER_RULE = RecordWorkspaceRule.model_validate(
    {
        "name": "finance-customer",
        "table": "finance_customer",
        "workspace": _workspace("Customer", "{organizationname} ({customeraccount})"),
        "write_back": _LINK,
    }
)
ORDER_RULE = TransactionRule.model_validate(
    {
        "name": "finance-order",
        "table": "finance_salesorder",
        "closed": "record.salesorderstatus == 3",
        "financial": ["ordertotalamount"],
        "workspace": _workspace(
            "Order",
            "Order {salesordernumber} {salesordername}",
            attributes={"Transaction": {"Amount": "record.ordertotalamount"}},
            relations=[{"column": "orderingcustomeraccountnumber"}],
        ),
        "write_back": {
            **_LINK,
            "documents": "xecmdocuments",
            "document_links": "xecmdocumentlinks",
        },
    }
)
VENDOR_RULE = VendorOnboardingRule.model_validate(
    {
        "name": "finance-vendor",
        "table": "finance_vendor",
        "when": "record.onholdstatus != 5",
        "details": ["bankaccountid"],
        "workspace": _workspace("Vendor", "Vendor {vendororganizationname}"),
        "artifacts": [{"type": "Bank Details"}],
        "approval": {
            "workflow_map": "Vendor Approval",
            "title": "Release {vendororganizationname}",
            "attributes": {"Bank": "record.bankaccountid"},
        },
        "activation": {"held": {"onholdstatus": 2}, "active": {"onholdstatus": 0}},
        "statuses": {"active": "Active", "in_approval": "In Approval"},
        "write_back": {**_LINK, "status": "xecmstatus"},
    }
)

BOOK = RuleBook(
    catalogue=Catalogue({table.name: table for table in TABLES}),
    rules=(CUSTOMER_RULE, ORDER_RULE, VENDOR_RULE),
    digest="finance-test-rules",
)
