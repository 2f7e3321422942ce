"""What OpenText's client looks up, walks through and takes apart, against the simulated server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.sandbox.content_server import ContentServerSimulator
from tests.conformance.content_server import Client, hasten, new_account, new_document, signed_in


@pytest.fixture
async def server() -> AsyncIterator[ContentServerSimulator]:
    async with ContentServerSimulator(seed=3) as running:
        yield running


@pytest.fixture
async def client(server: ContentServerSimulator) -> Client:
    return await signed_in(server)


async def test_it_reads_types_and_external_systems_at_once(
    client: Client, server: ContentServerSimulator
) -> None:
    kinds = await client.call("get_workspace_types")
    names = [kind.name for kind in server.definition.workspace_types]
    assert client.values(kinds, "wksp_type_name") == names
    case = server.type_id("Case")
    assert await client.call("get_workspace_type_name", type_id=case) == "Case"
    assert await client.call("lookup_workspace_type_name", case) == "Case"
    systems = await client.call("get_external_system_connections")
    (system,) = systems["results"]
    assert (system["id_extsystem"], system["enabled"]) == ("D365", 1)


async def test_it_takes_a_category_apart(client: Client, server: ContentServerSimulator) -> None:
    workspace = await new_account(client, server)
    category = server.category_id("Business Record")
    named = await client.call("get_category_id_by_name", workspace, "Business Record")
    assert int(named) == category
    keys = server.attribute_keys("Business Record", {"Record Name": "Fabrikam"})
    await client.call("set_category_values", workspace, category, keys)
    read = await client.call("get_node_category", workspace, category)
    assert read["results"]["data"]["categories"][next(iter(keys))] == "Fabrikam"


async def test_it_finds_nodes_by_an_attribute(
    client: Client, server: ContentServerSimulator
) -> None:
    accounts = server.workspace(await new_account(client, server)).parent_id
    for name in ("Fabrikam", "Contoso"):
        server.create_workspace(
            "Account", name, categories={"Business Record": {"Record Number": f"N-{name}"}}
        )
    found = await client.call(
        "lookup_nodes", accounts, "Business Record", "Record Number", "N-Contoso"
    )
    assert client.values(found, "name") == ["Contoso"]


async def test_it_lists_volumes_and_people(client: Client) -> None:
    volumes = await client.call("get_volumes")
    assert {"Enterprise", "Categories"} <= set(client.values(volumes, "name"))
    people = await client.call("get_users", where_name="ann")
    assert client.values(people, "name") == ["ann.seller"]


async def test_it_signs_in_again_and_signs_off(
    client: Client, server: ContentServerSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(client, monkeypatch)
    before = client.otcs.cookie()
    server.expire_tickets()
    assert await client.call("reauthenticate", before)
    assert client.otcs.cookie() != before
    assert await client.call("get_node", 2000)
    await client.call("invalidate_authentication_ticket")
    assert client.otcs.cookie() is None


async def test_it_walks_from_workspace_to_workspace(
    client: Client, server: ContentServerSimulator
) -> None:
    parent, child = await new_account(client, server), await new_account(client, server, "B")
    await client.call("create_workspace_relationship", parent, child)
    walked: list[str] = []

    def visit(workspace_node: dict[str, object], **_: object) -> tuple[bool, bool]:
        walked.append(client.otcs.get_result_value(workspace_node, "name"))
        return True, True

    await client.call(
        "traverse_workspaces",
        workspace_type_inclusions=["Account"],
        node_executables=[visit],
        relationship_types=["child"],
    )
    assert set(walked) == {"A", "B"}


async def test_it_downloads_in_the_background(
    client: Client, server: ContentServerSimulator, tmp_path: Path
) -> None:
    workspace = await new_account(client, server)
    document = await new_document(client, workspace)
    target = tmp_path / "copy.txt"
    await client.call("download_document_multi_threading", document, str(target))
    assert target.read_text() == "first draft"
