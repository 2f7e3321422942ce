"""Folders, documents, versions, moves, reservations, audit."""

from __future__ import annotations

import pytest

from app.sandbox.content_server import ContentServerSimulator
from tests.sandbox.content_server.conftest import Api

MISSING = "Sorry, the item you requested could not be accessed."


async def _folder(api: Api, parent_id: int, name: str) -> int:
    answer = await api.body("POST", "/v2/nodes", {"type": 0, "parent_id": parent_id, "name": name})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["results"]["data"]["properties"]["id"])


async def test_a_missing_node_is_a_400_and_its_content_a_500(api: Api) -> None:
    gone = await api.get("/v2/nodes/999999")
    assert gone.status_code == 400
    assert gone.json()["error"].startswith(MISSING)
    content = await api.get("/v2/nodes/999999/content")
    assert content.status_code == 500
    assert content.json()["error"].startswith(MISSING)


async def test_an_unknown_url_and_a_bad_id_are_400s_with_their_texts(api: Api) -> None:
    unknown = await api.get("/v2/nosuchthing")
    assert unknown.status_code == 400
    assert "could not be found in the mappings registry" in unknown.json()["error"]
    wrong_verb = await api.http.patch("/v2/nodes/2000")
    assert wrong_verb.status_code == 400
    bad = await api.get("/v2/nodes/abc")
    assert bad.json() == {"error": "Invalid datatype specified for argument 'id'"}


async def test_children_are_listed_filtered_and_paged(
    server: ContentServerSimulator, api: Api
) -> None:
    made = server.create_workspace("Account", "A")
    path = f"/v2/nodes/{made.id}/nodes"
    first = (await api.get(path, limit=2, sort="asc_name")).json()
    names = [row["data"]["properties"]["name"] for row in first["results"]]
    assert names == ["Approvals", "Contracts"]
    paging = first["collection"]["paging"]
    assert (paging["page_total"], paging["range_min"], paging["range_max"]) == (3, 1, 2)
    following = paging["links"]["data"]["next"]["href"].removeprefix("/api")
    second = (await api.http.get(following)).json()
    assert second["results"][0]["data"]["properties"]["name"] == "Correspondence"
    found = await api.get(path, where_name="RECORD", where_type=0)
    assert [r["data"]["properties"]["name"] for r in found.json()["results"]] == ["Service Records"]
    assert (await api.get(path, where_type=-3)).json()["results"] == []


async def test_a_folder_name_is_unique_in_its_parent(api: Api) -> None:
    await _folder(api, 2000, "Letters")
    again = await api.body("POST", "/v2/nodes", {"type": 0, "parent_id": 2000, "name": "letters"})
    assert (again.status_code, again.json()) == (
        500,
        {"error": "An item with the name 'letters' already exists."},
    )
    check = await api.body(
        "POST", "/v1/validation/nodes/names", {"parent_id": 2000, "names": ["Letters", "New"]}
    )
    assert [row["name"] for row in check.json()["results"]] == ["Letters"]


async def test_a_document_keeps_its_versions_and_bytes(
    server: ContentServerSimulator, api: Api
) -> None:
    made = server.create_workspace("Contract", "C")
    drafts = server.store.child_by_name(made.id, "Drafts")
    assert drafts is not None
    uploaded = await api.upload(drafts.id, "frame.txt", b"one", external_identity="note-7")
    shown = uploaded.json()["results"]["data"]["properties"]
    assert (shown["type"], shown["size"], shown["external_identity"]) == (144, 3, "note-7")
    added = await api.http.post(
        f"/v2/nodes/{shown['id']}/versions",
        data={"description": "redline"},
        files={"file": ("frame.txt", b"two!", "text/plain")},
    )
    assert added.json()["results"]["data"]["versions"]["version_number"] == 2
    newest = await api.http.get(f"/v2/nodes/{shown['id']}/content?action=download")
    assert newest.content == b"two!"
    assert newest.headers["content-type"].startswith("text/plain")
    assert "frame.txt" in newest.headers["content-disposition"]
    oldest = await api.get(f"/v2/nodes/{shown['id']}/versions/1/content")
    assert oldest.content == b"one"
    listed = (await api.get(f"/v2/nodes/{shown['id']}/versions")).json()["results"]
    assert [row["data"]["versions"]["description"] for row in listed] == ["redline", ""]
    assert server.workspace(made.id).documents[0].path == "Drafts/frame.txt"
    twin = await api.upload(drafts.id, "frame.txt", b"x")
    assert twin.status_code == 500
    await api.form("DELETE", f"/v2/nodes/{shown['id']}/versions", number_to_keep=1)
    assert server.workspace(made.id).documents[0].versions == 1


async def test_flat_fields_beside_the_file_upload_as_well(
    server: ContentServerSimulator, api: Api
) -> None:
    answer = await api.http.post(
        "/v2/nodes",
        data={"type": "144", "parent_id": "2000", "name": "flat.txt"},
        files={"file": ("other.txt", b"x", "text/plain")},
    )
    assert answer.json()["results"]["data"]["properties"]["name"] == "flat.txt"
    without = await api.body("POST", "/v2/nodes", {"type": 144, "parent_id": 2000, "name": "n"})
    assert (without.status_code, without.json()["error"]) == (
        400,
        "Could not create a new Document",
    )


async def test_renaming_to_a_taken_name_is_a_500_and_changes_nothing(
    server: ContentServerSimulator, api: Api
) -> None:
    first = server.create_workspace("Account", "First")
    second = server.create_workspace("Account", "Second")
    taken = await api.body("PUT", f"/v2/nodes/{second.id}", {"name": "First"})
    assert taken.status_code == 500
    renamed = await api.body("PUT", f"/v2/nodes/{second.id}", {"name": "Third"})
    assert renamed.json()["results"]["data"]["properties"]["name"] == "Third"
    assert server.workspace(first.id).name == "First"


async def test_a_stale_token_is_a_409(server: ContentServerSimulator, api: Api) -> None:
    made = server.create_workspace("Account", "A")
    path = f"/v2/nodes/{made.id}"
    state = (await api.http.get(f"{path}?state")).json()["results"]["state"]
    token = state["properties"]["metadata_token"]
    fresh = await api.body("PUT", path, {"name": "B", "metadata_token": token})
    assert fresh.status_code == 200
    stale = await api.body("PUT", path, {"name": "C", "metadata_token": token})
    assert stale.status_code == 409
    assert stale.json() == {"error": "Could not update metadata (edit conflict)."}
    assert server.workspace(made.id).name == "B"


async def test_moving_keeps_the_subtree_and_refuses_a_circle(
    server: ContentServerSimulator, api: Api
) -> None:
    outer = await _folder(api, 2000, "Outer")
    inner = await _folder(api, outer, "Inner")
    circle = await api.body("PUT", f"/v2/nodes/{outer}", {"parent_id": inner})
    assert circle.status_code == 400
    made = server.create_workspace("Account", "A")
    await api.body("PUT", f"/v2/nodes/{outer}", {"parent_id": made.id})
    line = (await api.get(f"/v1/nodes/{inner}/ancestors")).json()["ancestors"]
    assert [row["name"] for row in line] == ["Enterprise", "Accounts", "A", "Outer", "Inner"]
    assert server.node(inner).volume_id == -made.id


async def test_a_workspace_shows_its_children_with_a_negative_parent_when_switched(
    server: ContentServerSimulator, api: Api
) -> None:
    made = server.create_workspace("Account", "A")
    server.behaviour.negative_parents = True
    query = "fields=properties{id,parent_id}&expand=properties{parent_id}"
    answer = await api.http.get(f"/v2/nodes/{-made.id}/nodes?{query}")
    shown = answer.json()["results"][0]["data"]["properties"]
    assert shown["parent_id"] == -made.id
    assert shown["parent_id_expand"]["id"] == made.id


@pytest.mark.parametrize(("zulu", "ending"), [(True, "Z"), (False, "0")])
async def test_the_date_zone_of_node_calls_is_a_switch(
    server: ContentServerSimulator, api: Api, zulu: bool, ending: str
) -> None:
    server.behaviour.zulu_dates = zulu
    shown = (await api.get("/v2/nodes/2000")).json()["results"]["data"]["properties"]
    assert shown["modify_date"].endswith("Z") is (ending == "Z")


async def test_a_reserved_document_takes_versions_from_its_holder_alone(
    server: ContentServerSimulator, api: Api
) -> None:
    uploaded = (await api.upload(2000, "a.txt", b"1")).json()
    node_id = uploaded["results"]["data"]["properties"]["id"]
    path = f"/v2/nodes/{node_id}"
    holder = server.member("eve.counsel")
    reserved = await api.body("PUT", path, {"reserved_user_id": holder.id})
    assert reserved.json()["results"]["data"]["properties"]["reserved"] is True
    refused = await api.http.post(f"{path}/versions", files={"file": ("a.txt", b"2", "text/plain")})
    assert refused.status_code == 500


async def test_deleting_takes_references_relations_and_roles_along(
    server: ContentServerSimulator, api: Api
) -> None:
    made = server.create_workspace("Account", "A", business_object=("D365", "account", "1"))
    other = server.create_workspace("Account", "B")
    await api.form("POST", f"/v2/businessworkspaces/{made.id}/relateditems", rel_bw_id=other.id)
    deleted = await api.http.delete(f"/v2/nodes/{made.id}")
    assert (deleted.status_code, deleted.json()["results"]) == (200, {})
    assert server.find_by_business_object("D365", "account", "1") is None
    assert server.workspace(other.id).relations == ()
    assert (await api.get(f"/v2/nodes/{made.id}")).status_code == 400
    again = server.create_workspace("Account", "A", business_object=("D365", "account", "1"))
    assert again.id > made.id
    volume = await api.http.delete("/v2/nodes/2000")
    assert volume.status_code == 400


async def test_many_nodes_are_read_by_id_and_unseen_ones_left_out(api: Api) -> None:
    answer = await api.http.post("/v2/nodes/list", data={"ids": ["2000", "4711", "2006"]})
    assert [row["data"]["properties"]["id"] for row in answer.json()["results"]] == [2000, 2006]


async def test_the_audit_filters_by_event_user_and_whole_days(
    server: ContentServerSimulator, api: Api
) -> None:
    folder = await _folder(api, 2000, "Watched")
    await api.body("PUT", f"/v2/nodes/{folder}", {"name": "Seen"})
    path = f"/v2/nodes/{folder}/audit"
    answer = (await api.get(path, expand="audit{user_id}")).json()
    rows = answer["results"]["data"]["audit"]
    assert [(row["event_type"], row["audit_name"]) for row in rows] == [
        (5, "Rename"),
        (1, "Create"),
    ]
    assert rows[0]["user_id_expand"]["name"] == "dovetail"
    assert answer["collection"]["paging"]["total_count"] == 2
    today = rows[0]["audit_date"][:10]
    assert (
        len((await api.get(path, where_audit_date_start=today)).json()["results"]["data"]["audit"])
        == 2
    )
    assert (await api.get(path, where_audit_date_end="2020-01-01")).json()["results"]["data"][
        "audit"
    ] == []
    only = (await api.get(path, where_type=5)).json()["results"]["data"]["audit"]
    assert [row["event_type"] for row in only] == [5]


async def test_a_nickname_names_one_node(api: Api) -> None:
    first, second = await _folder(api, 2000, "One"), await _folder(api, 2000, "Two")
    await api.form("PUT", f"/v2/nodes/{first}/nicknames", nickname="inbox")
    found = await api.get("/v2/nicknames/Inbox/nodes")
    assert found.json()["results"]["data"]["properties"]["id"] == first
    taken = await api.form("PUT", f"/v2/nodes/{second}/nicknames", nickname="inbox")
    assert taken.status_code == 500
    assert (await api.get("/v2/nicknames/nothing/nodes")).status_code == 400


async def test_response_codes_can_be_suppressed(api: Api) -> None:
    answer = await api.http.get("/v2/nodes/999999?suppress_response_codes")
    assert (answer.status_code, answer.json()["statusCode"]) == (200, 400)


async def test_a_deleted_workspace_comes_back_from_the_recycle_bin_or_is_purged(
    server: ContentServerSimulator, api: Api
) -> None:
    made = server.create_workspace(
        "Account",
        "A",
        business_object=("D365", "account", "1"),
        roles={"Owner": ["ann.seller"]},
    )
    await api.http.delete(f"/v2/nodes/{made.id}")
    bin_path = "/v2/volumes/recyclebin/nodes"
    restored = await api.form("POST", f"{bin_path}/restore", ids=made.id)
    assert restored.json()["results"]["success"] == {"ids": [made.id]}
    assert server.find_by_business_object("D365", "account", "1") == made
    await api.http.delete(f"/v2/nodes/{made.id}")
    mixed = await api.body("POST", f"{bin_path}/purge", {"ids": [made.id, 4711]})
    assert mixed.status_code == 400
    assert mixed.json()["results"]["failures"]["errors"]["4711"]["message"].startswith(MISSING)
    assert (await api.form("POST", f"{bin_path}/restore", ids=made.id)).status_code == 400


async def test_a_template_and_a_category_cannot_be_deleted(
    server: ContentServerSimulator, api: Api
) -> None:
    for node_id in (server.template_id("Account"), server.category_id("Contract")):
        assert (await api.http.delete(f"/v2/nodes/{node_id}")).status_code == 400
        assert (await api.get(f"/v2/nodes/{node_id}")).status_code == 200


async def test_names_come_by_language_and_the_servers_own_counts(
    server: ContentServerSimulator, api: Api
) -> None:
    made = await api.make_workspace(
        server,
        "Account",
        "Fabrikam",
        name_multilingual={"en": "Fabrikam Ltd", "de": "Fabrikam GmbH"},
        description_multilingual={"en": "A customer"},
    )
    workspace = made.json()["results"]["id"]
    node = server.store.nodes[workspace]
    assert (node.name, node.description) == ("Fabrikam Ltd", "A customer")
    path = f"/v2/nodes/{workspace}"
    await api.body("PUT", path, {"name": "B", "name_multilingual": {"en": "C"}})
    await api.body("PUT", path, {"description_multilingual": {"de": "nicht von hier"}})
    shown = (await api.get(path)).json()["results"]["data"]["properties"]
    assert (shown["name"], shown["name_multilingual"]) == ("C", {"en": "C"})
    assert shown["description_multilingual"] == {"en": "A customer"}
    refused = await api.body("PUT", path, {"name_multilingual": "plain"})
    assert (refused.status_code, refused.json()["error"]) == (
        400,
        "Invalid datatype specified for argument 'name_multilingual'",
    )
