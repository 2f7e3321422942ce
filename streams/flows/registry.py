"""All flows, in the order in which a record is decided. Read this first."""

from __future__ import annotations

from streams.flows import (
    approval_request,
    compliance_gate,
    contract_lifecycle,
    erp_documents,
    project_workspace,
    record_workspace,
    service_case,
    vendor_onboarding,
)
from streams.flows.shape import Flow

FLOWS: tuple[Flow, ...] = (
    record_workspace.FLOW,
    contract_lifecycle.FLOW,
    service_case.FLOW,
    compliance_gate.FLOW,
    erp_documents.FLOW,
    project_workspace.FLOW,
    approval_request.FLOW,
    vendor_onboarding.FLOW,
)
