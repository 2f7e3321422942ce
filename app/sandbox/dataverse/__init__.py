"""A simulated Dataverse: the Web API v9.2 over rows in memory (reference/dataverse.md 2 and 6).

    async with EntraSimulator("contoso", [EntraClient(APP_ID, secrets=("s",))]) as entra:
        async with DataverseSimulator(entra, application_users={APP_ID: "Dovetail"}) as dataverse:
            account = dataverse.seed("account", {"name": "Kumi Oy"})
            ...  # requests to dataverse.api_url with a token for dataverse.scope
            dataverse.row("account", account.id).values["new_xecmworkspaceid"]
            [commit for commit in dataverse.commits if commit.author.app_id == APP_ID]

Tables are data: `tables.yaml` beside this module, or arguments of the constructor.
"""

from app.sandbox.dataverse.errors import Refusal
from app.sandbox.dataverse.simulator import (
    SYSTEM_USER_ID,
    DataverseSimulator,
    application_user_id,
)
from app.sandbox.dataverse.store.commits import Author, Commit, Row
from app.sandbox.dataverse.tables.values import Reference, Value
from app.sandbox.dataverse.web.protection import Limits

__all__ = [
    "SYSTEM_USER_ID",
    "Author",
    "Commit",
    "DataverseSimulator",
    "Limits",
    "Reference",
    "Refusal",
    "Row",
    "Value",
    "application_user_id",
]
