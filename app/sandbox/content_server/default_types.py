"""Workspace types with their templates, and the business object types that lead to them."""

from __future__ import annotations

from collections.abc import Mapping

from app.sandbox.content_server.definition import (
    BusinessObjectTypeSpec,
    RoleSpec,
    TellingSpec,
    TemplateSpec,
    WorkspaceTypeSpec,
)

EXTERNAL_SYSTEM = "D365"

_OWNER = RoleSpec("Owner", "Answers for the record", leader=True)
_TEAM = RoleSpec("Team", "Works on the record")
_READERS = RoleSpec("Readers", "Reads the workspace")
_LEGAL = RoleSpec("Legal", "Reviews contracts")
_SPECIALISTS = RoleSpec("Specialists", "Help with the case")
_COMPLIANCE = RoleSpec("Compliance", "Judges the evidence")
ROLES = (_OWNER, _TEAM, _READERS)
CONTRACT_ROLES = (_OWNER, _TEAM, _LEGAL, _READERS)
CASE_ROLES = (_OWNER, _TEAM, _SPECIALISTS, _READERS)
EVIDENCE_ROLES = (_OWNER, _TEAM, _COMPLIANCE, _READERS)

_TRANSACTION_FOLDERS = ("Order Forms", "Shipping", "Tax", "Disputes", "Correspondence")
#: Business object type -> workspace type. Each kind of record has its own, whether it lives in
#: Dataverse or (``fno_``) in finance and operations, so that two ids never mean one workspace.
BUSINESS_OBJECTS: Mapping[str, str] = {
    "account": "Account",
    "opportunity": "Opportunity",
    "incident": "Case",
    "contract": "Contract",
    "servicecase": "Service Case",
    "salesorder": "Sales Order",
    "purchaseorder": "Purchase Order",
    "invoice": "Invoice",
    "creditmemo": "Credit Memo",
    "vendorinvoice": "Vendor Invoice",
    "fno_customer": "Account",
    "fno_salesorder": "Sales Order",
    "fno_purchaseorder": "Purchase Order",
    "fno_invoice": "Invoice",
    "fno_creditmemo": "Credit Memo",
    "fno_vendorinvoice": "Vendor Invoice",
    "project": "Project",
    "onboarding": "Evidence",
    "creditapproval": "Evidence",
    "claim": "Evidence",
    "vendor": "Vendor",
    "msdyn_vendor": "Vendor",
    "fno_vendor": "Vendor",
}
_PROPERTIES = {
    "Name": "Business Record/Record Name",
    "Number": "Business Record/Record Number",
    "State": "Business Record/Record State",
    "Owner": "Business Record/Owner",
    "Customer": "Business Record/Customer",
}
_GROUPS = {
    "Milestones": {
        "Milestone": "Business Record/Milestones/Milestone",
        "Status": "Business Record/Milestones/Milestone Status",
        "Due": "Business Record/Milestones/Due",
    }
}


def business_object_types() -> tuple[BusinessObjectTypeSpec, ...]:
    """The types of `BUSINESS_OBJECTS`, all with the same mapped properties."""
    return tuple(
        BusinessObjectTypeSpec(name, kind, EXTERNAL_SYSTEM, _PROPERTIES, _GROUPS)
        for name, kind in BUSINESS_OBJECTS.items()
    )


def _type(
    name: str,
    location: str,
    folders: tuple[str, ...],
    *categories: str,
    roles: tuple[RoleSpec, ...] = ROLES,
    defaults: Mapping[str, str] | None = None,
    rm_enabled: bool = False,
    tells: TellingSpec | None = None,
) -> WorkspaceTypeSpec:
    """A type with one template of its own name; every template carries ``Business Record``."""
    template = TemplateSpec(
        name,
        folders,
        roles=roles,
        categories=("Business Record", *categories),
        defaults=defaults or {},
    )
    return WorkspaceTypeSpec(
        name, (template,), location=(location,), rm_enabled=rm_enabled, tells=tells
    )


WORKSPACE_TYPES = (
    _type(
        "Account",
        "Accounts",
        ("Contracts", "Correspondence", "Proposals", "Service Records", "Approvals"),
        "Approval",
    ),
    _type(
        "Opportunity",
        "Opportunities",
        ("Proposals", "Quotes", "Correspondence", "Approvals"),
        "Approval",
    ),
    _type(
        "Case",
        "Cases",
        ("Service Reports", "Communication", "Attachments", "Approvals"),
        "Approval",
        rm_enabled=True,
    ),
    _type(
        "Contract",
        "Contract Workspaces",
        ("Drafts", "Redlines", "Approvals", "Executed"),
        "Contract",
        "Approval",
        roles=CONTRACT_ROLES,
        defaults={"Contract/Status": "Draft"},
        rm_enabled=True,
        tells=TellingSpec(
            "contract",
            {"Drafts": "draft", "Redlines": "in_negotiation", "Executed": "executed"},
            status="Contract/Status",
            workflow="Contract Approval",
        ),
    ),
    _type(
        "Service Case",
        "Service Cases",
        (
            "Service Reports",
            "Customer Communication",
            "Technical Attachments",
            "Resolution Approvals",
        ),
        "Case",
        "Approval",
        roles=CASE_ROLES,
        rm_enabled=True,
    ),
    *(
        _type(name, f"{name}s", _TRANSACTION_FOLDERS, "Transaction", "Approval", rm_enabled=True)
        for name in ("Sales Order", "Purchase Order", "Invoice", "Credit Memo", "Vendor Invoice")
    ),
    _type(
        "Project",
        "Projects",
        (
            "Statements of Work",
            "Plans",
            "Deliverables",
            "Change Requests",
            "Approvals",
            "Milestones",
        ),
        "Project",
        "Approval",
    ),
    _type(
        "Evidence",
        "Evidence",
        ("Required Evidence", "Policies", "Approvals"),
        "Evidence",
        "Approval",
        roles=EVIDENCE_ROLES,
        rm_enabled=True,
    ),
    _type(
        "Vendor",
        "Vendors",
        ("Tax Forms", "Banking", "Insurance", "Contracts", "Approvals"),
        "Vendor",
        "Evidence",
        "Approval",
        roles=EVIDENCE_ROLES,
        rm_enabled=True,
    ),
)
