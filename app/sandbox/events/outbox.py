"""Messages on their way to a topic: what a relay holds until the broker has taken it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from app.sandbox.events.change import Encoded

PAUSE_SECONDS = 0.5


class Outbox:
    """Sends what is `put` to a topic, in order; an async context manager.

    A broker that is away is waited for, and a message whose delivery was in doubt is sent again.
    """

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.topic = topic
        self.sent = 0
        self._bootstrap = bootstrap
        self._waiting: deque[Encoded] = deque()
        self._stirred = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._task: asyncio.Task[None] | None = None

    def put(self, message: Encoded) -> None:
        """Send this after what waits already."""
        self._waiting.append(message)
        self._empty.clear()
        self._stirred.set()

    async def drained(self) -> None:
        """Return when everything that was put is on the topic."""
        await self._empty.wait()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """What still waits is not sent any more; wait for `drained` before, where that matters."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        producer = await self._connected()
        try:
            while True:
                await self._stirred.wait()
                self._stirred.clear()
                while self._waiting:
                    await self._deliver(producer, self._waiting[0])
                    self._waiting.popleft()
                self._empty.set()
        finally:
            await producer.stop()

    async def _connected(self) -> AIOKafkaProducer:
        while True:
            producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all")
            try:
                await producer.start()
            except (KafkaError, OSError):
                await producer.stop()
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return producer

    async def _deliver(self, producer: AIOKafkaProducer, message: Encoded) -> None:
        while True:
            with contextlib.suppress(KafkaError):
                headers = list(message.headers)
                await producer.send_and_wait(
                    self.topic, message.value, key=message.key, headers=headers
                )
                self.sent += 1
                return
            await asyncio.sleep(PAUSE_SECONDS)
