"""Categories on nodes: keys, types, sets, errors, forms."""

from __future__ import annotations

from typing import Any

import pytest

from app.sandbox.content_server import ContentServerSimulator
from tests.sandbox.content_server.conftest import Api


async def _key_of(api: Api, node_id: int, category_id: int, label: str) -> str:
    """How a client learns that ``12345_2`` is "Status": the update form."""
    answer = await api.get("/v1/forms/nodes/categories/update", id=node_id, category_id=category_id)
    properties = answer.json()["forms"][0]["schema"]["properties"]
    return next(str(key) for key, shape in properties.items() if shape.get("title") == label)


async def test_attribute_ids_are_learnt_from_the_form_and_start_at_two(
    server: ContentServerSimulator, api: Api
) -> None:
    made, category = server.create_workspace("Contract", "C"), server.category_id("Contract")
    assert await _key_of(api, made.id, category, "Status") == f"{category}_2"
    assert await _key_of(api, made.id, category, "Value") == f"{category}_6"
    form = await api.get("/v1/forms/nodes/categories/create", id=2000, category_id=category)
    shown = form.json()["forms"][0]
    assert shown["data"][f"{category}_2"] == ""
    assert shown["schema"]["properties"][f"{category}_4"]["format"] == "date"


async def test_an_update_changes_what_it_names_and_keeps_the_rest(
    server: ContentServerSimulator, api: Api
) -> None:
    made = server.create_workspace(
        "Contract", "C", categories={"Contract": {"Status": "Draft", "Stage": "Develop"}}
    )
    category = server.category_id("Contract")
    fields = {f"{category}_2": "Executed", f"{category}_4": "2026-05-01", f"{category}_6": "99.5"}
    answer = await api.form("PUT", f"/v2/nodes/{made.id}/categories/{category}/", **fields)
    assert answer.status_code == 200
    assert server.workspace(made.id).categories["Contract"] == {
        "Status": "Executed",
        "Stage": "Develop",
        "Effective On": "2026-05-01T00:00:00",
        "Expires On": None,
        "Value": 99.5,
    }


async def test_applying_twice_is_a_500_and_updating_an_absent_one_a_400(
    server: ContentServerSimulator, api: Api
) -> None:
    made, category = server.create_workspace("Account", "A"), server.category_id("Contract")
    path = f"/v2/nodes/{made.id}/categories"
    absent = await api.form("PUT", f"{path}/{category}", **{f"{category}_2": "x"})
    assert (absent.status_code, absent.json()) == (
        400,
        {"error": f"Category ID '{category}' is not a valid category."},
    )
    fields = {"category_id": category, f"{category}_2": "In Review"}
    assert (await api.form("POST", path, **fields)).status_code == 200
    assert server.workspace(made.id).categories["Contract"]["Status"] == "In Review"
    twice = await api.form("POST", path, **fields)
    assert (twice.status_code, twice.json()) == (
        500,
        {"error": "The attribute group 'Contract' already exists."},
    )
    assert (await api.http.delete(f"{path}/{category}")).status_code == 200
    assert "Contract" not in server.workspace(made.id).categories


async def test_set_rows_count_from_one_grow_and_are_removed(
    server: ContentServerSimulator, api: Api
) -> None:
    made, category = server.create_workspace("Account", "A"), server.category_id("Business Record")
    keys = server.attribute_keys(
        "Business Record",
        {"Milestones": [{"Milestone": "Start"}, {"Milestone": "Middle"}, {"Milestone": "End"}]},
    )
    path = f"/v2/nodes/{made.id}/categories/{category}"
    assert (await api.form("PUT", path, **keys)).status_code == 200
    first = min(keys)
    prefix = first.rpartition("_")[0].rpartition("_")[0]
    removed = await api.form("PUT", path, **{f"{prefix}_2": ""})
    assert removed.status_code == 200
    rows = server.workspace(made.id).categories["Business Record"]["Milestones"]
    assert [row["Milestone"] for row in rows] == ["Start", "End"]
    shown = (await api.get(path)).json()["results"]["data"]["categories"]
    assert shown[f"{prefix}_2_11"] == "End"
    zero = await api.form("PUT", path, **{f"{prefix}_0_11": "x"})
    assert zero.status_code == 400
    assert "rows count from 1" in zero.json()["error"]


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("8", ""), ("8", "much"), ("9", "tomorrow"), ("3", "x" * 65), ("99", "x")],
)
async def test_a_value_that_does_not_fit_is_a_400_and_changes_nothing(
    server: ContentServerSimulator, api: Api, attribute: str, value: str
) -> None:
    made, category = server.create_workspace("Account", "A"), server.category_id("Business Record")
    before = server.workspace(made.id).categories
    fields: dict[str, Any] = {f"{category}_2": "Active", f"{category}_{attribute}": value}
    answer = await api.form("PUT", f"/v2/nodes/{made.id}/categories/{category}", **fields)
    assert answer.status_code == 400
    assert server.workspace(made.id).categories == before


async def test_a_stale_category_token_is_a_409(server: ContentServerSimulator, api: Api) -> None:
    made, category = server.create_workspace("Account", "A"), server.category_id("Business Record")
    path = f"/v2/nodes/{made.id}/categories/{category}"
    state = (await api.http.get(f"{path}?state")).json()["results"]["state"]["categories"]
    token = state[f"{category}_1"]["metadata_token"]
    key = f"{category}_2"
    fresh = await api.form("PUT", path, **{key: "Active", "metadata_token": token})
    assert fresh.status_code == 200
    stale = await api.form("PUT", path, **{key: "Closed", "metadata_token": token})
    assert stale.status_code == 409
    assert server.workspace(made.id).categories["Business Record"]["Record State"] == "Active"


async def test_metadata_describes_every_key(server: ContentServerSimulator, api: Api) -> None:
    made = server.create_workspace("Contract", "C")
    answer = await api.http.get(f"/v2/nodes/{made.id}/categories?metadata")
    results = answer.json()["results"]
    names = [
        next(
            d["name"]
            for d in result["metadata"]["categories"].values()
            if d["persona"] == "category"
        )
        for result in results
    ]
    assert names == ["Business Record", "Contract", "Approval"]
    for result in results:
        described = result["metadata"]["categories"]
        for key in result["data"]["categories"]:
            parts = key.split("_")
            assert key in described or f"{parts[0]}_{parts[1]}_x_{parts[3]}" in described


async def test_a_flat_category_is_written_with_a_document(
    server: ContentServerSimulator, api: Api
) -> None:
    keys = server.attribute_keys("Contract", {"Status": "Executed"})
    answer = await api.upload(2000, "signed.txt", b"x", roles={"categories": keys})
    node_id = answer.json()["results"]["data"]["properties"]["id"]
    category = server.category_id("Contract")
    read = await api.get(f"/v2/nodes/{node_id}/categories/{category}")
    assert read.json()["results"]["data"]["categories"][f"{category}_2"] == "Executed"
    nested = await api.upload(2000, "no.txt", b"x", roles={"categories": {str(category): keys}})
    assert nested.status_code == 400
