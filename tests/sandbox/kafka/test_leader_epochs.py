"""Leader epochs: where each began and ended, and what clients of another epoch are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kio.schema.errors import ErrorCode

from app.sandbox.kafka import EmbeddedBroker
from app.sandbox.kafka.leader_epochs import LeaderEpochs
from tests.sandbox.kafka.raw import produce_request, raw_client, record_batch, types


def test_an_epoch_ends_where_the_next_begins() -> None:
    epochs = LeaderEpochs()
    epochs.begin(2, 10)
    epochs.begin(5, 30)
    epochs.begin(4, 40)
    assert epochs.current == 5
    assert [epochs.end_of(epoch, 99) for epoch in (0, 1, 2, 4, 5, 6, -1)] == [
        (0, 10),
        (0, 10),
        (2, 30),
        (2, 30),
        (5, 99),
        (-1, -1),
        (-1, -1),
    ]
    assert [epochs.of(offset) for offset in (0, 9, 10, 29, 30, 99)] == [0, 0, 2, 2, 5, 5]


async def epoch_end(address: str, current: int, epoch: int) -> Any:
    t = types(23, 4)
    part = t.OffsetForLeaderPartition(partition=0, current_leader_epoch=current, leader_epoch=epoch)
    topic = t.OffsetForLeaderTopic(topic="moved", partitions=(part,))
    async with raw_client(address) as raw:
        answer = await raw.ask(t.OffsetForLeaderEpochRequest(topics=(topic,), replica_id=-1))
    return answer.topics[0].partitions[0]


async def test_a_moved_leader_fences_clients_of_the_epoch_before_also_after_a_restart(
    tmp_path: Path,
) -> None:
    async with EmbeddedBroker(data=tmp_path) as broker:
        broker.state.create_topic("moved", 1, {})
        async with raw_client(broker.bootstrap) as raw:
            await raw.ask(produce_request("moved", record_batch([b"a", b"b"])))
            assert broker.move_leader("moved", 0) == 1
            await raw.ask(produce_request("moved", record_batch([b"c"])))
        assert broker.move_leader("moved", 0) == 2
    async with EmbeddedBroker(data=tmp_path) as broker:
        fenced = await epoch_end(broker.bootstrap, 1, 0)
        assert fenced.error_code is ErrorCode.fenced_leader_epoch
        first = await epoch_end(broker.bootstrap, 2, 0)
        assert (first.leader_epoch, first.end_offset) == (0, 2)
        second = await epoch_end(broker.bootstrap, -1, 1)
        assert (second.leader_epoch, second.end_offset) == (1, 3)


async def test_clients_follow_a_leader_that_moves(embedded: EmbeddedBroker) -> None:
    embedded.state.create_topic("moved", 1, {})
    async with (
        AIOKafkaProducer(bootstrap_servers=embedded.bootstrap, enable_idempotence=True) as producer,
        AIOKafkaConsumer(
            "moved", bootstrap_servers=embedded.bootstrap, auto_offset_reset="earliest"
        ) as consumer,
    ):
        for number in range(4):
            await producer.send_and_wait("moved", b"%d" % number)
            assert (await consumer.getone()).value == b"%d" % number
            embedded.move_leader("moved", 0)
