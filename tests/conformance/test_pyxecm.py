"""OpenText's own client library, unmodified, against the simulated Content Server.

Where this client and a simulator disagree, the simulator is wrong. Documents, search and
people are in the files beside this one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.sandbox.content_server import ContentServerSimulator
from tests.conformance.content_server import (
    OBJECT,
    Client,
    hasten,
    new_account,
    new_document,
    otcs,
    otds,
    signed_in,
)


@pytest.fixture
async def server() -> AsyncIterator[ContentServerSimulator]:
    async with ContentServerSimulator(seed=3) as running:
        yield running


@pytest.fixture
async def client(server: ContentServerSimulator) -> Client:
    return await signed_in(server)


async def test_it_finds_the_server_configured_and_ready_and_reads_its_version(
    client: Client,
) -> None:
    assert await client.call("is_configured") is True
    assert await client.call("is_ready") is True
    info = await client.call("get_server_info")
    assert info["sessions"]["session_timeout"] == 7_200_000
    assert await client.call("get_server_version") == "25.4"


async def test_it_signs_in_with_an_otds_ticket_and_with_an_oauth_token(
    server: ContentServerSimulator,
) -> None:
    directory = otds(
        server,
        username="ann.seller",
        password="contoso-password",
        client_id=server.client.client_id,
        client_secret=server.client.client_secret,
    )
    cookie = await asyncio.to_thread(directory.authenticate, grant_type="password")
    by_ticket = Client(otcs(server, otds_ticket=cookie["OTDSTicket"]))
    assert await by_ticket.call("authenticate")
    token = await asyncio.to_thread(
        directory.authenticate, revalidate=True, grant_type="client_credentials"
    )
    by_token = Client(otcs(server, otds_token=token))
    assert await by_token.call("authenticate")
    users = [record.user for record in server.requests if record.path == "/v1/auth"]
    assert users == ["ann.seller", "dovetail"]


async def test_it_reads_workspace_types_and_business_object_types(
    client: Client, server: ContentServerSimulator
) -> None:
    kinds = await client.all("get_workspace_types_iterator")
    names = [client.value(kind, "wksp_type_name") for kind in kinds]
    assert names == [kind.name for kind in server.definition.workspace_types]
    contract = await client.call("get_workspace_type_by_name", type_name="Contract")
    assert client.value(contract, "templates")[0]["id"] == server.template_id("Contract")
    named = await client.call("get_workspace_type_name", type_id=server.type_id("Case"))
    assert named == "Case"
    objects = await client.all("get_business_object_types_iterator")
    assert [client.value(row, "bo_type") for row in objects] == [
        kind.name for kind in server.definition.business_object_types
    ]


async def test_it_creates_a_workspace_and_finds_it_by_business_object(
    client: Client, server: ContentServerSimulator
) -> None:
    category = str(server.category_id("Business Record"))
    keys = server.attribute_keys("Business Record", {"Record Name": "Fabrikam"})
    created = await client.call(
        "create_workspace",
        workspace_template_id=server.template_id("Account"),
        workspace_name="Fabrikam",
        workspace_description="An account",
        workspace_type=server.type_id("Account"),
        category_data={category: keys},
        external_system_id=OBJECT[0],
        bo_type=OBJECT[1],
        bo_id=OBJECT[2],
    )
    workspace_id = client.value(created, "id")
    found = await client.call("get_workspace_by_business_object", *OBJECT)
    assert client.value(found, "id") == workspace_id
    assert client.value(found, "wnf_wksp_type_id") == server.type_id("Account")
    missing = await client.call("get_workspace_by_business_object", "D365", "account", "none")
    assert client.value(missing, "id") is None
    made = server.workspace(workspace_id)
    assert made.description == "An account"
    assert made.categories["Business Record"]["Record Name"] == "Fabrikam"
    await client.call(
        "create_workspace",
        workspace_template_id=server.template_id("Account"),
        workspace_name="Fabrikam",
        workspace_description="",
        workspace_type=server.type_id("Account"),
    )
    refused = server.requests[-1]
    assert refused.status == 500
    assert refused.error == "An item with the name 'Fabrikam' already exists."
    assert len(server.workspaces()) == 1


async def test_it_lists_instances_over_pages(
    client: Client, server: ContentServerSimulator
) -> None:
    for number in range(7):
        server.create_workspace("Opportunity", f"Deal {number}")
    found = await client.all(
        "get_workspace_instances_iterator", type_name="Opportunity", page_size=3
    )
    assert [client.value(row, "name") for row in found] == [f"Deal {n}" for n in range(7)]


async def test_it_gets_renames_and_deletes_a_workspace(
    client: Client, server: ContentServerSimulator
) -> None:
    workspace_id = await new_account(client, server)
    response = await client.call("get_workspace", workspace_id)
    assert client.value(response, "name") == "A"
    assert await client.call("update_workspace", workspace_id, workspace_name="B")
    assert server.workspace(workspace_id).name == "B"
    renamed = await client.call("rename_node", workspace_id, "C", "new words")
    assert client.value(renamed, "name") == "C"
    assert server.workspace(workspace_id).description == "new words"
    assert await client.call("delete_node", workspace_id)
    assert server.workspaces() == []


async def test_it_connects_and_disconnects_a_business_object(
    client: Client, server: ContentServerSimulator
) -> None:
    early = server.create_workspace("Account", "Early")
    assert await client.call("set_workspace_reference", early.id, *OBJECT) is not None
    found = server.find_by_business_object(*OBJECT)
    assert found is not None and found.id == early.id
    assert await client.call("delete_workspace_reference", early.id, *OBJECT) is not None
    assert server.find_by_business_object(*OBJECT) is None


async def test_it_relates_workspaces_both_ways(
    client: Client, server: ContentServerSimulator
) -> None:
    parent, child = await new_account(client, server), await new_account(client, server, "B")
    assert await client.call("create_workspace_relationship", parent, child) is not None
    children = await client.all("get_workspace_relationships_iterator", workspace_id=parent)
    assert [client.value(row, "id") for row in children] == [child]
    parents = await client.call("get_workspace_relationships", child, relationship_type="parent")
    assert client.value(parents, "id") == parent
    assert client.value(parents, "rel_type") == "parent"
    assert await client.call("delete_workspace_relationship", parent, child) is not None
    assert server.workspace(parent).relations == ()


async def test_it_keeps_roles_and_their_members(
    client: Client, server: ContentServerSimulator
) -> None:
    workspace_id = await new_account(client, server)
    roles = await client.call("get_workspace_roles", workspace_id)
    assert client.value(roles, "name") == "Owner"
    role_id = client.value(roles, "id")
    user = await client.call("get_user", name="ann.seller")
    member_id = client.value(user, "id")
    assert client.value(user, "business_email") == "ann.seller@contoso.example"
    added = await client.call("add_workspace_member", workspace_id, role_id, member_id)
    assert client.value(added, "id") == member_id
    assert server.workspace(workspace_id).roles["Owner"] == ("ann.seller",)
    members = await client.call("get_workspace_members", workspace_id, role_id)
    assert client.otcs.exist_result_item(members, "id", member_id)
    assert await client.call("remove_workspace_member", workspace_id, role_id, member_id)
    assert server.workspace(workspace_id).roles["Owner"] == ()
    role = await client.call("get_group", group_id=role_id)
    assert client.value(role, "node_id") == workspace_id


async def test_it_reads_and_writes_categories_by_label(
    client: Client, server: ContentServerSimulator
) -> None:
    workspace_id = await new_account(client, server)
    category_id, attributes = await client.call(
        "get_node_category_definition", workspace_id, "Business Record"
    )
    assert int(category_id) == server.category_id("Business Record")
    assert attributes["Milestones:Due"]["type"] == "Date"
    assert attributes["Milestones:Due"]["set_id"] == attributes["Milestones"]["id"]
    state = attributes["Record State"]["id"]
    await client.call("set_category_values", workspace_id, int(category_id), {state: "Active"})
    set_id = int(attributes["Milestones"]["id"].split("_")[1])
    cell = int(attributes["Milestones:Milestone"]["id"].split("_")[-1])
    await client.call(
        "set_category_value", workspace_id, "Kick-off", int(category_id), cell, set_id, 2
    )
    record = server.workspace(workspace_id).categories["Business Record"]
    assert record["Record State"] == "Active"
    assert [row["Milestone"] for row in record["Milestones"]] == ["", "Kick-off"]
    read = await client.call(
        "get_category_value_by_name",
        node_id=workspace_id,
        category_name="Business Record",
        attribute_name="Record State",
    )
    assert read == "Active"
    form = await client.call("get_node_category_form", workspace_id, int(category_id))
    assert form["forms"][0]["schema"]["properties"][state]["title"] == "Record State"


async def test_it_assigns_a_category_and_passes_it_on(
    client: Client, server: ContentServerSimulator
) -> None:
    workspace_id = await new_account(client, server)
    contract = server.category_id("Contract")
    keys = server.attribute_keys("Contract", {"Status": "In Review"})
    assigned = await client.call(
        "assign_category",
        node_id=workspace_id,
        category_id=contract,
        inheritance=True,
    )
    assert assigned is True
    await client.call("set_category_values", workspace_id, contract, keys, inheritance=None)
    assert server.workspace(workspace_id).categories["Contract"]["Status"] == "In Review"
    folder = await client.call("create_item", workspace_id, 0, "Letters")
    inherited = await client.call("get_node_categories", client.value(folder, "id"))
    assert next(iter(inherited["results"][0]["data"]["categories"].values())) == "In Review"


async def test_it_uploads_versions_lists_and_downloads(
    client: Client, server: ContentServerSimulator
) -> None:
    workspace_id = await new_account(client, server)
    folder = await client.call("get_node_by_parent_and_name", workspace_id, "Contracts")
    folder_id = client.value(folder, "id")
    document_id = await new_document(client, folder_id)
    await client.call(
        "add_document_version",
        node_id=document_id,
        file_content="second draft",
        file_name="frame.txt",
        mime_type="text/plain",
        description="after review",
    )
    versions = await client.call("get_document_versions", document_id)
    numbers = [row["data"]["versions"]["version_number"] for row in versions["results"]]
    assert sorted(numbers) == [1, 2]
    latest = await client.call("get_latest_document_version", document_id)
    assert latest["data"]["version_number"] == 2
    assert await client.call("get_document_content", document_id) == b"second draft"
    children = await client.all("get_subnodes_iterator", parent_node_id=folder_id)
    assert [client.value(row, "name") for row in children] == ["frame.txt"]
    enclosing = await client.call("get_workspace_by_child_node", document_id)
    assert enclosing["id"] == workspace_id


async def test_it_reads_audit_nicknames_volumes_and_name_collisions(
    client: Client, server: ContentServerSimulator
) -> None:
    workspace_id = await new_account(client, server)
    await client.call("rename_node", workspace_id, "B", "")
    audit = await client.call("get_node_audit", workspace_id)
    rows = audit["results"]["data"]["audit"]
    assert [row["audit_name"] for row in rows] == ["Rename", "Create"]
    await client.call("set_node_nickname", workspace_id, "the-account")
    named = await client.call("get_node_from_nickname", "the_account")
    assert client.value(named, "id") == workspace_id
    volume = await client.call("get_volume", 133)
    categories = await client.call("get_subnodes", client.value(volume, "id"))
    expected = sorted(category.name for category in server.definition.categories)
    assert sorted(client.values(categories, "name")) == expected
    parent = server.workspace(workspace_id).parent_id
    taken = await client.call("check_node_name", parent, "b")
    assert taken["results"][0]["id"] == workspace_id


async def test_it_signs_in_again_after_its_ticket_expired(
    client: Client, server: ContentServerSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(client, monkeypatch)
    server.expire_tickets()
    response = await client.call("get_node", 2000)
    assert client.value(response, "name") == "Enterprise"
    assert [record.status for record in server.requests if record.path == "/v2/nodes/2000"] == [
        401,
        200,
    ]
