"""The imagined company of a sandbox: its people on both sides, and the stages of its sales."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from app.sandbox.content_server.definition import UserSpec
from app.sandbox.dataverse import DataverseSimulator
from app.sandbox.entra import EntraClient
from app.sandbox.entra.defaults import CLIENT_ID, CLIENT_SECRET

SERVICE = EntraClient(CLIENT_ID, secrets=(CLIENT_SECRET,))
"""The application that a worker signs in as: what it writes is known as its own."""

DEVELOPER = EntraClient("22222222-3333-4444-8555-666666666666", secrets=("developer-secret",))
"""The application to try things with: what it writes is news to a worker."""

APPLICATION_USERS = {SERVICE.client_id: "Dovetail", DEVELOPER.client_id: "Developer"}
STAGES = ("Qualify", "Develop", "Propose", "Close")


def stage_id(index: int) -> str:
    """The row of a stage of the sales process, the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"stage {STAGES[index]}"))


def user_id(login: str) -> str:
    """The systemuser of a person, the same in every run."""
    return EntraClient(login).principal_id


def settle(dataverse: DataverseSimulator, people: Iterable[UserSpec]) -> None:
    """Give a new organisation the people of the Content Server and the stages of its process."""
    for person in people:
        row = {
            "fullname": f"{person.first_name} {person.last_name}",
            "internalemailaddress": person.business_email,
        }
        dataverse.seed("systemuser", row, row_id=user_id(person.login))
    for index, name in enumerate(STAGES):
        stage = {"stagename": name, "stagecategory": index}
        dataverse.seed("processstage", stage, row_id=stage_id(index))
