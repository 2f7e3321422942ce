"""A refused call leaves nothing behind, and nobody goes round what he may not do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from app.sandbox.content_server import ContentServerSimulator
from tests.sandbox.content_server.conftest import Api


@pytest.fixture
async def bob(server: ContentServerSimulator) -> AsyncIterator[Api]:
    """Somebody else, with no rights but everybody's."""
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as http:
        form = {"username": "bob.broker", "password": "contoso-password"}
        http.headers["OTCSTicket"] = (await http.post("/v1/auth", data=form)).json()["ticket"]
        yield Api(http)


async def _document(api: Api, parent_id: int, name: str = "a.txt") -> int:
    answer = await api.upload(parent_id, name, b"a")
    return int(answer.json()["results"]["data"]["properties"]["id"])


async def _public(api: Api, node_id: int, *permissions: str) -> None:
    content = {"permissions": list(permissions), "apply_to": 0}
    answer = await api.body("PUT", f"/v2/nodes/{node_id}/permissions/public", content)
    assert answer.status_code == 200, answer.text


async def test_a_refused_reservation_renames_nothing(
    server: ContentServerSimulator, api: Api
) -> None:
    document = await _document(api, server.create_workspace("Account", "A").id)
    changes = {"name": "b.txt", "description": "words", "reserved_user_id": 999_999}
    refused = await api.body("PUT", f"/v2/nodes/{document}", changes)
    assert refused.status_code == 400
    node = server.store.nodes[document]
    assert (node.name, node.description) == ("a.txt", "")


async def test_a_role_with_an_unknown_member_is_not_made(
    server: ContentServerSimulator, api: Api
) -> None:
    workspace = server.create_workspace("Account", "A")
    path = f"/v2/businessworkspaces/{workspace.id}/roles"
    refused = await api.body("POST", path, {"name": "Guests", "members": [999_999]})
    assert refused.status_code == 400
    names = [role["data"]["properties"]["name"] for role in (await api.get(path)).json()["results"]]
    assert names == ["Owner", "Team", "Readers"]


async def test_a_business_object_is_not_linked_when_its_generated_name_is_taken(
    server: ContentServerSimulator, api: Api
) -> None:
    kinds, type_id = server.store.workspace_types, server.type_id("Account")
    category = server.category_id("Business Record")
    kinds[type_id] = replace(kinds[type_id], name_pattern=f"[{category}:4]")
    keys = server.attribute_keys("Business Record", {"Record Name": "Taken"})
    server.create_workspace("Account", "Taken")
    made = await api.make_workspace(
        server, "Account", "Early", roles={"categories": {str(category): keys}}
    )
    early = made.json()["results"]["id"]
    fields = {"ext_system_id": "D365", "bo_type": "account", "bo_id": "77"}
    path = f"/v2/businessworkspaces/{early}/workspacereferences"
    assert (await api.form("PUT", path, **fields)).status_code == 500
    assert server.find_by_business_object("D365", "account", "77") is None


async def test_what_somebody_may_not_see_he_does_not_complete_update_or_create_beneath(
    server: ContentServerSimulator, api: Api, bob: Api
) -> None:
    hidden = (await api.make_workspace(server, "Account", "Hidden", "1")).json()["results"]["id"]
    await _public(api, hidden)
    another = {"ibo_workspace_id": hidden, "ext_system_id": "D365"}
    another |= {"bo_type": "fno_customer", "bo_id": "2"}
    assert (await bob.body("POST", "/v2/businessworkspaces", another)).status_code == 404
    item = {"template_id": server.template_id("Account"), "name": "Mine", "bo_id": "1"}
    item |= {"ext_system_id": "D365", "bo_type": "account"}
    upserted = await bob.http.put("/v2/businessworkspaces", json={"bws_infos": [item]})
    (told,) = upserted.json()
    assert told["id"] == 0
    assert told["error_message"]
    assert server.workspace(hidden).name == "Hidden"
    assert len(server.store.nodes[hidden].workspace.references) == 1  # type: ignore[union-attr]


async def test_what_somebody_may_only_see_he_does_not_update_by_its_business_object(
    server: ContentServerSimulator, api: Api, bob: Api
) -> None:
    shown = (await api.make_workspace(server, "Account", "Shown", "1")).json()["results"]["id"]
    await _public(api, shown, "see", "see_contents")
    item = {"template_id": server.template_id("Account"), "name": "Mine", "bo_id": "1"}
    item |= {"ext_system_id": "D365", "bo_type": "account"}
    upserted = await bob.http.put("/v2/businessworkspaces", json={"bws_infos": [item]})
    assert "Insufficient permissions" in upserted.json()[0]["error_message"]
    attached = item | {"ibo_workspace_id": shown, "bo_type": "fno_customer"}
    refused = await bob.body("POST", "/v2/businessworkspaces", attached)
    assert "Insufficient permissions" in refused.json()["error"]
    assert server.workspace(shown).name == "Shown"


async def test_records_management_refuses_who_may_not_change_the_item(
    server: ContentServerSimulator, api: Api, bob: Api
) -> None:
    document = await _document(api, server.create_workspace("Account", "A").id)
    class_id = next(iter(server.store.records.classifications))
    path = f"/v1/nodes/{document}"
    classified = await api.body("POST", f"{path}/rmclassifications", {"class_id": class_id})
    assert classified.status_code == 200
    hold = (await api.form("POST", "/v1/holds", type="LEGAL", name="H")).json()["holdID"]
    await _public(api, document, "see", "see_contents")
    refused = [
        await bob.body("POST", f"{path}/holds", {"hold_id": hold}),
        await bob.form("POST", "/v1/rmclassifications/applyhold", ids=document, holdID=hold),
        await bob.body("POST", f"{path}/rmclassifications", {"class_id": class_id}),
        await bob.body("PUT", f"{path}/rmclassifications", {"essential": "VITAL"}),
        await bob.http.delete(f"{path}/rmclassifications/{class_id}"),
        await bob.form("POST", f"{path}/rmclassifications/{class_id}/rsis", rsi="CASE-7Y"),
        await bob.http.put(f"{path}/rmclassifications/makeConfidential"),
        await bob.form("PUT", "/v1/rmclassifications/finalizerecords", ids=document),
    ]
    assert (await api.body("POST", f"{path}/holds", {"hold_id": hold})).status_code == 200
    refused.append(await bob.http.delete(f"{path}/holds/{hold}"))
    wanted = (400, "Accessibility error. Not enough permissions")
    assert [(answer.status_code, answer.json()["error"]) for answer in refused] == [wanted] * 9
    held = server.store.records.details[document]
    assert (held.finalized, held.confidential, held.essential) == (False, False, "NR")


async def test_holds_are_released_from_all_items_or_from_none(
    server: ContentServerSimulator, api: Api
) -> None:
    held, free = (server.create_workspace("Account", name).id for name in "AB")
    hold = (await api.form("POST", "/v1/holds", type="LEGAL", name="H")).json()["holdID"]
    await api.form("POST", f"/v1/nodes/{held}/holds", hold_id=hold)
    path = "/v1/rmclassifications/removehold"
    refused = await api.form("POST", path, ids=[held, free], holdID=hold)
    assert refused.status_code == 404
    assert len((await api.get(f"/v1/nodes/{held}/holds")).json()["data"]) == 1


async def test_a_folder_with_a_workspace_beneath_is_not_copied(
    server: ContentServerSimulator, api: Api
) -> None:
    made = await api.body("POST", "/v2/nodes", {"type": 0, "parent_id": 2000, "name": "Folder"})
    folder = made.json()["results"]["data"]["properties"]["id"]
    workspace = server.create_workspace("Account", "A")
    await api.body("PUT", f"/v2/nodes/{workspace.id}", {"parent_id": folder})
    content = {"original_id": folder, "parent_id": 2000, "name": "Copy"}
    refused = await api.body("POST", "/v2/nodes", content)
    assert (refused.status_code, refused.json()["error"]) == (
        400,
        "A business workspace cannot be copied by this call.",
    )
    assert server.store.child_by_name(2000, "Copy") is None


async def test_a_copy_has_what_the_caller_sees_and_both_sides_are_in_the_audit(
    server: ContentServerSimulator, api: Api, bob: Api
) -> None:
    made = await api.body("POST", "/v2/nodes", {"type": 0, "parent_id": 2000, "name": "Folder"})
    folder = made.json()["results"]["data"]["properties"]["id"]
    secret = await _document(api, folder, "secret.txt")
    await _document(api, folder, "open.txt")
    await _public(api, secret)
    content = {"original_id": folder, "parent_id": 2000, "name": "Copy"}
    copied = await bob.body("POST", "/v2/nodes", content)
    copy = copied.json()["results"]["data"]["properties"]["id"]
    assert [node.name for node in server.store.children(copy)] == ["open.txt"]
    trails = [
        [
            line["audit_name"]
            for line in (await api.get(f"/v2/nodes/{node_id}/audit")).json()["results"]["data"][
                "audit"
            ]
        ]
        for node_id in (folder, copy)
    ]
    assert trails == [["Copy", "Create"], ["Create from Copy"]]


async def test_nobody_else_purges_or_deletes_versions_of_a_reserved_document(
    server: ContentServerSimulator, api: Api, bob: Api
) -> None:
    document = await _document(api, server.create_workspace("Account", "A").id)
    path = f"/v2/nodes/{document}"
    for content in (b"b", b"c"):
        await api.http.post(f"{path}/versions", files={"file": ("a.txt", content, "text/plain")})
    await api.body("PUT", path, {"reserved_user_id": server.member("dovetail").id})
    assert (await bob.form("DELETE", f"{path}/versions", number_to_keep=1)).status_code == 500
    assert (await bob.http.delete(f"{path}/versions/1")).status_code == 500
    assert (await bob.http.post(f"{path}/versions/1/lock")).status_code == 500
    assert len(server.store.nodes[document].versions) == 3
    assert (await api.http.delete(f"{path}/versions/1")).status_code == 200


async def test_the_recycle_bin_obeys_who_may_delete(
    server: ContentServerSimulator, api: Api, bob: Api
) -> None:
    document = await _document(api, server.create_workspace("Account", "A").id)
    await _public(api, document, "see", "see_contents")
    await api.http.delete(f"/v2/nodes/{document}")
    for action in ("restore", "purge"):
        path = f"/v2/volumes/recyclebin/nodes/{action}"
        refused = await bob.form("POST", path, ids=document)
        assert refused.status_code == 400
        assert str(document) in refused.json()["results"]["failures"]["errors"]
    path = "/v2/volumes/recyclebin/nodes/restore"
    assert (await api.form("POST", path, ids=document)).status_code == 200
    assert document in server.store.nodes


async def test_a_refused_document_does_not_use_up_its_upload(
    server: ContentServerSimulator, api: Api
) -> None:
    workspace = server.create_workspace("Account", "A").id
    await _document(api, workspace, "a.txt")
    begun = await api.form(
        "POST", "/v2/multipart", file_name="a.txt", file_size=3, mime_type="text/plain"
    )
    key = begun.json()["upload_key"]
    await api.http.post(f"/v2/multipart/{key}/1", files={"part_content": ("p", b"abc")})
    await api.http.post(f"/v2/multipart/{key}")

    async def create(name: str) -> httpx.Response:
        content = {"type": 144, "parent_id": workspace, "name": name, "upload_key": key}
        return await api.http.post("/v2/nodes", data={"body": json.dumps(content)})

    assert (await create("a.txt")).status_code == 500
    assert (await create("b.txt")).status_code == 200
    assert (await create("c.txt")).status_code == 500, "used up"


async def test_a_workflow_is_addressed_with_its_own_subprocess(
    server: ContentServerSimulator, api: Api
) -> None:
    document = await _document(api, server.create_workspace("Account", "A").id)
    map_id = next(i for i, kind in server.store.workflows.maps.items() if kind.name.startswith("D"))
    drafted = await api.body(
        "POST", "/v2/draftprocesses", {"workflow_id": map_id, "doc_ids": str(document)}
    )
    draft = drafted.json()["results"]["draftprocess_id"]
    started = await api.body("PUT", f"/v2/draftprocesses/{draft}", {"action": "Initiate"})
    process = started.json()["results"]["process_id"]
    for path in (
        f"/v2/processes/{process}/subprocesses/1/activities",
        f"/v1/forms/processes/tasks/update?process_id={process}&subprocess_id=1&task_id=1",
    ):
        refused = await api.get(path) if "?" not in path else await api.http.get(path)
        assert (refused.status_code, refused.json()["error"]) == (
            400,
            "Could not access task status",
        )
    content = {"custom_action": "Approve"}
    path = f"/v2/processes/{process}/subprocesses/1/tasks/1"
    assert (await api.body("PUT", path, content)).json()["error"] == "Could not access task status"
