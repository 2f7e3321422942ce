"""The people of the demo who approve: they act on workflows that Dovetail starts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

from app.demo.truth import Truth
from app.sandbox.content_server import ContentServerSimulator
from app.sandbox.content_server.errors import ApiError
from app.sandbox.events.ecm import EcmHappening


class Approvers:
    """Decide each step of a workflow as the truth says, a moment after it has begun."""

    def __init__(self, content_server: ContentServerSimulator, truth: Truth) -> None:
        self._content_server = content_server
        self._truth = truth
        self._started: asyncio.Queue[int] = asyncio.Queue()
        self._deaf: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None
        self.decided = 0

    async def __aenter__(self) -> Self:
        self._deaf = self._content_server.listen(self._hear)
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._deaf is not None and self._task is not None
        self._deaf()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _hear(self, happening: EcmHappening) -> None:
        if happening.event in ("workflow.started", "workflow.step"):
            self._started.put_nowait(int(str(happening.attributes["workflow_id"])))

    async def _work(self) -> None:
        while True:
            self._decide(await self._started.get())

    def _decide(self, workflow_id: int) -> None:
        people = self._content_server.people
        title = people.workflow(workflow_id).title.partition(" [")[0]
        disposition, words = self._truth.decisions.get(title, ("", ""))
        if not disposition:
            return
        try:
            people.decide(workflow_id, disposition, words)
        except ApiError:
            return  # it was stopped before anybody came to it
        self.decided += 1
