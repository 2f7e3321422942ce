"""The workflow maps, the file plan and the clearance levels of the default server."""

from __future__ import annotations

from app.sandbox.content_server.definition import (
    AttributeSpec,
    RecordsSpec,
    RmClassificationSpec,
    StepSpec,
    WorkflowMapSpec,
)

_REQUEST = (
    AttributeSpec("Record Name", max_length=248),
    AttributeSpec("Record Number", max_length=64),
    AttributeSpec("Reason", max_length=1000),
    AttributeSpec("Amount", type="Real"),
    AttributeSpec("Due On", type="Date"),
    AttributeSpec("Urgent", type="Boolean"),
    AttributeSpec("Approver", type="User"),
)
WORKFLOW_MAPS = (
    WorkflowMapSpec(
        "Discount Approval",
        (StepSpec("Approver", "hal.head", "Approve the discount?", assignee_attribute="Approver"),),
        _REQUEST,
        nickname="discount_approval",
    ),
    WorkflowMapSpec(
        "Terms Approval",
        (StepSpec("Approver", "eve.counsel", "Accept the terms?", assignee_attribute="Approver"),),
        _REQUEST,
        nickname="terms_approval",
    ),
    WorkflowMapSpec(
        "Pricing Approval",
        (
            StepSpec(
                "Approver", "finn.finance", "Approve the price?", assignee_attribute="Approver"
            ),
        ),
        _REQUEST,
        nickname="pricing_approval",
    ),
    WorkflowMapSpec(
        "Contract Approval",
        (
            StepSpec("Legal Review", "eve.counsel", "Are the terms acceptable?"),
            StepSpec("Finance Approval", "finn.finance", "Is the price acceptable?"),
        ),
        _REQUEST,
        nickname="contract_approval",
    ),
    WorkflowMapSpec(
        "Vendor Approval",
        (
            StepSpec("Compliance Check", "Compliance", "Is the evidence complete?"),
            StepSpec("Release", "finn.finance", "Release the vendor?"),
        ),
        _REQUEST,
        nickname="vendor_approval",
    ),
    WorkflowMapSpec(
        "Resolution Approval",
        (StepSpec("Team Lead", "cleo.care", "Is the case resolved?"),),
        _REQUEST,
        nickname="resolution_approval",
    ),
)
RECORDS = RecordsSpec(
    rsis={
        "CASE-7Y": 7,
        "CONTRACT-10Y": 10,
        "FINANCE-10Y": 10,
        "EVIDENCE-7Y": 7,
        "PROJECT-10Y": 10,
    },
    file_plan=(
        RmClassificationSpec("Customer Service/Cases", "CASE-7Y", "100-10"),
        RmClassificationSpec("Customer Service/Complaints", "CASE-7Y", "100-20"),
        RmClassificationSpec("Sales/Contracts", "CONTRACT-10Y", "200-10"),
        RmClassificationSpec("Finance/Transactions", "FINANCE-10Y", "300-10"),
        RmClassificationSpec("Procurement/Vendors", "FINANCE-10Y", "400-10"),
        RmClassificationSpec("Compliance/Evidence", "EVIDENCE-7Y", "500-10"),
        RmClassificationSpec("Projects/Deliverables", "PROJECT-10Y", "600-10"),
    ),
    classifications=("Correspondence", "Evidence", "Invoices"),
    codes={
        "status": ("ACTIVE", "CLOSED", "INACTIVE"),
        "essential": ("NR", "VITAL"),
        "storage": ("EL", "PA"),
    },
    levels={0: "Public", 10: "Internal", 50: "Confidential", 90: "Secret"},
    markings={"LEGAL": "Legal privilege", "HR": "Personnel", "NOFORN": "No foreign nationals"},
    cleared={
        "dovetail": (90, ("LEGAL", "HR", "NOFORN")),
        "eve.counsel": (50, ("LEGAL",)),
        "gina.guard": (90, ("LEGAL", "HR")),
    },
)
