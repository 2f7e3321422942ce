"""Starting, killing and stopping worker processes."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import asdict
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.streams.engine.lab import Lab
from tests.streams.engine.worker import Options


class WorkerProcess:
    """One worker in a process of its own; kill it, stop it, or wait for its end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, lab: Lab, name: str = "one", **options: Any) -> WorkerProcess:
        """Start a worker with a data directory named ``name``."""
        told = Options(lab.bootstrap, lab.prefix, str(lab.directory / name), **options)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.streams.engine.worker",
            json.dumps(asdict(told)),
            stdout=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def ready(self, seconds: float = 90.0) -> dict[str, Any]:
        """Wait for its line; returns when it was ready (seconds since 1970) and what it got."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), seconds)
        assert line, f"the worker ended with {await self._process.wait()}"
        told: dict[str, Any] = json.loads(line)
        return told

    async def ended(self, seconds: float = 90.0) -> int:
        """Wait until it ends; returns the exit code, negative for a signal."""
        return await asyncio.wait_for(self._process.wait(), seconds)

    def running(self) -> bool:
        """True while it has not ended."""
        return self._process.returncode is None

    async def kill(self) -> None:
        """SIGKILL."""
        if self.running():
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM, and wait."""
        if self.running():
            self._process.terminate()
        return await self.ended()

    def signal(self, number: signal.Signals) -> None:
        """Send any other signal."""
        self._process.send_signal(number)


async def make_topics(lab: Lab, partitions: int, *names: str) -> None:
    """Make topics, those that workers read and write when none is named."""
    admin = AIOKafkaAdminClient(bootstrap_servers=lab.bootstrap)
    await admin.start()
    try:
        topics = [lab.topic(name) for name in names or ("in", "out")]
        await admin.create_topics(
            [NewTopic(topic, num_partitions=partitions, replication_factor=1) for topic in topics]
        )
    finally:
        await admin.close()
