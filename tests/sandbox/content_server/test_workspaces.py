"""Business workspaces: creation, look-up, lists, references, upsert."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.sandbox.content_server import Behaviour, ContentServerSimulator, Definition
from app.sandbox.content_server.default_categories import BUSINESS_RECORD
from app.sandbox.content_server.default_definition import (
    SERVICE_CLIENT,
    demo_users,
)
from app.sandbox.content_server.definition import (
    BusinessObjectTypeSpec,
    ExternalSystemSpec,
    RoleSpec,
    TemplateSpec,
    WorkspaceTypeSpec,
)
from tests.sandbox.content_server.conftest import Api

GUID = "6f8e3a1c-5b7d-4c29-9d0a-2f1b3c4d5e6f"


async def test_a_workspace_gets_folders_roles_categories_and_place_from_its_type(
    server: ContentServerSimulator, api: Api
) -> None:
    created = await api.make_workspace(server, "Contract", "Fabrikam frame", GUID, parent_id=2000)
    results = created.json()["results"]
    assert set(results) == {"id", "direct_open", "sub_folder_id"}
    made = server.workspace(results["id"])
    assert made.folders == ("Drafts", "Redlines", "Approvals", "Executed")
    assert list(made.roles) == ["Owner", "Team", "Legal", "Readers"]
    assert made.categories["Contract"]["Status"] == "Draft"
    assert made.path == ("Enterprise", "Contract Workspaces")
    assert made.id > 20000


async def test_nested_categories_are_stored_and_flat_ones_are_a_500(
    server: ContentServerSimulator, api: Api
) -> None:
    category = str(server.category_id("Business Record"))
    keys = server.attribute_keys("Business Record", {"Record Name": "Fabrikam", "Value": 12.5})
    flat = await api.make_workspace(server, "Account", "A", GUID, roles={"categories": keys})
    assert flat.status_code == 500
    assert flat.json() == {
        "error": "The role 'categories' of the parameter 'roles' cannot be parsed."
    }
    assert server.workspaces() == []
    roles = {"categories": {category: keys}}
    nested = await api.make_workspace(server, "Account", "A", GUID, roles=roles)
    record = server.workspace(nested.json()["results"]["id"]).categories["Business Record"]
    assert (record["Record Name"], record["Value"]) == ("Fabrikam", 12.5)


async def test_a_name_that_the_place_has_already_is_a_500(
    server: ContentServerSimulator, api: Api
) -> None:
    await api.make_workspace(server, "Account", "Fabrikam", "1")
    second = await api.make_workspace(server, "Account", "fabrikam", "2")
    assert second.status_code == 500
    assert second.json() == {"error": "An item with the name 'fabrikam' already exists."}
    assert len(server.workspaces()) == 1


async def test_a_business_object_has_one_workspace(
    server: ContentServerSimulator, api: Api
) -> None:
    server.behaviour.bo_linked_text = "Taken."
    await api.make_workspace(server, "Account", "One", GUID)
    second = await api.make_workspace(server, "Account", "Two", GUID)
    assert (second.status_code, second.json()) == (500, {"error": "Taken."})
    assert [made.name for made in server.workspaces()] == ["One"]


async def test_the_template_follows_from_the_business_object_type(
    server: ContentServerSimulator, api: Api
) -> None:
    kinds = (await api.get("/v2/businessobjecttypes")).json()["results"]
    by_name = {row["data"]["properties"]["bo_type"]: row["data"]["properties"] for row in kinds}
    content = {"name": "C", "bo_type_id": by_name["incident"]["bo_type_id"], "bo_id": "c-1"}
    created = await api.body("POST", "/v2/businessworkspaces", content)
    assert server.workspace(created.json()["results"]["id"]).type == "Case"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"template_id": 4}, "The template with the ID 4 is invalid."),
        ({"name": ""}, "Argument 'name' is required."),
        ({"name": "a:b"}, "The name 'a:b' must not contain a colon."),
        ({"bo_type": "lead"}, "The business object type 'lead' does not exist."),
        ({"ext_system_id": "SAP"}, "The external system 'SAP' does not exist."),
    ],
)
async def test_a_bad_request_is_a_400_and_leaves_nothing_behind(
    server: ContentServerSimulator, api: Api, change: dict[str, Any], text: str
) -> None:
    before = set(server.store.nodes)
    content = {"name": "A", "ext_system_id": "D365", "bo_type": "account", "bo_id": "1"}
    answer = await api.body(
        "POST",
        "/v2/businessworkspaces",
        {"template_id": server.template_id("Account"), **content, **change},
    )
    assert (answer.status_code, answer.json()) == (400, {"error": text})
    assert set(server.store.nodes) == before


async def test_both_look_ups_find_the_workspace_of_a_business_object(
    server: ContentServerSimulator, api: Api
) -> None:
    made = server.create_workspace("Account", "A", business_object=("D365", "account", GUID))
    path = f"/v2/externalsystems/D365/botypes/account/boids/{GUID}"
    direct = (await api.get(path)).json()
    row = direct["results"][0]["data"]["properties"]
    assert (row["id"], row["type"], row["name"]) == (made.id, 848, "A")
    assert row["wnf_wksp_template_id"] == server.template_id("Account")
    assert direct["paging"]["total_count"] == 1
    query = {"where_ext_system_id": "D365", "where_bo_type": "account", "where_bo_id": GUID}
    narrow = (await api.get("/v2/businessworkspaces", **query)).json()
    assert narrow["results"] == []
    wide = await api.get("/v2/businessworkspaces", **query, expanded_view="true")
    assert [r["data"]["properties"]["id"] for r in wide.json()["results"]] == [made.id]


@pytest.mark.parametrize(("switch", "status"), [("empty", 200), ("400", 400), ("404", 404)])
async def test_a_missing_business_object_answers_as_the_switch_says(
    server: ContentServerSimulator, api: Api, switch: str, status: int
) -> None:
    server.behaviour.bo_missing = switch  # type: ignore[assignment]
    answer = await api.get("/v2/externalsystems/D365/botypes/account/boids/none")
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["results"] == []


async def test_the_list_shows_what_the_caller_opened_unless_expanded(
    server: ContentServerSimulator, api: Api
) -> None:
    first = server.create_workspace("Account", "First")
    server.create_workspace("Account", "Second")
    assert (await api.get("/v2/businessworkspaces")).json()["paging"]["total_count"] == 0
    await api.get(f"/v2/businessworkspaces/{first.id}")
    opened = (await api.get("/v2/businessworkspaces")).json()["results"]
    assert [row["data"]["properties"]["name"] for row in opened] == ["First"]
    everything = await api.get("/v2/businessworkspaces", expanded_view="True")
    assert everything.json()["paging"]["total_count"] == 2


async def test_lists_filter_sort_page_and_narrow(server: ContentServerSimulator, api: Api) -> None:
    for number in range(5):
        server.create_workspace("Account", f"Account {number}")
    server.create_workspace("Contract", "Contract 0")
    query = {
        "expanded_view": "true",
        "where_workspace_type_id": server.type_id("Account"),
        "where_name": "startswith_Account",
        "sort": "desc_name",
        "limit": 2,
        "page": 2,
        "fields": "properties{id,name}",
    }
    fat = (await api.get("/v2/businessworkspaces", **query)).json()
    assert "wnf_wksp_type_id" in fat["results"][0]["data"]["properties"]
    answer = (await api.get("/v2/businessworkspaces", **query, action="properties-")).json()
    rows = [row["data"]["properties"] for row in answer["results"]]
    assert [row["name"] for row in rows] == ["Account 2", "Account 1"]
    assert set(rows[0]) == {"id", "name"}
    assert answer["paging"]["page_total"] == 3
    following = answer["paging"]["actions"]["next"]["href"].removeprefix("/api")
    last = (await api.http.get(following)).json()
    assert [row["data"]["properties"]["name"] for row in last["results"]] == ["Account 0"]
    assert "next" not in last["paging"]["actions"]
    clamped = await api.get("/v2/businessworkspaces", expanded_view="true", limit=9999)
    assert clamped.json()["paging"]["limit"] == 500


async def test_a_column_query_reads_published_columns_and_dates(
    server: ContentServerSimulator, api: Api
) -> None:
    for status in ("Draft", "Executed"):
        server.create_workspace(
            "Contract", f"Frame {status}", categories={"Contract": {"Status": status}}
        )

    async def names(query: str) -> list[str]:
        answer = await api.get(
            "/v2/businessworkspaces", expanded_view="true", where_column_query=query
        )
        assert answer.status_code == 200, answer.text
        return [row["data"]["properties"]["name"] for row in answer.json()["results"]]

    assert await names("wnf_att_41s_2 = 'Executed'") == ["Frame Executed"]
    assert await names("name LIKE 'frame*' AND modify_date >= 2020-01-01 name DESC") == [
        "Frame Executed",
        "Frame Draft",
    ]
    bad = await api.get("/v2/businessworkspaces", expanded_view="true", where_column_query="size >")
    assert bad.status_code == 400


async def test_getting_one_shows_business_object_references_and_categories(
    server: ContentServerSimulator, api: Api
) -> None:
    made = server.create_workspace(
        "Account",
        "A",
        business_object=("D365", "account", GUID),
        categories={"Business Record": {"Record Id": GUID}},
    )
    answer = await api.http.get(
        f"/v2/businessworkspaces/{made.id}?fields=properties{{id,wksp_type_name}}"
        "&fields=categories&fields=business_properties&fields=workspace_references&metadata"
    )
    data = answer.json()["results"]["data"]
    assert data["properties"] == {"id": made.id, "wksp_type_name": "Account"}
    assert data["business_properties"]["business_object_id"] == GUID
    assert data["business_properties"]["isEarly"] is False
    assert data["workspace_references"][0]["has_default_display"] is True
    key = f"{server.category_id('Business Record')}_3"
    assert data["categories"][0][key] == GUID
    assert answer.json()["results"]["metadata"]["categories"][key]["name"] == "Record Id"
    missing = await api.get("/v2/businessworkspaces/999")
    assert missing.status_code == 404


async def test_an_early_workspace_is_completed_and_disconnected(
    server: ContentServerSimulator, api: Api
) -> None:
    early = server.create_workspace("Account", "Early")
    query = {"expanded_view": "true", "where_is_early": "true"}
    listed = (await api.get("/v2/businessworkspaces", **query)).json()["results"]
    assert [row["data"]["properties"]["id"] for row in listed] == [early.id]
    path = f"/v2/businessworkspaces/{early.id}/workspacereferences"
    triple = {"ext_system_id": "D365", "bo_type": "account", "bo_id": GUID}
    put = await api.form("PUT", path, **triple)
    assert (put.status_code, put.json()["results"]) == (200, {})
    found = server.find_by_business_object("D365", "account", GUID)
    assert found is not None and found.id == early.id
    other = server.create_workspace("Account", "Other")
    taken = await api.form(
        "PUT", f"/v2/businessworkspaces/{other.id}/workspacereferences", **triple
    )
    assert taken.status_code == 500
    gone = await api.form("DELETE", path, **triple)
    assert gone.json() == {"results": {"data": {"showDetails": ""}}}
    assert server.find_by_business_object("D365", "account", GUID) is None


async def test_one_workspace_may_stand_for_several_business_objects(
    server: ContentServerSimulator, api: Api
) -> None:
    made = server.create_workspace("Account", "A", business_object=("D365", "account", "1"))
    second = {
        "ibo_workspace_id": made.id,
        "ext_system_id": "D365",
        "bo_type": "contract",
        "bo_id": "7",
    }
    answer = await api.body("POST", "/v2/businessworkspaces", second)
    assert answer.json()["results"]["id"] == made.id
    assert [ref.bo_id for ref in server.workspace(made.id).business_objects] == ["1", "7"]


async def test_the_bulk_call_creates_and_updates_by_business_object(
    server: ContentServerSimulator, api: Api
) -> None:
    base = {"ext_system_id": "D365", "bo_type": "account", "bo_id": GUID}
    properties = [{"name": "Number", "values": ["A-1"]}]
    milestones = {
        "name": "Milestones",
        "rows": [{"columns": [{"name": "Milestone", "values": ["Kick-off"]}]}],
    }
    items: list[dict[str, Any]] = [
        {**base, "name": "Before", "bo_properties": properties, "parent_id": 1},
        {"bo_type": "account", "bo_id": "2", "ext_system_id": "SAP", "name": "No"},
    ]
    first = (await api.http.put("/v2/businessworkspaces", json={"bws_infos": items})).json()
    assert first[0]["error_message"] == ""
    assert first[1] == {"id": 0, "error_message": "The external system 'SAP' does not exist."}
    change = {
        **base,
        "name": "After",
        "bo_property_groups": [milestones],
        "bo_roles_users": [{"role": "Owner", "users": ["ann.seller"]}],
    }
    again = (await api.http.put("/v2/businessworkspaces", json={"bws_infos": [change]})).json()
    assert again[0]["id"] == first[0]["id"]
    made = server.workspace(first[0]["id"])
    assert (made.name, made.roles["Owner"]) == ("After", ("ann.seller",))
    assert made.categories["Business Record"]["Record Number"] == "A-1"
    assert made.categories["Business Record"]["Milestones"][0]["Milestone"] == "Kick-off"
    fewer = {**change, "bo_property_groups": [{**milestones, "rows": milestones["rows"][:1]}]}
    more = {**change, "bo_property_groups": [{**milestones, "rows": milestones["rows"] * 3}]}
    none = {**change, "bo_property_groups": [{**milestones, "rows": []}]}
    for item, count in ((more, 3), (fewer, 1), (none, 0), (base, 0)):
        await api.http.put("/v2/businessworkspaces", json={"bws_infos": [item]})
        shown = server.workspace(made.id).categories["Business Record"]["Milestones"]
        assert len(shown) == count, "a group is refreshed with all of its rows"
    server.behaviour.bulk_upsert = False
    unknown = await api.http.put("/v2/businessworkspaces", json={"bws_infos": [change]})
    assert unknown.status_code == 400
    assert "mappings registry" in unknown.json()["error"]


@pytest.fixture
async def ruled() -> AsyncIterator[ContentServerSimulator]:
    """A server whose one type names its workspaces and puts the creator in the lead role."""
    plain = TemplateSpec(
        "Account", roles=(RoleSpec("Owner", leader=True),), categories=("Business Record",)
    )
    partner = TemplateSpec(
        "Partner", ("Deals/Won",), {"Deals/Read me.txt": "Start here"}, plain.roles
    )
    kind = WorkspaceTypeSpec(
        "Account",
        (plain, partner),
        name_pattern="[Business Record/Record Name] ([Business Record/Record Number])",
        creator_leads=True,
    )
    data = Definition(
        external_systems=(ExternalSystemSpec("D365"),),
        categories=(BUSINESS_RECORD,),
        workspace_types=(kind,),
        business_object_types=(BusinessObjectTypeSpec("account", "Account", "D365"),),
        users=demo_users(1),
        groups=("Integration", "Sales"),
        clients=(SERVICE_CLIENT,),
    )
    async with ContentServerSimulator(data=data, behaviour=Behaviour()) as running:
        yield running


async def _signed_in(server: ContentServerSimulator, http: httpx.AsyncClient) -> Api:
    user = server.service_user
    form = {"username": user.login, "password": user.password}
    http.headers["OTCSTicket"] = (await http.post("/v1/auth", data=form)).json()["ticket"]
    return Api(http)


async def test_a_type_that_generates_names_overrides_the_requested_one(
    ruled: ContentServerSimulator,
) -> None:
    async with httpx.AsyncClient(base_url=ruled.url) as http:
        api = await _signed_in(ruled, http)
        keys = ruled.attribute_keys(
            "Business Record", {"Record Name": "Fabrikam", "Record Number": "A-7"}
        )
        roles = {"categories": {str(ruled.category_id("Business Record")): keys}}
        nowhere = await api.make_workspace(ruled, "Account", "x", "1", roles=roles)
        assert nowhere.json() == {"error": "Argument 'parent_id' is required."}
        made = await api.make_workspace(ruled, "Account", "x", "1", roles=roles, parent_id=2000)
        view = ruled.workspace(made.json()["results"]["id"])
        assert view.name == "Fabrikam (A-7)"
        assert view.roles["Owner"] == ("dovetail",)
        early = await api.make_workspace(ruled, "Account", "Early", roles=roles, parent_id=2000)
        assert ruled.workspace(early.json()["results"]["id"]).name == "Early"


async def test_a_second_template_brings_its_own_folders_and_documents(
    ruled: ContentServerSimulator,
) -> None:
    async with httpx.AsyncClient(base_url=ruled.url) as http:
        api = await _signed_in(ruled, http)
        kinds = await api.get("/v2/businessworkspacetypes", expand_templates="true")
        offered = kinds.json()["results"][0]["data"]["properties"]["templates"]
        assert [template["name"] for template in offered] == ["Account", "Partner"]
        content = {"template_id": offered[1]["id"], "name": "P", "parent_id": 2000}
        made = await api.body("POST", "/v2/businessworkspaces", content)
        view = ruled.workspace(made.json()["results"]["id"])
        assert view.folders == ("Deals", "Deals/Won")
        assert [(d.path, d.content) for d in view.documents] == [
            ("Deals/Read me.txt", b"Start here")
        ]
        assert view.categories == {}


async def test_a_business_object_type_is_set_up_for_one_workspace_type(
    server: ContentServerSimulator, api: Api
) -> None:
    reference = {"ext_system_id": "D365", "bo_type": "account", "bo_id": "1"}
    content = {"template_id": server.template_id("Vendor"), "name": "V", **reference}
    answer = await api.body("POST", "/v2/businessworkspaces", content)
    assert answer.status_code == 400
    assert "'account' does not belong to the workspace type 'Vendor'" in answer.json()["error"]
    assert server.workspaces() == []


async def test_a_server_without_any_workspace_type_answers_a_500() -> None:
    data = Definition(users=demo_users(0), clients=(SERVICE_CLIENT,), groups=("Integration",))
    async with (
        ContentServerSimulator(data=data) as bare,
        httpx.AsyncClient(base_url=bare.url) as http,
    ):
        user = bare.service_user
        form = {"username": user.login, "password": user.password}
        http.headers["OTCSTicket"] = (await http.post("/v1/auth", data=form)).json()["ticket"]
        assert (await http.get("/v2/businessworkspacetypes")).status_code == 500


async def test_workspaces_are_listed_by_business_object_type_and_none_by_barcode(
    server: ContentServerSimulator, api: Api
) -> None:
    for kind, name in (("Account", "A"), ("Opportunity", "O")):
        await api.make_workspace(server, kind, name, "1")
    types = {kind.name: kind.id for kind in server.store.bo_types.values()}

    async def listed(**query: object) -> list[str]:
        answer = await api.get("/v2/businessworkspaces", expanded_view="true", **query)
        return [row["data"]["properties"]["name"] for row in answer.json()["results"]]

    assert await listed(where_botype_node_id=types["opportunity"]) == ["O"]
    assert await listed(where_botype_node_id=1_000_000) == []
    assert await listed(where_barcode="4711") == []
