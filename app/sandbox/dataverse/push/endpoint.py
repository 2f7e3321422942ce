"""The service endpoint: from commits to a topic, with the habits of the asynchronous service."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from app.sandbox.dataverse.push.messages import Message, Writer
from app.sandbox.dataverse.push.steps import Steps
from app.sandbox.dataverse.store.commits import Commit
from app.sandbox.events.change import Encoded
from app.sandbox.events.habits import Habits, Unruly

if TYPE_CHECKING:
    from app.sandbox.dataverse.simulator import DataverseSimulator

PUSH_FAULTS = ("push_duplicate", "push_late", "push_trimmed", "push_lost")
"""Faults of single messages: sent twice, overtaken, cut off, never sent."""
IDLE_SECONDS = 0.5
"""How long a later commit is waited for before what is held back leaves anyhow."""

_TOGETHER = 500
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class _Due:
    """A message that is to leave, and what was asked to go wrong with it."""

    encoded: Encoded
    late: bool
    again: bool


class ServiceEndpoint:
    """Tells a topic of every commit from its start to its end; an async context manager.

    Messages have no key and go to any partition, as Event Hubs distributes them. The topic has to
    exist, or is made with ``partitions``. A broker that is away is waited for with growing pauses,
    and a message whose delivery was in doubt is sent again. ``steps`` and ``habits`` may be
    replaced at any time and count for later commits; ``on`` False holds messages back.

    ``counts``: ``sent`` deliveries; messages that were ``trimmed``; and what was never sent:
    ``lost`` on purpose, ``too_large`` even when trimmed or for the broker.
    """

    def __init__(
        self,
        dataverse: DataverseSimulator,
        bootstrap: str,
        topic: str,
        *,
        partitions: int | None = None,
        steps: Steps | None = None,
        habits: Habits | None = None,
    ) -> None:
        self.bootstrap = bootstrap
        self.topic = topic
        self.steps = steps or Steps()
        self.counts: Counter[str] = Counter()
        self._partitions = partitions
        self._dataverse = dataverse
        self._numbers = itertools.count()
        self._unruly: Unruly[Encoded] = Unruly(habits or Habits())
        self._told: deque[_Due] = deque()
        self._leaving: list[Encoded] = []
        self._on = True
        self._stirred = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        dataverse = self._dataverse
        self._writer = Writer(dataverse.sender, dataverse.registry.table, dataverse.row)
        self._end = dataverse.on_commit(self._committed)
        dataverse.endpoint = self
        self._task = asyncio.create_task(self._relay())
        return self

    async def __aexit__(self, *_: object) -> None:
        """What still waits is not sent any more; wait for `drained` before, where that matters."""
        assert self._task is not None
        self._end()
        self._dataverse.endpoint = None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @property
    def sent(self) -> int:
        """Deliveries so far."""
        return self.counts["sent"]

    @property
    def on(self) -> bool:
        """Whether messages leave; while they do not, they wait."""
        return self._on

    @on.setter
    def on(self, value: bool) -> None:
        self._on = value
        self._stirred.set()

    @property
    def habits(self) -> Habits:
        """Which share comes twice or late."""
        return self._unruly.habits

    @habits.setter
    def habits(self, value: Habits) -> None:
        self._leaving += self._unruly.rest()
        self._unruly = Unruly(value)
        self._stirred.set()

    @property
    def waiting(self) -> int:
        """Messages that are not yet delivered, those that are held back too."""
        return len(self._told) + len(self._leaving) + self._unruly.held

    def status(self) -> dict[str, Any]:
        """Switch, topic, steps, habits and counts, as JSON takes them."""
        steps = asdict(self.steps)
        steps["tables"] = None if self.steps.tables is None else sorted(self.steps.tables)
        steps["filtering"] = {name: sorted(only) for name, only in self.steps.filtering.items()}
        switches = {"on": self._on, "bootstrap": self.bootstrap, "topic": self.topic}
        counts = {**self.counts, "sent": self.sent, "waiting": self.waiting}
        return {**switches, **asdict(self.habits), "steps": steps, **counts}

    async def drained(self) -> None:
        """Return when all that was told so far is on the topic; for an endpoint that is on."""
        while self.waiting:
            if not self._told:
                self._leaving += self._unruly.rest()
            self._stirred.set()
            await asyncio.sleep(0.01)

    def _committed(self, commit: Commit) -> None:
        for message in self._writer.messages(commit, next(self._numbers), self.steps):
            self._tell(message)

    def _tell(self, message: Message) -> None:
        if self._strikes("push_lost", message):
            self.counts["lost"] += 1
            return
        encoded = message.encoded(self.steps, cut=self._strikes("push_trimmed", message))
        if encoded is None:
            self.counts["too_large"] += 1
            return
        self.counts["trimmed"] += encoded.headers != message.headers(self.steps)
        late, again = (self._strikes(kind, message) for kind in ("push_late", "push_duplicate"))
        self._told.append(_Due(encoded, late, again))
        self._stirred.set()

    def _strikes(self, kind: str, message: Message) -> bool:
        name, about = message.operation.message, message.about
        return self._dataverse.faults.take(kind, name, about) is not None

    async def _relay(self) -> None:
        producer = await self._connected()
        try:
            while True:
                await self._stir()
                while self._on and self._leaving:
                    batch = self._leaving[:_TOGETHER]
                    await self._deliver(producer, batch)
                    del self._leaving[: len(batch)]  # more may have come meanwhile
        finally:
            await producer.stop()

    async def _stir(self) -> None:
        """Wait for something to do, and put what may leave now into its order."""
        try:
            await asyncio.wait_for(self._stirred.wait(), IDLE_SECONDS)
        except TimeoutError:
            self._leaving += self._unruly.rest()
        self._stirred.clear()
        while self._on and self._told:
            due = self._told.popleft()
            self._leaving += self._unruly.passed(due.encoded, late=due.late, again=due.again)

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
        if self._partitions is None:
            return
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:  # one that is there already stays as it is: the answer says so, nothing is raised
            await admin.create_topics([NewTopic(self.topic, self._partitions, 1)])
        finally:
            await admin.close()

    async def _deliver(self, producer: AIOKafkaProducer, messages: list[Encoded]) -> None:
        """Until all are; what was in doubt may arrive twice."""
        pause = _FIRST_PAUSE_SECONDS
        while messages:
            done = await asyncio.gather(*(self._send(producer, message) for message in messages))
            messages = [m for m, sent in zip(messages, done, strict=True) if not sent]
            if messages:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _send(self, producer: AIOKafkaProducer, message: Encoded) -> bool:
        headers = list(message.headers)
        try:
            await producer.send_and_wait(self.topic, message.value, headers=headers)
        except MessageSizeTooLargeError:  # no later attempt would fare better
            self.counts["too_large"] += 1
            return True
        except KafkaError:
            return False
        self.counts["sent"] += 1
        return True
