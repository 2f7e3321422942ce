"""Change tracking: full read, then changes, then deletions; nothing lost between pages."""

from __future__ import annotations

import urllib.parse
from typing import Any

import httpx
import pytest

from app.sandbox.dataverse import DataverseSimulator
from tests.sandbox.dataverse.support import Clock, error, names

TRACK = {"Prefer": "odata.track-changes"}
PAGED = {"Prefer": "odata.track-changes,odata.maxpagesize=2"}
SELECT = {"$select": "name,versionnumber"}


async def first(client: httpx.AsyncClient) -> str:
    """A full read; its delta link."""
    answer = await client.get("/accounts", params=SELECT, headers=TRACK)
    assert answer.headers["Preference-Applied"] == "odata.track-changes"
    return str(answer.json()["@odata.deltaLink"])


async def poll(client: httpx.AsyncClient, link: str) -> dict[str, Any]:
    answer = await client.get(link, headers=TRACK)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def kinds(body: dict[str, Any]) -> list[str]:
    return [row.get("name") or f"deleted {row['id']}" for row in body["value"]]


async def test_the_first_round_is_all_rows_and_a_delta_link(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    dataverse.seed("account", {"name": "A"})
    answer = await client.get("/accounts", params=SELECT, headers=TRACK)
    assert names(answer) == ["A"]
    body = answer.json()
    assert body["@odata.context"].endswith("$metadata#accounts(name,versionnumber)")
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(body["@odata.deltaLink"]).query)
    assert query["$deltatoken"] == [f"{dataverse.version}!05/01/2024 10:00:00"]
    assert query["$select"] == ["name,versionnumber"]


async def test_an_idle_round_is_empty_and_continues(client: httpx.AsyncClient) -> None:
    body = await poll(client, await first(client))
    assert body["value"] == []
    assert body["@odata.context"].endswith("(name,versionnumber)/$delta")
    assert (await poll(client, body["@odata.deltaLink"]))["value"] == []


async def test_changes_come_by_version_and_deletions_after_them(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    kept, gone = (dataverse.seed("account", {"name": name}) for name in ("kept", "gone"))
    link = await first(client)
    dataverse.remove("account", gone.id)
    new = dataverse.seed("account", {"name": "new"})
    dataverse.change("account", kept.id, {"name": "changed"})
    dataverse.change("account", kept.id, {"name": "changed twice"})
    brief = dataverse.seed("account", {"name": "brief"})
    dataverse.remove("account", brief.id)
    body = await poll(client, link)
    assert kinds(body) == ["new", "changed twice", f"deleted {gone.id}", f"deleted {brief.id}"]
    row = body["value"][0]
    assert row == {
        "@odata.etag": new.etag,
        "accountid": new.id,
        "name": "new",
        "versionnumber": new.version,
    }
    assert body["value"][2]["reason"] == "deleted"
    assert body["value"][2]["@odata.context"].endswith("$metadata#accounts/$deletedEntity")
    count = await client.get("/accounts/$count?" + urllib.parse.urlsplit(link).query)
    assert count.text.lstrip("\ufeff") == "4"


async def test_only_the_last_page_has_the_delta_link_and_later_writes_come_next_round(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    rows = [dataverse.seed("account", {"name": f"A{n}"}) for n in range(5)]
    page = (await client.get("/accounts", params=SELECT, headers=PAGED)).json()
    seen = kinds(page)
    assert "@odata.deltaLink" not in page
    # Written between two pages: once not yet read, once already read, once new, once gone.
    dataverse.change("account", rows[4].id, {"name": "A4 changed"})
    dataverse.change("account", rows[0].id, {"name": "A0 changed"})
    dataverse.remove("account", rows[3].id)
    dataverse.seed("account", {"name": "A5"})
    while link := page.get("@odata.nextLink"):
        page = (await client.get(link, headers=PAGED)).json()
        seen += kinds(page)
    assert seen == ["A0", "A1", "A2"]
    body = await poll(client, page["@odata.deltaLink"])
    assert kinds(body) == ["A4 changed", "A0 changed", "A5", f"deleted {rows[3].id}"]


async def test_a_round_of_changes_has_pages_too(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    old = [dataverse.seed("account", {"name": f"old{n}"}) for n in range(2)]
    link = await first(client)
    for number in range(3):
        dataverse.seed("account", {"name": f"new{number}"})
    for row in old:
        dataverse.remove("account", row.id)
    rounds: list[list[str]] = []
    page: dict[str, Any] = {"@odata.nextLink": link}
    while follow := page.get("@odata.nextLink"):
        page = (await client.get(follow, headers=PAGED)).json()
        rounds.append(kinds(page))
    assert rounds == [
        ["new0", "new1"],
        ["new2", f"deleted {old[0].id}"],
        [f"deleted {old[1].id}"],
    ]
    assert (await poll(client, page["@odata.deltaLink"]))["value"] == []


async def test_a_row_that_is_back_after_its_delete_is_a_changed_row(
    client: httpx.AsyncClient, dataverse: DataverseSimulator
) -> None:
    row = dataverse.seed("account", {"name": "A"})
    link = await first(client)
    dataverse.remove("account", row.id)
    dataverse.seed("account", {"name": "restored"}, row_id=row.id)
    assert kinds(await poll(client, link)) == ["restored"]


async def test_an_old_token_is_an_error_and_a_full_read_helps(
    client: httpx.AsyncClient, dataverse: DataverseSimulator, clock: Clock
) -> None:
    link = await first(client)
    clock.move(days=6, hours=23)
    still = await poll(client, link)
    clock.move(days=7, seconds=1)
    assert error(await client.get(still["@odata.deltaLink"], headers=TRACK)) == (400, "0x80044352")
    link = await first(client)
    dataverse.tracking.expire_tokens()
    refused = await client.get(link, headers=TRACK)
    assert "perform a full sync" in refused.json()["error"]["message"]
    await poll(client, await first(client))


@pytest.mark.parametrize(
    "option",
    [{"$filter": "name eq 'A'"}, {"$orderby": "name"}, {"$expand": "x"}, {"$top": "1"}],
    ids=lambda option: next(iter(option)),
)
async def test_what_tracking_cannot_do_is_refused(
    option: dict[str, str], client: httpx.AsyncClient
) -> None:
    answer = await client.get("/accounts", params=option, headers=TRACK)
    assert answer.status_code == 400
    (name,) = option
    told = f'The "{name}" query parameter isn\'t supported when Change Tracking is enabled.'
    assert answer.json()["error"]["message"] == told


async def test_a_table_without_tracking_and_a_token_that_is_none_are_refused(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.get("/processstages", headers=TRACK)).status_code == 400
    assert (await client.get("/accounts?$deltatoken=mine", headers=TRACK)).status_code == 400


async def test_an_administrator_decides_how_long_a_token_lives(
    client: httpx.AsyncClient, dataverse: DataverseSimulator, clock: Clock
) -> None:
    (own,) = (await client.get("/organizations?$select=name,expirechangetrackingindays")).json()[
        "value"
    ]
    assert own["expirechangetrackingindays"] == 7
    tracking = {"Prefer": "odata.track-changes"}
    link = (await client.get("/accounts?$select=name", headers=tracking)).json()["@odata.deltaLink"]
    path = f"/organizations({own['organizationid']})"
    await client.patch(path, json={"expirechangetrackingindays": 30})
    clock.move(days=20)
    assert (await client.get(link, headers=tracking)).status_code == 200
    await client.patch(path, json={"expirechangetrackingindays": 10})
    assert error(await client.get(link, headers=tracking)) == (400, "0x80044352")
