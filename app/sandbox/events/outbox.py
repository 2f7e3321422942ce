"""Messages on their way to a topic: what a relay holds until the broker has taken it.

    async with Outbox(bootstrap, topic) as outbox:
        outbox.put(message)
        await outbox.drained()  # everything put so far is on the topic

`outbox.on = False` holds messages back until it is switched on again; `outbox.habits` makes it send
some twice or late. `switch` and `status` are both over HTTP, for a sandbox that is a process of its
own.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from app.sandbox.events.change import Encoded
from app.sandbox.events.habits import Habits, Unruly

IDLE_SECONDS = 0.5
"""How long a later message is waited for before what is held back leaves anyhow."""

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class _Due:
    """A message that is to leave, and what was asked to go wrong with it."""

    message: Encoded
    late: bool
    again: bool


class Outbox:
    """Sends what is `put` to a topic; an async context manager.

    Messages leave in order, but for what its habits do to them; with ``together`` more than 1 so
    many leave at once, and a failure may change their order too. The topic has to exist, or is made
    with ``partitions``. A broker that is away is waited for with growing pauses, and a message
    whose delivery was in doubt is sent again. New ``habits`` count for what has not left yet.

    ``counts``: ``sent`` deliveries, and what was ``too_large`` for the broker and never sent.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        *,
        partitions: int | None = None,
        habits: Habits | None = None,
        together: int = 1,
    ) -> None:
        self.bootstrap = bootstrap
        self.topic = topic
        self.counts: Counter[str] = Counter()
        self._partitions = partitions
        self._together = together
        self._unruly: Unruly[Encoded] = Unruly(habits or Habits())
        self._put: deque[_Due] = deque()
        self._leaving: list[Encoded] = []
        self._on = True
        self._stirred = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """What still waits is not sent any more; wait for `drained` before, where that matters."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def put(self, message: Encoded, *, late: bool = False, again: bool = False) -> None:
        """Send this after what waits already; or ``late``, overtaken, and ``again`` later on."""
        self._put.append(_Due(message, late, again))
        self._stirred.set()

    @property
    def sent(self) -> int:
        """Deliveries so far."""
        return self.counts["sent"]

    @property
    def waiting(self) -> int:
        """Messages that are not yet delivered, those that are held back too."""
        return len(self._put) + len(self._leaving) + self._unruly.held

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

    def status(self) -> dict[str, Any]:
        """Switch, topic, habits and counts, as JSON takes them."""
        switches = {"on": self._on, "bootstrap": self.bootstrap, "topic": self.topic}
        counts = {**self.counts, "sent": self.sent, "waiting": self.waiting}
        return {**switches, **asdict(self.habits), **counts}

    def switch(self, asked: Mapping[str, Any]) -> None:
        """``on`` and the fields of `Habits`, all of it or nothing.

        Raises ValueError or TypeError for what there is not.
        """
        given = dict(asked)
        on = given.pop("on", self._on)
        if not isinstance(on, bool):
            raise ValueError('"on" is true or false.')
        if given:
            self.habits = replace(self.habits, **given)
        self.on = on

    async def drained(self) -> None:
        """Return when all that was put so far is on the topic; for an outbox that is on."""
        while self.waiting:
            if not self._put:
                self._leaving += self._unruly.rest()
            self._stirred.set()
            await asyncio.sleep(0.01)

    async def _run(self) -> None:
        producer = await self._connected()
        try:
            while True:
                await self._stir()
                while self._on and self._leaving:
                    batch = self._leaving[: self._together]
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
        while self._on and self._put:
            due = self._put.popleft()
            self._leaving += self._unruly.passed(due.message, late=due.late, again=due.again)

    async def _connected(self) -> AIOKafkaProducer:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all")
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
        try:
            await producer.send_and_wait(
                self.topic, message.value, message.key, headers=list(message.headers)
            )
        except MessageSizeTooLargeError:  # no later attempt would fare better
            self.counts["too_large"] += 1
            return True
        except KafkaError:
            return False
        self.counts["sent"] += 1
        return True
