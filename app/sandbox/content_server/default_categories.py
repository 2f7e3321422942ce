"""The categories of the default server: one of every record, and one for each kind of business."""

from __future__ import annotations

from app.sandbox.content_server.definition import AttributeSpec, CategorySpec, SetSpec

BUSINESS_RECORD = CategorySpec(
    "Business Record",
    (
        AttributeSpec("Record State"),
        AttributeSpec("Record Id", max_length=64, column="wnf_att_35s_3"),
        AttributeSpec("Record Name", max_length=248),
        AttributeSpec("Record Number", max_length=64),
        AttributeSpec("Owner"),
        AttributeSpec("Customer"),
        AttributeSpec("Value", type="Real"),
        AttributeSpec("Closing Date", type="Date"),
        SetSpec(
            "Milestones",
            (
                AttributeSpec("Milestone"),
                AttributeSpec("Milestone Status"),
                AttributeSpec("Due", type="Date"),
            ),
        ),
    ),
)
CONTRACT = CategorySpec(
    "Contract",
    (
        AttributeSpec("Status", column="wnf_att_41s_2"),
        AttributeSpec("Stage"),
        AttributeSpec("Effective On", type="Date"),
        AttributeSpec("Expires On", type="Date"),
        AttributeSpec("Value", type="Real"),
    ),
)
TRANSACTION = CategorySpec(
    "Transaction",
    (
        AttributeSpec("Number", max_length=64),
        AttributeSpec("Kind"),
        AttributeSpec("Amount", type="Real"),
        AttributeSpec("Currency", max_length=8),
        AttributeSpec("Due On", type="Date"),
    ),
)
EVIDENCE = CategorySpec(
    "Evidence",
    (
        AttributeSpec("Gate Status"),
        AttributeSpec("Missing", max_length=1000),
        AttributeSpec("Expires On", type="Date"),
    ),
)
VENDOR = CategorySpec(
    "Vendor",
    (
        AttributeSpec("Onboarding Status"),
        AttributeSpec("Hold"),
        AttributeSpec("Bank Changed On", type="Date"),
    ),
)
PROJECT = CategorySpec(
    "Project",
    (
        AttributeSpec("Manager"),
        AttributeSpec("Start", type="Date"),
        AttributeSpec("End", type="Date"),
        AttributeSpec("Progress", type="Real"),
        AttributeSpec("Health"),
    ),
)
CASE = CategorySpec(
    "Case",
    (
        AttributeSpec("Priority"),
        AttributeSpec("Escalated", type="Boolean"),
        AttributeSpec("Resolution Status"),
    ),
)
APPROVAL = CategorySpec(
    "Approval",
    (
        AttributeSpec("Decision"),
        AttributeSpec("Approver"),
        AttributeSpec("Decided On", type="Date"),
    ),
)
#: What people fill in on the documents themselves; events carry it as ``document_type`` and so on.
DOCUMENT = CategorySpec(
    "Document",
    (
        AttributeSpec("Document Type"),
        AttributeSpec("Issued On", type="Date"),
        AttributeSpec("Expires On", type="Date"),
    ),
)
CATEGORIES = (
    BUSINESS_RECORD,
    CONTRACT,
    TRANSACTION,
    EVIDENCE,
    VENDOR,
    PROJECT,
    CASE,
    APPROVAL,
    DOCUMENT,
)
