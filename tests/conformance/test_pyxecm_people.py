"""OpenText's own client on people, business objects and the finer points of workspaces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.sandbox.content_server import ContentServerSimulator
from tests.conformance.content_server import GUID, OBJECT, Client, new_account, signed_in


@pytest.fixture
async def server() -> AsyncIterator[ContentServerSimulator]:
    async with ContentServerSimulator(seed=6) as running:
        yield running


@pytest.fixture
async def client(server: ContentServerSimulator) -> Client:
    return await signed_in(server)


async def test_it_makes_users_and_groups_and_finds_them(
    client: Client, server: ContentServerSimulator
) -> None:
    group = client.value(await client.call("add_group", "Export"), "id")
    made = await client.call(
        "add_user",
        "zoe.trade",
        "secret-password",
        "Zoe",
        "Trade",
        "zoe@contoso.example",
        "Trader",
        group,
    )
    user = client.value(made, "id")
    assert server.member("Export").members == [user]
    assert await client.call("add_group_member", server.member("ann.seller").id, group)
    inside = await client.all("get_group_members_iterator", group=group, member_type=0)
    assert {client.value(row, "name") for row in inside} == {"ann.seller", "zoe.trade"}
    members = await client.call("get_group_members", group, 0, where_name="zoe")
    assert client.values(members, "id") == [user]
    assert await client.call("update_user", user, "title", "Head of Trade")
    found = await client.call("get_user", name="zoe.trade")
    assert client.value(found, "title") == "Head of Trade"
    groups = await client.call("get_user_memberof", user)
    assert client.values(groups, "name") == ["Export"]
    own = await client.call("get_user_memberof")
    assert client.values(own, "name") == ["Integration"]
    searched = await client.call("search_user", "zoe")
    assert client.values(searched, "id") == [user]
    listed = await client.all("get_users_iterator", where_business_email="zoe@")
    assert [client.value(row, "id") for row in listed] == [user]
    assert client.values(await client.call("get_groups", where_name="Exp"), "id") == [group]
    everybody = await client.all("get_groups_iterator", where_name="")
    assert len(everybody) == 7
    assert await client.call("get_group_memberof", group) is not None
    assert await signed_in(server, "zoe.trade", "secret-password")
    current = await client.call("get_current_user")
    assert current["data"]["name"] == "dovetail"
    member = await client.call("get_member", user)
    assert client.value(member, "first_name") == "Zoe"


async def test_nobody_else_makes_users(client: Client, server: ContentServerSimulator) -> None:
    ann = await signed_in(server, "ann.seller", "contoso-password")
    assert await ann.call("add_group", "Mine") is None
    assert server.requests[-1].status == 403


async def test_it_asks_the_leading_application_for_its_records(
    client: Client, server: ContentServerSimulator
) -> None:
    server.add_business_object("D365", "account", ID=GUID, Name="Fabrikam", Number="1")
    server.add_business_object("D365", "account", ID="2", Name="Contoso", Number="2")
    found = await client.call(
        "get_business_objects", "D365", type_name="account", where_clauses={"Name": "Fab"}
    )
    assert [row["ID"] for row in found["results"]["result_rows"]] == [GUID]
    described = found["results"]["column_descriptions"]
    assert described[0] == {
        "fieldLabel": "ID",
        "fieldName": "ID",
        "keyField": "X",
        "length": 255,
        "position": 1,
    }
    form = await client.call("get_business_objects_search", "D365", "account")
    assert form["results"][0]["data"]["bo_type"] == "account"
    assert "Name" in form["results"][1]["schema"]["properties"]
    kinds = await client.call("get_business_object_types")
    type_id = client.value(kinds, "bo_type_id")
    one = await client.call("get_business_object_type", type_id)
    assert client.value(one, "bo_type") == "account"
    old = await client.call("get_business_object_type_old", "D365", "incident")
    assert client.value(old, "workspace_type_id") == server.type_id("Case")


async def test_it_reads_and_adds_external_systems(
    client: Client, server: ContentServerSimulator
) -> None:
    known = await client.call("get_external_system_connection", "D365")
    assert known["conn_type"] == "D365Adapter"
    added = await client.call(
        "add_external_system_connection",
        "CRM/2",
        "HTTP",
        "https://as.example",
        "https://base.example",
        "user",
        "secret-word",
    )
    assert added is not None
    again = await client.call("get_external_system_connection", "CRM/2")
    assert again["baseurl"] == "https://base.example"
    assert "secret-word" not in str(server.requests)
    server.behaviour.version = "26.1"
    newer = await signed_in(server)
    listed = await newer.call("get_external_system_connection", ["CRM/2", "none"])
    assert [row["id_extsystem"] for row in listed["results"]] == ["CRM/2"]


async def test_it_reads_types_templates_forms_and_references(
    client: Client, server: ContentServerSimulator
) -> None:
    workspace_id = await new_account(client, server)
    type_id, templates = await client.call("get_workspace_templates", type_name="Contract")
    assert type_id == server.type_id("Contract")
    assert [template["name"] for template in templates] == ["Contract"]
    names = await client.call("get_workspace_type_names", lower_case=True)
    assert names == [kind.name.lower() for kind in server.definition.workspace_types]
    lookup = await client.call("get_workspace_type_lookup")
    assert lookup[server.type_id("Case")] == "Case"
    ids = await client.call("resolve_workspace_type_ids", ["Case", server.type_id("Account")])
    assert set(ids) == {server.type_id("Case"), server.type_id("Account")}
    allowed = await client.call(
        "resolve_workspace_type_filter", workspace_type_exclusions=["Case", "Contract"]
    )
    kept = {kind.name for kind in server.definition.workspace_types} - {"Case", "Contract"}
    assert set(allowed) == {server.type_id(name) for name in kept}
    form = await client.call("get_workspace_create_form", server.template_id("Account"))
    assert form["forms"][0]["schema"]["properties"]["name"]["maxLength"] == 248
    assert form["forms"][1]["role_name"] == "categories"
    linked = await client.call("get_workspace_references", workspace_id)
    assert [row["business_object_id"] for row in linked] == [OBJECT[2]]
    instances = await client.call("get_workspace_instances", type_name="Account")
    assert client.values(instances, "id") == [workspace_id]
    named = await client.call("get_workspace_by_type_and_name", type_name="Account", name="A")
    assert client.value(named, "id") == workspace_id


async def test_it_manages_roles_permissions_and_an_icon(
    client: Client, server: ContentServerSimulator, tmp_path: Path
) -> None:
    workspace_id = await new_account(client, server)
    roles = await client.call("get_workspace_roles", workspace_id)
    team = client.values(roles, "id")[client.values(roles, "name").index("Team")]
    assert await client.call(
        "assign_workspace_permissions", workspace_id, team, ["see", "see_contents", "modify"]
    )
    role = server.store.members[team]
    assert role.perms == 130 | 36865 | 65536  # type: ignore[attr-defined]
    for name in ("ann.seller", "bob.broker"):
        member = server.member(name).id
        await client.call("add_workspace_member", workspace_id, team, member)
    assert len(server.workspace(workspace_id).roles["Team"]) == 2
    assert await client.call("remove_workspace_members", workspace_id, team)
    assert server.workspace(workspace_id).roles["Team"] == ()
    built = await client.call("build_role_info", [team], workspace_id)
    assert built[0]["name"] == "Team"
    icon = tmp_path / "icon.png"
    icon.write_bytes(b"\x89PNG")
    assert await client.call("update_workspace_icon", workspace_id, str(icon), "image/png")
    stored = server.node(workspace_id).workspace
    assert stored is not None and stored.icon is not None
    assert stored.icon.content == b"\x89PNG"


async def test_it_walks_workspaces_along_their_relations(
    client: Client, server: ContentServerSimulator
) -> None:
    ids = [await new_account(client, server, name) for name in ("A", "B", "C")]
    for child in ids[1:]:
        await client.call("create_workspace_relationship", ids[0], child)
    seen: list[str] = []

    def visit(workspace_node: dict[str, object], **_: object) -> tuple[bool, bool]:
        seen.append(client.value(workspace_node, "name"))
        return True, True

    walked = await client.call(
        "traverse_workspace",
        ids[1],
        processed_workspaces={},
        current_depth=0,
        node_executables=[visit],
    )
    assert walked["processed"] == 3
    assert sorted(seen) == ["A", "B", "C"]
    assert await client.call("delete_workspace_relationships", ids[0])
    assert server.workspace(ids[0]).relations == ()


async def test_it_reads_categories_as_dictionaries_and_pushes_them_down(
    client: Client, server: ContentServerSimulator
) -> None:
    workspace_id = await new_account(client, server)
    contract = server.category_id("Contract")
    assert await client.call("assign_category", workspace_id, contract, apply_to_sub_items=True)
    folder = server.store.children(workspace_id)[0]
    assert contract in folder.categories
    keys = server.attribute_keys("Contract", {"Status": "Draft"})
    await client.call("set_category_values", workspace_id, contract, keys)
    shown = await client.call(
        "get_node_category_as_dictionary", workspace_id, category_name="Contract"
    )
    assert shown["Status"] == "Draft"
    ids = await client.call("get_node_category_ids", workspace_id)
    assert contract in [int(i) for i in ids]
    names = await client.call("get_node_category_names", workspace_id)
    assert "Contract" in names
    status = next(iter(keys)).split("_")[1]
    value = await client.call("get_category_value", workspace_id, contract, int(status))
    assert value == "Draft"
    assert await client.call("set_category_inheritance", workspace_id, contract, True) is not None
    assert server.node(workspace_id).categories[contract].inherit is True
    assert await client.call("set_category_inheritance", workspace_id, contract, False) is not None
    assert server.node(workspace_id).categories[contract].inherit is False
