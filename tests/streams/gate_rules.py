"""A claim with a gate, for tests of the path; part of the rule book of ``rulebook``."""

from __future__ import annotations

from streams.catalogue import Column, ColumnKind, Table
from streams.rules import ComplianceGateRule

_K = ColumnKind

CLAIM = Table(
    "new_claim",
    "new_claims",
    "new_claimid",
    {
        "new_name": Column(_K.TEXT),
        "new_amount": Column(_K.NUMBER),
        "new_status": Column(_K.CHOICE),
        "new_gatestatus": Column(_K.TEXT),
        "new_gatemissing": Column(_K.TEXT),
        "new_gateviolatedon": Column(_K.DATETIME),
        "new_xecmworkspaceid": Column(_K.TEXT),
        "new_xecmworkspaceurl": Column(_K.TEXT),
    },
)

GATE_RULE = ComplianceGateRule.model_validate(
    {
        "name": "claim-gate",
        "table": "new_claim",
        "when": "record.new_status != null",
        "finalized": "record.new_status == 2",
        "grace": "1 minute",
        "revert": {"new_status": 1},
        "workspace": {
            "external_system": "D365",
            "business_object_type": "claim",
            "type": "Evidence",
            "name": "Claim {new_name}",
            "state_attribute": "Business Record/Record State",
        },
        "artifacts": [
            {"type": "Form", "approval": False},
            {"type": "Certificate", "expires_on": "expires_on"},
            {"type": "Opinion", "when": "record.new_amount != null && record.new_amount > 10.0"},
        ],
        "status_attribute": "Evidence/Gate Status",
        "missing_attribute": "Evidence/Missing",
        "statuses": {"open": "Open", "closed": "Closed"},
        "write_back": {
            "workspace_id": "new_xecmworkspaceid",
            "status": "new_gatestatus",
            "missing": "new_gatemissing",
            "violated_on": "new_gateviolatedon",
        },
    }
)
