"""Playing the history: rows into Dataverse, messages onto Kafka, and waiting until all is quiet."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from app.demo import erp
from app.demo.history import Played
from app.demo.stage import Stage
from app.demo.truth import STAGES, Later, Life, Row, Truth, stage_id
from app.sandbox.content_server.relay import EcmRelay
from app.sandbox.dataverse import Reference
from app.sandbox.dataverse.push import ServiceEndpoint, Steps
from app.sandbox.events.outbox import Outbox
from app.sandbox.finance import BusinessEvents, DataEvents
from streams.catalogue import Catalogue, ColumnKind, ColumnValue, Table
from streams.messages.dead_letters import Failure, original_headers
from streams.topics import CHANGES, DEAD_LETTERS, DYNAMICS_COMMANDS, ECM_COMMANDS, OUTCOMES

_PATH = (CHANGES.name, OUTCOMES.name, ECM_COMMANDS.name, DYNAMICS_COMMANDS.name)
_LOOK_SECONDS = 0.25
#: So many looks in a row have to find the path empty. Time alone passes for a halted process, too.
_QUIET_LOOKS = 7

Told = Callable[[int], None]
Letter = tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]


async def create_topics(stage: Stage) -> None:
    """The producers' topics; ours are the worker's to create."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.bootstrap)
    await admin.start()
    try:
        names = (stage.names.changes, stage.names.ecm_events)
        await admin.create_topics([NewTopic(name, stage.names.partitions, 1) for name in names])
    finally:
        await admin.close()


def seed_dataverse(stage: Stage, truth: Truth, catalogue: Catalogue) -> None:
    """The organisation as it is after everything has happened: deleted rows are gone."""
    for person in truth.people:
        user = {"fullname": person.login, "internalemailaddress": person.email}
        stage.dataverse.seed("systemuser", user, row_id=person.id)
    for index, name in enumerate(STAGES):
        row = {"stagename": name, "stagecategory": index}
        stage.dataverse.seed("processstage", row, row_id=stage_id(index))
    lives = [life for life in truth.lives if not life.deleted and not life.in_finance]
    # A row that points to another comes after it, as in a real import.
    for life in lives:
        stage.dataverse.seed(life.table, {}, row_id=life.id, at=_moment(life))
    for life in lives:
        values = _values(catalogue.tables[life.table], life.row)
        stage.dataverse.change(life.table, life.id, values, at=_moment(life))
    for key, process in truth.processes.items():
        if any(life.key == key for life in lives):
            values = _values(catalogue.tables[process.table], process.row)
            stage.dataverse.seed(process.table, values, row_id=process.id, at=_moment(process))


def do_later(stage: Stage, truth: Truth, catalogue: Catalogue) -> int:
    """What people do in Dynamics while everything runs; returns how much, and notes when."""
    done = 0
    for later in truth.later:
        if later.life.deleted:
            continue
        table = catalogue.tables[later.life.table]
        at = dt.datetime.now(dt.UTC).replace(microsecond=0)
        changes = {**later.changes, **_filed(stage, later)}
        if later.life.in_finance:
            erp.change(stage.finance, later.life, changes)
        else:
            stage.dataverse.change(table.name, later.life.id, _values(table, changes), at=at)
        later.at_ms = int(at.timestamp() * 1000)
        done += 1
    return done


def _filed(stage: Stage, later: Later) -> Row:
    """The document that is filed first, as the column that is to name it."""
    if later.filing is None:
        return {}
    found = stage.content_server.find_by_business_object("D365", *later.filing.business_object)
    assert found is not None, "a document for a workspace that is not there"
    name = f"Calculation for {later.life.title}.pdf"
    return {later.filing.column: str(stage.content_server.people.file(found.id, name, b"%PDF-1.7"))}


def _moment(life: Life) -> dt.datetime:
    return dt.datetime.fromtimestamp(life.events[-1].at_ms / 1000, dt.UTC)


def _values(table: Table, row: dict[str, ColumnValue]) -> dict[str, object]:
    return {name: _python(table, name, value) for name, value in row.items()}


def _python(table: Table, name: str, value: ColumnValue) -> object:
    kind = table.columns[name].kind
    if value is not None and kind is ColumnKind.LOOKUP:
        target, _, row_id = str(value).partition(":")
        return Reference(target, row_id)
    return float(str(value)) if value is not None and kind is ColumnKind.NUMBER else value


def early_workspaces(stage: Stage, truth: Truth) -> dict[str, int]:
    """Contract workspaces that people made before Dovetail came: to be adopted."""
    made: dict[str, int] = {}
    for key in sorted(truth.early):
        row_id = key.partition(":")[2]
        view = stage.content_server.create_workspace(
            "Contract",
            f"Early contract {row_id[:8]}",
            business_object=("D365", "contract", row_id),
        )
        made[key] = view.id
    return made


def file_papers(stage: Stage, truth: Truth) -> None:
    """The documents that the history tells of, in workspaces that people made before Dovetail came:
    approvers find them attached to their workflows."""
    content_server, numbers = stage.content_server, dict[int, int]()
    homes: dict[tuple[str, str, str], int] = {}
    for number, paper in truth.papers.items():
        if paper.home is None:
            continue
        if paper.home not in homes:
            kind, named, row_id = paper.home
            made = content_server.create_workspace(
                kind, f"Early {kind} {row_id}", business_object=("D365", named, row_id)
            )
            homes[paper.home] = made.id
        name = f"{number} {paper.name}"
        numbers[number] = content_server.people.file(homes[paper.home], name, b"%PDF-1.7")
    truth.known_as(numbers)


def service_endpoint(stage: Stage, catalogue: Catalogue) -> ServiceEndpoint:
    """What tells Kafka of each write to Dataverse, ours included."""
    steps = Steps(tables=frozenset(catalogue.tables))
    return ServiceEndpoint(stage.dataverse, stage.bootstrap, stage.names.changes, steps=steps)


def webhook(stage: Stage) -> EcmRelay:
    """What tells Kafka of workflows and documents, which no history can know before they are."""
    topic, subjects = stage.names.ecm_events, ("workflow", "document")
    return EcmRelay(stage.content_server, stage.bootstrap, topic, subjects=subjects)


@asynccontextmanager
async def finance_events(stage: Stage) -> AsyncIterator[Outbox]:
    """Tell Kafka of each write to finance and operations from now on, ours included."""
    async with Outbox(stage.bootstrap, stage.names.changes) as outbox:
        ends = [
            stage.finance.on_change(DataEvents(outbox.put)),
            stage.finance.on_change(BusinessEvents(outbox.put, stage.finance.state)),
        ]
        try:
            yield outbox
        finally:
            for end in ends:
                end()


async def produce(producer: AIOKafkaProducer, messages: Iterable[Played], told: Told) -> None:
    """Produce in order, each with the time at which it was true; ``told`` hears of progress."""
    for number, message in enumerate(messages, start=1):
        encoded = message.encoded
        await producer.send(
            message.topic,
            key=encoded.key,
            value=encoded.value,
            partition=message.partition,
            timestamp_ms=message.at_ms,
            headers=list(encoded.headers),
        )
        if number % 50 == 0:
            told(number)
            await asyncio.sleep(0.01)  # a trickle rather than a flood: the broker runs in here too
    await producer.flush()


@dataclass
class Watch:
    """How far the worker is, as the broker sees it: committed offsets against the ends."""

    stage: Stage
    consumer: AIOKafkaConsumer
    admin: AIOKafkaAdminClient
    behind: int = field(default=-1)

    async def lag(self) -> int:
        """Messages on the path that are not yet done."""
        names = self.stage.names
        topics = (names.changes, names.ecm_events, *_PATH)
        places = [TopicPartition(topic, n) for topic in topics for n in range(names.partitions)]
        ends = await self.consumer.end_offsets(places)
        committed = await self.admin.list_consumer_group_offsets(
            names.application, partitions=places
        )
        done = {place: max(0, found.offset) for place, found in committed.items()}
        self.behind = sum(end - done.get(place, 0) for place, end in ends.items())
        return self.behind

    async def until_quiet(self, told: Told, seconds: float) -> bool:
        """Wait until nothing is left to do, for a moment; False when it takes too long."""
        deadline, quiet = time.monotonic() + seconds, 0
        while time.monotonic() < deadline:
            self.stage.worker.assert_running()
            behind = await self.lag()
            told(behind)
            quiet = 0 if behind else quiet + 1
            if quiet == _QUIET_LOOKS:
                return True
            await asyncio.sleep(_LOOK_SECONDS)
        return False


async def dead_letters(
    stage: Stage, since: Mapping[TopicPartition, int] | None = None
) -> tuple[list[Letter], Counter[str]]:
    """Every dead letter as the producer sent it, once per place that it came from, by error.

    ``since``: the offsets to begin at, where the broker holds letters of others too.
    """
    # From the beginning by setting: a seek there may be overtaken by the first reset, to the end.
    consumer = AIOKafkaConsumer(
        bootstrap_servers=stage.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    letters: dict[tuple[str, int, int], Letter] = {}
    errors: Counter[str] = Counter()
    try:
        places = [TopicPartition(DEAD_LETTERS.name, n) for n in range(stage.names.partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        for place, offset in (since or {}).items():
            consumer.seek(place, offset)
        while any([await consumer.position(p) < ends[p] for p in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    failure = Failure.of(tuple(record.headers))
                    assert failure is not None, "a dead letter without its headers"
                    where = (failure.topic, failure.partition, failure.offset)
                    if where not in letters:
                        errors[failure.code] += 1
                    headers = original_headers(tuple(record.headers))
                    letters[where] = (record.key, record.value, headers)
    finally:
        await consumer.stop()
    return list(letters.values()), errors


async def live_latencies(stage: Stage, truth: Truth, count: int) -> list[float]:
    """Seconds from a change in Dataverse to the workspace showing it, one change at a time."""
    accounts = [a for a in truth.of("account") if not a.deleted and not a.row["merged"]][:count]
    taken = []
    for account in accounts:
        name = f"{account.title} live"
        found = stage.content_server.find_by_business_object("D365", "account", account.id)
        assert found is not None
        started = time.perf_counter()
        stage.dataverse.change("account", account.id, {"name": name})
        async with asyncio.timeout(20):
            await _until_named(stage, found.id, name)
        taken.append(time.perf_counter() - started)
    return sorted(taken)


async def _until_named(stage: Stage, workspace_id: int, name: str) -> None:
    """Look at the simulator's store until it shows the name; it has no event to wait for."""
    while not stage.content_server.node(workspace_id).name.startswith(name):  # noqa: ASYNC110
        await asyncio.sleep(0.002)
