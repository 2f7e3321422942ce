"""The service endpoint: from commits to a topic, with the habits of the asynchronous service."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import random
import time
from collections import Counter
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from app.sandbox.dataverse.push.habits import Habits
from app.sandbox.dataverse.push.messages import Message, Writer
from app.sandbox.dataverse.simulator import BUSINESS_UNIT_ID, ORGANIZATION_ID, DataverseSimulator
from app.sandbox.dataverse.store.commits import Commit
from app.sandbox.events.change import Encoded, Sender

_MARKS = ("MessageMaxSizeExceeded", "x-ms-dynamics-msg-size-exceeded")
_TOGETHER = 500
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 5.0


class ServiceEndpoint:
    """Tells a topic of every commit from its start to its end; an async context manager.

    Messages have no key and go to any partition, as Event Hubs distributes them. A broker that is
    not there is waited for with growing pauses, and a message whose delivery was in doubt is sent
    again. The topic has to exist, or is made with ``partitions``. ``habits`` may be replaced at any
    time and count for later commits; ``seed`` decides which messages are late or doubled.

    ``counts``: ``sent`` deliveries, ``trimmed``, ``duplicate`` and ``late`` ones among them, and
    what was never sent: ``lost`` on purpose, ``too_large``.
    """

    def __init__(
        self,
        dataverse: DataverseSimulator,
        *,
        bootstrap: str,
        topic: str,
        partitions: int | None = None,
        habits: Habits | None = None,
        seed: int = 0,
    ) -> None:
        self.habits = habits or Habits()
        self.topic = topic
        self.bootstrap = bootstrap
        self.partitions = partitions
        self.counts: Counter[str] = Counter()
        self._dataverse = dataverse
        self._chance = random.Random(seed)
        self._numbers = itertools.count()
        self._waiting: list[tuple[float, int, Encoded]] = []
        self._sending = 0
        self._paused = False
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        host = self._dataverse.url.partition("://")[2]
        sender = Sender("org1", host, unit=BUSINESS_UNIT_ID, given_id=ORGANIZATION_ID)
        self._writer = Writer(sender, self._dataverse.registry.table, self._dataverse.row)
        self._end = self._dataverse.on_commit(self._committed)
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """What still waits is not sent any more; `flush` before, where that matters."""
        assert self._task is not None
        self._end()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @property
    def waiting(self) -> int:
        """Messages that are not yet delivered."""
        return len(self._waiting) + self._sending

    def pause(self) -> None:
        """Be quiet: of what is committed from now on nothing is told."""
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    async def flush(self, seconds: float = 30.0) -> None:
        """Wait until everything is delivered, late messages too. Raises TimeoutError."""
        await asyncio.wait_for(self._idle.wait(), seconds)

    def _committed(self, commit: Commit) -> None:
        if self._paused:
            return
        for message in self._writer.messages(commit, next(self._numbers), self.habits):
            self._schedule(message)

    def _schedule(self, message: Message) -> None:
        if self._strikes("push_lost", message):
            self.counts["lost"] += 1
            return
        cut = self._strikes("push_trimmed", message)
        encoded = message.encoded(self.habits, cut=cut)
        if encoded is None:
            self.counts["too_large"] += 1
            return
        self.counts["trimmed"] += any(name in _MARKS for name, _ in encoded.headers)
        late = self._happens("push_late", message, self.habits.late_share)
        self.counts["late"] += late
        self._add(encoded, late=late)
        if self._happens("push_duplicate", message, self.habits.duplicate_share):
            self.counts["duplicate"] += 1
            self._add(encoded, late=True)

    def _add(self, encoded: Encoded, *, late: bool) -> None:
        # At least half of it, so that what is committed meanwhile does overtake.
        delay = self._chance.uniform(0.5, 1.0) * self.habits.late_seconds if late else 0.0
        heapq.heappush(self._waiting, (time.monotonic() + delay, next(self._numbers), encoded))
        self._idle.clear()
        self._changed.set()

    def _happens(self, kind: str, message: Message, share: float) -> bool:
        return self._strikes(kind, message) or self._chance.random() < share

    def _strikes(self, kind: str, message: Message) -> bool:
        found = self._dataverse.faults.take(kind, message.operation.message, message.about)
        return found is not None

    async def _run(self) -> None:
        producer = await self._connected()
        try:
            while True:
                if due := self._due():
                    await self._deliver(producer, due)
                else:
                    await self._until_due()
        finally:
            await producer.stop()

    def _due(self) -> list[Encoded]:
        due: list[Encoded] = []
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now and len(due) < _TOGETHER:
            due.append(heapq.heappop(self._waiting)[2])
        self._sending = len(due)
        return due

    async def _until_due(self) -> None:
        self._changed.clear()
        if not self._waiting:
            self._idle.set()
        seconds = self._waiting[0][0] - time.monotonic() if self._waiting else None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)

    async def _connected(self) -> AIOKafkaProducer:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=2)
            try:
                await producer.start()
                await self._make_topic()
            except (KafkaError, OSError):
                await producer.stop()
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            except BaseException:
                await producer.stop()
                raise
            else:
                return producer

    async def _make_topic(self) -> None:
        if self.partitions is None:
            return
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:  # one that is there already stays as it is: the answer says so, nothing is raised
            await admin.create_topics([NewTopic(self.topic, self.partitions, 1)])
        finally:
            await admin.close()

    async def _deliver(self, producer: AIOKafkaProducer, messages: list[Encoded]) -> None:
        """Until all are; what was in doubt may arrive twice."""
        pause = _FIRST_PAUSE_SECONDS
        while messages:
            attempts = [self._send(producer, message) for message in messages]
            done = await asyncio.gather(*attempts)
            messages = [m for m, sent in zip(messages, done, strict=True) if not sent]
            self._sending = len(messages)
            if messages:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _send(self, producer: AIOKafkaProducer, message: Encoded) -> bool:
        try:
            await producer.send_and_wait(self.topic, message.value, headers=list(message.headers))
        except KafkaError:
            return False
        self.counts["sent"] += 1
        return True
