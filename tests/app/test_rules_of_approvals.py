"""Broken rules of service_case and approval_request: each fault with file, line and fix."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.rule_files.faults import RulesWrong
from app.rule_files.loading import load_rules
from app.sandbox.content_server.default_processes import RECORDS, WORKFLOW_MAPS
from app.settings.fields import RULES_DIRECTORY
from streams.rules import ApprovalRequestRule, ServiceCaseRule
from streams.rules.approval import WorkflowPart

CASES, REQUESTS = "service_case.yaml", "approval_request.yaml"
BOOK = load_rules(RULES_DIRECTORY)


def faults(folder: Path, file: str, old: str, new: str) -> list[str]:
    """What is said of the shipped rules after one replacement."""
    rules = folder / "rules"
    shutil.copytree(RULES_DIRECTORY, rules)
    path = rules / file
    text = path.read_text("utf-8")
    assert text.count(old), f"{old!r} is not in {file}"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(RulesWrong) as wrong:
        load_rules(rules)
    return [str(fault) for fault in wrong.value.faults]


def line_of(file: str, old: str, new: str, at: str) -> int:
    text = (RULES_DIRECTORY / file).read_text("utf-8").replace(old, new, 1)
    after = text.index("\nrules:")
    return text[: text.index(at, after)].count("\n") + 1


#: File, what is replaced, what stands in the line that is named, and what is said of it.
BROKEN: list[tuple[str, str, str, str, str]] = [
    (CASES, "    when: >-", "    wenn: >-", "wenn:", "unknown key 'wenn' (did you mean when?)"),
    (
        CASES,
        "resolved: record.statecode == 1",
        "resolved: record.statcode == 1",
        "record.statcode",
        "incident has no column 'statcode' (did you mean statecode?)",
    ),
    (
        CASES,
        "    resolved: record.statecode == 1\n",
        "",
        "approval:",
        "approval begins when the case is resolved, and resolved is never true (add resolved",
    ),
    (
        CASES,
        "customer.accountcategorycode == 1",
        "customer.category == 1",
        "when: >-",
        "account (customer) has no column 'category'",
    ),
    (
        CASES,
        "      customer: customerid",
        "      customer: title",
        "customer: title",
        "incident.title is text, but lookup is needed here",
    ),
    (
        CASES,
        "    merged_into: masterid\n",
        "",
        "merged: merged",
        "'merged' needs 'merged_into' beside it",
    ),
    (
        CASES,
        "    merged: merged",
        "    merged: title",
        "merged: title",
        "incident.title is text, but boolean is needed here",
    ),
    (
        CASES,
        "[Owner, Team, Specialists]",
        "[Owner, Owner]",
        "[Owner, Owner]",
        "'Owner' is named twice (keep one of them)",
    ),
    (
        CASES,
        "      classification: Customer Service/Cases",
        "      classification: Customer Service/Cases\n      starts_on: title",
        "starts_on: title",
        "incident.title is text, but date or datetime is needed here",
    ),
    (
        CASES,
        '      title: "Resolution of {title} ({ticketnumber})"',
        "      title: Resolution",
        "title: Resolution",
        "'Resolution' reads no column",
    ),
    (
        CASES,
        "        approved: Approved",
        "        aproved: Approved",
        "aproved: Approved",
        "'aproved' is no decision (did you mean approved?)",
    ),
    (
        CASES,
        "        approved: Approved",
        "        approved: 1",
        "approved: 1",
        "incident.new_resolutiondecision",
    ),
    (
        CASES,
        "      decided_on: new_resolutiondecidedon",
        "      decided_on: title",
        "decided_on: title",
        "incident.title is text, but datetime or date is needed here",
    ),
    (
        CASES,
        "      workspace_id: new_casefileid",
        "      workspace_id: new_xecmworkspaceid",
        "new_xecmworkspaceid",
        "'new_xecmworkspaceid' is written by",
    ),
    (
        CASES,
        "business_object_type: servicecase",
        "business_object_type: incident",
        "business_object_type: incident",
        "the business object type 'incident' of 'D365' is taken by the rule at",
    ),
    (
        CASES,
        "decision_attribute: Approval/Decision",
        "decision_attribute: Decision",
        "decision_attribute: Decision",
        "'Decision' names no attribute (write Category/Attribute)",
    ),
    (
        REQUESTS,
        "      column: new_opportunityid\n",
        "      column: new_oportunityid\n",
        "new_oportunityid",
        "new_discountapproval has no column 'new_oportunityid' (did you mean new_opportunityid?)",
    ),
    (
        REQUESTS,
        "      to: opportunity-workspace",
        "      to: oportunity-workspace",
        "to: oportunity",
        "no rule with a workspace has the name 'oportunity-workspace' (did you mean",
    ),
    (
        REQUESTS,
        "      to: opportunity-workspace",
        "      to: account-workspace",
        "to: account-workspace",
        "new_opportunityid points to opportunity, 'account-workspace' is about account",
    ),
    (
        REQUESTS,
        "        approved: 100000001",
        "        approved: Approved",
        "approved: Approved",
        "new_discountapproval.new_status",
    ),
    (
        REQUESTS,
        "      comment: new_decisioncomment",
        "      comment: new_reason",
        "comment: new_reason",
        "'new_reason' is read by this rule: what is written would be another request",
    ),
    (
        REQUESTS,
        "record.statecode == 0 && record.new_submitted == true",
        "record.new_status == 100000000",
        "decision: new_status",
        "'new_status' is read by this rule: what is written could withdraw the request",
    ),
    (
        REQUESTS,
        "      after: 2 days",
        "      after: two days",
        "after: two days",
        "after: expected a time span such as",
    ),
    (
        REQUESTS,
        "      column: new_documentids",
        "      column: new_amount",
        "column: new_amount",
        "new_discountapproval.new_amount is number, but text is needed here",
    ),
    (
        REQUESTS,
        "    escalation:\n      after: 2 days\n",
        "",
        "escalated_on:",
        "'escalated_on' shows when a request became overdue, and none ever does",
    ),
    (
        REQUESTS,
        "        Amount: record.new_amount",
        "        Amount: record.new_ammount",
        "new_ammount",
        "new_discountapproval has no column 'new_ammount' (did you mean new_amount?)",
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "at", "says"), BROKEN)
def test_a_fault_is_told_with_line_and_fix(
    tmp_path: Path, file: str, old: str, new: str, at: str, says: str
) -> None:
    found = faults(tmp_path, file, old, new)
    line = line_of(file, old, new, at)
    assert any(fault.startswith(f"{file}:{line}: {says}") for fault in found), found


def approvals() -> Iterator[WorkflowPart]:
    for case in BOOK.of(ServiceCaseRule):
        if case.approval is not None:
            yield case.approval
    for request in BOOK.of(ApprovalRequestRule):
        yield request.approval


def test_the_shipped_rules_start_workflows_that_the_sandbox_has() -> None:
    labels = {m.name: {attribute.label for attribute in m.attributes} for m in WORKFLOW_MAPS}
    found = list(approvals())
    assert len(found) == 4
    for part in found:
        assert {*part.attributes} <= labels[part.workflow_map]


def test_the_shipped_rules_classify_as_the_sandboxs_file_plan_does() -> None:
    plan = {kind.path for kind in RECORDS.file_plan}
    kept = [case.retention for case in BOOK.of(ServiceCaseRule) if case.retention]
    assert kept
    assert {part.classification for part in kept} <= plan
