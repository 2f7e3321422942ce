"""What a callback on commits hears of each write."""

from __future__ import annotations

import httpx

from app.sandbox.dataverse import Commit, DataverseSimulator, application_user_id
from tests.sandbox.dataverse.support import APP_ID, REPRESENTATION

USER = application_user_id(APP_ID)


def heard_by(dataverse: DataverseSimulator) -> list[Commit]:
    heard: list[Commit] = []
    dataverse.on_commit(heard.append)
    return heard


async def test_an_update_tells_its_columns_images_users_and_marks(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    account = dataverse.seed("account", {"name": "Kumi Oy", "telephone1": "1"})
    person = dataverse.seed("systemuser", {"fullname": "Ann"})
    heard = heard_by(dataverse)
    headers = REPRESENTATION | {
        "MSCRMCallerID": person.id,
        "MSCRM.BypassBusinessLogicExecution": "CustomSync,CustomAsync",
        "MSCRM.BypassBusinessLogicExecutionStepIds": "AAAAAAAA-0000-4000-8000-000000000001",
        "x-ms-correlation-id": "of-the-caller",
        "User-Agent": "dovetail-test",
    }
    changes = {"name": "Kumi Oy", "telephone1": "2"}
    answer = await client.patch(f"/accounts({account.id})?tag=xecm", json=changes, headers=headers)
    (commit,) = heard
    assert (commit.message, commit.table, commit.id) == ("Update", "account", account.id)
    assert dict(commit.submitted) == changes
    assert commit.changed["telephone1"] == "2"
    assert "name" not in commit.changed
    assert commit.before is not None
    assert commit.before.values["telephone1"] == "1"
    assert commit.after is not None
    assert commit.after.values["telephone1"] == "2"
    author = commit.author
    assert (author.user_id, author.initiating_user_id) == (person.id, USER)
    assert (author.tag, author.correlation_id) == ("xecm", "of-the-caller")
    assert author.bypass == {"CustomSync", "CustomAsync"}
    assert author.bypass_steps == {"aaaaaaaa-0000-4000-8000-000000000001"}
    assert author.user_agent == "dovetail-test"
    assert (commit.depth, commit.modifiedon) == (1, answer.json()["modifiedon"])
    assert answer.json()["@odata.etag"] == f'W/"{commit.versionnumber}"'


async def test_writes_of_one_change_share_their_transaction(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    heard = heard_by(dataverse)
    kind = "Microsoft.Dynamics.CRM.account"
    targets = [{"@odata.type": kind, "name": name} for name in ("A", "B")]
    await client.post("/accounts/Microsoft.Dynamics.CRM.CreateMultiple", json={"Targets": targets})
    await client.post("/accounts", json={"name": "C"})
    one, two, alone = heard
    assert one.transaction == two.transaction != alone.transaction
    assert (one.before, one.changed["name"]) == (None, "A")
