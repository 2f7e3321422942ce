"""The calls of workflows, records management, clearance and signatures, for the table."""

from __future__ import annotations

from app.sandbox.content_server.api import (
    classifications,
    clearance,
    holds,
    records,
    retention,
    signatures,
    workflow_status,
    workflow_tasks,
    workflows,
)
from app.sandbox.content_server.api.call import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *workflows.ENDPOINTS,
    *workflow_tasks.ENDPOINTS,
    *workflow_status.ENDPOINTS,
    *classifications.ENDPOINTS,
    *records.ENDPOINTS,
    *retention.ENDPOINTS,
    *holds.ENDPOINTS,
    *clearance.ENDPOINTS,
    *signatures.ENDPOINTS,
)
