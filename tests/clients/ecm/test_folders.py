"""Folders and documents of a workspace through the gateway, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from app.clients.ecm import ContentServerGateway
from app.sandbox.content_server.attributes import labelled_values
from app.sandbox.faults import Fault
from streams.errors import Refused, Unavailable
from tests.clients.test_against_simulators import Ecm, content_server
from tests.sandbox.content_server.conftest import Api

KEY = "msdyn_projecttask:0a3f6f52-7c1b-4e0e-9d5c-0123456789ab"
OTHER = "msdyn_projecttask:1b3f6f52-7c1b-4e0e-9d5c-0123456789ab"


@pytest.fixture
async def ecm() -> AsyncIterator[Ecm]:
    async with content_server() as system:
        yield system


async def folder(
    ecm: Ecm, workspace_id: int, name: str, key: str = KEY, path: tuple[str, ...] = ("Milestones",)
) -> None:
    await ecm.gateway.ensure_folder(workspace_id, path=path, key=key, name=name, attributes={})


def folders(ecm: Ecm, workspace_id: int) -> list[str]:
    found = ecm.simulator.workspace(workspace_id).folders
    return [path for path in found if path.startswith("Milestones")]


async def test_a_folder_is_made_once_with_the_way_to_it(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    for _ in range(2):
        await folder(ecm, workspace.id, "Kick-off: plan")
    assert folders(ecm, workspace.id) == ["Milestones", "Milestones/Kick-off- plan"]
    posts = [r for r in ecm.simulator.requests if (r.method, r.path) == ("POST", "/v2/nodes")]
    assert len(posts) == 2


async def test_a_new_name_renames_it_wherever_it_is_in_the_list(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    await folder(ecm, workspace.id, "Kick-off")
    await folder(ecm, workspace.id, "Acceptance")
    assert folders(ecm, workspace.id) == ["Milestones", "Milestones/Acceptance"]


async def test_two_keys_of_one_name_get_two_folders(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    for _ in range(2):
        await folder(ecm, workspace.id, "Design")
        await folder(ecm, workspace.id, "Design", OTHER)
    assert folders(ecm, workspace.id) == [
        "Milestones",
        "Milestones/Design",
        "Milestones/Design (1b3f6f52)",
    ]
    await folder(ecm, workspace.id, "Build")
    await folder(ecm, workspace.id, "Build", OTHER)
    assert folders(ecm, workspace.id)[1:] == ["Milestones/Build", "Milestones/Build (1b3f6f52)"]


async def test_a_folder_that_people_made_is_adopted(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    contracts = ecm.simulator.store.child_by_name(workspace.id, "Contracts")
    assert contracts is not None
    await folder(ecm, workspace.id, "contracts", path=())
    assert contracts.external["external_identity"] == KEY
    await folder(ecm, workspace.id, "Signed Contracts", path=())
    assert contracts.name == "Signed Contracts"


async def test_a_lost_answer_leaves_one_folder(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    for kind in ("lose_answer", "hang_up", "error_page"):
        ecm.simulator.faults.add(Fault(kind, method="POST", path="/v2/nodes$"))
        try:
            await folder(ecm, workspace.id, kind, key=f"task:{kind}")
        except Unavailable:
            await folder(ecm, workspace.id, kind, key=f"task:{kind}")
    assert ecm.simulator.faults.waiting() == []
    assert sorted(folders(ecm, workspace.id)) == [
        "Milestones",
        "Milestones/error_page",
        "Milestones/hang_up",
        "Milestones/lose_answer",
    ]


async def test_made_from_two_sides_at_once_there_is_one(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    other = ContentServerGateway(ecm.base_url, ecm.tickets, client=ecm.http)
    await asyncio.gather(
        *(
            one.ensure_folder(
                workspace.id, path=("Milestones",), key=KEY, name="Design", attributes={}
            )
            for one in (ecm.gateway, other, ecm.gateway, other)
        )
    )
    assert folders(ecm, workspace.id) == ["Milestones", "Milestones/Design"]


async def test_a_folder_has_attributes_and_says_where_it_is(ecm: Ecm) -> None:
    workspace = await ecm.ensure()
    for state in ("Active", "Deleted"):
        found = await ecm.gateway.ensure_folder(
            workspace.id,
            path=("Milestones",),
            key=KEY,
            name="Kick-off: plan",
            attributes={"Business Record": {"Record State": state, "Closing Date": "2027-03-01"}},
        )
        node = ecm.simulator.node(found.id)
        assert (found.name, found.url.endswith(f"/{found.id}")) == ("Kick-off- plan", True)
        (category_id,) = node.categories
        category = ecm.simulator.store.categories[category_id]
        shown = labelled_values(category, node.categories[category_id])
        assert (node.name, shown["Record State"]) == (found.name, state)
        assert str(shown["Closing Date"]).startswith("2027-03-01")


async def test_a_workspace_that_is_gone_is_said_to_be(ecm: Ecm) -> None:
    with pytest.raises(Refused) as raised:
        await folder(ecm, 999999, "Design")
    assert raised.value.code == "workspace_missing"
    with pytest.raises(Refused) as missing:
        await ecm.gateway.documents(999999)
    assert missing.value.code == "workspace_missing"


@pytest.fixture
async def api(ecm: Ecm) -> AsyncIterator[Api]:
    async with httpx.AsyncClient(base_url=ecm.simulator.url, timeout=10) as http:
        user = {"username": "ann.seller", "password": "contoso-password"}
        signed = await http.post("/v1/auth", data=user)
        http.headers["OTCSTicket"] = signed.json()["ticket"]
        yield Api(http)


async def test_documents_are_listed_with_version_and_link_however_deep(ecm: Ecm, api: Api) -> None:
    workspace = await ecm.ensure()
    contracts = ecm.simulator.store.child_by_name(workspace.id, "Contracts")
    assert contracts is not None
    top = (await api.upload(workspace.id, "Invoice 7.pdf", b"one")).json()
    document = int(top["results"]["data"]["properties"]["id"])
    await api.upload(contracts.id, "Frame.txt", b"two")
    await api.http.post(
        f"/v2/nodes/{document}/versions", data={}, files={"file": ("Invoice 7.pdf", b"three")}
    )
    found = await ecm.gateway.documents(workspace.id)
    assert [(d.path, d.version) for d in found] == [
        ("Invoice 7.pdf", 2),
        ("Contracts/Frame.txt", 1),
    ]
    assert found[0].url == f"{ecm.base_url}/app/nodes/{document}"
    assert found[0].modified
    assert await ecm.gateway.document_version(document) == 2


async def test_a_document_is_found_by_name_or_path(ecm: Ecm, api: Api) -> None:
    workspace = await ecm.ensure()
    proposals = ecm.simulator.store.child_by_name(workspace.id, "Proposals")
    assert proposals is not None
    await api.upload(proposals.id, "Offer.docx", b"one")
    for name in ("offer.docx", "Proposals/Offer.docx"):
        found = await ecm.gateway.document_named(workspace.id, name)
        assert found is not None
        assert found.path == "Proposals/Offer.docx"
    assert await ecm.gateway.document_named(workspace.id, "Nothing.docx") is None


async def test_long_folders_are_read_page_by_page(ecm: Ecm, api: Api) -> None:
    workspace = await ecm.ensure()
    for number in range(103):
        await api.upload(workspace.id, f"Page {number:03}.txt", b"x")
    assert len(await ecm.gateway.documents(workspace.id)) == 103
