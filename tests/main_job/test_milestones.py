"""A deliverable from hand to hand: filed in a milestone's folder, and seen on the milestone."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from app.sandbox.content_server.relay import EcmRelay
from app.sandbox.dataverse import Reference
from app.sandbox.events.change import RowEvent
from tests.main_job.scene import Scene
from tests.sandbox.content_server.conftest import Api

pytestmark = pytest.mark.broker


def created(scene: Scene, table: str, row: Mapping[str, Any]) -> RowEvent:
    """A new row, in Dataverse and as the message that tells of it."""
    row_id = str(uuid.uuid4())
    seeded = {
        name: Reference(*value.split(":")) if str(value).startswith("msdyn_project:") else value
        for name, value in row.items()
    }
    scene.dataverse.seed(table, seeded, row_id=row_id)
    return scene.event(table, row_id, row)


def shown(scene: Scene, record: RowEvent, column: str) -> Any:
    row = scene.dataverse.row(record.table.name, record.id)
    return row.values.get(column) if row else None


async def test_what_is_filed_in_a_milestones_folder_is_seen_on_the_milestone(scene: Scene) -> None:
    await scene.ready()
    project = created(scene, "msdyn_project", {"msdyn_subject": "Plant", "statecode": 0})
    milestone = created(
        scene,
        "msdyn_projecttask",
        {
            "msdyn_subject": "Design",
            "msdyn_project": f"msdyn_project:{project.id}",
            "msdyn_ismilestone": True,
        },
    )
    server = scene.content_server
    relay = EcmRelay(
        server, scene.here.bootstrap, scene.here.names.ecm_events, subjects=("document",)
    )
    async with relay, httpx.AsyncClient(base_url=server.url, timeout=10) as http:
        user = {"username": "ann.seller", "password": "contoso-password"}
        http.headers["OTCSTicket"] = (await http.post("/v1/auth", data=user)).json()["ticket"]
        api = Api(http)

        def status() -> Any:
            return shown(scene, milestone, "new_deliverablestatus")

        await scene.tell(milestone, project)
        folder = await scene.until(lambda: shown(scene, milestone, "new_xecmfolderid"), "a folder")
        await scene.until(lambda: status() == "Awaited", "nothing on the milestone yet")
        typed = server.attribute_keys("Document", {"Document Type": "Deliverable"})
        filed = await api.upload(int(folder), "plan.pdf", b"plan", roles={"categories": typed})
        document = filed.json()["results"]["data"]["properties"]["id"]
        await scene.until(lambda: status() == "In Review", "the deliverable on the milestone")
        assert shown(scene, milestone, "new_deliverableid") == str(document)
        assert shown(scene, milestone, "new_deliverables") == 1
        await http.delete(f"/v2/nodes/{document}")
        await scene.until(lambda: status() == "Awaited", "the deliverable gone again")
        assert shown(scene, milestone, "new_deliverableid") is None
