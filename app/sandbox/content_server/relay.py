"""The relay between the simulated server and Kafka: what a webhook of a real one would do.

    async with ContentServerSimulator() as server, EcmRelay(server, bootstrap, topic) as relay:
        ...                     # work on the server; its events arrive on the topic
        await relay.drained()   # everything told so far is on the topic

Messages are those of `app.sandbox.events.ecm`, keyed by the workspace id; how they leave, and what
can be made to go wrong with them, is as of every `Outbox`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Literal, Self

from app.sandbox.content_server.simulator import ContentServerSimulator
from app.sandbox.events import ecm
from app.sandbox.events.change import Encoded
from app.sandbox.events.ecm import EcmHappening
from app.sandbox.events.habits import Habits
from app.sandbox.events.outbox import Outbox

Format = Literal["json", "cloudevent", "cloudevent_binary"]
_ENCODERS: Mapping[Format, Callable[[EcmHappening], Encoded]] = {
    "json": ecm.encode,
    "cloudevent": ecm.encode_cloudevent,
    "cloudevent_binary": lambda happening: ecm.encode_cloudevent(happening, binary=True),
}


class EcmRelay(Outbox):
    """Sends every event of a simulator to a topic.

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
        super().__init__(bootstrap, topic, habits=habits)
        self._server = server
        self._encode = _ENCODERS[format]
        self._expiry_seconds = expiry_seconds
        self._subjects = frozenset(subjects)
        self._expiring: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._stop_listening = self._server.listen(self._hear)
        self._server.relay = self
        if self._expiry_seconds > 0:
            self._expiring = asyncio.create_task(self._expire())
        return await super().__aenter__()

    async def __aexit__(self, *_: object) -> None:
        self._stop_listening()
        self._server.relay = None
        if self._expiring is not None:
            self._expiring.cancel()
            await asyncio.gather(self._expiring, return_exceptions=True)
        await super().__aexit__()

    def _hear(self, happening: EcmHappening) -> None:
        if not self._subjects or happening.event.partition(".")[0] in self._subjects:
            self.put(self._encode(happening))

    async def _expire(self) -> None:
        while True:
            self._server.people.expire_documents()
            await asyncio.sleep(self._expiry_seconds)
