"""Create, read, update, upsert and delete, by id and by alternate key."""

from __future__ import annotations

import re
import uuid

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator, application_user_id
from app.sandbox.faults import Fault
from tests.sandbox.dataverse.support import ANNOTATIONS, APP_ID, REPRESENTATION, Clock, error


async def test_a_created_row_has_an_address_defaults_and_stamps_in_whole_seconds(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    answer = await client.post("/accounts", json={"name": "Kumi Oy", "creditlimit": 12.345})
    assert answer.status_code == 204
    address = answer.headers["OData-EntityId"]
    assert re.fullmatch(re.escape(dataverse.api_url) + r"/accounts\([0-9a-f-]{36}\)", address)
    row = (await client.get(address)).json()
    me = application_user_id(APP_ID)
    assert row["name"] == "Kumi Oy"
    assert row["creditlimit"] == row["creditlimit_base"] == 12.35  # precision of money
    assert (row["statecode"], row["statuscode"]) == (0, 1)
    assert row["createdon"] == row["modifiedon"] == "2024-05-01T10:00:00Z"
    assert row["_createdby_value"] == row["_modifiedby_value"] == row["_ownerid_value"] == me
    assert row["@odata.etag"] == f'W/"{row["versionnumber"]}"'
    assert row["description"] is None


async def test_return_representation_answers_the_row(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/accounts?$select=name", json={"name": "Kumi Oy"}, headers=REPRESENTATION
    )
    assert answer.status_code == 201
    assert answer.headers["Preference-Applied"] == "return=representation"
    assert "OData-EntityId" not in answer.headers
    body = answer.json()
    assert set(body) == {"@odata.context", "@odata.etag", "name", "accountid"}
    updated = await client.patch(
        f"/accounts({body['accountid']})", json={"name": "Kumi"}, headers=REPRESENTATION
    )
    assert (updated.status_code, updated.json()["name"]) == (200, "Kumi")
    assert updated.headers["ETag"] != answer.headers["ETag"]


async def test_a_given_id_is_kept_and_a_second_row_with_it_is_refused(
    client: httpx.AsyncClient,
) -> None:
    given = str(uuid.uuid4())
    body = {"accountid": given.upper(), "name": "A"}
    assert given in (await client.post("/accounts", json=body)).headers["OData-EntityId"]
    assert error(await client.post("/accounts", json=body)) == (412, "0x80040237")


async def test_an_update_touches_only_its_columns_and_moves_the_version(
    client: httpx.AsyncClient, dataverse: DataverseSimulator, clock: Clock
) -> None:
    before = dataverse.seed("account", {"name": "A", "telephone1": "1"})
    clock.move(minutes=5)
    answer = await client.patch(f"/accounts({before.id})", json={"telephone1": None})
    assert answer.status_code == 204
    after = (await client.get(f"/accounts({before.id})")).json()
    assert (after["name"], after["telephone1"]) == ("A", None)
    assert after["createdon"] == "2024-05-01T10:00:00Z"
    assert after["modifiedon"] == "2024-05-01T10:05:00Z"
    assert after["versionnumber"] > before.version
    await client.patch(f"/accounts({before.id})", json={})
    again = (await client.get(f"/accounts({before.id})")).json()
    assert again["versionnumber"] > after["versionnumber"], "also an empty update is a version"


async def test_a_deleted_row_is_gone(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    row = dataverse.seed("account", {"name": "A"})
    assert (await client.delete(f"/accounts({row.id})")).status_code == 204
    assert error(await client.delete(f"/accounts({row.id})")) == (404, "0x80040217")
    assert error(await client.get(f"/accounts({row.id})")) == (404, "0x80040217")
    assert dataverse.row("account", row.id) is None


async def test_patch_creates_what_is_missing_unless_if_match_forbids_it(
    client: httpx.AsyncClient,
) -> None:
    path = f"/accounts({uuid.uuid4()})"
    only_update = {"If-Match": "*"}
    refused = await client.patch(path, json={"name": "A"}, headers=only_update)
    assert error(refused) == (404, "0x80040217")
    created = await client.patch(path, json={"name": "A"})
    assert created.status_code == 204
    assert created.headers["OData-EntityId"].endswith(path)
    assert (await client.patch(path, json={"name": "B"}, headers=only_update)).status_code == 204
    only_create = {"If-None-Match": "*"}
    refused = await client.patch(path, json={"name": "C"}, headers=only_create)
    assert refused.status_code == 412
    assert "matching key values already exists" in refused.json()["error"]["message"]
    assert (await client.get(path)).json()["name"] == "B"


async def test_if_match_with_a_version_is_optimistic_concurrency(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    row = dataverse.seed("account", {"name": "A"})
    path, seen = f"/accounts({row.id})", {"If-Match": row.etag}
    assert (await client.patch(path, json={"name": "B"}, headers=seen)).status_code == 204
    stale = await client.patch(path, json={"name": "C"}, headers=seen)
    assert error(stale) == (412, "0x80060882")
    assert error(await client.delete(path, headers=seen)) == (412, "0x80060882")
    assert (await client.get(path)).json()["name"] == "B"
    current = (await client.get(path)).json()["@odata.etag"]
    assert (await client.delete(path, headers={"If-Match": current})).status_code == 204
    assert error(await client.patch(path, json={}, headers=seen)) == (404, "0x80040217")


async def test_a_race_on_purpose_makes_one_conditional_write_fail(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    row = dataverse.seed("account", {"name": "A"})
    path = f"/accounts({row.id})"
    dataverse.faults.add(Fault("etag_race"))
    lost = await client.patch(path, json={"name": "B"}, headers={"If-Match": row.etag})
    assert error(lost) == (412, "0x80060882")
    fresh = (await client.get(path)).json()["@odata.etag"]
    won = await client.patch(path, json={"name": "B"}, headers={"If-Match": fresh})
    assert won.status_code == 204


@pytest.mark.parametrize("headers", [{}, {"If-Match": "*"}])
async def test_a_race_on_purpose_is_won_by_a_write_that_asks_for_no_version(
    client: httpx.AsyncClient, dataverse: DataverseSimulator, headers: dict[str, str]
) -> None:
    row = dataverse.seed("account", {"name": "A"})
    told: list[str] = []
    dataverse.on_commit(lambda commit: told.append(commit.operation))
    path = f"/accounts({row.id})"
    dataverse.faults.add(Fault("etag_race", times=3))
    await client.patch(path, json={"name": "B"}, headers=headers)
    await client.put(f"{path}/name", json={"value": "C"}, headers=headers)
    kept = dataverse.row("account", row.id)
    assert kept is not None and kept.values["name"] == "C"
    assert (await client.delete(path, headers=headers)).status_code == 204
    assert told == [*["Update"] * 5, "Delete"], "each write after one of somebody else"
    assert dataverse.faults.struck["etag_race"] == 3


async def test_a_read_with_the_current_etag_is_not_modified(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    row = dataverse.seed("account", {"name": "A"})
    path, seen = f"/accounts({row.id})", {"If-None-Match": row.etag}
    assert (await client.get(path, headers=seen)).status_code == 304
    several = {"If-None-Match": f'W/"1", {row.etag}'}
    assert (await client.get(path, headers=several)).status_code == 304
    assert (await client.get(path, headers=seen | ANNOTATIONS)).status_code == 200
    dataverse.change("account", row.id, {"name": "B"})
    assert (await client.get(path, headers=seen)).status_code == 200


async def test_an_alternate_key_reads_updates_creates_and_deletes(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    path = "/accounts(accountnumber='O''Hara/7')"
    assert error(await client.get(path)) == (404, "0x80060891")
    assert error(await client.delete(path)) == (404, "0x80060891")
    refused = await client.patch(path, json={}, headers={"If-Match": "*"})
    assert error(refused) == (404, "0x80060891")
    created = await client.patch(path, json={"name": "A"}, headers=REPRESENTATION)
    assert (created.status_code, created.json()["accountnumber"]) == (201, "O'Hara/7")
    updated = await client.patch(path, json={"name": "B"}, headers=REPRESENTATION)
    assert (updated.status_code, updated.json()["name"]) == (200, "B")
    assert updated.json()["accountid"] == created.json()["accountid"]
    encoded = "/accounts(accountnumber=%27O%27%27Hara%2F7%27)"
    assert (await client.get(encoded)).json()["name"] == "B"
    assert (await client.delete(path)).status_code == 204
    assert dataverse.rows("account") == []


async def test_an_alternate_key_is_unique_without_regard_to_case(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    first = dataverse.seed("account", {"name": "A", "accountnumber": "k1"})
    second = dataverse.seed("account", {"name": "B"})
    duplicate = {"accountnumber": "K1"}
    assert error(await client.post("/accounts", json=duplicate)) == (412, "0x80040237")
    path = f"/accounts({second.id})"
    assert error(await client.patch(path, json=duplicate)) == (412, "0x80040237")
    assert dataverse.row("account", second.id) == second, "a refused write leaves no trace"
    await client.patch(f"/accounts({first.id})", json={"accountnumber": "k2"})
    assert (await client.patch(path, json=duplicate)).status_code == 204


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("name='A'", "0x80060888"),
        ("nonsense='A'", "0x0"),
        ("not-a-guid", "0x80060888"),
        ("accountnumber=5", "0x80060888"),
        ("accountnumber=null", "0x80060888"),
        ("accountnumber='123456789012345678901'", "0x80044331"),
    ],
)
async def test_what_is_no_key_of_the_table_is_a_bad_request(
    key: str, code: str, client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    """Also null: a row with an empty key would be made again by every upsert."""
    assert error(await client.get(f"/accounts({key})")) == (400, code)
    assert error(await client.patch(f"/accounts({key})", json={"name": "A"})) == (400, code)
    assert dataverse.rows("account") == []


async def test_single_properties_are_read_set_and_cleared(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    row = dataverse.seed("account", {"name": "A"})
    path = f"/accounts({row.id})/name"
    assert (await client.get(path)).json()["value"] == "A"
    assert (await client.put(path, json={"value": "B"})).status_code == 204
    assert (await client.get(path)).json()["value"] == "B"
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 204


async def test_unknown_sets_and_methods_are_refused(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    missing = await client.get("/account")
    assert error(missing) == (404, "0x8006088a")
    assert missing.json()["error"]["message"] == "Resource not found for the segment 'account'."
    assert error(await client.get("/Accounts")) == (404, "0x8006088a")
    assert (await client.get(dataverse.url + "/elsewhere")).status_code == 404
    assert (await client.put("/accounts", json={})).status_code == 405
    assert (await client.post("/QualifyLead", json={})).status_code == 501


@pytest.mark.parametrize("body", [b"{", b"[]", b""])
async def test_a_body_that_is_no_object_is_a_bad_request(
    body: bytes, client: httpx.AsyncClient
) -> None:
    assert error(await client.post("/accounts", content=body)) == (400, "0x80048d19")


async def test_names_of_headers_are_written_as_the_service_writes_them(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/accounts", json={"name": "A"})
    names = {name for name, _ in answer.headers.raw}
    assert {b"OData-EntityId", b"Location", b"OData-Version", b"REQ_ID"} <= names
    read = await client.get("/accounts?$select=name")
    assert {b"Content-Type", b"Content-Length"} <= {name for name, _ in read.headers.raw}
