"""The rules of the flows: typed values, a module per flow. ``app.rule_files`` reads the YAML.

A flow's rule extends ``FlowRule``, or ``TableRule`` when it keeps no workspace; whatever all rules
have in common is checked for all of them alike. Add a new flow's model to ``MODELS``.
"""

from collections.abc import Mapping

from streams.rules.approval_request import ApprovalRequestRule
from streams.rules.artifacts import ArtifactRule
from streams.rules.base import (
    FlowRule,
    LinkColumns,
    RecordRule,
    RelationRule,
    RoleRule,
    RuleModel,
    TableRule,
    Trail,
    WorkspaceRule,
    WrittenColumns,
)
from streams.rules.book import ProcessRule, RuleBook
from streams.rules.compliance_gate import ComplianceGateRule, GateColumns
from streams.rules.contract import ContractColumns, ContractRule
from streams.rules.erp_documents import (
    DocumentColumns,
    ReturnedDocuments,
    TransactionRule,
)
from streams.rules.expressions import (
    Cel,
    Expression,
    Span,
)
from streams.rules.project import (
    DeliverableColumns,
    FolderRule,
    MilestoneRule,
    ProjectRule,
)
from streams.rules.record_workspace import RecordWorkspaceRule
from streams.rules.retention import RetentionPart
from streams.rules.service_case import ServiceCaseRule
from streams.rules.vendor_onboarding import VendorOnboardingRule, VendorStatus

#: The model of a rule by its flow's name, as the files say it.
MODELS: Mapping[str, type[TableRule]] = {
    model.flow: model
    for model in (
        RecordWorkspaceRule,
        ContractRule,
        ServiceCaseRule,
        TransactionRule,
        ProjectRule,
        ComplianceGateRule,
        ApprovalRequestRule,
        VendorOnboardingRule,
    )
}

__all__ = [
    "MODELS",
    "ApprovalRequestRule",
    "ArtifactRule",
    "Cel",
    "ComplianceGateRule",
    "ContractColumns",
    "ContractRule",
    "DeliverableColumns",
    "DocumentColumns",
    "Expression",
    "FlowRule",
    "FolderRule",
    "GateColumns",
    "LinkColumns",
    "MilestoneRule",
    "ProcessRule",
    "ProjectRule",
    "RecordRule",
    "RecordWorkspaceRule",
    "RelationRule",
    "RetentionPart",
    "ReturnedDocuments",
    "RoleRule",
    "RuleBook",
    "RuleModel",
    "ServiceCaseRule",
    "Span",
    "TableRule",
    "Trail",
    "TransactionRule",
    "VendorOnboardingRule",
    "VendorStatus",
    "WorkspaceRule",
    "WrittenColumns",
]
