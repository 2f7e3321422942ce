"""The worker seen from outside: metrics, probes, and how it ends."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from app.pages import STUCK_AFTER_SECONDS
from app.sandbox.faults import Fault
from streams.metrics import Metrics
from tests.main_job.scene import BOOK, Scene

pytestmark = pytest.mark.broker

#: Kubernetes kills after 60 s (k8s/base); a worker that was told to end needs far less, also on a
#: machine that does something else meanwhile.
ENDS_WITHIN_SECONDS = 30.0


async def _json(scene: Scene, path: str) -> dict[str, Any]:
    answer = await scene.page(path)
    assert answer is not None
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    body: dict[str, Any] = answer.json()
    return body


async def _ends_at_sigterm(scene: Scene) -> None:
    process = scene.worker.process
    assert process is not None
    asked = time.monotonic()
    process.terminate()
    assert await scene.ended() == 0, scene.log[-2000:]
    assert time.monotonic() - asked < ENDS_WITHIN_SECONDS
    # It leads a group of its own, so this asks for its children too.
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert "Traceback" not in scene.log


async def test_probes_tell_how_it_is_and_sigterm_ends_it(scene: Scene) -> None:
    await scene.ready()
    live, ready = await _json(scene, "/livez"), await _json(scene, "/readyz")
    assert live.keys() == {"live", "halted", "loop_turn_age_seconds"}
    assert (live["live"], live["halted"]) == (True, None)
    assert live["loop_turn_age_seconds"] < STUCK_AFTER_SECONDS
    assigned, recovering = ready.pop("assigned"), ready.pop("recovering")
    assert ready == {
        "ready": True,
        "phase": "running",
        "waiting_for": None,
        "halted": None,
        "missing_topics": [],
        "rules": BOOK.digest,
    }
    count = scene.here.names.partitions
    assert sum(scene.here.names.changes in place for place in assigned) == count
    assert set(recovering.values()) <= {0}
    await _ends_at_sigterm(scene)


async def test_metrics_are_those_of_the_catalogue_in_prometheus_text(scene: Scene) -> None:
    await scene.ready()
    account = scene.account()
    await scene.tell(account)
    await scene.until_linked(account)
    await scene.until_quiet()

    answer = await scene.page("/metrics")
    assert answer is not None
    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    registry = CollectorRegistry()
    Metrics(registry)
    catalogue = {family.name: family for family in registry.collect()}
    assert catalogue.keys() == families.keys(), "and no second series for each counter"
    for name, family in catalogue.items():
        assert (families[name].type, families[name].documentation) == (
            family.type,
            family.documentation,
        )
    assert all(name.startswith("dovetail_") for name in families)

    assert await scene.metric("dovetail_writes_total", system="ecm", result="done") > 0
    assert await scene.metric("dovetail_build_info", rules=BOOK.digest) == 1
    topic = scene.here.names.changes
    count = scene.here.names.partitions
    assert await scene.metric("dovetail_partitions_assigned", topic=topic) == count
    assert len(families["dovetail_consumer_lag_messages"].samples) >= count

    async def caught_up() -> bool:
        return await scene.metric("dovetail_consumer_lag_messages", topic=topic) == 0

    await scene.until(caught_up, "no lag shown")


async def test_sigterm_ends_it_in_the_middle_of_an_outage_and_the_work_is_done_later(
    scene: Scene,
) -> None:
    await scene.ready()
    scene.content_server.faults.add(Fault("status", times=None, status=503, html=True))
    account = scene.account()
    await scene.tell(account)

    async def retrying() -> bool:
        return await scene.metric("dovetail_write_retries_total", system="ecm") > 0

    await scene.until(retrying, "a command held by the outage")
    await _ends_at_sigterm(scene)
    scene.content_server.faults.clear()
    await scene.ready()
    await scene.until_linked(account)
    scene.assert_no_second_workspace()


async def test_sigterm_ends_a_worker_that_waits_for_a_system(scene: Scene) -> None:
    await scene.dataverse.stop()
    await scene.worker.start()
    await scene.until(lambda: "waiting for Dataverse" in scene.log, "waiting")
    await _ends_at_sigterm(scene)
