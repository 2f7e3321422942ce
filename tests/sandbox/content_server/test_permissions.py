"""Who sees and does what: owner, group, public, members, roles, and what they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.sandbox.content_server import ContentServerSimulator
from tests.sandbox.content_server.conftest import Api

READ = ["see", "see_contents"]


@pytest.fixture
async def ann(server: ContentServerSimulator) -> AsyncIterator[Api]:
    """Somebody else than the service user."""
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as http:
        fields = {"username": "ann.seller", "password": "contoso-password"}
        http.headers["OTCSTicket"] = (await http.post("/v1/auth", data=fields)).json()["ticket"]
        yield Api(http)


async def _closed(server: ContentServerSimulator, api: Api) -> int:
    """A workspace of the service user that the public may not see; it can do everything itself."""
    answer = await api.make_workspace(server, "Account", "Closed")
    workspace_id = int(answer.json()["results"]["id"])
    path = f"/v2/nodes/{workspace_id}/permissions/public"
    assert (await api.body("DELETE", path, {"apply_to": 2})).status_code == 200
    return workspace_id


def _names(answer: httpx.Response) -> list[str]:
    return [row["data"]["properties"]["name"] for row in answer.json()["results"]]


async def test_what_may_not_be_seen_looks_as_if_it_did_not_exist(
    server: ContentServerSimulator, api: Api, ann: Api
) -> None:
    workspace_id = await _closed(server, api)
    folder = server.store.children(workspace_id)[0]
    for path, status in (
        (f"/v2/nodes/{workspace_id}", 400),
        (f"/v2/nodes/{folder.id}/nodes", 400),
        (f"/v2/nodes/{folder.id}/content", 500),
        (f"/v2/businessworkspaces/{workspace_id}", 404),
        (f"/v2/businessworkspaces/{workspace_id}/roles", 404),
    ):
        assert (await ann.get(path)).status_code == status, path
        assert (await api.get(path)).status_code in (200, 400), path
    listed = "/v2/businessworkspaces?expanded_view=true"
    assert _names(await ann.get(listed)) == []
    assert _names(await api.get(listed)) == ["Closed"]
    parent = server.node(workspace_id).parent_id
    assert _names(await ann.get(f"/v2/nodes/{parent}/nodes")) == []
    many = await ann.form("POST", "/v2/nodes/list", ids=[workspace_id, 2000])
    assert _names(many) == ["Enterprise"]


async def test_a_member_of_a_role_sees_the_workspace_and_may_not_change_it(
    server: ContentServerSimulator, api: Api, ann: Api
) -> None:
    workspace_id = await _closed(server, api)
    roles = (await api.get(f"/v2/businessworkspaces/{workspace_id}/roles")).json()["results"]
    readers = next(
        row["data"]["properties"]["id"]
        for row in roles
        if row["data"]["properties"]["name"] == "Readers"
    )
    members = f"/v2/businessworkspaces/{workspace_id}/roles/{readers}/members"
    await api.form("POST", members, id=server.member("Sales").id)
    assert (await ann.get(f"/v2/businessworkspaces/{workspace_id}")).status_code == 200
    denied = "Insufficient permissions to perform that action"
    node = f"/v2/nodes/{workspace_id}"
    category = server.category_id("Business Record")
    refusals = [
        await ann.body("PUT", node, {"name": "Mine"}),
        await ann.http.delete(node),
        await ann.body("POST", "/v2/nodes", {"type": 0, "parent_id": workspace_id, "name": "F"}),
        await ann.form("PUT", f"{node}/categories/{category}", **{f"{category}_2": "x"}),
        await ann.body("PUT", f"{node}/permissions/public", {"permissions": READ}),
        await ann.form("POST", members, id=server.member("bob.broker").id),
    ]
    assert [(r.status_code, r.json()["error"]) for r in refusals] == [(500, denied)] * 6
    server.behaviour.denied_status = 400
    assert (await ann.body("PUT", node, {"name": "Mine"})).status_code == 400
    assert server.workspace(workspace_id).name == "Closed"


async def test_permissions_are_listed_set_and_taken_off_down_to_a_depth(
    server: ContentServerSimulator, api: Api, ann: Api
) -> None:
    workspace_id = await _closed(server, api)
    path = f"/v2/nodes/{workspace_id}/permissions"
    ann_id, everything = server.member("ann.seller").id, {"permissions": READ, "apply_to": 2}
    given = await api.body("POST", f"{path}/custom", {**everything, "right_id": ann_id})
    assert given.status_code == 200
    again = await api.body("POST", f"{path}/custom", {**everything, "right_id": ann_id})
    assert (again.status_code, "already exists" in again.json()["error"]) == (500, True)
    rows = [r["data"]["permissions"] for r in (await api.get(path)).json()["results"]]
    assert [row["type"] for row in rows] == ["owner", "group", "public", "custom"]
    assert rows[0]["right_id"] == server.member("dovetail").id
    assert rows[2]["permissions"] is None
    assert rows[3] == {"permissions": READ, "right_id": ann_id, "type": "custom"}
    folder = server.store.children(workspace_id)[0]
    assert (await ann.get(f"/v2/nodes/{folder.id}")).status_code == 200
    changed = await api.body("PUT", f"{path}/custom/{ann_id}", {"permissions": [*READ, "modify"]})
    assert changed.status_code == 200
    effective = (await api.get(f"{path}/effective/{ann_id}")).json()["results"]["data"]
    assert effective["permissions"]["permissions"] == [*READ, "modify"]
    await api.body("DELETE", f"{path}/custom/{ann_id}", {"apply_to": 3})
    assert (await ann.get(f"/v2/nodes/{folder.id}")).status_code == 400
    assert (await api.get(f"{path}/custom/{ann_id}")).status_code == 400
    owner = {"permissions": READ, "right_id": ann_id}
    assert (await api.body("PUT", f"{path}/owner", owner)).status_code == 200
    properties = (await ann.get(f"/v2/nodes/{workspace_id}")).json()["results"]["data"]
    assert properties["properties"]["owner_user_id"] == ann_id


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"permissions": ["fly"]}, "Invalid permission 'fly'."),
        ({"permissions": [["see"]]}, "Invalid permission"),
        ({"permissions": "see"}, "Invalid datatype specified for argument 'permissions'"),
        ({"permissions": READ, "apply_to": 4}, "Invalid datatype specified for argument"),
        ({"permissions": READ, "right_id": 1}, "The member with the ID 1 does not exist."),
    ],
)
async def test_wrong_permissions_are_a_400(api: Api, wrong: dict[str, Any], text: str) -> None:
    answer = await api.body("PUT", "/v2/nodes/2000/permissions/group", wrong)
    assert answer.status_code == 400
    assert text in answer.json()["error"]


async def test_permissions_beneath_a_document_cannot_be_set(api: Api) -> None:
    made = await api.upload(2000, "a.txt", b"a")
    document = made.json()["results"]["data"]["properties"]["id"]
    content = {"permissions": READ, "apply_to": 1}
    answer = await api.body("PUT", f"/v2/nodes/{document}/permissions/public", content)
    assert answer.status_code == 400


async def test_actions_show_what_the_caller_may_do(
    server: ContentServerSimulator, api: Api, ann: Api
) -> None:
    made = await api.upload(2000, "a.txt", b"a")
    document = made.json()["results"]["data"]["properties"]["id"]
    ids = {"ids": [document, 2000]}
    menus = (await api.form("POST", "/v2/nodes/actions", **ids)).json()["results"]
    assert {"download", "addversion", "reserve", "delete"} <= menus[str(document)]["data"].keys()
    assert menus["2000"]["data"]["open"]["href"] == "/api/v2/nodes/2000/nodes"
    await api.body("PUT", f"/v2/nodes/{document}/permissions/public", {"permissions": READ})
    asked = {"ids": [document], "actions": ["delete", "download"]}
    menu = (await ann.form("POST", "/v2/nodes/actions", **asked)).json()["results"][str(document)]
    assert menu["order"] == ["download"]
    path = "/v2/nodes/permissions/check"
    await api.body("DELETE", f"/v2/nodes/{document}/permissions/public", {})
    checked = await api.form("POST", path, **ids, right_id=server.member("ann.seller").id)
    assert checked.json()["results"]["ids"] == [2000]


async def test_several_members_are_let_in_at_once_or_none(
    server: ContentServerSimulator, api: Api
) -> None:
    workspace_id = await _closed(server, api)
    ann, bob = server.member("ann.seller").id, server.member("bob.broker").id
    path = f"/v2/nodes/{workspace_id}/permissions/custom"
    wanted = [{"right_id": who, "permissions": READ} for who in (ann, bob)]
    bad = [[*wanted, {"right_id": 999_999}], [{"permissions": READ}], "ann", [ann]]
    for given in bad:
        refused = await api.body("POST", f"{path}/bulk", {"permissions_array": given})
        assert refused.status_code == 400, given
    assert server.store.nodes[workspace_id].acl.custom == {}
    done = await api.body("POST", f"{path}/bulk", {"permissions_array": wanted})
    assert done.status_code == 200
    assert set(server.store.nodes[workspace_id].acl.custom) == {ann, bob}
    again = await api.body("POST", f"{path}/bulk", {"permissions_array": wanted[:1]})
    assert again.status_code == 500
