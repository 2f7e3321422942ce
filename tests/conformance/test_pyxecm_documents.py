"""OpenText's own client on documents, permissions, the tree and search of the simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.sandbox.content_server import ContentServerSimulator
from app.sandbox.content_server.reports import CHANGES
from tests.conformance.content_server import Client, new_account, new_document, otcs, signed_in

FOLDER, SHORTCUT, COMPOUND, URL, COLLECTION = 0, 1, 136, 140, 298


@pytest.fixture
async def server() -> AsyncIterator[ContentServerSimulator]:
    async with ContentServerSimulator(seed=5) as running:
        yield running


@pytest.fixture
async def client(server: ContentServerSimulator) -> Client:
    return await signed_in(server)


async def test_it_makes_every_kind_of_item_and_copies_and_collects_them(
    client: Client, server: ContentServerSimulator
) -> None:
    folder = client.value(await client.call("create_item", 2000, FOLDER, "Box"), "id")
    document = await new_document(client, folder)
    link = await client.call("create_item", folder, URL, "Site", url="https://contoso.example")
    assert server.node(client.value(link, "id")).url == "https://contoso.example"
    shortcut = await client.call(
        "create_item", folder, SHORTCUT, "To draft", original_id=document, body=False
    )
    assert server.node(client.value(shortcut, "id")).original_id == document
    copied = await client.call("copy_node", folder, 2000, "Box copy")
    copies = server.store.children(client.value(copied, "id"))
    assert [node.name for node in copies] == ["frame.txt", "Site", "To draft"]
    collection = client.value(await client.call("create_item", 2000, COLLECTION, "Picks"), "id")
    assert await client.call("add_node_to_collection", collection, [document, folder])
    picked = await client.all("get_subnodes_iterator", parent_node_id=collection)
    assert sorted(client.value(row, "id") for row in picked) == sorted([document, folder])
    assert await client.call("remove_node_from_collection", collection, folder)
    assert server.node(collection).collected == [document]


async def test_it_changes_moves_deletes_restores_and_purges(
    client: Client, server: ContentServerSimulator
) -> None:
    box = client.value(await client.call("create_item", 2000, FOLDER, "Box"), "id")
    other = client.value(await client.call("create_item", 2000, FOLDER, "Other"), "id")
    document = await new_document(client, box)
    updated = await client.call(
        "update_item", document, parent_id=other, item_name="new.txt", item_description="words"
    )
    assert client.value(updated, "parent_id") == other
    assert server.node(document).description == "words"
    assert await client.call("delete_node", document)
    assert document not in server.store.nodes
    assert await client.call("restore_node", document)
    assert server.node(document).name == "new.txt"
    await client.call("delete_node", document)
    assert await client.call("purge_node", document)
    assert await client.call("restore_node", document) is None


async def test_it_reads_versions_and_writes_them_to_disk(
    client: Client, server: ContentServerSimulator, tmp_path: Path
) -> None:
    document = await new_document(client, 2000, "data.json", '{"a": 1}')
    await client.call(
        "add_document_version",
        document,
        file_content='{"a": 2}',
        file_name="data.json",
        mime_type="application/json",
    )
    assert await client.call("get_json_document", document) == {"a": 2}
    first = await client.call("get_document_version", document, 1)
    assert first["results"]["data"]["versions"]["file_size"] == 8
    target = tmp_path / "out" / "data.json"
    assert await client.call("download_document", document, str(target))
    assert target.read_bytes() == b'{"a": 2}'
    assert await client.call("download_document", document, str(target), version_number=1)
    assert target.read_bytes() == b'{"a": 1}'
    assert await client.call("purge_document_versions", document, 1)
    assert [version.number for version in server.node(document).versions] == [2]


async def test_it_uploads_a_directory_and_finds_things_by_path(
    client: Client, server: ContentServerSimulator, tmp_path: Path
) -> None:
    (tmp_path / "up" / "inner").mkdir(parents=True)
    (tmp_path / "up" / "top.txt").write_text("top")
    (tmp_path / "up" / "inner" / "deep.txt").write_text("deep")
    workspace_id = await new_account(client, server)
    folder = server.store.child_by_name(workspace_id, "Contracts")
    assert folder is not None
    done = await client.call("upload_directory_to_parent", folder.id, str(tmp_path / "up"))
    assert done is not None
    path = ["Contracts", "inner", "deep.txt"]
    deep = await client.call("get_node_by_workspace_and_path", workspace_id, path)
    assert server.node(client.value(deep, "id")).versions[-1].content == b"deep"
    made = await client.call("get_node_by_volume_and_path", 141, ["New", "Newer"], True)
    line = await client.call("get_node_ancestors", client.value(made, "id"))
    assert [row["name"] for row in line["ancestors"]] == ["Enterprise", "New", "Newer"]
    found = await client.call("lookup_node_by_regex", workspace_id, [r"Contr.*"])
    assert client.value(found, "id") == folder.id
    seen: list[str] = []

    def visit(node: dict[str, object], **_: object) -> tuple[bool, bool]:
        seen.append(client.value(node, "name"))
        return True, True

    walked = await client.call("traverse_node", folder.id, executables=[visit])
    assert walked == {"processed": 4, "traversed": 2}
    assert sorted(seen) == ["Contracts", "deep.txt", "inner", "top.txt"]
    parallel = await client.call("traverse_node_parallel", folder.id, [visit], timeout=0.05)
    assert parallel["processed"] == 3


async def test_it_finds_by_attribute_in_a_folder_and_among_workspaces(
    client: Client, server: ContentServerSimulator
) -> None:
    for name in ("A", "B"):
        categories = {"Business Record": {"Record Number": f"N-{name}"}}
        server.create_workspace("Account", name, categories=categories)
    found = await client.call(
        "lookup_workspaces", "Account", "Business Record", "Record Number", "N-B"
    )
    assert client.values(found, "name") == ["B"]
    none = await client.call(
        "lookup_workspaces", "Account", "Business Record", "Record Number", "N-C"
    )
    assert none is None
    location = await client.call("get_workspace_type_location", type_name="Account")
    assert server.node(location).name == "Accounts"


async def test_it_browses_by_facets_and_reads_columns(
    client: Client, server: ContentServerSimulator
) -> None:
    for name in ("A", "B", "C"):
        record = {"Business Record": {"Record Id": f"id-{name}"}}
        server.create_workspace("Account", name, categories=record)
    parent = server.workspaces()[0].parent_id
    facets = await client.call("get_node_facets", parent)
    data = facets["results"]["data"]
    number = next(int(i) for i, f in data["facets"].items() if f["name"].endswith("Record Id"))
    found = await client.call(
        "get_nodes_by_parent_and_filters", parent, facet_values={number: ["id-A", "id-C"]}
    )
    assert [row["name"] for row in found["results"]["contents"]] == ["A", "C"]
    paged = await client.all(
        "get_nodes_by_parent_and_filters_iterator", parent_id=parent, page_size=2
    )
    assert [row["name"] for row in paged] == ["A", "B", "C"]
    columns = await client.call("get_node_columns", parent)
    shown = columns["results"]["columns_to_display"]["local_columns"]["available_columns"]
    assert "Record Id" in [column["name"] for column in shown]
    many = await client.call("get_nodes", [made.id for made in server.workspaces()])
    assert client.values(many, "name") == ["A", "B", "C"]


async def test_it_searches_with_pages_and_locations(
    client: Client, server: ContentServerSimulator
) -> None:
    workspace_id = await new_account(client, server)
    for number in range(5):
        await new_document(client, workspace_id, f"memo {number}.txt", "the fox signs")
    await new_document(client, 2000, "outside.txt", "the fox")
    found = await client.call("search", "fox", location_id=workspace_id, limit=2)
    assert found["collection"]["paging"]["total_count"] == 5
    everywhere = await client.all("search_iterator", search_term="fox", page_size=4)
    assert len(everywhere) == 6
    by_name = await client.call("search", "OTName:outside* AND OTSubType:144")
    assert client.value(by_name, "name") == "outside.txt"
    words = await client.call("search", "fox signs", look_for="exactphrase", limit=10)
    assert len(client.values(words, "id")) == 5


async def test_it_sets_permissions_and_asks_what_may_be_done(
    client: Client, server: ContentServerSimulator
) -> None:
    document = await new_document(client, 2000)
    ann = server.member("ann.seller").id
    assert await client.call("delete_permission", document, "public") is not None
    assert await client.call("assign_permission", document, ["see"], "custom", ann) is not None
    held = await client.call("get_permission", document, ann)
    assert held["results"]["data"]["permissions"]["permissions"] == ["see"]
    bob = server.member("bob.broker").id
    for user, seen in ((ann, [document]), (bob, [])):
        checked = await client.call("check_user_node_permissions", [document], user)
        assert checked["results"]["ids"] == seen
    menu = await client.call("get_node_actions", document, ["delete", "download"])
    assert menu["results"][str(document)]["order"] == ["download", "delete"]
    other = await signed_in(server, "ann.seller", "contoso-password")
    assert client.value(await other.call("get_node", document), "name") == "frame.txt"
    assert await other.call("rename_node", document, "mine.txt", "") is None
    assert server.node(document).name == "frame.txt"
    assert await client.call("delete_permission", document, "custom", ann) is not None
    assert await other.call("get_node", document) is None


async def test_it_follows_the_change_report_and_audits_by_day(
    client: Client, server: ContentServerSimulator
) -> None:
    described = await client.call("get_web_report_parameters", CHANGES)
    assert [parameter["parm_name"] for parameter in described] == ["after", "since", "limit"]
    seen, today = len(server.audit), datetime.now(UTC).date().isoformat()
    document = await new_document(client, 2000)
    await client.call("rename_node", document, "renamed.txt", "")
    fed = await client.call("run_web_report", CHANGES, {"after": seen})
    assert [(row["AuditID"], row["DataID"]) for row in fed["rows"]] == [
        (1, document),
        (5, document),
    ]
    rows = await client.call("get_node_audit", document, filter_date_start=today, limit=1)
    assert rows["collection"]["paging"]["total_count"] == 2
    before = await client.call("get_node_audit", document, filter_date_end="2020-01-01")
    assert before["results"]["data"]["audit"] == []


async def test_it_makes_a_document_from_a_template(
    client: Client, server: ContentServerSimulator
) -> None:
    volume = client.value(await client.call("get_volume", 20541), "id")
    template = await new_document(client, volume, "letter.txt", "Dear")
    offered = await client.call("get_document_templates", 2000)
    assert [row["id"] for row in offered["results"][0]["templates"]] == [template]
    contract = server.category_id("Contract")
    made = await client.call(
        "create_document_from_template",
        template_id=template,
        parent_id=2000,
        classification_id=0,
        category_data={str(contract): {f"{contract}_2": "Draft"}},
        doc_name="To Fabrikam.txt",
    )
    node = server.node(made["results"]["id"])
    assert (node.name, node.versions[-1].content) == ("To Fabrikam.txt", b"Dear")
    assert node.categories[contract].values[2] == "Draft"


async def test_it_keeps_favourites_and_lists_what_was_opened_and_reserved(
    client: Client, server: ContentServerSimulator
) -> None:
    document = await new_document(client, 2000)
    assert await client.call("add_user_favorite", document) is not None
    assert client.values(await client.call("get_user_favorites"), "id") == [document]
    await client.call("get_node", document)
    recent = await client.call("get_user_recently_accessed", where_type=[144])
    assert client.values(recent, "id") == [document]
    user = server.member("dovetail").id
    assert await client.call("update_item", document, reserved_user_id=user)
    assert client.values(await client.call("get_user_reserved_nodes"), "id") == [document]
    await client.call("set_node_nickname", document, "the frame")
    named = await client.call("get_unique_names", ["the_frame"])
    assert named["results"][0]["NodeId"] == document
    form = await client.call(
        "get_node_create_form", 2000, category_ids=[server.category_id("Contract")]
    )
    assert [part.get("role_name") for part in form["forms"]] == [None, "categories"]


async def test_a_reserved_document_is_refused_to_another(
    client: Client, server: ContentServerSimulator
) -> None:
    document = await new_document(client, 2000)
    await client.call("update_item", document, reserved_user_id=server.member("dovetail").id)
    other = await signed_in(server, "ann.seller", "contoso-password")
    version = {"file_content": "x", "file_name": "frame.txt", "mime_type": "text/plain"}
    assert await other.call("add_document_version", document, **version) is None
    assert server.requests[-1].status == 500
    released = await client.call("update_item", document, reserved_user_id=None)
    assert client.value(released, "reserved") is False
    assert await other.call("add_document_version", document, **version)
    assert len(server.node(document).versions) == 2


async def test_it_is_told_apart_from_a_client_without_a_ticket(
    server: ContentServerSimulator,
) -> None:
    stranger = Client(otcs(server, username="ann.seller", password="wrong"))
    assert await stranger.call("authenticate") is None
    assert await stranger.call("get_node", 2000) is None
