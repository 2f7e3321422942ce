"""The service endpoint: from commits to a topic, with the habits of the asynchronous service."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Protocol, Self

from app.sandbox.dataverse.push.messages import Message, Writer
from app.sandbox.dataverse.push.steps import Steps
from app.sandbox.dataverse.store.commits import Callback, Commit, Row
from app.sandbox.dataverse.tables.schema import Registry
from app.sandbox.events.change import Sender
from app.sandbox.events.habits import Habits
from app.sandbox.events.outbox import Outbox
from app.sandbox.faults import Faults

PUSH_FAULTS = ("push_duplicate", "push_late", "push_trimmed", "push_lost")
"""Faults of single messages: sent twice, overtaken, cut off, never sent."""

_TOGETHER = 500


class Organisation(Protocol):
    """What is told of: `DataverseSimulator`."""

    registry: Registry
    faults: Faults
    endpoint: ServiceEndpoint | None

    @property
    def sender(self) -> Sender:
        """Who the organisation is to those that it tells of its commits."""

    def on_commit(self, callback: Callback) -> Callable[[], None]:
        """Call ``callback`` with every commit; call the result to end."""

    def row(self, table: str, row_id: str) -> Row | None:
        """A row as it is now."""


class ServiceEndpoint(Outbox):
    """Tells a topic of every commit from its start to its end.

    Messages have no key and go to any partition, as Event Hubs distributes them. ``steps`` may be
    replaced at any time and count for later commits.

    ``counts`` has beside an outbox's: messages that were ``trimmed``; and those never sent because
    they were ``lost`` on purpose, or ``too_large`` even when trimmed.
    """

    def __init__(
        self,
        dataverse: Organisation,
        bootstrap: str,
        topic: str,
        *,
        partitions: int | None = None,
        steps: Steps | None = None,
        habits: Habits | None = None,
    ) -> None:
        super().__init__(bootstrap, topic, partitions=partitions, habits=habits, together=_TOGETHER)
        self.steps = steps or Steps()
        self._dataverse = dataverse
        self._numbers = itertools.count()

    async def __aenter__(self) -> Self:
        dataverse = self._dataverse
        self._writer = Writer(dataverse.sender, dataverse.registry.table, dataverse.row)
        self._end = dataverse.on_commit(self._committed)
        dataverse.endpoint = self
        return await super().__aenter__()

    async def __aexit__(self, *_: object) -> None:
        self._end()
        self._dataverse.endpoint = None
        await super().__aexit__()

    def status(self) -> dict[str, Any]:
        """An outbox's, and the steps."""
        steps = asdict(self.steps)
        steps["tables"] = None if self.steps.tables is None else sorted(self.steps.tables)
        steps["filtering"] = {name: sorted(only) for name, only in self.steps.filtering.items()}
        return {**super().status(), "steps": steps}

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
        self.put(encoded, late=late, again=again)

    def _strikes(self, kind: str, message: Message) -> bool:
        name, about = message.operation.message, message.about
        return self._dataverse.faults.take(kind, name, about) is not None
