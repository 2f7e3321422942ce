"""Search: words and regions, who may see what is found, facets, and the lag of the index."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.sandbox.content_server import Behaviour, ContentServerSimulator
from tests.sandbox.content_server.conftest import Api

START = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)


class Clock:
    """A time that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[ContentServerSimulator]:
    behaviour = Behaviour(session_idle_seconds=1e6)
    async with ContentServerSimulator(seed=7, clock=clock, behaviour=behaviour) as running:
        yield running


async def _search(api: Api, where: str, **extra: Any) -> httpx.Response:
    return await api.form("POST", "/v2/search", where=where, **extra)


async def _names(api: Api, where: str, **extra: Any) -> list[str]:
    answer = await _search(api, where, **extra)
    assert answer.status_code == 200, answer.text
    return [row["data"]["properties"]["name"] for row in answer.json()["results"]]


async def _documents(server: ContentServerSimulator, api: Api, clock: Clock) -> int:
    made = server.create_workspace(
        "Contract", "Frame 7", categories={"Contract": {"Status": "In Review", "Value": 500}}
    )
    await api.upload(made.id, "draft one.txt", b"The quick brown fox signs")
    clock.now += timedelta(days=1)
    await api.upload(made.id, "letter.txt", b"A slow brown dog", description="fox hunting")
    return made.id


FINDS = {
    "fox": ["draft one.txt", "letter.txt"],
    "fox dog": ["letter.txt"],
    "fox AND NOT dog": ["draft one.txt"],
    '"quick brown" OR "slow brown"': ["draft one.txt", "letter.txt"],
    '"brown quick"': [],
    "(fox OR dog) AND slow": ["letter.txt"],
    "OTName:draft*": ["Drafts", "Drafts", "draft one.txt"],
    'OTName:"draft one.txt" AND OTSubType: 144': ["draft one.txt"],
    "OTSubType:848 AND OTName:Frame*": ["Frame 7"],
    "OTSubType:144 AND OTCreateDate:20260321": ["letter.txt"],
    "OTSubType:144 AND OTModifyDate:[2026-03-19 TO 2026-03-20]": ["draft one.txt"],
    'OTSubType:144 AND [region "OTModifyDate"] >= "2026-03-21"': ["letter.txt"],
    "OTSubType:144 AND OTObjectSize:<20": ["letter.txt"],
}


async def test_queries_find_by_word_phrase_region_and_range(
    server: ContentServerSimulator, api: Api, clock: Clock
) -> None:
    await _documents(server, api, clock)
    assert {query: await _names(api, query) for query in FINDS} == FINDS


async def test_attributes_are_regions(
    server: ContentServerSimulator, api: Api, clock: Clock
) -> None:
    await _documents(server, api, clock)
    category = server.category_id("Contract")
    status = next(iter(server.attribute_keys("Contract", {"Status": ""})))
    value = next(iter(server.attribute_keys("Contract", {"Value": 0})))
    assert await _names(api, f'Attr_{status}:"In Review"') == ["Frame 7"]
    assert await _names(api, f'[region "Attr_{value}"] > "499"') == ["Frame 7"]
    assert await _names(api, f"Attr_{value}:>500") == []
    listed = (await api.get("/v1/regions")).json()["data"]
    assert f"Attr_{category}_2" in [row["name"] for row in listed]


LOOKED_FOR: tuple[tuple[dict[str, str], list[str]], ...] = (
    ({"lookfor": "allwords"}, ["letter.txt"]),
    ({"lookfor": "anywords"}, ["draft one.txt", "letter.txt"]),
    ({"lookfor": "exactphrase"}, []),
    ({"lookfor": "anywords", "within": "metadata"}, ["letter.txt"]),
    ({"lookfor": "anywords", "within": "content"}, ["draft one.txt", "letter.txt"]),
)


async def test_words_are_looked_for_together_or_apart_and_in_a_part(
    server: ContentServerSimulator, api: Api, clock: Clock
) -> None:
    await _documents(server, api, clock)
    for extra, found in LOOKED_FOR:
        assert await _names(api, "fox slow", **extra) == found, extra


async def test_words_may_begin_or_end_a_word(
    server: ContentServerSimulator, api: Api, clock: Clock
) -> None:
    await _documents(server, api, clock)
    begins = {"lookfor": "allwords", "modifier": "wordbeginswith"}
    assert await _names(api, "qui", **begins) == ["draft one.txt"]
    ends = {"lookfor": "allwords", "modifier": "wordendswith"}
    assert await _names(api, "ick", **ends) == ["draft one.txt"]


async def test_a_location_or_a_slice_narrows_the_search(
    server: ContentServerSimulator, api: Api, clock: Clock
) -> None:
    workspace_id = await _documents(server, api, clock)
    await api.upload(2000, "outside.txt", b"fox")
    assert len(await _names(api, "fox")) == 3
    assert "outside.txt" not in await _names(api, "fox", location_id1=workspace_id)
    assert await _names(api, "Frame", slice_id=3) == ["Frame 7"]
    assert await _names(api, "Frame", slice=2) == []
    slices = (await api.get("/v1/slices")).json()["data"]
    assert {"id": 3, "name": "Business Workspaces"} in slices


async def test_results_are_sorted_and_paged_with_their_regions(
    server: ContentServerSimulator, api: Api, clock: Clock
) -> None:
    await _documents(server, api, clock)
    extra = {"sort": "desc_OTName", "limit": 1, "page": 2, "select": "{'OTName','OTObjectDate'}"}
    answer = (await _search(api, "fox", **extra)).json()
    (row,) = answer["results"]
    assert row["data"]["regions"] == {"OTName": "draft one.txt", "OTObjectDate": "20260320"}
    assert row["data"]["versions"]["version_number"] == 1
    paging = answer["collection"]["paging"]
    assert (paging["page_total"], paging["range_min"], paging["total_count"]) == (2, 2, 2)
    assert paging["result_header_string"].startswith("Results 2 to 2 of 2")
    beyond = (await _search(api, "fox", limit=1, page=9)).json()
    assert beyond["results"] == []
    paging = beyond["collection"]["paging"]
    assert paging["range_max"] < paging["range_min"]


async def test_facets_count_what_was_found(
    server: ContentServerSimulator, api: Api, clock: Clock
) -> None:
    await _documents(server, api, clock)
    answer = (await _search(api, "fox", options="{'facets'}", limit=1)).json()
    facets = {f["name"]: f for f in answer["collection"]["searching"]["facets"]["available"]}
    assert [(i["value"], i["count"]) for i in facets["OTSubType"]["facet_items"]] == [("144", 2)]
    assert facets["OTModifyDate"]["count"] == 2
    assert facets["OTCreatedBy"]["facet_items"][0]["display_name"] == "Dovetail Service"


async def test_what_may_not_be_seen_is_not_found(
    server: ContentServerSimulator, api: Api, clock: Clock
) -> None:
    workspace_id = await _documents(server, api, clock)
    await api.body("DELETE", f"/v2/nodes/{workspace_id}/permissions/public", {"apply_to": 2})
    async with httpx.AsyncClient(base_url=server.url) as http:
        fields = {"username": "ann.seller", "password": "contoso-password"}
        http.headers["OTCSTicket"] = (await http.post("/v1/auth", data=fields)).json()["ticket"]
        assert await _names(Api(http), "fox") == []
    assert len(await _names(api, "fox")) == 2


async def test_the_index_follows_after_its_lag(
    server: ContentServerSimulator, api: Api, clock: Clock
) -> None:
    server.behaviour.index_lag_seconds = 60.0
    made = await api.upload(2000, "new.txt", b"fox")
    node = made.json()["results"]["data"]["properties"]["id"]
    assert await _names(api, "fox") == []
    clock.now += timedelta(seconds=60)
    assert await _names(api, "fox") == ["new.txt"]
    await api.body("PUT", f"/v2/nodes/{node}", {"name": "renamed.txt"})
    assert await _names(api, "OTName:new.txt") == ["new.txt"]
    clock.now += timedelta(seconds=30)
    assert await _names(api, "OTName:renamed.txt") == []
    clock.now += timedelta(seconds=30)
    assert await _names(api, "OTName:renamed.txt") == ["renamed.txt"]
    await api.http.delete(f"/v2/nodes/{node}")
    assert await _names(api, "fox") == []


async def test_a_query_that_cannot_be_evaluated_is_a_400(api: Api) -> None:
    for query in ("(fox", "OTName:", '[region "OTName"] fox )', "AND fox", '"fox'):
        answer = await _search(api, query)
        assert answer.status_code == 400, query
        assert answer.json()["error"].startswith("Error Evaluating Query, ")


async def test_a_wrong_argument_is_a_400(api: Api) -> None:
    wrong = ({"limit": "x"}, {"lookfor": "magic"}, {"within": "here"}, {"sort": "asc_Nope"})
    for extra in (*wrong, {"slice": 9}, {"modifier": "soundslike"}, {"location_id1": 9}):
        answer = await _search(api, "fox", **({"lookfor": "allwords"} | extra))
        assert answer.status_code == 400, extra
    assert (await _search(api, " ")).status_code == 400


async def test_a_page_beyond_the_last_is_empty_or_the_last_again(
    server: ContentServerSimulator, api: Api
) -> None:
    for number in range(5):
        server.create_workspace("Account", f"Zebra {number}")
    asked = {"where": "OTName:Zebra", "limit": 2, "page": 9}
    beyond = (await api.form("POST", "/v2/search", **asked)).json()
    paging = beyond["collection"]["paging"]
    assert (beyond["results"], paging["range_max"] < paging["range_min"]) == ([], True)
    server.behaviour.search_repeats_last_page = True
    again = (await api.form("POST", "/v2/search", **asked)).json()
    last = (await api.form("POST", "/v2/search", **{**asked, "page": 3})).json()
    shown = [row["data"]["properties"]["name"] for row in again["results"]]
    assert shown == [row["data"]["properties"]["name"] for row in last["results"]] == ["Zebra 4"]
    assert again["collection"]["paging"]["page"] == 3
