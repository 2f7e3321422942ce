"""The machine's clock is set back, or far ahead, while the broker runs: nothing is lost by that,
no member expires, and no transaction is stuck."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kio.schema.errors import ErrorCode

from app.sandbox.kafka import BrokerSettings, EmbeddedBroker
from app.sandbox.kafka.housekeeping import look_after_logs
from tests.sandbox.kafka.raw import (
    fetch_request,
    fetched,
    list_offsets_request,
    produce_request,
    produced,
    raw_client,
    record_batch,
)

HOUR = 3600.0
SetClock = Callable[[float], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Sets the clock by so many seconds from the right time."""
    real = time.time

    def by(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: real() + seconds)

    return by


async def test_records_stay_in_order_and_are_found_when_the_clock_is_set_back(
    set_clock: SetClock,
) -> None:
    configs = {"message.timestamp.type": "LogAppendTime", "segment.ms": "1000"}
    async with EmbeddedBroker() as broker, raw_client(broker.bootstrap) as raw:
        broker.state.create_topic("t", 1, configs)
        for seconds, offset in ((0.0, 0), (-25 * HOUR, 1), (-24 * HOUR, 2), (0.0, 3)):
            set_clock(seconds)
            answer = produced(await raw.ask(produce_request("t", record_batch([b"%d" % offset]))))
            assert (answer.error_code, answer.base_offset) == (ErrorCode.none, offset)
            await look_after_logs(broker.state)
        part = fetched(await raw.ask(fetch_request("t", 0)))
        assert [part.records.count(b"%d" % offset) > 0 for offset in range(4)] == [True] * 4
        long_ago = round((time.time() - 30 * HOUR) * 1000)
        found = await raw.ask(list_offsets_request("t", long_ago))
        assert found.topics[0].partitions[0].offset == 0


@pytest.mark.parametrize("seconds", [-HOUR, 6 * HOUR], ids=["back", "ahead"])
async def test_members_stay_and_go_on_when_the_clock_is_set(
    set_clock: SetClock, seconds: float
) -> None:
    async with EmbeddedBroker() as broker:
        broker.state.create_topic("t", 2, {})
        async with (
            AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer,
            AIOKafkaConsumer(
                "t",
                bootstrap_servers=broker.bootstrap,
                group_id="g",
                session_timeout_ms=1000,
                heartbeat_interval_ms=100,
            ) as consumer,
        ):
            group = broker.groups.find("g")
            assert group is not None
            before = (set(group.members), group.generation)
            set_clock(seconds)
            await asyncio.sleep(1.5)
            assert (set(group.members), group.generation) == before
            await producer.send_and_wait("t", b"x", partition=1)
            async with asyncio.timeout(60):
                assert (await consumer.getone()).value == b"x"
            await consumer.commit()
            assert await consumer.committed(TopicPartition("t", 1)) == 1


async def test_a_transaction_is_committed_over_a_clock_that_is_set_back(
    set_clock: SetClock,
) -> None:
    settings = BrokerSettings(transaction_check_interval=0.1)
    async with EmbeddedBroker(settings=settings) as broker:
        broker.state.create_topic("t", 1, {})
        async with AIOKafkaProducer(
            bootstrap_servers=broker.bootstrap, transactional_id="txn"
        ) as producer:
            await producer.begin_transaction()
            await producer.send_and_wait("t", b"x")
            set_clock(-HOUR)
            await asyncio.sleep(0.3)
            await producer.commit_transaction()
            async with producer.transaction():
                await producer.send_and_wait("t", b"y")
        log = broker.state.topics["t"].partitions[0]
        assert log.last_stable_offset == log.end_offset == 4
