"""``$expand``: rows around a row, as Microsoft's pages on joining tables show them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator, Reference
from tests.sandbox.dataverse.support import names

ACCOUNT = "0a000000-0000-4000-8000-00000000000a"
OWNER = "0b000000-0000-4000-8000-00000000000b"
PEOPLE = [f"0c000000-0000-4000-8000-00000000000{n}" for n in range(3)]
COLLECTION = "contact_customer_accounts"


@pytest.fixture(autouse=True)
def account(dataverse: DataverseSimulator) -> None:
    """An account with an owner, three people, and one of them in front."""
    dataverse.seed("systemuser", {"fullname": "Ann"}, row_id=OWNER)
    owner, here = Reference("systemuser", OWNER), Reference("account", ACCOUNT)
    dataverse.seed("account", {"name": "Kumi", "ownerid": owner}, row_id=ACCOUNT)
    for number, person in enumerate(PEOPLE):
        values = {"lastname": f"P{number}", "parentcustomerid": here, "ownerid": owner}
        dataverse.seed("contact", values, row_id=person)
    dataverse.change("account", ACCOUNT, {"primarycontactid": PEOPLE[0]})


async def listed(client: httpx.AsyncClient, expand: str, size: int = 0) -> dict[str, Any]:
    query = {"$select": "name", "$expand": expand, "$filter": f"accountid eq {ACCOUNT}"}
    prefer = {"Prefer": f"odata.maxpagesize={size}"} if size else {}
    answer = await client.get("/accounts", params=query, headers=prefer)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_lookup_of_a_list_comes_without_an_etag_and_of_a_row_with_one(
    client: httpx.AsyncClient,
) -> None:
    person = {"lastname": "P0", "contactid": PEOPLE[0]}
    (row,) = (await listed(client, "primarycontactid($select=lastname)"))["value"]
    assert row["primarycontactid"] == person
    query = {"$select": "name", "$expand": "primarycontactid($select=lastname)"}
    read = (await client.get(f"/accounts({ACCOUNT})", params=query)).json()["primarycontactid"]
    assert read.pop("@odata.etag").startswith("W/") and read == person


async def test_users_have_both_their_ids(client: httpx.AsyncClient) -> None:
    (row,) = (await listed(client, "ownerid($select=fullname)"))["value"]
    assert row["ownerid"] == {"fullname": "Ann", "systemuserid": OWNER, "ownerid": OWNER}


async def test_an_owner_may_be_a_team(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    team = dataverse.seed("team", {"name": "Sales"})
    dataverse.change("account", ACCOUNT, {"ownerid": Reference("team", team.id)})
    (row,) = (await listed(client, "ownerid($select=fullname)"))["value"]
    assert row["ownerid"] == {"teamid": team.id, "ownerid": team.id}
    (row,) = (await listed(client, "ownerid"))["value"]
    assert row["ownerid"]["name"] == "Sales"
    (row,) = (await listed(client, "ownerid/$ref"))["value"]
    assert row["ownerid"] == {"@odata.id": f"{dataverse.api_url}/teams({team.id})"}
    read = await client.get(f"/accounts({ACCOUNT})/ownerid?$select=name")
    assert read.json()["name"] == "Sales"
    address = (await client.get(f"/accounts({ACCOUNT})/ownerid/$ref")).json()["@odata.id"]
    assert address.endswith(f"/teams({team.id})")


async def test_a_reference_is_expanded_to_the_address_of_the_row(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    body = await listed(client, "primarycontactid/$ref")
    assert body["@odata.context"].endswith("(name,primarycontactid,primarycontactid/$ref())")
    (row,) = body["value"]
    assert row["primarycontactid"] == {"@odata.id": f"{dataverse.api_url}/contacts({PEOPLE[0]})"}
    assert row["_primarycontactid_value"] == PEOPLE[0]
    (row,) = (await listed(client, "parentaccountid/$ref"))["value"]
    assert (row["parentaccountid"], row["_parentaccountid_value"]) == (None, None)


async def test_a_collection_tells_where_it_is_found_and_why_its_rows_are_in_it(
    client: httpx.AsyncClient,
) -> None:
    """No page is cut inside: the preferred size is that of the list around."""
    (row,) = (await listed(client, f"{COLLECTION}($select=lastname;$orderby=lastname desc)", 1))[
        "value"
    ]
    assert [person["lastname"] for person in row[COLLECTION]] == ["P2", "P1", "P0"]
    assert set(row[COLLECTION][0]) == {
        "@odata.etag",
        "lastname",
        "contactid",
        "_parentcustomerid_value",
    }
    again = await client.get(row[f"{COLLECTION}@odata.nextLink"])
    assert [person["lastname"] for person in again.json()["value"]] == ["P2", "P1", "P0"]


async def test_levels_below_each_other_turn_pages_of_their_own(client: httpx.AsyncClient) -> None:
    expand = f"{COLLECTION}($select=lastname;$expand=ownerid($select=fullname))"
    body = await listed(client, expand, 2)
    assert body["@odata.context"].endswith(f"(name,{COLLECTION}(lastname,ownerid(fullname)))")
    (row,) = body["value"]
    owner = {"fullname": "Ann", "systemuserid": OWNER, "ownerid": OWNER}
    assert row[COLLECTION] == [
        {"lastname": f"P{n}", "contactid": PEOPLE[n], "ownerid": owner} for n in (0, 1)
    ]
    rest = await client.get(row[f"{COLLECTION}@odata.nextLink"])
    (last,) = rest.json()["value"]
    assert (last["lastname"], last["ownerid"]["fullname"]) == ("P2", "Ann")


async def test_pages_keep_what_is_expanded(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    for number in range(3):
        dataverse.seed("account", {"name": f"A{number}", "primarycontactid": PEOPLE[number]})
    query = {
        "$select": "name",
        "$filter": "startswith(name,'A')",
        "$orderby": "name",
        "$expand": "primarycontactid($select=lastname)",
    }
    prefer = {"Prefer": "odata.maxpagesize=2"}
    first = await client.get("/accounts", params=query, headers=prefer)
    rest = await client.get(first.json()["@odata.nextLink"], headers=prefer)
    assert names(first) + names(rest) == ["A0", "A1", "A2"]
    assert rest.json()["value"][0]["primarycontactid"]["lastname"] == "P2"
