"""Stopping the whole process: SIGTERM at any moment ends it, in time and with code 0."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.main_job.scene import Scene

pytestmark = pytest.mark.broker

#: The revoke budget of the demo's settings, what is let go, and the way out of a busy interpreter
#: on a busy machine; a process that does not end by itself ends itself later than that.
IN_TIME_SECONDS = 35.0
#: A library that only the engine needs, as one that never ends loading: it says that it was begun.
ENDLESS = "import pathlib, time\npathlib.Path({begun!r}).touch()\ntime.sleep(3600)\n"

Moment = Callable[[Scene], Awaitable[None]]


async def _at_work(scene: Scene) -> None:
    await scene.ready()
    await scene.tell(*(scene.account() for _ in range(20)))


async def _joining(scene: Scene) -> None:
    await scene.worker.start()
    await scene.until(lambda: _served(scene), "the pages are served")
    await asyncio.sleep(random.random() * 2)


async def _waiting_for_a_system(scene: Scene) -> None:
    await scene.dataverse.stop()
    await scene.worker.start()
    await scene.until(lambda: _says(scene, "Dataverse"), "it waits for Dataverse")


async def _waiting_for_the_broker(scene: Scene) -> None:
    await scene.broker.off()
    await scene.worker.start()
    await scene.until(lambda: _says(scene, scene.here.bootstrap), "it waits for the broker")


async def _without_a_broker(scene: Scene) -> None:
    await _at_work(scene)
    await scene.broker.off()
    await asyncio.sleep(0.5)


async def _served(scene: Scene) -> bool:
    return await scene.page("/livez") is not None


async def _says(scene: Scene, word: str) -> bool:
    answer = await scene.page("/readyz")
    return answer is not None and word in answer.text


def _tell(scene: Scene) -> None:
    """Past asyncio, which asks first whether the process has ended, and then may miss how."""
    assert scene.worker.process is not None
    with contextlib.suppress(ProcessLookupError):
        os.kill(scene.worker.process.pid, signal.SIGTERM)


@pytest.mark.parametrize("signals", [1, 3])
@pytest.mark.parametrize(
    "moment",
    [_joining, _waiting_for_a_system, _waiting_for_the_broker, _at_work, _without_a_broker],
)
async def test_sigterm_ends_the_process_in_time_whatever_it_does(
    scene: Scene, moment: Moment, signals: int
) -> None:
    await moment(scene)
    began = time.monotonic()
    for _ in range(signals):
        if scene.worker.running:
            _tell(scene)
            await asyncio.sleep(0.1)
    assert await scene.ended() == 0
    assert time.monotonic() - began < IN_TIME_SECONDS
    for ugly in ("Traceback", "was destroyed", "never awaited", "Timeout ("):
        assert ugly not in scene.log


async def test_sigterm_while_the_process_is_loading_ends_it(scene: Scene, tmp_path: Path) -> None:
    begun, environment = tmp_path / "begun", scene.worker.environment
    (tmp_path / "rocksdict.py").write_text(ENDLESS.format(begun=str(begun)))
    scene.worker.environment = {**environment, "PYTHONPATH": str(tmp_path)}
    await scene.worker.start()
    await scene.until(begun.exists, "it loads the engine")
    _tell(scene)
    assert await scene.ended() == 0
    scene.worker.environment = environment
    for pause in (0.05, 0.5, 1.0):
        await scene.worker.start()
        await asyncio.sleep(pause)
        _tell(scene)
        assert await scene.ended() in (0, -signal.SIGTERM)  # before it knew what a signal means
    await _at_work(scene)
