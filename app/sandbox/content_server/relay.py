"""The relay between the simulated server and Kafka: what a webhook of a real one would do.

    async with ContentServerSimulator() as server, EcmRelay(server, bootstrap, topic) as relay:
        ...                     # work on the server; its events arrive on the topic
        await relay.drained()   # everything told so far is on the topic

`relay.on = False` holds the events back until it is switched on again; `relay.habits` makes it
send some twice or late. Messages are those of `app.sandbox.events.ecm`, keyed by the workspace id.
A broker that is down is waited for, as a queue in front of Kafka would.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from app.sandbox.events import ecm
from app.sandbox.events.change import Encoded
from app.sandbox.events.ecm import EcmHappening
from app.sandbox.events.habits import Habits, Unruly

if TYPE_CHECKING:
    from app.sandbox.content_server.simulator import ContentServerSimulator

Format = Literal["json", "cloudevent", "cloudevent_binary"]
_ENCODERS: Mapping[Format, Callable[[EcmHappening], Encoded]] = {
    "json": ecm.encode,
    "cloudevent": ecm.encode_cloudevent,
    "cloudevent_binary": lambda happening: ecm.encode_cloudevent(happening, binary=True),
}
#: How long the relay waits for a later event before what it holds back leaves anyhow.
IDLE_SECONDS = 0.5
PAUSE_SECONDS = 0.5


class EcmRelay:
    """Sends every event of a simulator to a topic; ``sent`` counts messages.

    ``expiry_seconds`` is how often the relay has the server look for documents that have expired,
    as a scheduled report does; 0 for never. ``subjects`` is what it was asked to tell of, as
    ``workflow``; everything without any.
    """

    def __init__(
        self,
        server: ContentServerSimulator,
        bootstrap: str,
        topic: str,
        *,
        habits: Habits | None = None,
        format: Format = "json",
        expiry_seconds: float = 30.0,
        subjects: Collection[str] = (),
    ) -> None:
        self.topic = topic
        self.sent = 0
        self._server = server
        self._bootstrap = bootstrap
        self._encode = _ENCODERS[format]
        self._expiry_seconds = expiry_seconds
        self._subjects = frozenset(subjects)
        self._unruly: Unruly[EcmHappening] = Unruly(habits or Habits())
        self._told: deque[EcmHappening] = deque()
        self._leaving: deque[EcmHappening] = deque()
        self._on = True
        self._stirred = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._stop_listening = self._server.listen(self._hear)
        self._server.relay = self
        self._tasks = [asyncio.create_task(self._relay())]
        if self._expiry_seconds > 0:
            self._tasks.append(asyncio.create_task(self._expire()))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop_listening()
        self._server.relay = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def on(self) -> bool:
        """Whether events leave; while they do not, they wait."""
        return self._on

    @on.setter
    def on(self, value: bool) -> None:
        self._on = value
        self._stirred.set()

    @property
    def habits(self) -> Habits:
        """How unruly the relay is; a new value holds for the events from now on."""
        return self._unruly.habits

    @habits.setter
    def habits(self, value: Habits) -> None:
        self._leaving += self._unruly.rest()
        self._unruly = Unruly(value)

    @property
    def waiting(self) -> int:
        """How many events have not left yet, those that are held back left out."""
        return len(self._told) + len(self._leaving)

    def status(self) -> dict[str, Any]:
        """What the admin page shows: switch, topic, habits and counts."""
        return {
            "on": self._on,
            "topic": self.topic,
            **asdict(self.habits),
            "sent": self.sent,
            "waiting": self.waiting + self._unruly.held,
        }

    async def drained(self) -> None:
        """Return when everything that was told so far is on the topic, twice where it is sent so.

        For a relay that is switched on; otherwise this waits until it is.
        """
        while self.waiting or self._unruly.held:
            if not self._told:
                self._leaving += self._unruly.rest()
            self._stirred.set()
            await asyncio.sleep(0.01)

    def _hear(self, happening: EcmHappening) -> None:
        if self._subjects and happening.event.partition(".")[0] not in self._subjects:
            return
        self._told.append(happening)
        self._stirred.set()

    async def _relay(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            producer = await self._connected()
            stack.push_async_callback(producer.stop)
            while True:
                await self._stir()
                while self._on and self._leaving:
                    await self._send(producer, self._leaving[0])
                    self._leaving.popleft()

    async def _stir(self) -> None:
        """Wait for something to do, and put what may leave now into its order."""
        try:
            await asyncio.wait_for(self._stirred.wait(), IDLE_SECONDS)
        except TimeoutError:
            self._leaving += self._unruly.rest()
        self._stirred.clear()
        while self._on and self._told:
            self._leaving += self._unruly.passed(self._told.popleft())

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

    async def _send(self, producer: AIOKafkaProducer, happening: EcmHappening) -> None:
        message = self._encode(happening)
        while True:
            with contextlib.suppress(KafkaError):
                await producer.send_and_wait(
                    self.topic, message.value, message.key, headers=list(message.headers)
                )
                self.sent += 1
                return
            await asyncio.sleep(PAUSE_SECONDS)

    async def _expire(self) -> None:
        while True:
            self._server.people.expire_documents()
            await asyncio.sleep(self._expiry_seconds)
