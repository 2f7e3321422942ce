"""A small rule book for tests of the path: few tables, all flows, nothing read from files."""

from __future__ import annotations

from streams.catalogue import Catalogue, Column, ColumnKind, Table
from streams.rules import (
    ContractRule,
    ProcessRule,
    RecordWorkspaceRule,
    RuleBook,
    ServiceCaseRule,
)
from tests.streams import transaction_rules
from tests.streams.gate_rules import CLAIM, GATE_RULE
from tests.streams.project_rules import MILESTONE, PROJECT, PROJECT_RULE
from tests.streams.request_rules import REQUEST, REQUEST_RULE
from tests.streams.vendor_rules import VENDOR, VENDOR_RULE

_K = ColumnKind


def _lookup(*targets: str) -> Column:
    return Column(_K.LOOKUP, targets)


_LINK = {"new_xecmworkspaceid": Column(_K.TEXT), "new_xecmworkspaceurl": Column(_K.TEXT)}

ACCOUNT = Table(
    "account",
    "accounts",
    "accountid",
    {
        "name": Column(_K.TEXT),
        "accountnumber": Column(_K.TEXT),
        "statecode": Column(_K.CHOICE),
        "merged": Column(_K.BOOLEAN),
        "masterid": _lookup("account"),
        "parentaccountid": _lookup("account"),
        "ownerid": _lookup("systemuser", "team"),
        **_LINK,
    },
)
OPPORTUNITY = Table(
    "opportunity",
    "opportunities",
    "opportunityid",
    {
        "name": Column(_K.TEXT),
        "parentaccountid": _lookup("account"),
        "estimatedvalue": Column(_K.NUMBER),
        "salesstage": Column(_K.CHOICE),
        "statecode": Column(_K.CHOICE),
        "ownerid": _lookup("systemuser", "team"),
        **_LINK,
        "new_contractstatus": Column(_K.TEXT),
        "new_contractsignedon": Column(_K.DATETIME),
        "new_contractexpireson": Column(_K.DATE),
        "new_contractdocumentid": Column(_K.TEXT),
        "new_contractdocumentversion": Column(_K.INTEGER),
    },
)
INCIDENT = Table(
    "incident",
    "incidents",
    "incidentid",
    {
        "title": Column(_K.TEXT),
        "customerid": _lookup("account", "contact"),
        "statecode": Column(_K.CHOICE),
        "isescalated": Column(_K.BOOLEAN),
        "new_casevalue": Column(_K.NUMBER),
        "merged": Column(_K.BOOLEAN),
        "masterid": _lookup("incident"),
        "ownerid": _lookup("systemuser", "team"),
        "new_casefileid": Column(_K.TEXT),
        "new_resolutiondecision": Column(_K.TEXT),
        "new_resolutionapprover": Column(_K.TEXT),
        "new_resolutiondecidedon": Column(_K.DATETIME),
        "new_resolutioncomment": Column(_K.TEXT),
    },
)
PROCESS = Table(
    "opportunitysalesprocess",
    "opportunitysalesprocesses",
    "businessprocessflowinstanceid",
    {"opportunityid": _lookup("opportunity"), "activestageid": _lookup("processstage")},
)
STAGE = Table(
    "processstage",
    "processstages",
    "processstageid",
    {"stagename": Column(_K.TEXT), "stagecategory": Column(_K.CHOICE)},
    reference=True,
)
USER = Table(
    "systemuser",
    "systemusers",
    "systemuserid",
    {"internalemailaddress": Column(_K.TEXT)},
    reference=True,
)

TABLES = (
    *(ACCOUNT, OPPORTUNITY, INCIDENT, PROCESS, STAGE, USER),
    *(CLAIM, VENDOR),
    *(PROJECT, MILESTONE, REQUEST),
    *transaction_rules.TABLES,
)
CATALOGUE = Catalogue({table.name: table for table in TABLES})

_WRITE_BACK = {"workspace_id": "new_xecmworkspaceid", "workspace_url": "new_xecmworkspaceurl"}

ACCOUNT_RULE = RecordWorkspaceRule.model_validate(
    {
        "name": "account-workspace",
        "table": "account",
        "closed": "record.statecode == 1",
        "merged": "merged",
        "merged_into": "masterid",
        "workspace": {
            "external_system": "D365",
            "business_object_type": "account",
            "type": "Account",
            "name": "{name} ({accountnumber})",
            "attributes": {"Business Record": {"Record Name": "record.name"}},
            "state_attribute": "Business Record/Record State",
            "roles": [{"role": "Owner", "members": ["ownerid"]}],
            "relations": [{"column": "parentaccountid"}],
        },
        "write_back": _WRITE_BACK,
    }
)
OPPORTUNITY_RULE = RecordWorkspaceRule.model_validate(
    {
        "name": "opportunity-workspace",
        "table": "opportunity",
        "closed": "record.statecode != null && record.statecode != 0",
        "workspace": {
            "external_system": "D365",
            "business_object_type": "opportunity",
            "type": "Opportunity",
            "name": "{name}",
            "attributes": {"Business Record": {"Value": "record.estimatedvalue"}},
            "state_attribute": "Business Record/Record State",
            "roles": [{"role": "Owner", "members": ["ownerid"]}],
            "relations": [{"column": "parentaccountid"}],
        },
        "write_back": _WRITE_BACK,
    }
)
CONTRACT_RULE = ContractRule.model_validate(
    {
        "name": "opportunity-contract",
        "table": "opportunity",
        "stage_reached": (
            'stage.name in ["Propose", "Close"] '
            "|| (record.salesstage != null && record.salesstage >= 2)"
        ),
        "won": "record.statecode == 1",
        "lost": "record.statecode == 2",
        "record_workspace": "opportunity-workspace",
        "workspace": {
            "external_system": "D365",
            "business_object_type": "contract",
            "type": "Contract",
            "name": "Contract {name}",
            "state_attribute": "Business Record/Record State",
            "relations": [{"column": "parentaccountid"}],
        },
        "status_attribute": "Contract/Status",
        "statuses": {"signed": "Signed", "in_negotiation": "In negotiation"},
        "write_back": {
            "status": "new_contractstatus",
            "signed_on": "new_contractsignedon",
            "expires_on": "new_contractexpireson",
            "document_id": "new_contractdocumentid",
            "document_version": "new_contractdocumentversion",
        },
    }
)

CASE_RULE = ServiceCaseRule.model_validate(
    {
        "name": "service-case",
        "table": "incident",
        "lookups": {"customer": "customerid"},
        "when": (
            "record.isescalated == true "
            "|| (record.new_casevalue != null && record.new_casevalue >= 1000.0) "
            '|| customer.accountnumber == "VIP"'
        ),
        "resolved": "record.statecode == 1",
        "cancelled": "record.statecode == 2",
        "merged": "merged",
        "merged_into": "masterid",
        "workspace": {
            "external_system": "D365",
            "business_object_type": "servicecase",
            "type": "Service Case",
            "name": "Case file {title}",
            "state_attribute": "Business Record/Record State",
            "roles": [{"role": "Owner", "members": ["ownerid"]}],
            "relations": [{"column": "customerid"}],
        },
        "restricted_to": ["Team", "Owner"],
        "retention": {"classification": "Service/Cases"},
        "approval": {
            "when": "record.new_casevalue != null && record.new_casevalue >= 1000.0",
            "workflow_map": "Resolution Approval",
            "title": "Resolution of {title}",
            "comment": "record.title",
            "attributes": {"Amount": "record.new_casevalue"},
            "decisions": {"pending": "Waiting", "approved": "Approved", "rejected": "Rejected"},
            "decision_attribute": "Approval/Decision",
            "approver_attribute": "Approval/Approver",
        },
        "write_back": {
            "workspace_id": "new_casefileid",
            "decision": "new_resolutiondecision",
            "approver": "new_resolutionapprover",
            "decided_on": "new_resolutiondecidedon",
            "comment": "new_resolutioncomment",
        },
    }
)

BOOK = RuleBook(
    catalogue=CATALOGUE,
    rules=(
        *(ACCOUNT_RULE, OPPORTUNITY_RULE, CONTRACT_RULE),
        *(CASE_RULE, GATE_RULE, VENDOR_RULE),
        *(PROJECT_RULE, REQUEST_RULE),
        *transaction_rules.RULES,
    ),
    processes=(
        ProcessRule(
            table="opportunitysalesprocess",
            record_column="opportunityid",
            stage_column="activestageid",
        ),
    ),
    members={"systemuser": "internalemailaddress"},
    digest="test-rules",
)
