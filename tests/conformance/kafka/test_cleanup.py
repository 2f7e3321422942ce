"""Retention and compaction throw away the same records everywhere."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

pytestmark = pytest.mark.broker

SECONDS = 60
Name = Callable[[str], str]
Create = Callable[[dict[str, str]], str]
Sent = list[tuple[str, str | None]]


@pytest.fixture
def create(kafka_address: str, unique_name: Name) -> Create:
    """Creates a topic whose every record begins a segment, when their times are far apart."""

    def make(configs: dict[str, str]) -> str:
        name = unique_name("topic")
        admin = AdminClient({"bootstrap.servers": kafka_address})
        topic = NewTopic(name, 1, 1, config={"segment.ms": "10"} | configs)
        for made in admin.create_topics([topic]).values():
            made.result(SECONDS)
        return name

    return make


def send(address: str, topic: str, records: Sent, *, began: int, size: int = 1) -> None:
    """Produce records, each in a batch of its own and a second after the one before."""
    producer = Producer({"bootstrap.servers": address})
    for number, (key, value) in enumerate(records):
        content = None if value is None else value * size
        producer.produce(topic, content, key=key, partition=0, timestamp=began + number * 1000)
        assert producer.flush(SECONDS) == 0


def watermarks(address: str, topic: str) -> tuple[int, int]:
    consumer = Consumer({"bootstrap.servers": address, "group.id": topic})
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), SECONDS)
        return low, high
    finally:
        consumer.close()


def content(address: str, topic: str) -> list[tuple[int, str, str | None]]:
    """Offset, key and value of all records."""
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": topic,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = []
    try:
        while True:
            message = consumer.poll(SECONDS)
            assert message is not None
            if message.error() is not None:
                return found
            value = message.value()
            found.append((message.offset(), message.key().decode(), value and value.decode()))
    finally:
        consumer.close()


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_records_older_than_the_retention_go(kafka_address: str, create: Create) -> None:
    topic = create({"retention.ms": "600000"})
    now = round(time.time() * 1000)
    send(kafka_address, topic, [("a", "old"), ("b", "old")], began=now - 6_000_000)
    send(kafka_address, topic, [("c", "new")], began=now)
    eventually(lambda: watermarks(kafka_address, topic) == (2, 3))
    assert content(kafka_address, topic) == [(2, "c", "new")]


def test_a_log_of_old_records_alone_becomes_empty(kafka_address: str, create: Create) -> None:
    topic = create({"retention.ms": "60000"})
    now = round(time.time() * 1000)
    send(kafka_address, topic, [("a", "old"), ("b", "old")], began=now - 600_000)
    eventually(lambda: watermarks(kafka_address, topic) == (2, 2))


def test_a_log_keeps_to_its_size(kafka_address: str, create: Create) -> None:
    topic = create({"retention.bytes": "250000"})
    now = round(time.time() * 1000)
    send(kafka_address, topic, [("k", "x")] * 5, began=now - 5000, size=100_000)
    eventually(lambda: watermarks(kafka_address, topic) == (2, 5))


def test_compaction_keeps_the_last_record_of_each_key(kafka_address: str, create: Create) -> None:
    topic = create(
        {
            "cleanup.policy": "compact",
            "min.cleanable.dirty.ratio": "0.01",
            "delete.retention.ms": "0",
        }
    )
    now = round(time.time() * 1000)
    records: Sent = [("a", "1"), ("b", "1"), ("a", "2"), ("b", None), ("c", "1"), ("a", "3")]
    send(kafka_address, topic, records, began=now - 100_000)
    eventually(lambda: [r[0] for r in content(kafka_address, topic)] in ([2, 3, 4, 5], [2, 4, 5]))
    # The tombstone goes with the next compaction, which needs something new to compact.
    send(kafka_address, topic, [("d", "1"), ("e", "1")], began=now - 50_000)
    expected = [(4, "c", "1"), (5, "a", "3"), (6, "d", "1"), (7, "e", "1")]
    eventually(lambda: content(kafka_address, topic) == expected)
    assert watermarks(kafka_address, topic) == (0, 8)
