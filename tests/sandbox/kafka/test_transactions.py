"""The transaction coordinator over time: timeouts, restarts, crashes, epochs that run out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from kio.schema.errors import ErrorCode

from app.sandbox.kafka import BrokerSettings, EmbeddedBroker
from app.sandbox.kafka.log import PartitionLog
from app.sandbox.kafka.offsets import Committed, CommittedOffsets
from app.sandbox.kafka.state import BrokerState
from app.sandbox.kafka.transaction_rows import TransactionState
from app.sandbox.kafka.transactions import TransactionCoordinator
from tests.conformance.kafka.odd_records import TRANSACTIONAL, flagged
from tests.conformance.kafka.odd_transactions import add, end, init
from tests.sandbox.kafka.raw import (
    eventually,
    fetch_request,
    fetched,
    produce_request,
    raw_client,
    record_batch,
    types,
)

OK = ErrorCode.none
PART = ("topic", 0)


class World:
    """A coordinator with a clock that stands still until it is told."""

    def __init__(self, folder: Path | None = None) -> None:
        self.now = 1_000_000
        self.state = BrokerState(BrokerSettings(), folder)
        if "topic" not in self.state.topics:
            self.state.create_topic("topic", 2, {})
        self.offsets = CommittedOffsets(None if folder is None else folder / "offsets")
        self.transactions = TransactionCoordinator(
            self.state,
            self.offsets,
            None if folder is None else folder / "transactions",
            lambda: self.now,
        )

    @property
    def log(self) -> PartitionLog:
        return self.state.topics["topic"].partitions[0]

    def begin(self, name: str = "t", timeout: float = 60) -> tuple[int, int]:
        error, producer = self.transactions.init_producer(name, timeout)
        assert error is OK
        assert self.transactions.add_partitions(name, producer, {PART}) is OK
        return producer

    def close(self) -> None:
        self.state.close()
        self.offsets.close()
        self.transactions.close()


def test_a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced() -> None:
    world = World()
    producer = world.begin(timeout=10)
    world.now += 10_000
    world.transactions.abort_overdue()
    assert world.log.end_offset == 0
    world.now += 1
    world.transactions.abort_overdue()
    assert world.log.end_offset == 1, "the mark of its end"
    late = world.transactions.end("t", producer, commit=True)
    assert late is ErrorCode.producer_fenced
    error, fresh = world.transactions.init_producer("t", 10)
    assert (error, fresh[0]) == (OK, producer[0])
    assert fresh[1] > producer[1]


def test_ids_that_nobody_uses_are_forgotten_after_a_week() -> None:
    world = World()
    world.transactions.init_producer("idle", 60)
    world.begin("busy", timeout=900)
    world.now += 7 * 86_400_000
    world.transactions.find("busy").started = world.now  # type: ignore[union-attr]
    world.transactions.abort_overdue()
    assert world.transactions.find("idle") is not None
    world.now += 1
    world.transactions.abort_overdue()
    assert world.transactions.find("idle") is None
    assert world.transactions.find("busy") is not None


def test_a_producer_whose_epochs_run_out_gets_another_id() -> None:
    world = World()
    _, first = world.transactions.init_producer("t", 60)
    world.transactions.find("t").epoch = 2**15 - 3  # type: ignore[union-attr]
    _, last = world.transactions.init_producer("t", 60)
    assert last == (first[0], 2**15 - 2)
    error, fresh = world.transactions.init_producer("t", 60, last)
    assert (error, fresh[1]) == (OK, 0)
    assert fresh[0] != first[0]
    error, again = world.transactions.init_producer("t", 60, last)
    assert (error, again) == (OK, (fresh[0], 1)), "the answer was lost, so it asks as before"


@pytest.mark.parametrize("commit", [True, False])
def test_what_a_crash_interrupted_is_finished_at_the_next_start(
    tmp_path: Path, commit: bool
) -> None:
    world = World(tmp_path)
    producer = world.begin()
    assert world.transactions.add_group("t", producer, "g") is OK
    held = world.transactions.hold_offsets("t", producer, "g", {PART: Committed(5)})
    assert held is OK
    assert world.transactions.is_pending("g", PART)
    transaction = world.transactions.find("t")
    assert transaction is not None
    world.transactions._prepare(transaction, commit=commit)
    world.close()

    world = World(tmp_path)
    transaction = world.transactions.find("t")
    assert transaction is not None
    done = TransactionState.COMPLETE_COMMIT if commit else TransactionState.COMPLETE_ABORT
    assert transaction.state is done
    assert world.log.end_offset == 1
    assert world.offsets.get("g", *PART) == (Committed(5) if commit else None)
    assert not world.transactions.is_pending("g", PART)
    assert world.transactions.end("t", producer, commit=commit) is OK
    assert world.log.end_offset == 1
    world.close()


async def test_an_open_transaction_goes_on_over_a_restart(tmp_path: Path) -> None:
    async with EmbeddedBroker(data=tmp_path) as broker, raw_client(broker.bootstrap) as raw:
        broker.state.create_topic("topic", 1, {})
        answer = await raw.ask(init("t"))
        producer = (answer.producer_id, answer.producer_epoch)
        await raw.ask(add("t", producer, "topic"))
        batch = record_batch([b"a"], producer_id=producer[0], epoch=producer[1], sequence=0)
        request = replace(
            produce_request("topic", flagged(batch, TRANSACTIONAL)), transactional_id="t"
        )
        await raw.ask(request)
    async with EmbeddedBroker(data=tmp_path) as broker, raw_client(broker.bootstrap) as raw:
        committed = replace(fetch_request("topic", 0), isolation_level=1)
        part = fetched(await raw.ask(committed))
        assert (part.last_stable_offset, part.high_watermark) == (0, 1)
        assert not part.records
        assert (await raw.ask(end("t", producer))).error_code is OK
        part = fetched(await raw.ask(committed))
        assert (part.last_stable_offset, part.high_watermark) == (2, 2)
        assert part.records
    async with EmbeddedBroker(data=tmp_path) as broker:
        log = broker.state.topics["topic"].partitions[0]
        assert log.last_stable_offset == 2


async def test_a_running_broker_aborts_overdue_transactions_by_itself() -> None:
    settings = BrokerSettings(transaction_check_interval=0.02)
    async with EmbeddedBroker(settings=settings) as broker:
        log = broker.state.create_topic("topic", 1, {}).partitions[0]
        error, producer = broker.transactions.init_producer("t", 0.05)
        assert error is OK
        assert broker.transactions.add_partitions("t", producer, {PART}) is OK

        async def aborted() -> bool:
            return log.end_offset == 1

        await eventually(aborted)


async def test_a_deleted_topic_does_not_hold_up_its_transactions(embedded: EmbeddedBroker) -> None:
    embedded.state.create_topic("topic", 1, {})
    error, producer = embedded.transactions.init_producer("t", 60)
    assert error is OK
    assert embedded.transactions.add_partitions("t", producer, {PART}) is OK
    async with raw_client(embedded.bootstrap) as raw:
        t = types(20, 5)
        await raw.ask(t.DeleteTopicsRequest(topic_names=("topic",), timeout=timedelta(seconds=5)))
        assert (await raw.ask(end("t", producer))).error_code is OK
