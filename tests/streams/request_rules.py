"""A request for an approval: its table and rule, for tests."""

from __future__ import annotations

from streams.catalogue import Column, ColumnKind, Table
from streams.rules import ApprovalRequestRule

_K = ColumnKind

REQUEST = Table(
    "new_request",
    "new_requests",
    "new_requestid",
    {
        "new_name": Column(_K.TEXT),
        "new_opportunityid": Column(_K.LOOKUP, ("opportunity",)),
        "new_percent": Column(_K.NUMBER),
        "new_reason": Column(_K.TEXT),
        "new_files": Column(_K.TEXT),
        "new_submitted": Column(_K.BOOLEAN),
        "new_status": Column(_K.CHOICE),
        "new_approver": Column(_K.TEXT),
        "new_decidedon": Column(_K.DATETIME),
        "new_comment": Column(_K.TEXT),
        "new_escalatedon": Column(_K.DATE),
        "new_fileid": Column(_K.TEXT),
        "new_fileurl": Column(_K.TEXT),
        "new_links": Column(_K.TEXT),
    },
)
REQUEST_RULE = ApprovalRequestRule.model_validate(
    {
        "name": "discount-approval",
        "table": "new_request",
        "requested": "record.new_submitted == true",
        "about": {"column": "new_opportunityid", "to": "opportunity-workspace"},
        "approval": {
            "workflow_map": "Discount Approval",
            "title": "Discount of {new_percent} % for {new_name}",
            "comment": "record.new_reason",
            "attributes": {"Amount": "record.new_percent"},
            "decisions": {
                "pending": 1,
                "approved": 2,
                "rejected": 3,
                "stopped": 4,
                "overdue": 5,
                "withdrawn": 6,
                "failed": 7,
            },
        },
        "attachments": {"column": "new_files", "types": ["Quote"]},
        "escalation": {"after": "2 days"},
        "write_back": {
            "decision": "new_status",
            "approver": "new_approver",
            "decided_on": "new_decidedon",
            "comment": "new_comment",
            "escalated_on": "new_escalatedon",
            "document_id": "new_fileid",
            "document_url": "new_fileurl",
            "documents": "new_links",
        },
    }
)
