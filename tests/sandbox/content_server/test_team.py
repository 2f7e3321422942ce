"""Relations, roles, role members, and members of the server."""

from __future__ import annotations

import httpx

from app.sandbox.content_server import ContentServerSimulator, default_definition
from tests.sandbox.content_server.conftest import Api


async def test_a_relation_shows_on_both_sides_and_twice_is_an_error(
    server: ContentServerSimulator, api: Api
) -> None:
    account = server.create_workspace("Account", "A")
    deal = server.create_workspace("Opportunity", "O")
    path = f"/v2/businessworkspaces/{account.id}/relateditems"
    made = await api.form("POST", path, rel_bw_id=deal.id, rel_type="child")
    assert (made.status_code, made.json()["results"]) == (200, {})
    assert server.workspace(deal.id).relations == (("parent", account.id),)
    listed = (await api.get(path, where_rel_types="{'child'}")).json()
    shown = listed["results"][0]["data"]["properties"]
    assert (shown["id"], shown["rel_type"]) == (deal.id, "child")
    assert listed["paging"]["total_count"] == 1
    assert (await api.get(path, where_rel_types="{'parent'}")).json()["results"] == []
    mirrored = await api.form(
        "POST",
        f"/v2/businessworkspaces/{deal.id}/relateditems",
        rel_bw_id=account.id,
        rel_type="parent",
    )
    assert mirrored.status_code == 500
    unknown = await api.form("POST", path, rel_bw_id=1)
    assert unknown.status_code == 404
    assert (await api.http.delete(f"{path}/{deal.id}?rel_type=child")).status_code == 200
    assert server.workspace(account.id).relations == ()
    assert (await api.http.delete(f"{path}/{deal.id}")).status_code == 404


async def test_related_items_filter_by_type_and_name(
    server: ContentServerSimulator, api: Api
) -> None:
    account = server.create_workspace("Account", "A")
    path = f"/v2/businessworkspaces/{account.id}/relateditems"
    for kind, name in (("Opportunity", "Deal"), ("Case", "Leak"), ("Contract", "Frame")):
        other = server.create_workspace(kind, name)
        await api.form("POST", path, rel_bw_id=other.id)
    types = f"{{{server.type_id('Case')},{server.type_id('Contract')}}}"
    found = (await api.get(path, where_workspace_type_ids=types, sort="desc_name")).json()
    assert [r["data"]["properties"]["name"] for r in found["results"]] == ["Leak", "Frame"]
    named = (await api.get(path, where_name="fra")).json()["results"]
    assert [row["data"]["properties"]["name"] for row in named] == ["Frame"]


async def test_roles_are_added_changed_and_deleted(
    server: ContentServerSimulator, api: Api
) -> None:
    made = server.create_workspace("Account", "A")
    path = f"/v2/businessworkspaces/{made.id}/roles"
    roles = (await api.get(path)).json()["results"]
    owner = roles[0]["data"]["properties"]
    assert (owner["name"], owner["leader"]) == ("Owner", True)
    added = await api.body(
        "POST", path, {"name": "Auditors", "permissions": ["see", "see_contents"]}
    )
    role = added.json()["results"]["data"]["properties"]
    assert role["perms"] == 130 | 36865
    twice = await api.body("POST", path, {"name": "auditors"})
    assert twice.status_code == 500
    changed = await api.body("PUT", f"{path}/{role['id']}", {"leader": True, "name": "Lead"})
    assert changed.json()["results"]["data"]["properties"]["leader"] is True
    leaders = [r["data"]["properties"]["name"] for r in (await api.get(path)).json()["results"]]
    assert leaders[0] == "Lead"
    assert (await api.http.delete(f"{path}/{role['id']}")).status_code == 400
    assert (await api.http.delete(f"{path}/{owner['id']}")).status_code == 200
    assert list(server.workspace(made.id).roles) == ["Lead", "Team", "Readers"]
    other = server.create_workspace("Account", "B")
    strange = await api.get(f"/v2/businessworkspaces/{other.id}/roles/{role['id']}")
    assert strange.status_code == 404


async def test_a_member_joins_a_role_once(server: ContentServerSimulator, api: Api) -> None:
    server.behaviour.member_present_text = "Here already."
    made = server.create_workspace("Account", "A")
    base = f"/v2/businessworkspaces/{made.id}/roles"
    role_id = (await api.get(base)).json()["results"][1]["data"]["properties"]["id"]
    group = server.member("Sales")
    path = f"{base}/{role_id}/members"
    joined = await api.form("POST", path, id=group.id)
    assert joined.json()["results"]["data"]["properties"]["name"] == "Sales"
    again = await api.form("POST", path, id=group.id)
    assert (again.status_code, again.json()) == (500, {"error": "Here already."})
    nobody = await api.form("POST", path, id=1)
    assert nobody.status_code == 400
    assert server.workspace(made.id).roles["Team"] == ("Sales",)
    team = (await api.get(f"/v2/businessworkspaces/{made.id}/members")).json()["results"]
    assert [row["data"]["properties"]["name"] for row in team] == ["Sales"]
    shown = (await api.get(base, fields="members")).json()["results"][1]["data"]
    assert shown["members"][0]["id"] == group.id
    assert (await api.http.delete(f"{path}/{group.id}")).status_code == 200
    assert (await api.http.delete(f"{path}/{group.id}")).status_code == 404
    assert server.workspace(made.id).roles["Team"] == ()


async def test_members_are_found_by_name_mail_and_query(
    server: ContentServerSimulator, api: Api
) -> None:
    async def logins(**query: object) -> list[str]:
        answer = await api.get("/v2/members", **query)
        assert answer.status_code == 200, answer.text
        return [row["data"]["properties"]["name"] for row in answer.json()["results"]]

    assert await logins(where_type=0, where_name="ann.s") == ["ann.seller"]
    assert await logins(where_type=1, where_name="sales") == ["Sales"]
    assert await logins(where_type=0, where_business_email="eve.counsel@") == ["eve.counsel"]
    assert await logins(where_type=0, query="Counsel") == ["eve.counsel"]
    both = await api.get("/v2/members", query="x", where_name="y")
    assert both.status_code == 400
    user = server.member("ann.seller")
    groups = (await api.get(f"/v2/members/{user.id}/memberof")).json()["results"]
    assert [row["data"]["properties"]["name"] for row in groups] == ["Sales"]
    assert (await api.get("/v2/members/1")).status_code == 400


async def test_members_come_in_pages_of_at_most_twenty() -> None:
    async with ContentServerSimulator(data=default_definition(users=30)) as big:
        named = [user.login for user in big.definition.users]
        assert "ann.seller" in named and "person30.demo" in named
        async with httpx.AsyncClient(base_url=big.url) as http:
            user = big.service_user
            signed = await http.post(
                "/v1/auth", data={"username": user.login, "password": user.password}
            )
            http.headers["OTCSTicket"] = signed.json()["ticket"]
            answer = await http.get("/v2/members", params={"where_type": 0, "limit": 500})
        assert len(answer.json()["results"]) == 20
        assert answer.json()["collection"]["paging"]["total_count"] == 32


async def test_types_systems_and_property_mappings_are_described(
    server: ContentServerSimulator, api: Api
) -> None:
    kinds = await api.get(
        "/v2/businessworkspacetypes",
        ext_system_id="D365",
        bo_type="incident",
        expand_templates=True,
    )
    shown = kinds.json()["results"][0]["data"]["properties"]
    assert (shown["wksp_type_name"], len(kinds.json()["results"])) == ("Case", 1)
    assert shown["templates"] == [
        {"id": server.template_id("Case"), "name": "Case", "subtype": 848}
    ]
    assert shown["wksp_creation"]["location"] == "StaticNodeId"
    half = await api.get("/v2/businessworkspacetypes", bo_type="incident")
    assert half.status_code == 400
    systems = (await api.get("/v2/externalsystems", where_name="{D365,SAP}")).json()["results"]
    assert [row["id_extsystem"] for row in systems] == ["D365"]
    config = (await api.get("/v2/externalsystems/D365/config")).json()
    assert config["enabled"] == 1
    one = (await api.get("/v2/externalsystems/D365/botypes/account")).json()
    properties = one["results"]["data"]["properties"]
    mapped = {row["name"]: row["attributeID"] for row in properties["businessProperties"]}
    assert mapped["Name"] == f"{server.category_id('Business Record')}_4"


async def test_what_could_be_related_is_offered(server: ContentServerSimulator, api: Api) -> None:
    account, deal, other = (
        server.create_workspace(kind, name).id
        for kind, name in (("Account", "A"), ("Opportunity", "Deal"), ("Opportunity", "Other"))
    )
    path = f"/v2/businessworkspaces/{account}/relateditems"
    await api.form("POST", path, rel_bw_id=deal)

    async def offered(**query: str) -> list[int]:
        answer = (await api.get(f"{path}picklist", **query)).json()
        return [row["data"]["properties"]["id"] for row in answer["results"]]

    assert await offered() == [other]
    assert await offered(where_name="de") == []


async def test_the_team_is_narrowed_and_looked_into(
    server: ContentServerSimulator, api: Api
) -> None:
    path = f"/v2/businessworkspaces/{server.create_workspace('Account', 'A').id}"
    roles = {
        role["data"]["properties"]["name"]: role["data"]["properties"]["id"]
        for role in (await api.get(f"{path}/roles")).json()["results"]
    }
    ann, sales = server.member("ann.seller").id, server.member("Sales").id
    for member in (sales, ann):
        await api.form("POST", f"{path}/roles/{roles['Team']}/members", id=member)

    async def ids(below: str, **query: object) -> list[int]:
        answer = await api.get(f"{path}/{below}", **query)
        return [row["data"]["properties"]["id"] for row in answer.json()["results"]]

    assert await ids("members") == [sales, ann]
    assert await ids("members", limit_members=1) == [sales]
    assert await ids("members", include_groups="false") == [ann]
    assert await ids(f"members/{roles['Team']}/members") == [sales, ann]
    assert ann in await ids(f"members/{sales}/members")
    stranger = server.member("bob.broker").id
    assert (await api.get(f"{path}/members/{stranger}/members")).status_code == 404
