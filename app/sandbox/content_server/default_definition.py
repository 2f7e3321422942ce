"""The server of the demo and of most tests: a Dynamics connection and a type for every record.

Categories are in `default_categories`, workspace and business object types in `default_types`,
workflow maps and the file plan in `default_processes`.
"""

from __future__ import annotations

from app.sandbox.content_server.default_categories import CATEGORIES
from app.sandbox.content_server.default_processes import RECORDS, WORKFLOW_MAPS
from app.sandbox.content_server.default_types import (
    EXTERNAL_SYSTEM,
    WORKSPACE_TYPES,
    business_object_types,
)
from app.sandbox.content_server.definition import (
    ClientSpec,
    Definition,
    ExternalSystemSpec,
    UserSpec,
)

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


def demo_users(count: int) -> tuple[UserSpec, ...]:
    """The service user and ``count`` people: eight by name, then ``person.nine`` and so on."""
    people = [_person(*PEOPLE[index]) for index in range(min(count, len(PEOPLE)))]
    people += [
        _person(f"Person{index + 1}", "Demo", "Sales") for index in range(len(PEOPLE), count)
    ]
    return (SERVICE_USER, *people)


def default_definition(users: int = 8) -> Definition:
    """A workspace type for each kind of record of the eight flows, external system ``D365``."""
    return Definition(
        external_systems=(ExternalSystemSpec(EXTERNAL_SYSTEM),),
        categories=CATEGORIES,
        workspace_types=WORKSPACE_TYPES,
        business_object_types=business_object_types(),
        users=demo_users(users),
        groups=GROUPS,
        clients=(SERVICE_CLIENT,),
        workflow_maps=WORKFLOW_MAPS,
        records=RECORDS,
    )


def _person(first: str, last: str, group: str) -> UserSpec:
    login = f"{first}.{last}".lower()
    return UserSpec(login, first, last, f"{login}@contoso.example", USER_PASSWORD, (group,))
