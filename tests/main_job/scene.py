"""One worker among the simulated systems, and what a test may do to them and ask of them."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from app.demo import play
from app.demo.stage import Stage
from app.rule_files.loading import load_rules
from app.sandbox.content_server.views import WorkspaceView
from app.sandbox.dataverse import SYSTEM_USER_ID, Reference
from app.sandbox.entra import EntraClient
from app.sandbox.events import rec
from app.sandbox.events.change import Encoded, RowEvent
from app.settings.fields import RULES_DIRECTORY
from streams.topics import DEAD_LETTERS
from tests.patience import PATIENCE_SECONDS

BOOK = load_rules(RULES_DIRECTORY)
_LOOK_SECONDS = 0.02
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Switch:
    """Takes something away, and brings it back; ``is_off`` in between."""

    def __init__(
        self, off: Callable[[], Awaitable[None]], on: Callable[[], Awaitable[None]]
    ) -> None:
        self._off, self._on = off, on
        self.is_off = False

    async def off(self) -> None:
        """Take it away."""
        self.is_off = True
        await self._off()

    async def on(self) -> None:
        """Bring it back."""
        await self._on()
        self.is_off = False


class Scene:
    """A stage with clients on its broker. The worker is started by the test."""

    def __init__(
        self,
        here: Stage,
        producer: AIOKafkaProducer,
        watch: play.Watch,
        pages: httpx.AsyncClient,
        letters_from: Mapping[TopicPartition, int],
        broker: Switch | None,
    ) -> None:
        self.here = here
        self._broker = broker
        self.worker = here.worker
        self.dataverse = here.dataverse
        self.content_server = here.content_server
        self.producer = producer
        self.watch = watch
        self._pages = pages
        self._letters_from = letters_from
        self._version = 1_000

    @property
    def broker(self) -> Switch:
        """Takes the broker away; skips the test where the broker is somebody else's."""
        if self._broker is None:
            pytest.skip("a broker that somebody else runs is not taken away")
        return self._broker

    # -- the worker ------------------------------------------------------------------------------

    def set(self, **settings: object) -> None:
        """Settings of the worker from its next start on: ``set(DEAD_LETTER_LIMIT_CONSECUTIVE=5)``;
        None takes one away."""
        given = {f"DOVETAIL_{name}": value for name, value in settings.items()}
        kept = {k: v for k, v in self.worker.environment.items() if k not in given}
        added = {k: str(v) for k, v in given.items() if v is not None}
        self.worker.environment = {**kept, **added}

    async def ready(self) -> None:
        """Start the worker and wait until it works."""
        await self.worker.start()
        await self.worker.ready(PATIENCE_SECONDS)

    async def ended(self) -> int:
        """Wait until the worker ends by itself; its exit code."""
        assert self.worker.process is not None
        return await asyncio.wait_for(self.worker.process.wait(), PATIENCE_SECONDS)

    @property
    def log(self) -> str:
        """All that the worker has said so far."""
        return self.worker.log.read_text(errors="replace")

    async def page(self, path: str) -> httpx.Response | None:
        """The worker's answer, None while it does not serve."""
        try:
            return await self._pages.get(f"{self.worker.url}{path}")
        except httpx.TransportError:
            return None

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        answer = await self.page("/metrics")
        assert answer is not None, f"no /metrics while looking for {name}"
        return sum(
            float(value)
            for sample, given, value in _SAMPLE.findall(answer.text)
            if sample == name and labels.items() <= dict(_LABEL.findall(given)).items()
        )

    # -- what happens ------------------------------------------------------------------------------

    def account(self, name: str = "Contoso", **columns: Any) -> RowEvent:
        """A new account: its row is in Dataverse, its message is for the test to send."""
        row_id = str(uuid.uuid4())
        row = {"name": name, "accountnumber": f"A-{row_id[:8]}", "statecode": 0}
        owner = self._owner()
        owned = {**row, "ownerid": Reference("systemuser", owner)}
        self.dataverse.seed("account", owned, row_id=row_id)
        return self.event("account", row_id, {**row, "ownerid": f"systemuser:{owner}"})

    def _owner(self) -> str:
        """A user whom both systems know."""
        user = self.content_server.definition.users[1]
        row_id = EntraClient(user.login).principal_id
        if self.dataverse.row("systemuser", row_id) is None:
            row = {"fullname": user.login, "internalemailaddress": user.business_email}
            self.dataverse.seed("systemuser", row, row_id=row_id)
        return row_id

    def event(self, table: str, row_id: str, row: Mapping[str, Any]) -> RowEvent:
        """A row's creation, now."""
        self._version += 1
        return RowEvent(
            table=BOOK.catalogue.tables[table],
            id=row_id,
            operation="create",
            row=row,
            at_ms=time.time_ns() // 1_000_000,
            version=self._version,
            actor=SYSTEM_USER_ID,
        )

    async def tell(self, *events: RowEvent) -> None:
        """Send changes as a service endpoint does."""
        for event in events:
            await self.send(*rec.encode(event))

    async def send(self, *messages: Encoded, topic: str | None = None) -> None:
        """Send messages to the changes of Dynamics, or to another topic."""
        for message in messages:
            await self.producer.send_and_wait(
                topic or self.here.names.changes,
                key=message.key,
                value=message.value,
                headers=list(message.headers),
            )

    # -- what became of it -------------------------------------------------------------------------

    def workspace(self, account: RowEvent) -> WorkspaceView | None:
        """The record's workspace in Extended ECM."""
        return self.content_server.find_by_business_object("D365", account.table.name, account.id)

    def linked(self, account: RowEvent) -> bool:
        """Whether the record shows its workspace in Dynamics."""
        found = self.workspace(account)
        row = self.dataverse.row(account.table.name, account.id)
        shown = row.values.get("new_xecmworkspaceid") if row is not None else None
        return found is not None and shown == str(found.id)

    async def until_linked(self, *accounts: RowEvent) -> None:
        """Wait until each record has its workspace and shows it."""
        for account in accounts:
            await self.until(partial(self.linked, account), f"{account.row['name']} linked")

    def assert_no_second_workspace(self) -> None:
        """Every business object has one workspace at most, and every workspace one object."""
        objects = [w.business_objects for w in self.content_server.workspaces()]
        assert all(len(named) == 1 for named in objects), objects
        assert len(set(objects)) == len(objects), objects

    async def letters(self) -> list[play.Letter]:
        """The dead letters since this test began, as the producers sent them."""
        return (await play.dead_letters(self.here, self._letters_from))[0]

    async def errors(self) -> Mapping[str, int]:
        """The same by error code."""
        return (await play.dead_letters(self.here, self._letters_from))[1]

    async def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until a condition, async or not, is true; its value."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = condition()
            if isinstance(found, Awaitable):
                found = await found
            if found:
                return found
            assert time.monotonic() < deadline, f"still not: {what}\n{self.log[-3000:]}"
            await asyncio.sleep(_LOOK_SECONDS)

    async def until_quiet(self) -> None:
        """Wait until the worker has nothing left to do."""
        assert await self.watch.until_quiet(lambda _: None, PATIENCE_SECONDS), self.log[-3000:]


@asynccontextmanager
async def scene_on(here: Stage, broker: Switch | None = None) -> AsyncIterator[Scene]:
    """Connect to the stage's broker, make the producers' topics, note where its letters end."""
    address = here.bootstrap
    await play.create_topics(here)
    async with (
        AIOKafkaProducer(bootstrap_servers=address, max_request_size=2 << 20) as producer,
        AIOKafkaConsumer(bootstrap_servers=address, enable_auto_commit=False) as consumer,
        httpx.AsyncClient(timeout=PATIENCE_SECONDS) as pages,
    ):
        admin = AIOKafkaAdminClient(bootstrap_servers=address)
        await admin.start()
        try:
            counts = await partition_counts(admin)
            ends = await consumer.end_offsets(places_of(counts, DEAD_LETTERS.name))
            yield Scene(here, producer, play.Watch(here, consumer, admin), pages, ends, broker)
        finally:
            await admin.close()


async def partition_counts(admin: AIOKafkaAdminClient) -> Mapping[str, int]:
    """How many partitions each topic of the broker has."""
    return {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics()}


def places_of(counts: Mapping[str, int], *names: str) -> list[TopicPartition]:
    """All partitions of these topics that exist."""
    return [TopicPartition(name, n) for name in names for n in range(counts.get(name, 0))]
