"""Links between rows: collections, references, nested creates, and what a delete does to them."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

from app.sandbox.dataverse import DataverseSimulator, Reference
from tests.sandbox.dataverse.support import REPRESENTATION, error

PEOPLE = "contact_customer_accounts"


async def test_a_row_is_added_to_a_collection_and_taken_out(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    account = dataverse.seed("account", {"name": "Kumi Oy"})
    person = dataverse.seed("contact", {"lastname": "Lee"})
    here = f"/accounts({account.id})/{PEOPLE}"
    address = {"@odata.id": f"{client.base_url}contacts({person.id})"}
    assert (await client.post(f"{here}/$ref", json=address)).status_code == 204
    names = [row["lastname"] for row in (await client.get(here)).json()["value"]]
    assert names == ["Lee"]
    assert (await client.get(f"{here}/$count")).text == "\ufeff1"
    references = (await client.get(f"{here}/$ref")).json()["value"]
    assert references == [
        {"@odata.id": f"{str(client.base_url).rstrip('/')}/contacts({person.id})"}
    ]
    assert (await client.delete(f"{here}({person.id})/$ref")).status_code == 204
    assert (await client.get(here)).json()["value"] == []
    messages = [commit.message for commit in dataverse.commits[-4:]]
    assert messages == ["Update", "Associate", "Update", "Disassociate"]
    related = dataverse.commits[-1].parameters
    assert related["Relationship"] == PEOPLE
    assert related["RelatedEntities"] == [Reference("contact", person.id)]


async def test_rows_are_linked_many_to_many(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    team = dataverse.seed("team", {"name": "Sales"})
    user = dataverse.seed("systemuser", {"fullname": "Ann"})
    here = f"/teams({team.id})/teammembership_association"
    address = {"@odata.id": f"/systemusers({user.id})"}
    assert (await client.post(f"{here}/$ref", json=address)).status_code == 204
    assert error(await client.post(f"{here}/$ref", json=address)) == (412, "0x80040237")
    back = await client.get(f"/systemusers(ownerid={user.id})/teammembership_association")
    assert [row["name"] for row in back.json()["value"]] == ["Sales"]
    query = {"$filter": f"teammembership_association/any(u:u/systemuserid eq {user.id})"}
    assert len((await client.get("/teams", params=query)).json()["value"]) == 1
    unlink = f"{here}/$ref?$id=/systemusers({user.id})"
    assert (await client.delete(unlink)).status_code == 204
    assert (await client.get(here)).json()["value"] == []
    assert dataverse.commits[-1].message == "Disassociate"


async def test_what_does_not_belong_into_a_collection_is_refused(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    account = dataverse.seed("account", {"name": "Kumi Oy"})
    here = f"/accounts({account.id})/{PEOPLE}/$ref"
    wrong = {"@odata.id": f"/accounts({account.id})"}
    assert error(await client.post(here, json=wrong)) == (400, "0x80048d19")
    missing = {"@odata.id": f"/contacts({uuid.uuid4()})"}
    assert error(await client.post(here, json=missing)) == (404, "0x80040217")
    assert error(await client.post(here, json={})) == (400, "0x80048d19")
    assert error(await client.delete(here)) == (400, "0x80060888")


async def test_a_nested_create_makes_all_rows_or_none(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    other = dataverse.seed("contact", {"lastname": "Old"})
    body: dict[str, Any] = {
        "name": "Kumi Oy",
        "primarycontactid": {"lastname": "First"},
        PEOPLE: [{"lastname": "One"}, {"lastname": "Two"}],
        "opportunity_parent_account@odata.bind": [],
        f"{PEOPLE}@odata.bind": [f"/contacts({other.id})"],
    }
    query = {"$expand": f"primarycontactid($select=lastname),{PEOPLE}($select=lastname)"}
    created = await client.post("/accounts", json=body, headers=REPRESENTATION)
    read = await client.get(f"/accounts({created.json()['accountid']})", params=query)
    assert read.json()["primarycontactid"]["lastname"] == "First"
    assert {row["lastname"] for row in read.json()[PEOPLE]} == {"One", "Two", "Old"}
    body[PEOPLE].append({"nonsense": 1})
    before = len(dataverse.commits)
    assert error(await client.post("/accounts", json=body)) == (400, "0x0")
    assert len(dataverse.commits) == before
    update = await client.patch(f"/accounts({created.json()['accountid']})", json=body)
    assert update.status_code == 400


async def test_a_row_is_created_in_a_collection(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    account = dataverse.seed("account", {"name": "Kumi Oy"})
    made = await client.post(f"/accounts({account.id})/{PEOPLE}", json={"lastname": "Lee"})
    assert made.status_code == 204
    (person,) = dataverse.rows("contact")
    assert person.values["parentcustomerid"] == Reference("account", account.id)


async def test_a_delete_takes_what_belongs_to_the_row_and_lets_go_of_the_rest(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    account = dataverse.seed("account", {"name": "Kumi Oy"})
    here = Reference("account", account.id)
    child = dataverse.seed("account", {"name": "Child", "parentaccountid": here})
    note = dataverse.seed("annotation", {"subject": "Note", "objectid": here})
    query = {"$select": "subject"}
    first = await client.get(
        "/annotations", params=query, headers={"Prefer": "odata.track-changes"}
    )
    assert (await client.delete(f"/accounts({account.id})")).status_code == 204
    assert dataverse.row("annotation", note.id) is None
    left = dataverse.row("account", child.id)
    assert left is not None
    assert left.values["parentaccountid"] is None
    assert left.version > child.version, "the database wrote the row, though no event tells"
    told = [(c.message, c.table, c.depth) for c in dataverse.commits[-2:]]
    assert told == [("Delete", "annotation", 2), ("Delete", "account", 1)]
    delta = (await client.get(first.json()["@odata.deltaLink"])).json()["value"]
    assert [(entry["id"], entry["reason"]) for entry in delta] == [(note.id, "deleted")]


async def test_the_row_behind_a_lookup_is_read_and_its_link_replaced(
    dataverse: DataverseSimulator, client: httpx.AsyncClient
) -> None:
    one, two = (dataverse.seed("contact", {"lastname": name}) for name in ("One", "Two"))
    values = {"name": "Kumi Oy", "primarycontactid": one.id}
    account = dataverse.seed("account", values)
    here = f"/accounts({account.id})/primarycontactid"
    assert (await client.get(here, params={"$select": "lastname"})).json()["lastname"] == "One"
    address = {"@odata.id": f"/contacts({two.id})"}
    assert (await client.put(f"{here}/$ref", json=address)).status_code == 204
    reference = (await client.get(f"{here}/$ref")).json()["@odata.id"]
    assert reference.endswith(f"/contacts({two.id})")
    assert (await client.delete(f"{here}/$ref")).status_code == 204
    assert (await client.get(here)).status_code == 204
    text = await client.get(f"/accounts({account.id})/name/$value")
    assert (text.text, text.headers["content-type"]) == ("Kumi Oy", "text/plain")
