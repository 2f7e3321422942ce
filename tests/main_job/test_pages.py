"""The worker seen from outside: metrics, probes, and how it ends."""

from __future__ import annotations

import pytest

from tests.main_job.scene import Scene

pytestmark = pytest.mark.broker


async def test_smoke(scene: Scene) -> None:
    await scene.ready()
    one = scene.account()
    await scene.tell(one)
    await scene.until_linked(one)
    await scene.worker.stop()
    print(scene.log)
