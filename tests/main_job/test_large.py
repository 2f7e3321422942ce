"""Records of which there is much to know: a worker reads and writes no more for it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.main_job.scene import Scene

pytestmark = pytest.mark.broker

#: As one row all that is known of these would be larger than a message may be.
DOCUMENTS = 3_500


def filed(workspace_id: int, number: int) -> bytes:
    document = {
        "id": 600_000 + number,
        "version": 1,
        "name": f"Correspondence with the customer, part {number:05}.pdf",
        "url": f"https://ecm.contoso.example/otcs/cs.exe/app/nodes/{600_000 + number}",
    }
    told: dict[str, Any] = {
        "event_id": f"filed-{number}",
        "event": "document.added",
        "occurred_at": "2024-01-31T10:15:00Z",
        "workspace_id": workspace_id,
        "document": document,
        "actor": "ann.seller",
        "attributes": {"document_type": "Correspondence", "folder_id": 7},
    }
    return json.dumps(told).encode()


async def test_a_workspace_of_thousands_of_documents_halts_nobody(scene: Scene) -> None:
    await scene.ready()
    account = scene.account("Contoso")
    await scene.tell(account)
    await scene.until_linked(account)
    workspace = scene.workspace(account)
    assert workspace is not None
    topic = scene.here.names.ecm_events
    sent = [
        await scene.producer.send(topic, value=filed(workspace.id, number))
        for number in range(DOCUMENTS)
    ]
    await asyncio.gather(*sent)
    await scene.until_quiet()
    other = scene.account("Fabrikam")
    await scene.tell(other)
    await scene.until_linked(other)
    assert await scene.letters() == []
    answer = await scene.page("/readyz")
    assert answer is not None and answer.status_code == 200, scene.log[-2000:]
    received = await scene.metric("dovetail_messages_received_total", stage="decide-records")
    assert received > 2 * DOCUMENTS, "once at the workspace, once at its record"
