"""A vendor that is onboarded, for tests of the path; part of the rule book of ``rulebook``."""

from __future__ import annotations

from streams.catalogue import Column, ColumnKind, Table
from streams.rules import VendorOnboardingRule

_K = ColumnKind

VENDOR = Table(
    "msdyn_vendor",
    "msdyn_vendors",
    "msdyn_vendorid",
    {
        "msdyn_name": Column(_K.TEXT),
        "msdyn_onholdstatus": Column(_K.CHOICE),
        "statecode": Column(_K.CHOICE),
        "new_bankaccount": Column(_K.TEXT),
        "new_blocked": Column(_K.BOOLEAN),
        "new_vendorstatus": Column(_K.TEXT),
        "new_vendormissing": Column(_K.TEXT),
        "new_vendorprogress": Column(_K.TEXT),
        "new_vendordecision": Column(_K.TEXT),
        "new_vendorapprover": Column(_K.TEXT),
        "new_vendordecidedon": Column(_K.DATETIME),
        "new_xecmworkspaceid": Column(_K.TEXT),
    },
)

VENDOR_RULE = VendorOnboardingRule.model_validate(
    {
        "name": "vendor",
        "table": "msdyn_vendor",
        "when": "record.statecode == 0",
        "blocked": "record.new_blocked == true",
        "details": ["new_bankaccount"],
        "workspace": {
            "external_system": "D365",
            "business_object_type": "vendor",
            "type": "Vendor",
            "name": "Vendor {msdyn_name}",
            "state_attribute": "Business Record/Record State",
        },
        "artifacts": [
            {"type": "Tax Form"},
            {"type": "Insurance", "expires_on": "expires_on"},
        ],
        "approval": {
            "workflow_map": "Vendor Approval",
            "title": "Release {msdyn_name}",
            "attributes": {"Record Name": "record.msdyn_name", "Bank": "record.new_bankaccount"},
            "decision_attribute": "Approval/Decision",
        },
        "activation": {"held": {"msdyn_onholdstatus": 2}, "active": {"msdyn_onholdstatus": 0}},
        "status_attribute": "Vendor/Onboarding Status",
        "missing_attribute": "Evidence/Missing",
        "hold_attribute": "Vendor/Hold",
        "details_attribute": "Vendor/Bank Changed On",
        "statuses": {"active": "Active"},
        "write_back": {
            "workspace_id": "new_xecmworkspaceid",
            "status": "new_vendorstatus",
            "missing": "new_vendormissing",
            "progress": "new_vendorprogress",
            "decision": "new_vendordecision",
            "approver": "new_vendorapprover",
            "decided_on": "new_vendordecidedon",
        },
    }
)
