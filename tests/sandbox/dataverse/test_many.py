"""Actions that close and bulk actions: all of it or none of it."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator
from tests.sandbox.dataverse.support import account_names, error

ACCOUNT = "Microsoft.Dynamics.CRM.account"
BULK = "/accounts/Microsoft.Dynamics.CRM."
UNKNOWN = "d0d0d0d0-0000-4000-8000-000000000001"


@pytest.mark.parametrize("prefix", ["", "Microsoft.Dynamics.CRM."])
async def test_an_action_has_its_name_and_that_of_its_namespace(
    client: httpx.AsyncClient, dataverse: DataverseSimulator, prefix: str
) -> None:
    deal = dataverse.seed("opportunity", {"name": "A"})
    close = {"opportunityid@odata.bind": f"/opportunities({deal.id})"}
    lost = await client.post(f"/{prefix}LoseOpportunity", json={"OpportunityClose": close})
    assert error(lost) == (400, "0x80048d19"), "it needs its Status"
    body = {"Status": 4, "OpportunityClose": close}
    assert (await client.post(f"/{prefix}LoseOpportunity", json=body)).status_code == 204
    quote = dataverse.seed("quote", {"name": "Q", "statecode": 1})
    made = await client.post(f"/{prefix}ConvertQuoteToSalesOrder", json={"QuoteId": quote.id})
    assert made.status_code == 200, made.text


async def test_an_opportunity_is_won_with_its_activity(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    deal = dataverse.seed("opportunity", {"name": "A", "estimatedvalue": 10})
    close = {"subject": "Signed", "opportunityid@odata.bind": f"/opportunities({deal.id})"}
    body = {"Status": 3, "OpportunityClose": close | {"actualrevenue": 12}}
    assert (await client.post("/WinOpportunity", json=body)).status_code == 204
    row = (await client.get(f"/opportunities({deal.id})")).json()
    assert (row["statecode"], row["statuscode"]) == (1, 3)
    assert (row["actualvalue"], row["actualclosedate"]) == (12.0, "2024-05-01")
    (activity,) = dataverse.rows("opportunityclose")
    assert activity.values["subject"] == "Signed"
    assert activity.values["opportunitystatecode"] == 1
    again = await client.post("/LoseOpportunity", json={**body, "Status": 4})
    assert "already been closed" in again.json()["error"]["message"]


async def test_an_opportunity_is_lost_and_a_case_resolved(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    deal = dataverse.seed("opportunity", {"name": "A"})
    bind = {"opportunityid@odata.bind": f"/opportunities({deal.id})"}
    body = {"Status": -1, "OpportunityClose": bind}
    assert (await client.post("/LoseOpportunity", json=body)).status_code == 204
    row = (await client.get(f"/opportunities({deal.id})")).json()
    assert (row["statecode"], row["statuscode"]) == (2, 4)
    case = dataverse.seed("incident", {"title": "A"})
    resolution = {"subject": "Done", "incidentid@odata.bind": f"/incidents({case.id})"}
    wrong = {"IncidentResolution": resolution, "Status": 6}
    assert error(await client.post("/CloseIncident", json=wrong)) == (400, "0x80048408")
    assert dataverse.rows("incidentresolution") == []
    right = {"IncidentResolution": resolution, "Status": 1000}
    assert (await client.post("/CloseIncident", json=right)).status_code == 204
    row = (await client.get(f"/incidents({case.id})")).json()
    assert (row["statecode"], row["statuscode"]) == (1, 1000)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"Status": 3, "OpportunityClose": {"subject": "no record"}}, 400),
        ({"Status": 3, "Nonsense": 1}, 400),
        (
            {
                "Status": 3,
                "OpportunityClose": {"opportunityid@odata.bind": f"/opportunities({uuid.uuid4()})"},
            },
            404,
        ),
    ],
)
async def test_an_action_without_its_record_is_refused(
    body: dict[str, Any], status: int, client: httpx.AsyncClient
) -> None:
    assert (await client.post("/WinOpportunity", json=body)).status_code == status
    assert (await client.get("/WinOpportunity")).status_code == 405


async def test_many_rows_are_created_updated_and_upserted(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    targets = [{"@odata.type": ACCOUNT, "name": name} for name in ("A", "B")]
    answer = await client.post(f"{BULK}CreateMultiple", json={"Targets": targets})
    ids = answer.json()["Ids"]
    assert answer.status_code == 200
    changes = [{"@odata.type": ACCOUNT, "accountid": i, "name": f"{i[:4]}"} for i in ids]
    updated = await client.post(f"{BULK}UpdateMultiple", json={"Targets": changes})
    assert updated.status_code == 204
    assert account_names(dataverse) == [i[:4] for i in ids]
    upserts = [
        {"@odata.type": ACCOUNT, "accountid": ids[0], "name": "A2"},
        {"@odata.type": ACCOUNT, "@odata.id": "accounts(accountnumber='K')", "name": "K"},
    ]
    for _ in range(2):
        upserted = await client.post(f"{BULK}UpsertMultiple", json={"Targets": upserts})
        assert upserted.status_code == 204
    assert account_names(dataverse) == ["A2", ids[1][:4], "K"]


async def test_rows_of_a_bulk_are_named_in_every_way_that_addresses_are(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    row = dataverse.seed("account", {"name": "A", "accountnumber": "K"})
    for name, address in (
        ("absolute", f"{dataverse.api_url}/accounts({row.id})"),
        ("from the root", f"/accounts({row.id})"),
        ("by key", "accounts(accountnumber='K')"),
    ):
        target = {"@odata.type": f"#{ACCOUNT}", "@odata.id": address, "name": name}
        answer = await client.post(f"{BULK}UpdateMultiple", json={"Targets": [target]})
        assert (answer.status_code, account_names(dataverse)) == (204, [name])


@pytest.mark.parametrize(
    ("action", "address", "refusal"),
    [
        ("UpdateMultiple", "accounts(accountnumber='gone')", (404, "0x80060891")),
        ("UpsertMultiple", f"contacts({UNKNOWN})", (400, "0x80048d19")),
        ("UpsertMultiple", "accounts", (400, "0x80048d19")),
        ("UpsertMultiple", 5, (400, "0x80048d19")),
    ],
)
async def test_an_address_of_no_such_row_is_refused_in_bulk(
    action: str, address: object, refusal: tuple[int, str], client: httpx.AsyncClient
) -> None:
    target = {"@odata.type": ACCOUNT, "@odata.id": address, "name": "A"}
    answer = await client.post(f"{BULK}{action}", json={"Targets": [target]})
    assert error(answer) == refusal


@pytest.mark.parametrize(
    ("action", "second"),
    [
        ("CreateMultiple", {"@odata.type": ACCOUNT, "name": 5}),
        ("CreateMultiple", {"name": "no type"}),
        ("UpdateMultiple", {"@odata.type": ACCOUNT, "accountid": str(uuid.uuid4())}),
        ("UpdateMultiple", {"@odata.type": ACCOUNT, "name": "no id"}),
        ("UpdateMultiple", "the first again"),
        ("UpsertMultiple", {"@odata.type": ACCOUNT, "@odata.id": "accounts(name='no key')"}),
    ],
)
async def test_one_bad_row_undoes_the_whole_bulk(
    action: str,
    second: dict[str, Any] | str,
    client: httpx.AsyncClient,
    dataverse: DataverseSimulator,
) -> None:
    row = dataverse.seed("account", {"name": "before"})
    commits = len(dataverse.commits)
    heard: list[Any] = []
    dataverse.on_commit(heard.append)
    first: dict[str, Any] = {"@odata.type": ACCOUNT, "name": "first"}
    if action != "CreateMultiple":
        first["accountid"] = row.id
    targets = [first, first if second == "the first again" else second]
    answer = await client.post(f"{BULK}{action}", json={"Targets": targets})
    assert answer.status_code in (400, 404)
    assert dataverse.rows("account") == [row]
    assert (len(dataverse.commits), heard) == (commits, [])


async def test_deleting_in_bulk_is_not_there(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{BULK}DeleteMultiple", json={})
    assert answer.status_code == 501
    assert answer.json()["error"]["message"] == "DeleteMultiple has not yet been implemented."


async def test_a_row_that_is_missing_from_an_update_in_bulk_is_named(
    client: httpx.AsyncClient,
) -> None:
    row_id = str(uuid.uuid4())
    target = {"@odata.type": ACCOUNT, "accountid": row_id, "name": "A"}
    answer = await client.post(f"{BULK}UpdateMultiple", json={"Targets": [target]})
    assert error(answer) == (404, "0x80040217")
    assert answer.json()["error"]["message"] == f"account With Ids = {row_id} Do Not Exist"


@pytest.mark.parametrize(
    ("message", "table", "found"),
    [
        ("CreateMultiple", "account", 1),
        ("UpsertMultiple", "account", 1),
        ("DeleteMultiple", "account", 0),
        ("CreateMultiple", "new_nothing", 0),
    ],
)
async def test_whether_a_table_has_a_bulk_action_can_be_asked(
    message: str, table: str, found: int, client: httpx.AsyncClient
) -> None:
    """In the words of Microsoft's page on bulk operations."""
    query = {
        "$select": "sdkmessagefilterid",
        "$filter": "sdkmessageid/name eq @message and primaryobjecttypecode eq @table",
        "@message": f"'{message}'",
        "@table": f"'{table}'",
    }
    answer = await client.get("/sdkmessagefilters", params=query)
    assert len(answer.json()["value"]) == found
    for one in answer.json()["value"]:
        assert one.keys() == {"@odata.etag", "sdkmessagefilterid"}
        path = f"/sdkmessagefilters({one['sdkmessagefilterid']})"
        whole = await client.get(path, params={"$expand": "sdkmessageid($select=name)"})
        assert whole.json()["sdkmessageid"]["name"] == message
        for refused in (
            await client.patch(path, json={"name": "mine"}),
            await client.delete(path),
            await client.post("/sdkmessagefilters", json={"name": "mine"}),
        ):
            assert error(refused) == (400, "0x80040800")
