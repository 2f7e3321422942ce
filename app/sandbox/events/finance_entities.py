"""The data entities that the simulated finance and operations has, and their enums.

From reference/dataverse.md 3.5 and 4: an entity has an OData name and a set, a native table beneath
with names of its own (which Synapse Link shows), and a virtual entity in Dataverse (which data
events name). Names that the reference does not have are as close as we know them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "enum", "number", "date"]

ENUMS: Mapping[str, Mapping[str, int]] = {
    "CustVendorBlocked": {
        "No": 0,
        "Invoice": 1,
        "All": 2,
        "Payment": 3,
        "Requisition": 4,
        "Never": 5,
        "PurchOrder": 6,
    },
    "DirPartyType": {"None": 0, "Person": 1, "Organization": 2},
    "PurchStatus": {"None": 0, "Backorder": 1, "Received": 2, "Invoiced": 3, "Canceled": 4},
    "SalesStatus": {"None": 0, "Backorder": 1, "Delivered": 2, "Invoiced": 3, "Canceled": 4},
    "VersioningDocumentState": {
        "Draft": 0,
        "InReview": 10,
        "Rejected": 20,
        "Approved": 30,
        "InExternalReview": 35,
        "Confirmed": 40,
        "Finalized": 50,
    },
    "NoYes": {"No": 0, "Yes": 1},
}
COMPANY = "dataAreaId"
#: Empty dates are this one, at noon in OData.
NO_DATE = "1900-01-01T12:00:00Z"


@dataclass(frozen=True, slots=True)
class Field:
    """One property: its kind, its enum, the native column, and whether OData may write it."""

    name: str
    kind: Kind = "text"
    enum: str = ""
    native: str = ""
    read_only: bool = False

    @property
    def empty(self) -> str | int:
        """The value of a field that nobody set: there is no null."""
        if self.kind == "enum":
            return next(iter(ENUMS[self.enum]))
        if self.kind == "date":
            return NO_DATE
        return 0 if self.kind == "number" else ""

    @property
    def column(self) -> str:
        """The native column's name, in lower case as Synapse Link has it."""
        return self.native or self.name.lower()


@dataclass(frozen=True, slots=True)
class Entity:
    """One data entity. ``number`` and ``virtual_number`` begin its guids elsewhere."""

    name: str
    entity_set: str
    key: tuple[str, ...]
    table: str
    virtual: str
    number: int
    virtual_number: int
    fields: Mapping[str, Field]

    def field(self, name: str) -> Field | None:
        return self.fields.get(name)


#: What a company adds to its entities by extension, for Dovetail to write.
ADDED = (
    Field("XecmWorkspaceId"),
    Field("XecmWorkspaceUrl"),
    Field("XecmDocuments", "number"),
    Field("XecmDocumentLinks"),
    Field("XecmStatus"),
)


def _fields(*fields: Field) -> Mapping[str, Field]:
    return {field.name: field for field in (Field(COMPANY), *fields, *ADDED)}


_VENDOR = _fields(
    Field("VendorAccountNumber", native="accountnum"),
    Field("VendorOrganizationName"),
    Field("VendorGroupId", native="vendgroup"),
    Field("CurrencyCode", native="currency"),
    Field("TaxExemptNumber", native="vatnum"),
    Field("BankAccountId", native="bankaccount"),
    Field("OnHoldStatus", "enum", "CustVendorBlocked", "blocked"),
    Field("VendorHoldReleaseDate", "date", native="blockedreleasedate"),
    Field("VendorPartyNumber"),
    Field("VendorPartyType", "enum", "DirPartyType"),
)
_CUSTOMER = _fields(
    Field("CustomerAccount", native="accountnum"),
    Field("OrganizationName"),
    Field("CustomerGroupId", native="custgroup"),
    Field("SalesCurrencyCode", native="currency"),
    Field("PartyNumber"),
)
_PURCHASE_ORDER = _fields(
    Field("PurchaseOrderNumber", native="purchid"),
    Field("PurchaseOrderName", native="purchname"),
    Field("PurchaseOrderStatus", "enum", "PurchStatus", "purchstatus", read_only=True),
    Field(
        "DocumentApprovalStatus", "enum", "VersioningDocumentState", "documentstate", read_only=True
    ),
    Field("OrderVendorAccountNumber", native="orderaccount"),
    Field("InvoiceVendorAccountNumber", native="invoiceaccount"),
    Field("CurrencyCode"),
    Field("RequestedDeliveryDate", "date", native="deliverydate"),
    Field("ProjectId", native="projid"),
    Field("VendorOrderReference"),
)
_SALES_ORDER = _fields(
    Field("SalesOrderNumber", native="salesid"),
    Field("SalesOrderName", native="salesname"),
    Field("SalesOrderStatus", "enum", "SalesStatus", "salesstatus", read_only=True),
    Field("OrderingCustomerAccountNumber", native="custaccount"),
    Field("InvoiceCustomerAccountNumber", native="invoiceaccount"),
    Field("CurrencyCode"),
    Field("OrderTotalAmount", "number", read_only=True),
    Field("CustomersOrderReference", native="customerref"),
)
_SALES_INVOICE = _fields(
    Field("InvoiceNumber", native="invoiceid"),
    Field("InvoiceDate", "date"),
    Field("LedgerVoucher"),
    Field("InvoiceCustomerAccountNumber", native="invoiceaccount"),
    Field("SalesOrderNumber", native="salesid"),
    Field("CurrencyCode"),
    Field("TotalInvoiceAmount", "number", native="invoiceamount"),
)
_VENDOR_INVOICE = _fields(
    Field("HeaderReference"),
    Field("InvoiceNumber", native="invoiceid"),
    Field("InvoiceDate", "date"),
    Field("InvoiceAccount"),
    Field("PurchaseOrderNumber", native="purchid"),
    Field("CurrencyCode"),
    Field("TotalInvoiceAmount", "number", native="invoiceamount"),
)

ENTITIES: tuple[Entity, ...] = (
    Entity(
        "VendorV2",
        "VendorsV2",
        (COMPANY, "VendorAccountNumber"),
        "vendtable",
        "mserp_vendvendorv2entity",
        505,
        20_001,
        _VENDOR,
    ),
    Entity(
        "VendorV3",
        "VendorsV3",
        (COMPANY, "VendorAccountNumber"),
        "vendtable",
        "mserp_vendvendorv3entity",
        505,
        20_002,
        _VENDOR,
    ),
    Entity(
        "CustomerV3",
        "CustomersV3",
        (COMPANY, "CustomerAccount"),
        "custtable",
        "mserp_custcustomerv3entity",
        77,
        20_003,
        _CUSTOMER,
    ),
    Entity(
        "PurchaseOrderHeaderV2",
        "PurchaseOrderHeadersV2",
        (COMPANY, "PurchaseOrderNumber"),
        "purchtable",
        "mserp_purchpurchaseorderheaderv2entity",
        345,
        20_004,
        _PURCHASE_ORDER,
    ),
    Entity(
        "SalesOrderHeaderV2",
        "SalesOrderHeadersV2",
        (COMPANY, "SalesOrderNumber"),
        "salestable",
        "mserp_salesorderheaderv2entity",
        366,
        20_005,
        _SALES_ORDER,
    ),
    Entity(
        "SalesInvoiceHeaderV2",
        "SalesInvoiceHeadersV2",
        (COMPANY, "InvoiceNumber", "InvoiceDate", "LedgerVoucher"),
        "custinvoicejour",
        "mserp_salesinvoiceheaderv2entity",
        62,
        20_006,
        _SALES_INVOICE,
    ),
    Entity(
        "VendorInvoiceHeader",
        "VendorInvoiceHeaders",
        (COMPANY, "HeaderReference"),
        "vendinvoicejour",
        "mserp_vendvendorinvoiceheaderentity",
        491,
        20_007,
        _VENDOR_INVOICE,
    ),
)
SETS: Mapping[str, Entity] = {entity.entity_set: entity for entity in ENTITIES}
