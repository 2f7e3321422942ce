"""What OpenText's own client library makes of answers: sign-ins, categories, teams, collections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.sandbox.content_server import ContentServerSimulator
from tests.conformance.content_server import (
    Client,
    new_account,
    new_document,
    otcs,
    otds,
    signed_in,
)


@pytest.fixture
async def server() -> AsyncIterator[ContentServerSimulator]:
    async with ContentServerSimulator(seed=5) as running:
        yield running


@pytest.fixture
async def client(server: ContentServerSimulator) -> Client:
    return await signed_in(server)


async def test_it_goes_on_with_a_ticket_that_another_client_was_given(
    client: Client, server: ContentServerSimulator
) -> None:
    ticket = client.otcs.otcs_ticket()
    assert len(client.otcs.otcs_ticket_hashed()) == 128
    assert not client.otcs.is_hashed_ticket()
    other = Client(otcs(server))
    other.otcs.set_otcs_ticket(ticket)
    user = await other.call("get_current_user")
    assert user["data"]["name"] == server.service_user.login
    assert other.otcs.rest_url() == server.url
    assert other.otcs.cs_url() == server.url.removesuffix("/api")


async def test_it_signs_in_with_what_it_is_given_later(server: ContentServerSimulator) -> None:
    client = Client(otcs(server))
    client.otcs.set_credentials("ann.seller", "contoso-password")
    assert await client.call("authenticate")
    directory = otds(
        server,
        username="bob.broker",
        password="contoso-password",
        client_id=server.client.client_id,
        client_secret=server.client.client_secret,
    )
    cookie = await asyncio.to_thread(directory.authenticate, grant_type="password")
    by_ticket = Client(otcs(server))
    by_ticket.otcs.set_otds_ticket(cookie["OTDSTicket"])
    token = await asyncio.to_thread(
        directory.authenticate, revalidate=True, grant_type="client_credentials"
    )
    by_token = Client(otcs(server))
    by_token.otcs.set_otds_token(token)
    for one in (by_ticket, by_token):
        assert await one.call("authenticate")
    signed = [record.user for record in server.requests if record.path == "/v1/auth"]
    assert [name for name in signed if name] == ["bob.broker", "dovetail"]


async def test_it_reads_rows_of_sets_as_lists_and_finds_the_default_language(
    client: Client, server: ContentServerSimulator
) -> None:
    assert await client.call("get_system_default_metadata_language") == "en"
    workspace = await new_account(client, server)
    category = server.category_id("Business Record")
    rows = [{"Milestone": "Design", "Due": "2026-03-20"}, {"Milestone": "Build"}]
    nested = {str(category): server.attribute_keys("Business Record", {"Milestones": rows})}
    flat = client.otcs.flatten_categories_dict(nested)
    assert flat == nested[str(category)]
    await client.call("set_category_values", workspace, category, flat, inheritance=None)
    node = await client.call("get_node", workspace, fields=["categories"], metadata=True)
    record = client.otcs.extract_category_data(node)["Business Record"]
    held = [(row["Milestone"], row["Due"]) for row in record["Milestones"]]
    assert held == [("Design", "2026-03-20T00:00:00"), ("Build", "")], (
        "its word for a date that is empty"
    )


async def test_it_translates_the_permissions_of_roles(
    client: Client, server: ContentServerSimulator
) -> None:
    workspace = await new_account(client, server)
    roles = await client.call("get_workspace_roles", workspace)
    found = list(client.otcs.get_result_values_iterator(roles))
    bits = {role["name"]: role["perms"] for role in found}
    names = client.otcs.convert_permission_value_to_permission_string(bits["Readers"])
    assert names == ["see", "see_contents"]
    assert client.otcs.convert_permission_string_to_permission_value(names) == bits["Readers"]


async def test_it_collects_documents_and_lets_them_go(
    client: Client, server: ContentServerSimulator
) -> None:
    workspace = await new_account(client, server)
    made = await client.call("create_item", workspace, "298", "Collected")
    collection = int(client.value(made, "id"))
    documents = [await new_document(client, workspace, f"{n}.txt") for n in (1, 2)]
    await client.call("collection_operation", collection, documents, operation="add")
    assert server.store.nodes[collection].collected == documents
    await client.call("collection_operation", collection, documents[0], operation="remove")
    assert server.store.nodes[collection].collected == documents[1:]


async def test_it_lists_what_waits_for_a_user(
    client: Client, server: ContentServerSimulator
) -> None:
    document = await new_document(client, await new_account(client, server))
    kind = next(k for k in server.store.workflows.maps.values() if k.name == "Discount Approval")
    draft = await client.call("create_draft_process", kind.id, [document])
    draft_id = draft["results"]["draftprocess_id"]
    await client.call("initiate_draft_process", draft_id)
    assert (await client.call("get_user_mytodo"))["results"]["data"] == []
    head = await signed_in(server, "hal.head", "contoso-password")
    (waiting,) = (await head.call("get_user_mytodo"))["results"]["data"]
    assert waiting["name"] == "Discount Approval: Approver"


async def test_it_walks_over_workspaces_and_their_relations(
    client: Client, server: ContentServerSimulator
) -> None:
    account = server.create_workspace("Account", "A").id
    deals = [server.create_workspace("Opportunity", name).id for name in ("B", "C")]
    for deal in deals:
        await client.call("create_workspace_relationship", account, deal)
    seen: set[int] = set()
    edges: set[tuple[int, int, str]] = set()

    def visit(workspace_node: Any, **_: Any) -> tuple[bool, bool]:
        seen.add(client.otcs.get_result_value(response=workspace_node, key="id"))
        return True, True

    def follow(
        workspace_node_from: Any, workspace_node_to: Any, rel_type: str, **_: Any
    ) -> tuple[bool, bool]:
        ends = (
            client.otcs.get_result_value(response=node, key="id")
            for node in (workspace_node_from, workspace_node_to)
        )
        first, second = ends
        edges.add((first, second, rel_type))
        return True, True

    result = await client.call(
        "traverse_workspaces_parallel",
        node_executables=[visit],
        relationship_executables=[follow],
        page_size=2,
        timeout=2.0,
    )
    assert seen == {account, *deals}
    assert {(account, deal, "child") for deal in deals} <= edges
    assert result["processed"] == 3
