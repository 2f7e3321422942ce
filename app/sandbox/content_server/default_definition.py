"""The server of the demo and of most tests: one Dynamics connection and four workspace types."""

from __future__ import annotations

from app.sandbox.content_server.default_processes import RECORDS, WORKFLOW_MAPS
from app.sandbox.content_server.definition import (
    AttributeSpec,
    BusinessObjectTypeSpec,
    CategorySpec,
    ClientSpec,
    Definition,
    ExternalSystemSpec,
    RoleSpec,
    SetSpec,
    TemplateSpec,
    UserSpec,
    WorkspaceTypeSpec,
)

EXTERNAL_SYSTEM = "D365"
SERVICE_CLIENT = ClientSpec("dovetail", "dovetail-client-secret", "dovetail")
SERVICE_USER = UserSpec(
    "dovetail",
    "Dovetail",
    "Service",
    "dovetail@contoso.example",
    "dovetail-password",
    ("Integration",),
)
USER_PASSWORD = "contoso-password"
PEOPLE = (
    ("Ann", "Seller", "Sales"),
    ("Bob", "Broker", "Sales"),
    ("Cleo", "Care", "Service"),
    ("Dan", "Desk", "Service"),
    ("Eve", "Counsel", "Legal"),
    ("Finn", "Finance", "Finance"),
    ("Gina", "Guard", "Compliance"),
    ("Hal", "Head", "Sales"),
)
GROUPS = ("Integration", "Sales", "Service", "Legal", "Finance", "Compliance")

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
ROLES = (
    RoleSpec("Owner", "Answers for the record", leader=True),
    RoleSpec("Team", "Works on the record"),
    RoleSpec("Readers", "Reads the workspace"),
)
CONTRACT_ROLES = (*ROLES[:2], RoleSpec("Legal", "Reviews contracts"), ROLES[2])

_PROPERTIES = {
    "Name": "Business Record/Record Name",
    "Number": "Business Record/Record Number",
    "State": "Business Record/Record State",
    "Owner": "Business Record/Owner",
    "Customer": "Business Record/Customer",
}
_GROUPS = {
    "Milestones": {
        "Milestone": "Business Record/Milestones/Milestone",
        "Status": "Business Record/Milestones/Milestone Status",
        "Due": "Business Record/Milestones/Due",
    }
}


def demo_users(count: int) -> tuple[UserSpec, ...]:
    """The service user and ``count`` people: eight by name, then ``person.nine`` and so on."""
    people = [_person(*PEOPLE[index]) for index in range(min(count, len(PEOPLE)))]
    people += [
        _person(f"Person{index + 1}", "Demo", "Sales") for index in range(len(PEOPLE), count)
    ]
    return (SERVICE_USER, *people)


def default_definition(users: int = 8) -> Definition:
    """Account, Opportunity, Case and Contract workspaces for the external system ``D365``."""
    return Definition(
        external_systems=(ExternalSystemSpec(EXTERNAL_SYSTEM),),
        categories=(BUSINESS_RECORD, CONTRACT),
        workspace_types=_workspace_types(),
        business_object_types=tuple(
            BusinessObjectTypeSpec(name, kind, EXTERNAL_SYSTEM, _PROPERTIES, _GROUPS)
            for name, kind in (
                ("account", "Account"),
                ("opportunity", "Opportunity"),
                ("incident", "Case"),
                ("contract", "Contract"),
            )
        ),
        users=demo_users(users),
        groups=GROUPS,
        clients=(SERVICE_CLIENT,),
        workflow_maps=WORKFLOW_MAPS,
        records=RECORDS,
    )


def _person(first: str, last: str, group: str) -> UserSpec:
    login = f"{first}.{last}".lower()
    return UserSpec(login, first, last, f"{login}@contoso.example", USER_PASSWORD, (group,))


def _workspace_types() -> tuple[WorkspaceTypeSpec, ...]:
    record = ("Business Record",)
    return (
        WorkspaceTypeSpec(
            "Account",
            (
                TemplateSpec(
                    "Account",
                    ("Contracts", "Correspondence", "Proposals", "Service Records", "Approvals"),
                    roles=ROLES,
                    categories=record,
                ),
            ),
            location=("Accounts",),
        ),
        WorkspaceTypeSpec(
            "Opportunity",
            (
                TemplateSpec(
                    "Opportunity",
                    ("Proposals", "Quotes", "Correspondence", "Approvals"),
                    roles=ROLES,
                    categories=record,
                ),
            ),
            location=("Opportunities",),
        ),
        WorkspaceTypeSpec(
            "Case",
            (
                TemplateSpec(
                    "Case",
                    ("Service Reports", "Communication", "Attachments", "Approvals"),
                    roles=ROLES,
                    categories=record,
                ),
            ),
            location=("Cases",),
            rm_enabled=True,
        ),
        WorkspaceTypeSpec(
            "Contract",
            (
                TemplateSpec(
                    "Contract",
                    ("Drafts", "Redlines", "Approvals", "Executed"),
                    roles=CONTRACT_ROLES,
                    categories=("Business Record", "Contract"),
                    defaults={"Contract/Status": "Draft"},
                ),
            ),
            location=("Contract Workspaces",),
            rm_enabled=True,
        ),
    )
