"""Projects and their milestones, for tests of the path; part of the rule book of ``rulebook``."""

from __future__ import annotations

from streams.catalogue import Column, ColumnKind, Table
from streams.rules import ProjectRule

_K = ColumnKind

PROJECT = Table(
    "msdyn_project",
    "msdyn_projects",
    "msdyn_projectid",
    {
        "msdyn_subject": Column(_K.TEXT),
        "msdyn_customer": Column(_K.LOOKUP, ("account",)),
        "statecode": Column(_K.CHOICE),
        "msdyn_actualsales": Column(_K.NUMBER),
        "new_xecmworkspaceid": Column(_K.TEXT),
        "new_xecmworkspaceurl": Column(_K.TEXT),
    },
)
MILESTONE = Table(
    "msdyn_projecttask",
    "msdyn_projecttasks",
    "msdyn_projecttaskid",
    {
        "msdyn_subject": Column(_K.TEXT),
        "msdyn_project": Column(_K.LOOKUP, ("msdyn_project",)),
        "msdyn_ismilestone": Column(_K.BOOLEAN),
        "msdyn_progress": Column(_K.NUMBER),
        "msdyn_actualcost": Column(_K.NUMBER),
        "new_folderurl": Column(_K.TEXT),
        "new_status": Column(_K.TEXT),
        "new_deliverables": Column(_K.INTEGER),
        "new_approved": Column(_K.INTEGER),
        "new_approvedon": Column(_K.DATETIME),
        "new_changes": Column(_K.INTEGER),
        "new_openchanges": Column(_K.INTEGER),
        "new_documentid": Column(_K.TEXT),
        "new_documentname": Column(_K.TEXT),
    },
)

PROJECT_RULE = ProjectRule.model_validate(
    {
        "name": "project",
        "table": "msdyn_project",
        "when": "record.msdyn_subject != 'Idea'",
        "closed": "record.statecode == 1",
        "financial": ["msdyn_actualsales"],
        "workspace": {
            "external_system": "D365",
            "business_object_type": "project",
            "type": "Project",
            "name": "{msdyn_subject}",
            "state_attribute": "Business Record/Record State",
            "relations": [{"column": "msdyn_customer"}],
        },
        "write_back": {
            "workspace_id": "new_xecmworkspaceid",
            "workspace_url": "new_xecmworkspaceurl",
        },
        "milestones": {
            "table": "msdyn_projecttask",
            "project": "msdyn_project",
            "when": "record.msdyn_ismilestone == true",
            "done": "record.msdyn_progress == 100.0",
            "financial": ["msdyn_actualcost"],
            "folder": {
                "path": ["Milestones"],
                "name": "{msdyn_subject}",
                "attributes": {"Business Record": {"Record Name": "record.msdyn_subject"}},
                "state_attribute": "Business Record/Record State",
            },
            "statuses": {"approved": "Approved"},
            "write_back": {
                "folder_url": "new_folderurl",
                "status": "new_status",
                "deliverables": "new_deliverables",
                "approved": "new_approved",
                "approved_on": "new_approvedon",
                "change_requests": "new_changes",
                "open_change_requests": "new_openchanges",
                "document_id": "new_documentid",
                "document_name": "new_documentname",
            },
        },
    }
)
