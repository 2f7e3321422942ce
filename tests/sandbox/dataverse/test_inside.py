"""The in-process side: seeding with ids and times, the audit of writes, subscriptions, tables."""

from __future__ import annotations

import datetime as dt
from typing import Any

import httpx
import pytest

from app.sandbox.dataverse import (
    SYSTEM_USER_ID,
    Author,
    Commit,
    DataverseSimulator,
    Reference,
    Refusal,
    application_user_id,
)
from app.sandbox.entra import EntraSimulator
from tests.sandbox.dataverse.support import APP_ID, signed_in

GIVEN = "0a000000-0000-4000-8000-00000000000a"


def test_a_seeded_row_has_the_id_time_and_author_it_was_given(
    dataverse: DataverseSimulator,
) -> None:
    ada = dataverse.seed("systemuser", {"fullname": "Ada"})
    moment = dt.datetime(2023, 3, 4, 5, 6, 7, tzinfo=dt.UTC)
    row = dataverse.seed(
        "opportunity",
        {"name": "A", "statecode": 1, "customerid": Reference("account", GIVEN)},
        row_id=GIVEN,
        at=moment,
        author=Author(ada.id),
    )
    assert (row.id, row.values["createdon"]) == (GIVEN, "2023-03-04T05:06:07Z")
    assert row.values["modifiedby"] == Reference("systemuser", ada.id)
    assert (row.values["statecode"], row.values["statuscode"]) == (1, 3)
    explicit = dataverse.seed("account", {"name": "A", "modifiedon": "2020-01-01T00:00:00Z"})
    assert explicit.values["modifiedon"] == "2020-01-01T00:00:00Z"


def test_what_is_wrong_in_a_seed_is_said(dataverse: DataverseSimulator) -> None:
    with pytest.raises(KeyError, match="no table 'acount'; this simulator has: account"):
        dataverse.seed("acount", {})
    with pytest.raises(Refusal, match="Could not find a property named 'nme'"):
        dataverse.seed("account", {"nme": "A"})
    with pytest.raises(KeyError, match="There is no account"):
        dataverse.change("account", GIVEN, {})


async def test_commits_tell_who_wrote_what_with_which_marks(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    row = dataverse.seed("account", {"name": "A"})
    headers = {
        "x-ms-correlation-id": "c-1",
        "MSCRM.BypassBusinessLogicExecution": "CustomSync,CustomAsync",
    }
    path = f"/accounts({row.id})"
    await client.patch(f"{path}?tag=xecm", json={"name": "B"}, headers=headers)
    await client.delete(path)
    seeded, updated, deleted = dataverse.commits[-3:]
    assert (seeded.operation, seeded.author.user_id) == ("Create", SYSTEM_USER_ID)
    assert updated.operation == "Update"
    assert updated.submitted == {"name": "B"}
    assert updated.before is not None
    assert updated.after is not None
    assert (updated.before.values["name"], updated.after.values["name"]) == ("A", "B")
    author = updated.author
    assert (author.user_id, author.app_id) == (application_user_id(APP_ID), APP_ID)
    assert (author.tag, author.correlation_id) == ("xecm", "c-1")
    assert author.bypass == {"CustomSync", "CustomAsync"}
    assert (deleted.operation, deleted.id, deleted.after) == ("Delete", row.id, None)
    versions = [commit.version for commit in dataverse.commits]
    assert versions == sorted(set(versions)), "one counter numbers all writes"


async def test_subscribers_hear_of_commits_once_they_are_done(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    heard: list[tuple[str, Any]] = []

    def listen(commit: Commit) -> None:
        stored = dataverse.row(commit.table, commit.id)
        heard.append((commit.operation, stored and stored.values["name"]))

    unsubscribe = dataverse.on_commit(listen)
    await client.post("/accounts", json={"name": "A"})
    await client.post("/accounts", json={"nonsense": 1})
    (row,) = dataverse.rows("account")
    await client.delete(f"/accounts({row.id})")
    unsubscribe()
    await client.post("/accounts", json={"name": "B"})
    assert heard == [("Create", "A"), ("Delete", None)]


async def test_tables_and_columns_are_added_as_data(entra: EntraSimulator) -> None:
    tables = {
        "new_gate": {
            "name": "new_name",
            "keys": {"code": ["new_code", "new_accountid"]},
            "columns": {
                "new_name": "string 100",
                "new_code": "int",
                "new_accountid": "lookup account as new_AccountId",
                "new_kinds": "choices 1=One, 2=Two, 3=Three",
            },
        }
    }
    columns = {"account": {"new_rating": "double", "new_big": "bigint"}}
    async with (
        DataverseSimulator(
            entra, application_users={APP_ID: "D"}, tables=[tables], columns=columns
        ) as dataverse,
        signed_in(entra, dataverse) as client,
    ):
        account = dataverse.seed("account", {"new_rating": 0.123456, "new_big": 2**60})
        path = f"/new_gates(new_code=7,_new_accountid_value={account.id})"
        body = {"new_name": "G", "new_kinds": "1, 3"}
        created = await client.patch(path, json=body, headers={"Prefer": "return=representation"})
        assert created.status_code == 201, created.text
        row = (await client.get(path)).json()
        assert (row["new_code"], row["new_kinds"]) == (7, "1,3")
        assert row["_new_accountid_value"] == account.id
        annotated = {"Prefer": 'odata.include-annotations="*"'}
        labelled = (await client.get(path, headers=annotated)).json()
        assert labelled["new_kinds@OData.Community.Display.V1.FormattedValue"] == "One; Three"
        read = (await client.get(f"/accounts({account.id})?$select=new_rating,new_big")).json()
        assert (read["new_rating"], read["new_big"]) == (0.123456, 2**60)


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        ({"account": {"new_x": "text 5"}}, "account.new_x: 'text' is no type; there are: string"),
        ({"account": {"new_x": "string"}}, "needs its length"),
        ({"acount": {"new_x": "int"}}, "there is no table 'acount'"),
    ],
)
def test_a_definition_that_makes_no_sense_is_named(
    definition: dict[str, dict[str, str]], says: str, entra: EntraSimulator
) -> None:
    with pytest.raises(ValueError, match=says):
        DataverseSimulator(entra, application_users={}, columns=definition)


async def test_rows_and_address_outlive_an_outage(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    dataverse.seed("account", {"name": "A"})
    url = dataverse.url
    await dataverse.stop(abort=True)
    with pytest.raises(httpx.TransportError):
        await client.get("/accounts")
    await dataverse.start()
    assert dataverse.url == url
    assert len((await client.get("/accounts")).json()["value"]) == 1
