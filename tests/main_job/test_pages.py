"""The worker seen from outside: metrics, probes, and how it ends."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.main_job.scene import Scene

pytestmark = pytest.mark.broker


async def test_pages_tell_how_it_is_and_sigterm_ends_it(scene: Scene) -> None:
    await scene.ready()
    account = scene.account()
    await scene.tell(account)
    await scene.until_linked(account)

    live, ready = await scene.page("/livez"), await scene.page("/readyz")
    assert live is not None and live.json()["live"] is True
    assert ready is not None and ready.json()["phase"] == "running"
    assert ready.json()["assigned"]
    metrics = await scene.page("/metrics")
    assert metrics is not None
    families = {family.name: family for family in text_string_to_metric_families(metrics.text)}
    assert all(name.startswith("dovetail_") and f.documentation for name, f in families.items())
    assert families["dovetail_writes"].samples
    assert await scene.metric("dovetail_consumer_lag_messages") >= 0
    assert await scene.metric("dovetail_partitions_assigned") > 0

    await scene.worker.stop()
    assert scene.worker.process is not None
    assert scene.worker.process.returncode == 0, scene.log[-2000:]
